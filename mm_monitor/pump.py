"""The loop, the same for live and replay: source, merge, pricer, engine; and whoever listens.

It owns no policy: what a delivery means is the codec's business, what a row means the engine's, and where verdicts go
the listeners'.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mm_monitor import kernels
from mm_monitor.core.batch import Batch, Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, DeadLetter, Kind, ReferenceRecord
from mm_monitor.core.reference_rows import BadRow, announce
from mm_monitor.health import HealthStats
from mm_monitor.sources.merge import BEFORE_ALL, Merge
from mm_monitor.sources.protocol import Delivery, Source
from mm_monitor.theo.pricer import Pricer

# Rows that the engine takes at once, so that a long batch shows progress and lets others run. First quotes take thirty
# times as long as later ones, so the slice follows what the one before took; no verdict depends on where it is cut.
LEAST_SLICE, MOST_SLICE = 2_000, 50_000
LONG = 3_000_000  # ns that a slice may take
TURNS = 3  # of the event loop between two slices: who waits for a timer is woken in the second, and runs in the third

_KIND_NAMES = {kind.value: kind.name.lower() for kind in Kind}
_NOBODY = np.empty(0, np.uint8)


class Listener(Protocol):
    """What the pump tells, at once and without waiting."""

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        """Records that could not be used."""

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        """Records that came after the watermark had passed them (TAPE-03)."""

    def advanced(self, watermark: int) -> None:
        """The engine stands at `watermark`; breaches may have opened."""


@dataclass(slots=True)
class Pump:
    """One source, one merge, one engine."""

    source: Source
    merge: Merge
    engine: Engine
    listener: Listener
    stats: HealthStats = field(default_factory=HealthStats)
    far_ahead: int = (
        2**62
    )  # ns by which a partition may run ahead of the watermark before it is paused
    most_rows: int = (
        2**62
    )  # that wait for the watermark before only those that hold it back are read
    arrived: Callable[[Delivery], None] = lambda delivery: None  # before a delivery is merged
    taken: Callable[[], None] = lambda: None  # after every delivery
    judging: Callable[[Batch], None] = lambda batch: None  # before a slice is applied
    applied: Callable[[int], None] = lambda rows: None  # after every slice, with all rows so far
    rested: Callable[[], None] = lambda: (
        None
    )  # between two polls: all that was read is in the merge or judged
    apply: Callable[[Batch], list[DeadLetter]] | None = None  # in place of the engine's own
    pricer: Pricer | None = None  # computes the theos that the tape lacks, where it is to
    stopping: bool = False
    _paused: set[int] = field(default_factory=set)
    _slice: int = field(default_factory=lambda: LEAST_SLICE)

    async def run(self) -> None:
        """Until the source is finished or `stopping` is set."""
        while not self.stopping:
            for delivery in await self.source.poll():
                self.take(delivery)
            await self.step()
            self.rested()
            if self.source.finished and not self.merge.buffered:
                self.engine.finish()
                return

    def take(self, delivery: Delivery) -> None:
        """Count a delivery and put it where the merge finds it."""
        self.arrived(delivery)
        self.stats.duplicates += delivery.duplicates
        if delivery.decoded.dead:
            self.listener.dead(delivery.decoded.dead)
        self._announce(delivery.decoded.controls)
        self._note_skew(delivery)
        late, controls = self.merge.push(delivery)
        if len(late):
            self.stats.late += len(late)
            for evaluator in self.engine.evaluators:
                evaluator.mark_late(late, controls)
            self.listener.late(late, controls)
        self.taken()

    def _note_skew(self, delivery: Delivery) -> None:
        rows, where = delivery.decoded.rows, self.engine.sources.get(delivery.part)
        if where is not None and delivery.ts_recv and len(rows):
            _, _, greatest = delivery.survey or kernels.survey(rows)
            self.stats.skew_of(where[0]).observe(delivery.ts_recv - greatest)

    def _announce(self, controls: Sequence[Control]) -> None:
        for record in controls:
            if isinstance(record, ReferenceRecord):
                try:
                    announce(self.engine.reference, record)
                except BadRow:
                    continue  # the engine says so at the record's own instant

    async def step(self) -> None:
        """Advance to what the watermark allows; gives way to other tasks between slices."""
        watermark = self.merge.mark(self.source.live_parts, self.source.idle_watermark)
        batch = self.merge.release(watermark)
        at = 0
        while at < len(batch.rows):
            if at:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            piece = Batch(batch.rows[at : at + self._slice], batch.controls)
            at += len(piece.rows)
            self._apply(self.pricer.price(piece) if self.pricer is not None else piece)
        if self.pricer is not None and self.merge.watermark > BEFORE_ALL:
            self._apply(self.pricer.until(self.merge.watermark))
        if self.merge.watermark > BEFORE_ALL and not self.source.finished:
            self.engine.advance(self.merge.watermark)
            self.stats.watermark = self.merge.watermark
            self.listener.advanced(self.merge.watermark)
        self.stats.buffer_rows = self.merge.buffered
        self._hold_back()
        await asyncio.sleep(0)  # others have their turn once what broke has been handed over

    def _apply(self, batch: Batch) -> None:
        if not len(batch.rows):
            return
        self.judging(batch)
        started = time.perf_counter_ns()
        dead = self.engine.apply(batch) if self.apply is None else self.apply(batch)
        took = time.perf_counter_ns() - started
        self.stats.apply.observe(took)
        self._slice = _fitting(self._slice, len(batch.rows), took)
        self.stats.apply_rows += len(batch.rows)
        self.stats.no_obligation = self.engine.records.no_obligation
        counts = np.zeros(1 + max(_KIND_NAMES), np.int64)
        kernels.tell(batch.rows, counts, _NOBODY)
        for kind, n in enumerate(counts.tolist()):
            if n:
                self.stats.records[_KIND_NAMES[kind]] += n
        if dead:
            self.listener.dead(dead)
        self.applied(self.stats.apply_rows)

    def _hold_back(self) -> None:
        """TAPE-05: partitions far ahead of the watermark are paused until it has caught up.

        Where too many rows wait, so are all but those that hold it back: whatever the rate, memory is bounded.
        """
        heard = {part: self.merge.greatest.get(part, BEFORE_ALL) for part in self.source.parts}
        limit = 2**63
        if self.merge.watermark > BEFORE_ALL:
            limit = self.merge.watermark + self.far_ahead
        if self.merge.buffered > self.most_rows:
            limit = min(
                limit, min(heard.get(part, BEFORE_ALL) for part in self.source.live_parts or heard)
            )
        ahead = {part for part, greatest in heard.items() if greatest > limit}
        if ahead - self._paused:
            self.source.pause(sorted(ahead - self._paused))
        if self._paused - ahead:
            self.source.resume(sorted(self._paused - ahead))
        self._paused = ahead


def _fitting(size: int, rows: int, took: int) -> int:
    """How many rows to take at once, after `rows` of them took so many ns."""
    if took > LONG:
        size = rows * LONG // took
    elif rows >= size and took < LONG // 3:
        size *= 2
    return min(max(size, LEAST_SLICE), MOST_SLICE)
