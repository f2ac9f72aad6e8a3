"""Arguments that do not belong together are refused by name, by kernels and twins alike, before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mm_monitor import kernels
from mm_monitor.core.batch import ROW
from mm_monitor.core.model import Kind
from mm_monitor.kernels import layout
from mm_monitor.kernels import reference as plain
from tests.kernels.worlds import Machine, Setup

PARAM = {
    "size_num": -1, "size_den": 1, "size_of": 0, "max_age": 10, "zero_bid": -1,
    "band_abs": -1, "band_num": -1, "band_den": 1, "theo_age": -1, "missing": 0, "reads_theo": 0,
    "longest": 2, "grace": 3, "combine_min": 0, "terms": 1, "makers": 2,
    "longest_hole": 4, "widths": 1, "req_num": 9, "req_den": 10, "apart": 1,
    "min_rest": -1, "rests": 0, "buckets": 2,
}  # fmt: skip
SETUP = Setup(
    cls=[0, 0], rank=[[0, 1]], ticks=[1, 1], dead=[False] * 2, outside=[False] * 2,
    idle=[False] * 4, watched=[False] * 4, param=PARAM, widths=[5],
    terms=[(layout.TICKS, 1, 1, 0)] * 4, cells=[], buckets=[0, 0], sizes=[1, 1], reliefs=2,
    start=0, spare_edges=0, shift=0,
)  # fmt: skip
MODULES = pytest.mark.parametrize("module", [kernels, plain], ids=["kernel", "twin"])


def arguments() -> dict[str, Any]:
    machine = Machine(kernels, SETUP)
    param = np.zeros(1, layout.PARAM)
    for name, value in PARAM.items():
        param[name] = value
    return {
        "slots": machine.slots,
        "past": machine.past,
        "wide": machine.wide,
        "win": machine.win,
        "widths": np.array([5], np.int64),
        "apart": machine.apart,
        "rests": machine.rests,
        "slot_con": np.array([0, 0, 1, 1], np.int32),
        "cons": machine.cons,
        "rank": np.array([0, 1], np.int32),
        "param": param,
        "terms": np.zeros(4, layout.TERM),
        "cells": np.zeros(0, layout.CELL),
        "edges": machine.edges,
        "reliefs": 2,
    }


def put(name: str, field: str, value: int, row: int = 0) -> dict[str, Any]:
    array = arguments()[name].copy()
    array[field][row] = value
    return {name: array}


def tables(
    base: int, numbers: tuple[int, int, int], count: int, closed: int = -1
) -> dict[str, Any]:
    terms, cells = np.zeros(4, layout.TERM), np.zeros(count, layout.CELL)
    terms[0] = (base, *numbers)
    cells["until"] = layout.NEVER
    if closed >= 0:
        cells["until"][closed] = 1
    return {"terms": terms, "cells": cells}


def wrong_arrays() -> list[tuple[str, dict[str, Any]]]:
    ints = np.int32

    def fitting(n: int) -> Any:
        rests = np.zeros(n, layout.REST)
        rests["prev"] = rests["next"] = layout.OUT
        return rests

    return [
        ("relief", {"reliefs": 0}),
        ("param", {"param": np.zeros(2, layout.PARAM)}),
        ("terms", {"terms": np.zeros(3, layout.TERM)}),
        ("terms", put("param", "terms", -1)),
        ("terms", {"reliefs": 1}),
        ("rank", put("param", "makers", 3)),
        ("rank", put("param", "makers", -1)),
        ("past", {"past": np.zeros(3, layout.PAST)}),
        ("slot_con", {"slot_con": np.zeros(3, ints)}),
        ("wide", {"wide": np.zeros(0, np.int64)}),
        ("wide", {"wide": np.zeros(5, np.int64)}),
        ("widths", {"widths": np.zeros(1, np.int64)}),
        ("widths", {"widths": np.ones(2, np.int64)}),
        ("win", {"win": np.zeros(3, layout.WIN)}),
        ("apart", {"apart": np.zeros(3, layout.APART)}),
        ("3 held of 2", put("cons", "held", 3)),
        ("follow each other", put("cons", "slot0", 1, row=1)),
        ("follow each other", put("cons", "slots", -1)),
        ("outside the rank table", put("cons", "cls", 1)),
        ("outside the rank table", put("cons", "cls", -1)),
        ("0 or 1", put("cons", "stress", 2)),
        ("0 or 1", put("cons", "theo_ok", 2)),
        ("0 or 1", put("cons", "e_run", 255)),
        ("0 or 1", put("cons", "n_run", 2)),
        ("rank 2 of 2", {"rank": np.array([0, 2], ints)}),
        ("contracts hold 4", {"slots": np.zeros(5, layout.SLOT), "past": np.zeros(5, layout.PAST),
                              "slot_con": np.zeros(5, ints),
                              "wide": np.zeros(5, np.int64), "win": np.zeros(5, layout.WIN),
                              "apart": np.zeros(5, layout.APART), "rests": fitting(5)}),
        ("relief 2 of 2", put("slots", "relax", 2)),
        ("state 15", put("slots", "state", 15)),
        ("rests", {"rests": np.zeros(3, layout.REST)}),
        ("prev or next is no slot", put("rests", "prev", 4)),
        ("prev or next is no slot", put("rests", "next", -3)),
        ("fresh 3", put("rests", "fresh", 3)),
        ("bucket 2 of 2", put("cons", "bucket", 2)),
        ("min_size of at least 1", put("cons", "min_size", 0)),
        ("buckets: at least 1", put("param", "buckets", 0)),
        ("head or tail is no slot", put("cons", "head", 4)),
        ("head or tail is no slot", put("cons", "tail", -2)),
        (r"terms\[0\]: cells of 2", tables(layout.TABLE_BID, (1, 2, 1), 2)),
        (r"terms\[0\]: cells of 2", tables(layout.TABLE_THEO, (1, 2, -1), 2)),
        (r"terms\[0\]: cells of 2", tables(layout.TABLE_THEO, (1, 1, 0), 2)),
        (r"terms\[0\]: cells of 2", tables(layout.TABLE_THEO, (0, 2, 0), 2)),
        (r"terms\[0\]: cells of 2", tables(layout.TABLE_THEO, (2**62, 2, 0), 2)),
        ("last band of bucket 1", tables(layout.TABLE_THEO, (2, 2, 0), 4, closed=3)),
        ("state 14", put("slots", "state", 14)),
        ("contract 2 of 2", {"slot_con": np.array([0, 0, 1, 2], ints)}),
        ("contract -1 of 2", {"slot_con": np.array([0, 0, 1, -1], ints)}),
        ("edges", {"edges": np.zeros(63, layout.EDGE)}),
    ]  # fmt: skip


@MODULES
@pytest.mark.parametrize(("message", "change"), wrong_arrays())
def test_arrays_that_do_not_fit_each_other(
    module: ModuleType, message: str, change: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=message):
        module.Arrays(**(arguments() | change))


@MODULES
@pytest.mark.parametrize(
    "name",
    [
        "slots",
        "past",
        "cons",
        "param",
        "terms",
        "edges",
        "wide",
        "win",
        "apart",
        "widths",
        "rank",
        "rests",
        "cells",
    ],
)
def test_an_array_of_another_type(module: ModuleType, name: str) -> None:
    other = np.zeros(len(arguments()[name]), np.float64)
    with pytest.raises(ValueError, match=r"[Bb]uffer|got float64"):
        module.Arrays(**(arguments() | {name: other}))


@pytest.mark.parametrize(
    "name", ["slots", "past", "cons", "edges", "wide", "win", "apart", "rests"]
)
def test_memory_that_the_kernel_writes_may_not_be_read_only(name: str) -> None:
    array = arguments()[name]
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.Arrays(**(arguments() | {name: array}))


def tape(*contracts: int) -> Any:
    rows = np.zeros(len(contracts), ROW)
    rows["contract"], rows["kind"] = contracts, Kind.QUOTE
    return rows


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


def octets(*values: int) -> Any:
    return np.array(values, np.uint8)


COUNTS = np.zeros(5, np.int64)
WRONG_CALLS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("apply_rows", "counts", (tape(0), 0, np.zeros(4, np.int64))),
    ("apply_rows", "start", (tape(0), 2, COUNTS)),
    ("apply_rows", "start", (tape(0), -1, COUNTS)),
    ("apply_rows", "row 1: contract 2 of 2", (tape(0, 2), 0, COUNTS)),
    ("apply_rows", "row 0: contract -1 of 2", (tape(-1), 0, COUNTS)),
    ("set_clocks", "contract 2 of 2", (ints(0, 2), 0, 5, octets(1, 1), octets(1, 1))),
    ("set_clocks", "contract -1 of 2", (ints(-1), 0, 5, octets(1), octets(1))),
    ("set_clocks", "e_run, n_run", (ints(0), 0, 5, octets(1, 1), octets(1))),
    ("set_clocks", "e_run, n_run", (ints(0), 0, 5, octets(1), octets())),
    ("set_clocks", "e_run: 0 or 1", (ints(0), 0, 5, octets(2), octets(1))),
    ("set_clocks", "n_run: 0 or 1", (ints(0), 0, 5, octets(1), octets(7))),
    ("set_clocks", "start", (ints(0), -1, 5, octets(1), octets(1))),
    ("set_stress", "on", (ints(0), 0, 5, octets())),
    ("set_stress", "contract 9 of 2", (ints(9), 0, 5, octets(1))),
    ("set_stress", "0 or 1", (ints(0), 0, 5, octets(2))),
    ("set_stress", "start", (ints(0), 2, 5, octets(1))),
    ("restate", "elements each", (ints(0), 0, 5, octets(0), octets(0), octets(0), octets(), 2)),
    ("restate", "slot 4 of 4", (ints(4), 0, 5, *[octets(0)] * 4, 2)),
    ("restate", "slot -1 of 4", (ints(-1), 0, 5, *[octets(0)] * 4, 2)),
    ("restate", "relax: below 2", (ints(0), 0, 5, octets(0), octets(0), octets(2), octets(0), 2)),
    ("restate", "reliefs: 2", (ints(0), 0, 5, *[octets(0)] * 4, 3)),
    ("restate", "start", (ints(0), 2, 5, *[octets(0)] * 4, 2)),
    ("shrink", "bid, ask, flags: 1", (ints(0), 0, 5, ints(1), ints(), octets(0))),
    ("shrink", "bid, ask: not negative, got -1", (ints(0), 0, 5, ints(1), ints(-1), octets(0))),
    ("shrink", "slot 4 of 4", (ints(4), 0, 5, ints(1), ints(1), octets(0))),
    ("shrink", "start", (ints(0), 2, 5, ints(1), ints(1), octets(0))),
    ("set_underlying", "spread: 1", (ints(0), 0, 5, np.zeros(2, np.int64))),
    ("set_underlying", "contract 2 of 2", (ints(2), 0, 5, np.zeros(1, np.int64))),
    ("set_underlying", "start", (ints(0), -1, 5, np.zeros(1, np.int64))),
    ("end_rests", "start", (-1, 5)),
    ("end_rests", "start", (3, 5)),
    ("settle", "start", (-1, 5)),
    ("settle", "start", (3, 5)),
    ("settle", "start", (2, 5, 1)),
    ("settle", "start", (0, 5, 3)),
]


@MODULES
@pytest.mark.parametrize(("name", "message", "arguments"), WRONG_CALLS)
def test_a_call_that_would_leave_the_arrays(
    module: ModuleType, name: str, message: str, arguments: tuple[Any, ...]
) -> None:
    machine = Machine(module, SETUP)
    with pytest.raises(ValueError, match=message):
        getattr(module, name)(machine.kernel, *arguments)
    assert machine.kernel.edge_count == 0


@MODULES
@pytest.mark.parametrize(
    ("n", "field", "value", "message"),
    [(3, "cell", 0, "replies: 4"), (4, "cell", 2, "cell 2"), (4, "cell", -1, "cell -1"),
     (4, "cause", 3, "cause 3")],
)  # fmt: skip
def test_replies_that_would_leave_the_latencies(
    module: ModuleType, n: int, field: str, value: int, message: str
) -> None:
    replies = np.zeros(n, layout.REPLY)
    replies[field][-1] = value
    with pytest.raises(ValueError, match=message):
        Machine(module, SETUP).kernel.follow(replies, np.zeros(2 * 3 * layout.LATENCIES, np.int64))


@MODULES
def test_columns_of_unequal_length(module: ModuleType) -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="equal lengths"):
        module.compare(one, two, 1, 2, np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="equal lengths"):
        module.compare(one, one, 1, 2, np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="equal lengths"):
        module.slacks(two, one, 1, 2, one)
    with pytest.raises(ValueError, match="equal lengths"):
        module.slacks(one, one, 1, 2, two)


@MODULES
def test_rows_before_the_wrong_one_are_applied(module: ModuleType) -> None:
    machine = Machine(module, SETUP)
    counts = np.zeros(5, np.int64)
    with pytest.raises(ValueError, match="row 2"):
        module.apply_rows(machine.kernel, tape(0, 1, 2, 1), 0, counts)
    assert counts.tolist() == [2, 0, 0, 0, 0]


@MODULES
def test_a_row_of_another_kind_stops_the_loop(module: ModuleType) -> None:
    machine, rows = Machine(module, SETUP), tape(0, 0, 0)
    rows["kind"][1] = Kind.PHASE
    assert module.apply_rows(machine.kernel, rows, 0, COUNTS.copy()) == 1
    assert module.apply_rows(machine.kernel, rows[:0], 0, COUNTS.copy()) == 0


@MODULES
def test_no_contracts_at_all(module: ModuleType) -> None:
    setup = replace(
        SETUP, cls=[], ticks=[], dead=[], outside=[], idle=[], watched=[], buckets=[], sizes=[]
    )
    machine = Machine(module, setup)
    assert module.settle(machine.kernel, 0, 5) == 0
    assert module.set_clocks(machine.kernel, ints(), 0, 5, octets(), octets()) == 0
    with pytest.raises(ValueError, match="row 0: contract 0 of 0"):
        module.apply_rows(machine.kernel, tape(0), 0, COUNTS.copy())
