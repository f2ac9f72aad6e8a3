"""What a record costs in re-judgements: those whose interval of theo is left, and each quote's own two moments.

Re-judgements are counted by the kernel itself (`COUNTS`), so that no clock decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import ROW, THEO_MISSING
from mm_monitor.core.model import Kind
from mm_monitor.kernels import layout
from tests.kernels.test_calls import PARAM, SETUP
from tests.kernels.worlds import Call, Machine, Setup, rows

MAX_AGE, MIN_REST = 400, 90
REJUDGED = layout.COUNTS.index("rejudged")


def book(makers: int, **param: int) -> Setup:
    """One contract, so many makers, 3 % of theo or a tick."""
    numbers = PARAM | {"makers": makers, "terms": 2, "buckets": 1, "longest": -1, "grace": -1}
    return replace(
        SETUP, cls=[0], rank=[list(range(makers))], ticks=[1], dead=[False], outside=[False],
        idle=[False] * makers, watched=[False] * makers, param=numbers | param, buckets=[0], sizes=[1],
        spare_edges=1000,
        terms=[(layout.THEO, 3, 100, 0), (layout.TICKS, 1, 1, 0)] * 4,
    )  # fmt: skip


def rejudged(machine: Machine, tape: Any) -> int:
    """Re-judgements of some rows."""
    before, at = int(machine.counts[REJUDGED]), 0
    while at < len(tape):  # it stops where edges want to be read
        at = machine.module.apply_rows(machine.kernel, tape, at, machine.counts)
        machine.kernel.clear_edges()
    return int(machine.counts[REJUDGED]) - before


def quotes(makers: int, count: int, step: int) -> Any:
    """Quotes of every maker in turn, each with a price of its own."""
    tape = np.zeros(count, ROW)
    tape["ts"], tape["kind"] = np.arange(count) * step, Kind.QUOTE
    tape["maker"] = np.arange(count) % makers
    tape["a"], tape["b"] = 1000 + np.arange(count) % 7, 1020 + np.arange(count) % 7
    tape["a_size"] = tape["b_size"] = 10
    return tape


@pytest.mark.criterion("VAL-08")
@pytest.mark.criterion("VAL-09")
@pytest.mark.parametrize("makers", [2, 20, 200])
@pytest.mark.parametrize("counts", [layout.RESTS_THEN, layout.RESTS_FLAGGED, layout.RESTS_SCOUT])
def test_a_quote_expires_once_and_rests_once_however_many_makers_there_are(
    makers: int, counts: int
) -> None:
    machine = Machine(kernels, book(makers, max_age=MAX_AGE, min_rest=MIN_REST, rests=counts))
    for step in (1, 50, 1000):
        assert 0 <= rejudged(machine, quotes(makers, 4000, step)) <= 2 * 4000
        machine = Machine(kernels, machine.setup)


@pytest.mark.criterion("VAL-11")
@given(st.data())
def test_a_theo_judges_again_those_whose_interval_it_leaves_and_no_other(
    data: st.DataObject,
) -> None:
    setup = book(3, max_age=-1, band_abs=data.draw(st.sampled_from([-1, 3])))
    machine, t = Machine(kernels, setup), 0
    assert machine.step(Call("set_clocks", 0, ((0,), (1,), (1,))), 0) == 1
    for _ in range(data.draw(st.integers(1, 12))):
        t += 1
        row = data.draw(rows(setup, t))
        slots, con = machine.slots.copy(), machine.cons[0].copy()
        done = rejudged(machine, np.array([row], ROW))
        if row[10] != Kind.THEO:
            assert done == 0  # a quote judges itself alone
            continue
        gone = bool(row[11] & THEO_MISSING)
        outside = (slots["theo_lo"] > row[2]) | (slots["theo_hi"] < row[2])
        if gone:
            assert done == (len(slots) if con["theo_ok"] else 0)
        else:
            assert done == (int(outside.sum()) if con["theo_ok"] else len(slots))
