"""L3: reading changes nothing, and without a record no total shrinks. L4: when a breach is noticed decides nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from tests.laws.running import FEWER, breaches, differences, picture, pictures, run, state
from tests.laws.tapes import Case, cases, tape_of

steps = st.lists(st.integers(0, 9), max_size=5)
FAR = 2**61
GROWING = ("quoted", "exempt", "unknown", "lapsed", "lapsed_by_reason", "longest_lapse", "lapses",
           "switches", "limit_use", "last_valid")  # fmt: skip


def shrunk(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Totals of `after` that are less than those of `before`."""
    found = []
    for name in GROWING:
        pairs = zip(before["obligations"][name], after["obligations"][name], strict=True)
        found += [f"{name}: {a} then {b}" for a, b in pairs if not not_less(a, b)]
    holes = zip(before["market_hole"], after["market_hole"], strict=True)
    return found + [f"hole: {a} then {b}" for a, b in holes if a[1] > b[1]]


def not_less(a: Any, b: Any) -> bool:
    """b >= a, number by number."""
    if isinstance(a, list):
        return all(x <= y for x, y in zip(a, b, strict=True))
    return bool(a <= b)


@pytest.mark.criterion("TAPE-01")
@given(cases(), st.integers(0, 10_000), steps, st.booleans())
def test_reading_changes_nothing(case: Case, cut: int, waits: list[int], estimate: bool) -> None:
    engine = case.engine()
    rows, controls = tape_of(case)
    engine.apply(Batch(rows[: cut % (len(rows) + 1)], controls))
    before, t = state(engine), engine.position
    shown = pictures(engine, t)
    for wait in [*waits, 0]:
        t += wait * case.step // 2
        for view in engine.at(t, estimate=estimate):
            assert view.at >= engine.position
        later = pictures(engine, t)
        assert differences(before, state(engine)) == []
        assert [x for a, b in zip(shown, later, strict=True) for x in shrunk(a, b)] == []
        assert differences(later, pictures(engine, t)) == []
        shown = later


@pytest.mark.criterion("TAPE-01")
@FEWER
@given(cases(), st.integers(0, 10_000), st.integers(1, 4))
def test_a_picture_in_pieces_is_of_one_instant(case: Case, cut: int, at_once: int) -> None:
    """Whatever the tape brings between its pieces."""
    engine = case.engine()
    rows, controls = tape_of(case)
    begun = cut % (len(rows) + 1)
    engine.apply(Batch(rows[:begun], controls))
    t = engine.position
    expected = pictures(engine, t)
    drawing = engine.picturing(t)
    while True:
        try:
            next(drawing)
        except StopIteration as end:
            shown = [picture(view) for view in end.value]
            break
        if begun < len(rows):
            engine.apply(Batch(rows[begun : begun + at_once], controls))
            begun += at_once
            engine.advance(engine.position)
    assert differences(expected, shown) == []


ADVANCE, READ, BOTH, NOTHING = range(4)
Look = tuple[
    int, int
]  # what to do after a row, and how far into the time until the next one, in quarters
looks = st.lists(
    st.tuples(st.integers(ADVANCE, NOTHING), st.integers(0, 4)), min_size=1, max_size=6
)


def watch(case: Case, plan: list[Look], *, guesses: bool = False) -> Engine:
    """An engine that is read and advanced between its rows, at instants that no later record precedes."""
    engine = case.engine()
    rows, controls = tape_of(case)
    times = [*rows["ts"].tolist(), case.end]
    begun = 0
    for i in range(1, len(rows) + 1):
        how, share = plan[i % len(plan)]
        if how == NOTHING and i < len(rows):
            continue
        engine.apply(Batch(rows[begun:i], controls))
        begun = i
        t = engine.position + (times[i] - times[i - 1]) * share // 4
        if how in (ADVANCE, BOTH):
            engine.advance(t)
        if how in (READ, BOTH):
            engine.at(t)
        if guesses:
            engine.at(FAR if share == 4 else t + share * case.step, estimate=True)
    engine.finish()
    return engine


@pytest.mark.criterion("BRCH-01")
@pytest.mark.criterion("TAPE-01")
@given(cases(), looks, st.booleans())
def test_a_breach_is_the_same_whenever_it_is_noticed(
    case: Case, plan: list[Look], guesses: bool
) -> None:
    """Nor does a guess of what is to come leave anything behind."""
    unwatched, watched = run(case), watch(case, plan, guesses=guesses)
    assert differences(state(unwatched), state(watched)) == []
    assert differences(breaches(unwatched, case.end), breaches(watched, case.end)) == []


@pytest.mark.criterion("TAPE-05")
@FEWER
@given(cases(), looks)
def test_an_advance_notices_all_that_a_look_at_everything_would(
    case: Case, plan: list[Look]
) -> None:
    """Though it looks only where something may have crossed its limit."""
    rows, controls = tape_of(case)
    times = [*rows["ts"].tolist(), case.end]
    rare, thorough = case.engine(), case.engine()
    begun = 0
    for i in range(1, len(rows) + 1):
        how, share = plan[i % len(plan)]
        if how == NOTHING and i < len(rows):
            continue
        t = times[i - 1] + (times[i] - times[i - 1]) * share // 4
        for engine in (rare, thorough):
            engine.apply(Batch(rows[begun:i], controls))
            engine.advance(t)
        begun = i
        for mine, its in zip(rare.evaluators, thorough.evaluators, strict=True):
            if its.in_period and (thorough.rests is None or thorough.rests.over):
                its.crossings.forget()
                its.totals_at(t)
            assert mine.breaches.found == its.breaches.found
