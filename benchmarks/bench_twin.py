"""The engine beside a plain C program of the same semantics (`twin.c`), on the same rows in the same run.

Both must come to the same nanoseconds, or there is no table. `ratio` is the engine's kernel against the twin; the whole
engine does more a batch. `every key` is the engine under a rulebook with all rules on, which the twin does not know.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import thread_time_ns

import numpy as np
from numpy.typing import NDArray

from benchmarks.day import CONTRACTS, MAKERS, OPEN, TICK, Ticks, first_rows, make_ticks, warm_engine
from benchmarks.measure import HERE, Row
from mm_monitor import kernels
from mm_monitor.core.accrual import Accruals
from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.model import Kind
from mm_monitor.rulebooks import load

TITLE = "twin: least ns of CPU a tick, engine and plain C, szse-2025, 20 makers x 600 contracts"
TICKS, BATCH, RUNS = 500_000, 10_000, 7
SAME = (
    "quoted",
    "current",
    "lapses",
    "use_lo",
    "last_valid",
    "rate",
    "state",
    "theo_lo",
    "theo_hi",
)
SLOT = np.dtype(
    [("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<i4"), ("ask_size", "<i4"), ("theo_lo", "<i8"),
     ("theo_hi", "<i8"), ("at", "<i8"), ("quoted", "<i8"), ("last_valid", "<i8"), ("current", "<i8"),
     ("longest", "<i8"), ("use_lo", "<u8"), ("use_hi", "<u8"), ("rate", "<u4"), ("lapses", "<u4"),
     ("state", "<i4"), ("pad", "<i4"), ("unknown", "<i8"), ("lapsed", "<i8", (9,))]
)  # fmt: skip
CONTRACT = np.dtype([("theo", "<i8"), ("tick", "<i8"), ("known", "<i4"), ("min_size", "<i4")])
RULE = np.dtype(
    [("num", "<i8"), ("den", "<i8"), ("ticks", "<i8"), ("makers", "<i4"), ("contracts", "<i4")]
)


def run() -> list[Row]:
    """Each shape of a day with each share of theos."""
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        sys.stdout.write(f"\ntwin: no C compiler ({compiler})\n")
        return []
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory, "twin.so")
        subprocess.run(
            [compiler, "-O3", "-shared", "-fPIC", "-o", library, HERE / "twin.c"], check=True
        )
        code = ctypes.CDLL(str(library))
        code.take.restype = ctypes.c_int64
        return [
            _line(code, shape, share)
            for shape in ("session", "random")
            for share in (0.0, 0.01, 0.1)
        ]


class Twin:
    """The C program and its memory, from the first quotes of the day on."""

    def __init__(self, code: ctypes.CDLL) -> None:
        self.code = code
        self.slots = np.zeros(MAKERS * CONTRACTS, SLOT)
        self.slots["at"], self.slots["last_valid"], self.slots["state"] = OPEN, -1, 3
        self.contracts = np.zeros(CONTRACTS, CONTRACT)
        self.contracts["tick"], self.contracts["min_size"] = TICK, 1
        self.rule = np.array([(3, 100, 1, MAKERS, CONTRACTS)], RULE)
        self.take(first_rows(MAKERS))

    def take(self, rows: Rows) -> None:
        """Quotes and theos in order."""
        pointers = (_at(self.slots), _at(self.contracts), _at(self.rule), _at(rows))
        if self.code.take(*pointers, ctypes.c_int64(len(rows))) != len(rows):
            raise RuntimeError("twin: a row that it does not know")

    def settle(self, t: int) -> NDArray[np.void]:
        """The slots as of `t`."""
        self.code.settle(_at(self.slots), _at(self.rule), ctypes.c_int64(t))
        return self.slots


def _at(array: NDArray[np.void]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _rows(ticks: Ticks) -> Rows:
    """The ticks as the merge hands them on."""
    rows = empty_rows(len(ticks.ts))
    rows["ts"], rows["offset"], rows["contract"] = ticks.ts, np.arange(len(rows)), ticks.contract
    rows["maker"], rows["a"], rows["b"] = ticks.maker, ticks.a, ticks.b
    rows["a_size"] = rows["b_size"] = ticks.size
    rows["kind"] = np.where(ticks.maker < 0, Kind.THEO, Kind.QUOTE)
    return rows


def _line(code: ctypes.CDLL, shape: str, share: float) -> Row:
    rows = _rows(make_ticks(TICKS, share, shape))
    batches = [rows[at : at + BATCH] for at in range(0, TICKS, BATCH)]
    best: dict[str, float] = {}
    for _ in range(RUNS):
        for name, ns in _run_once(code, batches).items():
            best[name] = min(best.get(name, ns), ns)
    row: Row = {"shape": shape, "theo": f"{share:.0%}"}
    row |= {name: round(ns, 2) for name, ns in best.items()}
    return row | {"ratio": round(best["kernel"] / best["twin"], 2),
                  "M/s": round(1e3 / best["kernel"], 1)}  # fmt: skip


def _run_once(code: ctypes.CDLL, batches: list[Rows]) -> dict[str, float]:
    """ns a tick of each, one after the other: what slows one slows the others."""
    twin, kernel, whole = Twin(code), warm_engine().evaluators[0].accruals, warm_engine()
    every, counts = warm_engine(load("all-keys-example")), np.zeros(5, np.int64)
    works: dict[str, Callable[[Rows], object]] = {
        "twin": twin.take,
        "kernel": lambda batch: kernels.apply_rows(kernel.kernel, batch, 0, counts),
        "engine": lambda batch: whole.apply(Batch(batch)),
        "every key": lambda batch: every.apply(Batch(batch)),
    }
    spent = {name: sum(_spent(work, b) for b in batches) / TICKS for name, work in works.items()}
    for accruals in (kernel, whole.evaluators[0].accruals):
        _compare(twin, accruals, int(batches[-1]["ts"][-1]) + 1)
    return spent


def _spent(work: Callable[[Rows], object], batch: Rows) -> int:
    start = thread_time_ns()
    work(batch)
    return thread_time_ns() - start


def _compare(twin: Twin, accruals: Accruals, t: int) -> None:
    """Every integer that both compute, of every obligation."""
    theirs, mine = twin.settle(t), accruals.copy()
    mine.settle(t)
    order = accruals.book.slot_con.astype(np.int64) * MAKERS + accruals.book.slot_maker
    pairs = [(name, mine.slots[name], theirs[name][order]) for name in SAME]
    pairs += [(name, mine.past[name], theirs[name][order]) for name in ("longest", "unknown")]
    pairs.append(("lapsed", mine.past["lapsed"], theirs["lapsed"][order][:, :8]))
    for name, a, b in pairs:
        if (a != b).any():
            raise RuntimeError(f"twin: {name} differs in {int((a != b).sum())} places")
