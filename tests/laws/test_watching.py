"""Whoever looks at an obligation changes nothing, and what a chart shows of its time is whole (TAPE-02)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.watching import Key, Seen, Watching
from tests.laws.running import breaches, differences, run, state
from tests.laws.tapes import CONTRACTS, MAKERS, Case, cases, tape_of


def watched(case: Case, cuts: list[int], key: Key) -> tuple[Engine, list[Seen]]:
    """A run that somebody looks at after every batch, from the first on."""
    engine = case.engine()
    watching = Watching(engine, most=8, length=10_000, clock=lambda: 0.0)
    rows, controls = tape_of(case)
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    seen = []
    for start, end in pairwise(edges):
        watching.apply(Batch(rows[start:end], controls))
        one = watching.seen(key, engine.position)
        seen += [one] if one is not None else []
    engine.finish()
    return engine, seen


cuts = st.lists(st.integers(0, 10_000), min_size=1, max_size=6)
makers, contracts = st.sampled_from(MAKERS), st.sampled_from(CONTRACTS)


@pytest.mark.criterion("TAPE-02")
@settings(max_examples=max(10, settings().max_examples // 20))  # each is two whole days
@given(cases(), cuts, makers, contracts)
def test_a_look_changes_nothing_and_its_intervals_have_neither_gap_nor_overlap(
    case: Case, where: list[int], maker: str, contract: str
) -> None:
    plain = run(case)
    key = (plain.evaluators[0].rulebook.id, maker, contract)
    looked_at, seen = watched(case, where, key)
    assert differences(state(plain), state(looked_at)) == []
    assert differences(breaches(plain, case.end), breaches(looked_at, case.end)) == []
    if seen:
        spans, points = list(seen[-1].spans), list(seen[-1].points)
        assert all(start < end for start, end, _, _ in spans)
        assert all(a[1] < b[0] or (a[1] == b[0] and a[2:] != b[2:]) for a, b in pairwise(spans))
        assert all(a[0] < b[0] for a, b in pairwise(points))
        assert all((state == "lapsed") == bool(reason) for _, _, state, reason in spans)
