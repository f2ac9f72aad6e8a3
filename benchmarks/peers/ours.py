"""mm-monitor: the full kernel (judge and accrue, with reasons and lapses) through `Engine.apply`, one thread.

The rows that the engine takes are made before, as the peers get their columns made.
"""

from __future__ import annotations

import numpy as np

from benchmarks.peers.job import CONTRACTS, DATE, MAKERS, OPEN, PAIRS, PRICE_TICK, Fresh, Ints, Job
from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.rulebooks.loader import load

BATCH = 10_000
NOTE = "full kernel, szse-2025, Engine.apply of 10 000 rows at a time, 1 thread"


def prepare(job: Job) -> Fresh:
    """Every run has a new engine in continuous trading that knows all theos."""
    rows = empty_rows(len(job.ts))
    rows["kind"], rows["offset"] = Kind.QUOTE, np.arange(len(rows))
    for name in ("ts", "maker", "contract", "a_size", "b_size"):
        rows[name] = getattr(job, {"a_size": "bid_size", "b_size": "ask_size"}.get(name, name))
    rows["a"], rows["b"] = job.bid, job.ask
    batches = [Batch(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]

    def fresh() -> Run:
        return Run(_engine(job), batches, job.end)

    return fresh


class Run:
    """One pass over the tape."""

    def __init__(self, engine: Engine, batches: list[Batch], end: int) -> None:
        self.engine, self.batches, self.end = engine, batches, end

    def __call__(self) -> Ints:
        """Quoted ns of each pair."""
        for batch in self.batches:
            self.engine.apply(batch)
        evaluator = self.engine.evaluators[0]
        totals, book = evaluator.totals_at(self.end), evaluator.book
        quoted = np.zeros(PAIRS, dtype=np.int64)
        quoted[book.slot_maker * CONTRACTS + book.slot_con] = totals.quoted
        return quoted


def _engine(job: Job) -> Engine:
    # The rows say the place of a name in the reference.
    contracts = [
        Contract(f"C{i:03d}", f"K{i // 125}", PRICE_TICK, number=i) for i in range(CONTRACTS)
    ]
    makers = [Appointment(f"M{i:02d}", "*", number=i) for i in range(MAKERS)]
    engine = Engine([load("szse-2025")], Reference.of(contracts, makers), {})
    engine.control(PeriodRecord(OPEN - 2, "start", DATE))
    engine.control(PhaseRecord(OPEN - 2, "*", "continuous"))
    engine.apply(Batch(_theos(job)))
    return engine


def _theos(job: Job) -> Rows:
    theos = empty_rows(CONTRACTS)
    theos["ts"], theos["offset"], theos["kind"], theos["maker"] = (
        OPEN - 1,
        np.arange(CONTRACTS),
        Kind.THEO,
        -1,
    )
    theos["contract"], theos["a"] = np.arange(CONTRACTS), job.theo
    return theos
