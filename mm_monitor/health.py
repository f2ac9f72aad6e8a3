"""What the monitor counts about itself: plain mutable counters, one `HealthStats` a process.

The pump, the sources and the sinks write; `/metrics` only reads. Everything runs on one event loop,
so nothing locks.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import BadReason, Kind
from mm_monitor.theo.pricer import Pricer

US = 1_000
MS = 1_000_000
S = 1_000_000_000

SKEW_BOUNDS = (
    0,
    100 * US,
    MS,
    5 * MS,
    10 * MS,
    50 * MS,
    100 * MS,
    500 * MS,
    S,
    5 * S,
    10 * S,
    60 * S,
)
LAG_BOUNDS = (MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, S, 5 * S)
APPLY_BOUNDS = (
    10 * US,
    20 * US,
    50 * US,
    100 * US,
    200 * US,
    500 * US,
    MS,
    2 * MS,
    5 * MS,
    10 * MS,
    50 * MS,
    100 * MS,
    S,
)


class Histogram:
    """Durations in ns, counted by bucket; `bounds` are inclusive upper limits in ns, ascending."""

    __slots__ = ("_edges", "bounds", "count", "counts", "total")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last bucket has no upper limit
        self.count = 0
        self.total = 0  # ns
        self._edges = np.array(bounds, dtype=np.int64)

    def observe(self, value: int, times: int = 1) -> None:
        """Count `value` (ns) `times` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.count += times
        self.total += value * times

    def observe_all(self, values: NDArray[np.int64]) -> None:
        """Count each element of `values` (ns)."""
        places = np.searchsorted(self._edges, values, side="left")
        for place, n in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += n
        self.count += len(values)
        self.total += int(values.sum())


@dataclass(slots=True)
class CheckpointStats:
    """What became of checkpoints. Written by the thread that writes them, read by any."""

    written: int = 0
    failures: int = 0  # attempts that did not reach the disk
    size: int = 0  # bytes of the last one
    seconds: float = 0.0  # that the last one took to pack and write
    taken_at: float = 0.0  # seconds of our clock at which the last one was taken; 0: none yet
    refused: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("damaged", "schema", "settings"), 0)
    )  # reason: records that were found at the start and could not be used


def _per_kind() -> dict[str, int]:
    return {kind.name.lower(): 0 for kind in Kind}


def _per_reason() -> dict[tuple[str, str], int]:
    return {(reason.value, ""): 0 for reason in BadReason}


@dataclass(slots=True)
class HealthStats:
    """All counters since the process started; times in ns."""

    records: dict[str, int] = field(default_factory=_per_kind)  # applied rows by kind
    dead_letters: dict[tuple[str, str], int] = field(default_factory=_per_reason)  # reason, maker
    duplicates: int = 0  # records skipped because their offset was seen before
    late: int = 0  # records behind the watermark: journalled, not applied (TAPE-03)
    no_obligation: int = 0  # quotes by a maker who is not appointed
    watermark: int | None = None  # event time up to which all is applied
    buffer_rows: int = 0  # rows decoded but still ahead of the watermark
    apply: Histogram = field(default_factory=lambda: Histogram(APPLY_BOUNDS))  # one value a batch
    apply_rows: int = 0
    skew: dict[str, Histogram] = field(default_factory=dict)  # source: ts_recv - ts_event
    source_lag: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # topic, partition: records
    raw_fetch: bool = False  # are Kafka's record batches read as they are?
    worker: tuple[int, int] = (1, 1)  # which, of how many that share the partitions
    misplaced_classes: int = 0  # heard on a partition that is not the one of their key
    down_causes: dict[str, int] = field(
        default_factory=dict
    )  # why: scopes that the source has down
    outages: dict[str, int] = field(default_factory=dict)  # why: how often it took some down
    phases: dict[str, str] = field(
        default_factory=dict
    )  # rulebook: phase of the whole market, "" before any
    clock_steps: int = 0  # of our machine's clock
    clock_off: int = 0  # ns by which our machine's clock is ahead of the one that we go by
    loop_lag: Histogram = field(default_factory=lambda: Histogram(LAG_BOUNDS))
    ready: bool = False
    catching_up: bool = (
        False  # with a backlog from before the start: what stands is not told as news
    )
    sink_dropped: dict[str, int] = field(default_factory=dict)  # sink: events its full outbox lost
    sink_failures: dict[str, int] = field(default_factory=dict)  # sink: failed attempts to deliver

    checkpoints: CheckpointStats | None = None  # where the service keeps any
    pricer: Pricer | None = None  # who computes theos, where the monitor does

    def know_makers(self, makers: Iterable[str]) -> None:
        """Create the dead-letter counters of `makers` at 0; only known makers become labels."""
        for maker in makers:
            for reason in BadReason:
                self.dead_letters.setdefault((reason.value, maker), 0)

    def count_dead_letter(self, reason: str, maker: str = "", times: int = 1) -> None:
        """Count a dead letter under `maker`, or under "" when that maker is not known."""
        key = (reason, maker)
        if key not in self.dead_letters:
            key = (reason, "")
        self.dead_letters[key] = self.dead_letters.get(key, 0) + times

    def skew_of(self, source: str) -> Histogram:
        """The skew histogram of `source` (a topic or file), made on first use."""
        if source not in self.skew:
            self.skew[source] = Histogram(SKEW_BOUNDS)
        return self.skew[source]

    def know_sink(self, name: str) -> None:
        """Create the counters of a sink at 0."""
        self.sink_dropped.setdefault(name, 0)
        self.sink_failures.setdefault(name, 0)


async def watch_loop(stats: HealthStats, every: float = 0.1) -> None:
    """Measure for ever how late the event loop wakes a task that slept `every` seconds."""
    while True:
        due = time.monotonic_ns() + int(every * S)
        await asyncio.sleep(every)
        stats.loop_lag.observe(max(0, time.monotonic_ns() - due))
