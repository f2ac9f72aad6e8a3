"""L5: snapshot anywhere, restore, go on = never stopped; the same state gives the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.snapshot import restore, snapshot
from tests.laws.running import breaches, differences, pictures, run, state
from tests.laws.tapes import SOURCES, Case, cases, tape_of

cuts = st.lists(st.integers(0, 10_000), min_size=1, max_size=3)


def restored(case: Case, data: bytes) -> Engine:
    """A fresh engine from the bytes."""
    judge = case.mode in ("feed", "phases")
    return restore(data, case.rulebooks, SOURCES, phases_judge=judge)


@pytest.mark.criterion("L5")
@given(cases(), cuts, st.booleans())
def test_a_restart_is_never_noticed(case: Case, where: list[int], read: bool) -> None:
    rows, controls = tape_of(case)
    engine, at = case.engine(), 0
    for cut in sorted({cut % (len(rows) + 1) for cut in where}):
        engine.apply(Batch(rows[at:cut], controls))
        at = cut
        if read:
            engine.at(engine.position)
        data = snapshot(engine)
        again = restored(case, data)
        assert snapshot(again) == data
        assert differences(state(engine), state(again)) == []
        events = engine.drain()
        assert again.drain() == events
        engine = again
    engine.apply(Batch(rows[at:], controls))
    engine.finish()
    plain = run(case)
    assert differences(state(plain), state(engine)) == []
    assert differences(breaches(plain, case.end), breaches(engine, case.end)) == []
    assert differences(pictures(plain, case.end), pictures(engine, case.end)) == []


@pytest.mark.criterion("L5")
@given(cases(), cuts, st.booleans())
def test_the_same_state_gives_the_same_bytes(case: Case, where: list[int], over: bool) -> None:
    whole, pieces = run(case, over=over), run(case, where, over=over)
    assert differences(state(whole), state(pieces)) == []
    for engine in (whole, pieces):
        engine.advance(case.end)
        engine.at(case.end)
        engine.drain()
    assert snapshot(whole) == snapshot(pieces)
