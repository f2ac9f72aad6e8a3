"""The merge kernel and its plain twin put any runs into the one order of the tape, each row once."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import ROW
from mm_monitor.kernels import reference as plain
from tests.kernels.worlds import shifted

MODULES = pytest.mark.parametrize("module", [kernels, plain], ids=["kernel", "twin"])
few = st.integers(0, 2)
extremes = st.sampled_from([0, 1, 2**63 - 1, -(2**63)])
keys = st.tuples(st.one_of(few, extremes), few, few, st.one_of(few, extremes), few)
runs = st.lists(st.lists(keys, max_size=6), max_size=5)
shifts = st.sampled_from([0, 1])


def rows_of(run: list[tuple[int, ...]], *, ordered: bool, shift: int) -> Any:
    """Rows whose other fields tell the key too, so that a repeat is the same row."""
    rows = np.zeros(len(run), ROW)
    for i, (ts, kind, part, offset, sub) in enumerate(sorted(run) if ordered else run):
        rows[i] = (ts, offset, hash((ts, offset)) % 2**31, 0, 0, 0, 0, 0, part, sub, kind, 0, 0)
    rows = shifted(rows, shift)
    rows.flags.writeable = False
    return rows


@pytest.mark.criterion("TAPE-03")
@given(runs, shifts)
def test_the_merge_is_its_plain_twin(drawn: list[list[tuple[int, ...]]], shift: int) -> None:
    sorted_runs = [rows_of(run, ordered=True, shift=shift) for run in drawn]
    total = sum(len(run) for run in drawn)
    outs = [np.zeros(total + 1, ROW) for _ in range(2)]
    written = [
        module.merge_runs(sorted_runs, out)
        for module, out in zip((kernels, plain), outs, strict=True)
    ]
    distinct = {key for run in drawn for key in run}
    assert written == [len(distinct)] * 2
    assert outs[0].tobytes() == outs[1].tobytes()


@given(runs, st.integers(1, 3))
def test_a_run_may_come_in_pieces(drawn: list[list[tuple[int, ...]]], size: int) -> None:
    whole = [rows_of(run, ordered=True, shift=0) for run in drawn]
    pieces = [run[i : i + size] for run in whole for i in range(0, len(run), size)]
    outs = [np.zeros(sum(map(len, drawn)), ROW) for _ in range(2)]
    assert kernels.merge_runs(pieces, outs[0]) == kernels.merge_runs(whole, outs[1])
    assert outs[0].tobytes() == outs[1].tobytes()


@given(runs, st.booleans(), shifts)
def test_the_survey_of_a_run(drawn: list[list[tuple[int, ...]]], ordered: bool, shift: int) -> None:
    for run in filter(None, drawn):
        rows = rows_of(run, ordered=ordered, shift=shift)
        assert kernels.survey(rows) == plain.survey(rows)


@given(runs, st.one_of(few, extremes), shifts)
def test_the_rows_before_an_instant(
    drawn: list[list[tuple[int, ...]]], ts: int, shift: int
) -> None:
    for run in drawn:
        rows = rows_of(run, ordered=True, shift=shift)
        assert kernels.count_before(rows, ts) == plain.count_before(rows, ts)


@given(runs, st.integers(0, 3), st.integers(0, 3))
def test_what_rows_tell_of(drawn: list[list[tuple[int, ...]]], kinds: int, contracts: int) -> None:
    for run in drawn:
        rows = rows_of(run, ordered=False, shift=0).copy()
        rows["contract"] = rows["sub"].astype(np.int64) - 1
        told = []
        for module in (kernels, plain):
            counts, named = np.ones(kinds, np.int64), np.zeros(contracts, np.uint8)
            module.tell(rows, counts, named)
            told.append((counts.tolist(), named.tolist()))
        assert told[0] == told[1]


@MODULES
def test_nothing_cannot_be_surveyed(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        module.survey(np.zeros(0, ROW))


@MODULES
def test_runs_that_do_not_fit(module: ModuleType) -> None:
    rows = np.zeros(3, ROW)
    with pytest.raises(ValueError, match="out: at least 6"):
        module.merge_runs([rows, rows], np.zeros(5, ROW))
    with pytest.raises(ValueError, match="at most 1024"):
        module.merge_runs([rows[:0]] * 1025, np.zeros(0, ROW))
    with pytest.raises(ValueError, match=r"[Bb]uffer|got int64"):
        module.merge_runs([np.zeros(3, np.int64)], np.zeros(5, ROW))
    assert module.merge_runs([], np.zeros(0, ROW)) == 0
    assert module.merge_runs([rows[:0]] * 1024, np.zeros(0, ROW)) == 0


def test_a_merge_into_memory_that_is_read_only() -> None:
    out = np.zeros(1, ROW)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.merge_runs([np.zeros(1, ROW)], out)
