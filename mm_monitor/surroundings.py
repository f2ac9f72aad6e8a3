"""What stands around the verdicts: phases, stress, exemptions, feeds, our own health, and why a verdict may be doubted.

Plain values for screens, read when they are asked for; nothing is decided by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mm_monitor import __version__
from mm_monitor.core.conditions import DOWN
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.reference import ALL
from mm_monitor.health import HealthStats
from mm_monitor.sinks.protocol import Sink

NS = 1_000_000_000
Entry = dict[str, object]


@dataclass(frozen=True, slots=True)
class Around:
    """Of one rulebook, now."""

    rulebook: str
    title: str
    zone: str  # IANA, of the venue
    phase: str  # of the whole market, "" before any
    said: Mapping[str, str]  # scope -> phase last said
    phases: Sequence[tuple[int, str]]  # of the trading date, by the calendar
    stress: Sequence[str]  # scopes
    exemptions: Sequence[tuple[str, str, str, str]]  # scope, maker, kind, effect
    feeds_down: Sequence[
        tuple[str, str, bool]
    ]  # scope, maker; up again, and waiting for what stood meanwhile?
    longest_permitted: int | None  # ns, of a lapse

    def of_maker(self, maker: str) -> Around:
        """Without what concerns other makers."""
        mine = (ALL, maker)
        return Around(
            self.rulebook, self.title, self.zone, self.phase, self.said, self.phases, self.stress,
            [e for e in self.exemptions if e[1] in mine], [f for f in self.feeds_down if f[1] in mine],
            self.longest_permitted,
        )  # fmt: skip


def around(engine: Engine) -> list[Around]:
    """By rulebook, in the engine's order."""
    return [_around(evaluator) for evaluator in engine.evaluators]


def _around(evaluator: Evaluator) -> Around:
    book, conditions = evaluator.rulebook, evaluator.conditions
    schedule, day = evaluator.schedule, evaluator.trading_date
    return Around(
        rulebook=book.id,
        title=book.title,
        zone=book.calendar.timezone if book.calendar else "UTC",
        phase=conditions.phases.get(ALL, ""),
        said=dict(sorted(conditions.phases.items())),
        phases=[*schedule.phases(day)] if schedule is not None and day else [],
        stress=sorted(conditions.stress),
        exemptions=[
            (scope, maker, kind, book.exemptions[kind].effect)
            for scope, maker, kind in sorted(conditions.exemptions)
        ],
        feeds_down=[(*key, since != DOWN) for key, since in sorted(conditions.feed.items())],
        longest_permitted=book.longest_permitted,
    )


@dataclass(frozen=True, slots=True)
class Vitals:
    """Where the numbers of our own health are. `behind` ns is how far the watermark may stay back unremarked."""

    stats: HealthStats
    sinks: Sequence[Sink]
    now: Callable[[], int]
    is_ready: Callable[[], tuple[bool, str]]
    problem: Callable[[], str]  # why the source does not answer, "" while it does
    behind: int

    def doubts(self) -> list[Entry]:
        """Why verdicts cannot be vouched for now; none when they can."""
        ready, reason = self.is_ready()
        found: list[Entry] = [] if ready else [{"code": "not_ready", "detail": reason}]
        if problem := self.problem():
            found.append({"code": "source", "detail": problem})
        lag = self.lag()
        if ready and lag is not None and lag > self.behind:
            found.append({"code": "behind", "detail": f"{lag // NS} s"})
        return found

    def lag(self) -> int | None:
        """How far the watermark is behind our clock, ns."""
        mark = self.stats.watermark
        return None if mark is None else max(0, self.now() - mark)

    def health(self) -> Entry:
        """What operations see of the monitor itself."""
        stats, kept = self.stats, self.stats.checkpoints
        reasons: dict[str, int] = {}
        for (reason, _maker), n in stats.dead_letters.items():
            if n:
                reasons[reason] = reasons.get(reason, 0) + n
        return {
            "version": __version__,
            "watermark": stats.watermark,
            "watermark_lag_ns": self.lag(),
            "records": dict(stats.records),
            "late": stats.late,
            "duplicates": stats.duplicates,
            "no_obligation": stats.no_obligation,
            "dead_letters": reasons,
            "waiting_rows": stats.buffer_rows,
            "partitions": [
                {"topic": topic, "partition": partition, "backlog": backlog}
                for (topic, partition), backlog in sorted(stats.source_lag.items())
            ],
            "sinks": [self._sink(sink) for sink in self.sinks],
            "checkpoint": None
            if kept is None or not kept.taken_at
            else {
                "age_seconds": round(max(0.0, time.time() - kept.taken_at), 1),
                "failures": kept.failures,
                "bytes": kept.size,
            },
        }

    def _sink(self, sink: Sink) -> Entry:
        return {
            "name": sink.name,
            "lag_seconds": round(sink.lag_seconds, 3),
            "dropped": self.stats.sink_dropped.get(sink.name, 0),
            "failures": self.stats.sink_failures.get(sink.name, 0),
        }
