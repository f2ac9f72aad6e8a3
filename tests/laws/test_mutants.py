"""Every law kills its mutants: a test that cannot see a mistake proves nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.laws.mutants import COMPILED, PYTHON, RARE, SILENT, Mutant
from tests.laws.workshop import SURVIVED, Bench, make, verdict

EXAMPLES = 600  # the first of them that fails ends the run
MANY = 12_000
MUTANTS = (*COMPILED, *PYTHON)
Benches = dict[Mutant, Future[Bench]]

# Mutants are made of the sources: with other kernels there is nothing else to see.
pytestmark = [
    pytest.mark.skipif("MM_MONITOR_KERNEL_DIR" in os.environ, reason="kernels of another build"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    """All mutants, made two at a time while the first are already tried."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            mutant: pool.submit(make, mutant, tmp_path_factory.mktemp("mutant"))
            for mutant in (*MUTANTS, SILENT, *RARE)
        }


def test_every_law_has_its_mutants() -> None:
    count = Counter(mutant.law for mutant in MUTANTS)
    assert {law: count[law] >= 2 for law in ("L1", "L2", "L3", "L4", "L5", "L6", "L7")} == {
        f"L{k}": True for k in range(1, 8)
    }


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.law} {m.name}")
def test_the_law_kills(mutant: Mutant, benches: Benches) -> None:
    assert verdict(mutant, benches[mutant].result(), EXAMPLES) == mutant.seen_as


@pytest.mark.slow
@pytest.mark.parametrize("mutant", RARE, ids=lambda m: f"{m.law} {m.name}")
def test_the_law_kills_in_the_end(mutant: Mutant, benches: Benches) -> None:
    assert verdict(mutant, benches[mutant].result(), MANY) == mutant.seen_as


def test_without_checks_no_exception_tells_of_an_overrun(benches: Benches) -> None:
    seen = verdict(SILENT, benches[SILENT].result(), EXAMPLES)
    assert seen in (SURVIVED, "AssertionError") or seen.startswith("exit -"), seen
