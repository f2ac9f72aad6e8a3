"""The engine's way of a tick: packed bytes -> decode -> merge of the partitions -> judge and accrue, one thread.

`engine` is merge and apply together, which is what the requirement of 20 million ticks a second speaks of.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from time import perf_counter

from benchmarks.day import Day, make_day, warm_engine
from benchmarks.measure import Row, ns_each
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery

TITLE = (
    "engine: ns a tick (least, median of runs), one thread, szse-2025, 20 makers x 600 contracts"
)
TICKS = 1_000_000
RUNS = 9


@dataclass(slots=True)
class Stages:
    """Seconds of each stage in each round of one run."""

    decode: list[float] = field(default_factory=list)
    merge: list[float] = field(default_factory=list)
    apply: list[float] = field(default_factory=list)
    applied: int = 0

    @property
    def engine(self) -> list[float]:
        """Merge and apply, which are the requirement's."""
        return [*self.merge, *self.apply]


def run_once(day: Day, rulebook: Rulebook | None = None) -> Stages:
    """One pass over the day with a fresh engine that stands in the middle of trading."""
    engine, merge, codec, stages = warm_engine(rulebook), Merge(), PackedCodec(), Stages()
    before = engine.records.applied
    rounds = [*day.rounds, ()]  # the last one drains the merge
    gc.collect()
    for i, chunks in enumerate(rounds):
        t0 = perf_counter()
        decoded = [codec.decode(chunk, engine.reference) for chunk in chunks]
        t1 = perf_counter()
        for chunk, rows in zip(chunks, decoded, strict=True):
            merge.push(Delivery(chunk.part, rows, len(chunk.records)))
        batch = merge.release(AFTER_ALL if i == len(rounds) - 1 else merge.mark(day.parts))
        t2 = perf_counter()
        engine.apply(batch)
        t3 = perf_counter()
        stages.decode.append(t1 - t0)
        stages.merge.append(t2 - t1)
        stages.apply.append(t3 - t2)
    stages.applied = engine.records.applied - before
    return stages


def measure(shape: str, theo_share: float, batch: int, ticks: int = TICKS, runs: int = RUNS) -> Row:
    """One row of the table: a shape, a share of theos, a number of ticks fetched in one round."""
    day = make_day(ticks, theo_share, shape, batch)
    done = [run_once(day) for _ in range(runs)]
    lost = [stages.applied for stages in done if stages.applied != ticks]
    if lost:
        raise RuntimeError(f"{ticks} ticks were sent, {lost[0]} were applied")
    row: dict[str, object] = {"shape": shape, "theo": f"{theo_share:.0%}", "batch": batch}
    for name in ("decode", "merge", "apply", "engine"):
        row[name], row[f"{name} med"] = ns_each([getattr(s, name) for s in done], ticks)
    least, median = ns_each([s.engine for s in done], ticks)
    row["M/s"], row["M/s med"] = round(1e3 / least, 1), round(1e3 / median, 1)
    return row


def run() -> list[Row]:
    """All shapes, theo shares and batch sizes."""
    return [
        measure(shape, share, batch)
        for shape in ("session", "random")
        for share in (0.0, 0.01, 0.1)
        for batch in (1_000, 10_000, 100_000)
    ]
