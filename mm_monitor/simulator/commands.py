"""What `mm-monitor simulate` and `demo` do: a trading day into Kafka or into a capture."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.capture import (
    Progress,
    write_capture,
    write_reference,
    write_rulebook,
    write_truth,
)
from mm_monitor.simulator.days import DEMO_DATE, speed_for, szse_day
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.live import LEAD_SECONDS, live_rulebook, live_session
from mm_monitor.simulator.pacing import CommittedPositions, Positions
from mm_monitor.simulator.producer import Sending, Topics, connected, produce
from mm_monitor.simulator.scenario import MISBEHAVING, SECOND, Scenario
from mm_monitor.simulator.session import Session

FOR_EVER = 2**62  # ns: any order of lines
MOST_RECORDS = 10**10
MOST_OBLIGATIONS = 10**6  # about a minute and 3 GB before the first record
FIRST_DATE, LAST_DATE = date(1970, 1, 5), date(2250, 1, 1)  # event time is int64 ns


@dataclass(frozen=True, slots=True)
class DayOptions:
    """The trading day to simulate: `day` on the SZSE calendar, played in `seconds` of wall time.

    14 220 seconds is real time. `rate` counts records per second of wall time. `contracts` counts
    over all `classes`. `incidents`: a halt, a breaker auction, a withdrawn theo and a feed outage.
    """

    seed: int = 1
    makers: int = 20
    classes: int = 4
    contracts: int = 600
    rate: int = 50_000
    seconds: float = 300.0
    day: date = DEMO_DATE
    incidents: bool = True

    def scenario(self) -> Scenario:
        """The scenario of these options. Raises MonitorError for numbers that make no session."""
        for name in ("makers", "rate", "seconds"):
            if not getattr(self, name) > 0:
                raise MonitorError(f"{name} must be positive, got {getattr(self, name)}")
        if not math.isfinite(self.seconds):
            raise MonitorError(f"seconds must be finite, got {self.seconds}")
        if self.rate * self.seconds > MOST_RECORDS:
            raise MonitorError(
                f"rate x seconds must be at most {MOST_RECORDS:,} records, got {self.rate} x {self.seconds:g}"
            )
        if self.seed < 0:
            raise MonitorError(f"seed must not be negative, got {self.seed}")
        if not FIRST_DATE <= self.day <= LAST_DATE:
            raise MonitorError(f"day must be {FIRST_DATE} to {LAST_DATE}, got {self.day}")
        if not 1 <= self.classes <= 4:
            raise MonitorError(f"classes must be 1 to 4, got {self.classes}")
        if self.contracts < self.classes:
            raise MonitorError(f"contracts must be at least one per class, got {self.contracts}")
        if self.makers * self.contracts > MOST_OBLIGATIONS:
            raise MonitorError(
                f"makers x contracts must be at most {MOST_OBLIGATIONS:,}, got {self.makers} x {self.contracts}"
            )
        return szse_day(
            self.seed,
            day=self.day,
            makers=self.makers,
            classes=self.classes,
            contracts=self.contracts,
            records=int(self.rate * self.seconds),
            incidents=self.incidents,
        )


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """`simulate` into a directory. `shuffle` puts the lines of quotes and theo in any order."""

    directory: Path
    day: DayOptions = field(default_factory=DayOptions)
    fmt: str = "csv"
    shuffle: bool = False


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """`simulate` into Kafka.

    `group` is the consumer group of the reader to keep pace with (its committed offsets), empty
    for none. `reference_dir` and `truth` name where to write contracts.csv and makers.csv, and
    truth.json. `fast` ignores the clock. `client` holds further arguments of the Kafka client
    (security, compression). `now` plays a session of `day.seconds` that begins in a few seconds and
    runs by the clock; then `reference_dir` gets its rulebook too.
    """

    bootstrap: str
    day: DayOptions = field(default_factory=DayOptions)
    now: bool = False
    topics: Topics = field(default_factory=Topics)
    codec: str = "packed"
    rows_per_record: int = 256
    fast: bool = False
    reference_topic: bool = False
    market_phases: bool = True
    group: str = ""
    reference_dir: Path | None = None
    truth: Path | None = None
    client: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was simulated, in how many seconds. `makers` is (name, label, misbehaves)."""

    quotes: int
    theos: int
    controls: int
    finished: bool
    wall_seconds: float
    makers: tuple[tuple[str, str, bool], ...]

    @property
    def records(self) -> int:
        """Quotes, theos and controls."""
        return self.quotes + self.theos + self.controls


def simulate_to_capture(options: CaptureOptions, progress: Progress | None = None) -> Summary:
    """Write a day as a capture with its truth. Raises MonitorError with what is wrong."""
    begun = monotonic()
    scenario = options.day.scenario()
    disorder = Disorder(options.day.seed, FOR_EVER) if options.shuffle else None
    session = write_capture(
        scenario, options.directory, options.fmt, disorder=disorder, progress=progress
    )
    return _summary(session, begun)


async def simulate_to_kafka(
    options: KafkaOptions,
    *,
    positions: Positions | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> Summary:
    """Play a day into Kafka until its end or `stop`. Raises MonitorError with what is wrong.

    `positions` is for a reader in this process; it wins over `options.group`. The truth is written
    only for a day that was played to its end.
    """
    begun = monotonic()
    scenario = _session_now(options.day) if options.now else options.day.scenario()
    if options.reference_dir is not None:
        write_reference(scenario, options.reference_dir)
        if options.now:
            write_rulebook(options.reference_dir, live_rulebook(scenario))
    async with AsyncExitStack() as stack:
        if positions is None and options.group:
            positions = await stack.enter_async_context(await _committed(options))
        if options.now:
            await asyncio.sleep(max(0.0, (scenario.start - time_ns()) / SECOND))
        session = await produce(
            scenario,
            options.bootstrap,
            options.topics,
            _sending(options, scenario),
            positions=positions,
            progress=progress,
            stop=stop,
        )
    if options.truth is not None and session.finished:
        write_truth(session, options.truth)
    return _summary(session, begun)


def _session_now(day: DayOptions) -> Scenario:
    """The session of these options that begins in a few seconds. Raises MonitorError as they do."""
    day.scenario()
    start = (time_ns() // SECOND + LEAD_SECONDS) * SECOND
    return live_session(
        start, int(day.seconds), seed=day.seed, makers=day.makers, classes=day.classes,
        contracts=day.contracts, rate=day.rate,
    )  # fmt: skip


def _speed(options: KafkaOptions, scenario: Scenario) -> float | None:
    if options.now:
        return 1.0
    return None if options.fast else speed_for(scenario, options.day.seconds)


def _sending(options: KafkaOptions, scenario: Scenario) -> Sending:
    return Sending(
        codec=options.codec,
        rows_per_record=options.rows_per_record,
        speed=_speed(options, scenario),
        skip_idle=not options.now,
        reference=options.reference_topic,
        market_phases=options.market_phases and not options.now,
        client=options.client,
    )


async def _committed(options: KafkaOptions) -> CommittedPositions:
    """Positions of the group in every partition there is."""
    names = (options.topics.quotes, options.topics.theo, options.topics.control)
    async with connected(options.bootstrap, options.client) as kafka:
        places = [(topic, p) for topic in names for p in await kafka.partitions_for(topic)]
    return CommittedPositions(options.bootstrap, options.group, places, options.client)


def _summary(session: Session, begun: float) -> Summary:
    makers = session.scenario.makers
    return Summary(
        quotes=session.counts["quotes"],
        theos=session.counts["theos"],
        controls=session.counts["controls"],
        finished=session.finished,
        wall_seconds=monotonic() - begun,
        makers=tuple((m.name, m.behaviour.value, m.behaviour in MISBEHAVING) for m in makers),
    )
