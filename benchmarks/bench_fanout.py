"""One tick of the underlying: all contracts of a class get new theos at once, and each looks at all its quotes.

The time of one call of the engine with a theo for each contract; a call does the rest of a batch's work too.
"""

from __future__ import annotations

import gc
import statistics
from time import perf_counter

import numpy as np

from benchmarks.bench_scale import THEO, TICK, warm_engine
from benchmarks.measure import Row
from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.model import Kind
from mm_monitor.rulebooks import load

TITLE = "fan-out: us from new theos for all contracts to the verdicts on all quotes (least, median)"
TIMES = 300
STEP = 1_000_000  # ns between moves


def run() -> list[Row]:
    """What a move of the theo does to the quotes: nothing, another use of the limit, another verdict."""
    return [
        _line(contracts, makers, move)
        for contracts, makers in ((600, 20), (600, 80))
        for move in ("none", "a tick", "half of it")
    ]


def _line(contracts: int, makers: int, move: str) -> Row:
    engine = warm_engine(load("szse-2025"), makers, contracts)
    engine.apply(Batch(_quotes(contracts, makers)))
    gc.collect()
    runs = []
    for i in range(TIMES):
        batch = Batch(_theos(contracts, i, move))
        start = perf_counter()
        engine.apply(batch)
        runs.append(perf_counter() - start)
    least, median = min(runs) * 1e6, statistics.median(runs) * 1e6
    return {"contracts": contracts, "makers": makers, "theo moves by": move,
            "least": round(least, 1), "median": round(median, 1)}  # fmt: skip


def _quotes(contracts: int, makers: int) -> Rows:
    """A quote in each slot that is a little narrower than 3 % of the theo."""
    rows = empty_rows(contracts * makers)
    rows["ts"], rows["kind"], rows["contract"] = 1, Kind.QUOTE, np.arange(contracts).repeat(makers)
    rows["maker"] = np.tile(np.arange(makers), contracts)
    rows["a"], rows["b"] = THEO, THEO + 28 * TICK
    rows["a_size"] = rows["b_size"] = 10
    return rows


def _theos(contracts: int, i: int, move: str) -> Rows:
    """A theo for each contract at one instant; half of it is too little for the quotes."""
    rows = empty_rows(contracts)
    rows["ts"], rows["offset"] = (i + 1) * STEP, i * contracts + np.arange(contracts)
    rows["kind"], rows["maker"], rows["contract"] = Kind.THEO, -1, np.arange(contracts)
    away = {"none": 0, "a tick": TICK, "half of it": THEO // 2}[move]
    rows["a"] = THEO - (i % 2) * away
    return rows
