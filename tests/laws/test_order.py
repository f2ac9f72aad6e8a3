"""L7: any permutation of the records within the allowed lateness gives the same result (TAPE-03)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.batch import Decoded, is_control
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, ReferenceRecord
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from tests.laws.running import breaches, differences, pictures, run, state
from tests.laws.tapes import SOURCES, Case, announce_all, cases, rows_of

delays = st.lists(st.integers(0, 6), min_size=1, max_size=60)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def arrivals(case: Case, jitter: Sequence[int], lateness: int) -> np.ndarray:
    """Row numbers in an order of arrival in which none is later than the allowed lateness."""
    rows, _ = rows_of(case.records)
    delay = np.array([jitter[i % len(jitter)] for i in range(len(rows))]) * lateness // 6
    return np.argsort(rows["ts"] + delay, kind="stable")


def deliveries(case: Case, order: np.ndarray, chunks: Sequence[int]) -> list[Delivery]:
    """The records in that order, cut into deliveries; a delivery is of one partition."""
    rows, kept = rows_of(case.records)
    made, start, k = [], 0, 0
    while start < len(order):
        piece = rows[order[start : start + chunks[k % len(chunks)]]]
        start, k = start + len(piece), k + 1
        for part in SOURCES:
            mine = piece[piece["part"] == part].copy()
            controls: list[Control] = []
            for i in np.flatnonzero(is_control(mine)):
                controls.append(kept[int(mine["a"][i])])
                mine["a"][i] = len(controls) - 1
            if len(mine):
                made.append(Delivery(part, Decoded(mine, controls), len(mine)))
    return made


def names_new(delivery: Delivery) -> bool:
    """Does a row name, or a record bring, what was not there from the beginning?"""
    rows = delivery.decoded.rows
    named = ~is_control(rows) & ((rows["contract"] > 2) | (rows["maker"] > 1))
    brought = any(isinstance(control, ReferenceRecord) for control in delivery.decoded.controls)
    known = {"*", "K0", "K1", "C0", "C1", "C2", "M0", "M1", "nobody"}
    names = ("scope", "maker", "contract", "klass")
    controls = delivery.decoded.controls
    spoken = any(getattr(c, name, "*") not in known for c in controls for name in names)
    return bool(named.any()) or brought or spoken


def merged(
    case: Case,
    tape: Sequence[Delivery],
    lateness: int,
    *,
    repeats: Sequence[int] = (),
    announced: bool = True,
) -> Engine:
    """An engine fed through the merge, which is stepped after every delivery; some deliveries come twice."""
    engine, merge = case.engine(announced=announced), Merge(lateness)
    parts = {delivery.part for delivery in tape}
    twice = {i % len(tape) for i in repeats}
    for i, delivery in enumerate(tape):
        if not announced and names_new(delivery):
            announce_all(engine.reference)
            announced = True
        for _ in range(2 if i in twice else 1):
            late, _ = merge.push(delivery)
            assert not len(late)
        engine.apply(merge.release(merge.mark(parts)))
        if merge.watermark > 0:
            engine.advance(merge.watermark)
            engine.at(max(merge.watermark, engine.position))
    engine.apply(merge.release(AFTER_ALL))
    engine.finish()
    assert merge.buffered == 0
    assert merge.duplicates == sum(len(tape[i].decoded.rows) for i in twice)
    return engine


@pytest.mark.criterion("TAPE-03")
@given(cases(), delays, sizes, st.integers(0, 8), st.lists(st.integers(0, 99), max_size=2))
def test_a_permutation_within_the_lateness_changes_nothing(
    case: Case, jitter: list[int], chunks: list[int], allowed: int, repeats: list[int]
) -> None:
    lateness = allowed * case.step
    tape = deliveries(case, arrivals(case, jitter, lateness), chunks)
    plain, shuffled = run(case), merged(case, tape, lateness, repeats=repeats)
    assert differences(state(plain), state(shuffled)) == []
    assert differences(breaches(plain, case.end), breaches(shuffled, case.end)) == []


@pytest.mark.criterion("TAPE-03")
@given(cases(), delays, sizes)
def test_when_names_are_heard_changes_nothing(
    case: Case, jitter: list[int], chunks: list[int]
) -> None:
    tape = deliveries(case, arrivals(case, jitter, 4 * case.step), chunks)
    early = merged(case, tape, 4 * case.step)
    late = merged(case, tape, 4 * case.step, announced=False)
    first, second = pictures(early, case.end), pictures(late, case.end)
    # A name that was not heard before the period was over is not in its picture.
    if [one["contracts"] for one in first] == [other["contracts"] for other in second]:
        assert differences(first, second) == []
    assert differences(breaches(early, case.end), breaches(late, case.end)) == []
