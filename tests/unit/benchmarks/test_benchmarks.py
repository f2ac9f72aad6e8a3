"""Every benchmark can be loaded: they share pieces, and nothing else would notice that one went."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_has_what_is_asked_of_it(name: str) -> None:
    bench = import_module(f"benchmarks.bench_{name}")
    assert callable(bench.run)
    assert bench.TITLE
