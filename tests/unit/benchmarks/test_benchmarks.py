"""Every benchmark can be loaded: they share pieces, and nothing else would notice that one went."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks import bench_latency
from benchmarks.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_has_what_is_asked_of_it(name: str) -> None:
    bench = import_module(f"benchmarks.bench_{name}")
    assert callable(bench.run)
    assert bench.TITLE


def test_what_stands_for_the_source_is_all_that_the_service_asks() -> None:
    """No time is looked at: only whether the service runs, and tells of breaches."""
    found = bench_latency.measure(1_000, 1, 2)
    assert float(str(found["breaches"])) > 50
