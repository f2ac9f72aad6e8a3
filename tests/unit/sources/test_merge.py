"""The merge: one order whatever the deliveries, late rows handed back, repeats dropped (TAPE-03, TAPE-05)."""

from __future__ import annotations

import pytest

from mm_monitor.core.batch import Decoded, Rows, control_rows, empty_rows
from mm_monitor.core.model import Kind, PhaseRecord
from mm_monitor.sources.merge import AFTER_ALL, BEFORE_ALL, MOST_RUNS, Merge
from mm_monitor.sources.protocol import Delivery


def quotes(part: int, *times: int, offset: int = 0) -> Delivery:
    rows = empty_rows(len(times))
    rows["ts"], rows["kind"], rows["part"] = times, Kind.QUOTE, part
    rows["offset"] = range(offset, offset + len(times))
    return Delivery(part, Decoded(rows), len(times))


def times(rows: Rows) -> list[int]:
    return [int(t) for t in rows["ts"]]


@pytest.mark.criterion("TAPE-03")
def test_rows_of_all_parts_come_out_in_one_order() -> None:
    merge = Merge()
    merge.push(quotes(1, 5, 3, 9))
    merge.push(quotes(2, 4, 8))
    assert times(merge.release(AFTER_ALL).rows) == [3, 4, 5, 8, 9]


@pytest.mark.criterion("TAPE-05")
def test_watermark_is_the_least_of_the_greatest_less_the_lateness() -> None:
    merge = Merge(lateness=10)
    assert merge.mark([1, 2]) == BEFORE_ALL
    merge.push(quotes(1, 100))
    assert merge.mark([1, 2]) == BEFORE_ALL  # part 2 has not spoken
    merge.push(quotes(2, 60))
    assert merge.mark([1, 2]) == 50
    assert merge.mark([1]) == 90  # part 2 is idle
    assert merge.mark([], idle=70) == 70


@pytest.mark.criterion("TAPE-03")
def test_a_row_behind_the_watermark_is_late_and_not_merged() -> None:
    merge = Merge()
    merge.push(quotes(1, 10))
    merge.release(20)
    late, controls = merge.push(quotes(1, 19, 20, offset=1))
    assert times(late) == [19]
    assert controls == []
    assert merge.late == 1
    assert times(merge.release(AFTER_ALL).rows) == [20]


def test_late_controls_come_back_as_objects() -> None:
    merge = Merge()
    merge.release(20)
    phase = PhaseRecord(5, "*", "halt")
    late, controls = merge.push(
        Delivery(3, Decoded(control_rows([phase], [Kind.PHASE], 3, [0]), [phase]), 1)
    )
    assert len(late) == 1
    assert controls == [phase]
    assert merge.release(AFTER_ALL).controls == {}


def test_a_row_at_the_watermark_waits_for_its_instant_to_pass() -> None:
    merge = Merge()
    merge.push(quotes(1, 10, 20))
    assert times(merge.release(20).rows) == [10]
    assert merge.buffered == 1


@pytest.mark.criterion("TAPE-04")
def test_a_duplicate_has_no_effect() -> None:
    merge = Merge()
    merge.push(quotes(1, 10, 11))
    merge.push(quotes(1, 10, 11))
    assert times(merge.release(AFTER_ALL).rows) == [10, 11]
    assert merge.duplicates == 2


def test_controls_keep_to_their_rows_across_parts() -> None:
    merge = Merge()
    first, second = PhaseRecord(5, "*", "halt"), PhaseRecord(3, "K0", "continuous")
    for part, record in ((3, first), (4, second)):
        decoded = Decoded(control_rows([record], [Kind.PHASE], part, [0]), [record])
        merge.push(Delivery(part, decoded, 1))
    batch = merge.release(AFTER_ALL)
    assert [batch.controls[int(key)] for key in batch.rows["a"]] == [second, first]


def test_more_deliveries_wait_than_merge_at_once() -> None:
    merge = Merge()
    for i in range(MOST_RUNS + 500):
        merge.push(quotes(1 + i % 2, 10_000 - i, 20_000 - i, offset=2 * i))
    rows = merge.release(AFTER_ALL).rows
    assert times(rows) == sorted(times(rows))
    assert len(rows) == 2 * (MOST_RUNS + 500)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_control_that_waits_leaves_with_the_rows_of_its_time(restarted: bool) -> None:
    merge = Merge()
    later = [PhaseRecord(30, "*", "halt"), PhaseRecord(50, "*", "continuous")]
    kinds = [Kind.PHASE] * 2
    merge.push(Delivery(2, Decoded(control_rows(later, kinds, 2, [0, 1]), later), 2))
    merge.push(quotes(1, 10, 20, 29, 30, 31, 60))
    assert merge.release(30).controls == {}
    if restarted:
        state, merge = merge.state(), Merge()
        merge.restore(state)
    assert list(merge.release(31).controls.values()) == later[:1]
    assert merge.release(50).controls == {}
    assert list(merge.release(AFTER_ALL).controls.values()) == later[1:]
