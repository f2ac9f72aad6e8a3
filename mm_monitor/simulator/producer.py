"""Plays a session into Kafka: quotes and theos by class, controls to their own topic, paced.

Records go out in ready-made batches with an explicit partition. A window of session time is sent
when its end is reached, so no record is older than its own event; the window's acknowledgements
are awaited before the next, so nothing is lost in silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.bad import BadRecord
from mm_monitor.simulator.capture import Progress, disordered, report
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.encode import (
    MILLION,
    Encoder,
    Record,
    control_value,
    partition_of,
    reference_values,
)
from mm_monitor.simulator.pacing import Backlog, Clock, Positions, Room
from mm_monitor.simulator.scenario import ALL, SECOND, Scenario
from mm_monitor.simulator.session import Batch, Session

BATCH_BYTES = 512 * 1024  # half of what a broker accepts by default
WINDOW_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics written to."""

    quotes: str = "mm.quotes"
    theo: str = "mm.theo"
    control: str = "mm.control"
    reference: str = "mm.reference"


@dataclass(frozen=True, slots=True)
class Sending:
    """How a session is put on the wire and how fast.

    `speed` is session time per wall time, None as fast as it goes. `skip_idle` plays at most one
    second of a stretch without records. `client` holds further arguments of the Kafka client
    (security, compression).
    """

    codec: str = "packed"
    rows_per_record: int = 256
    speed: float | None = 1.0
    skip_idle: bool = True
    reference: bool = False  # also write the reference topic, first
    market_phases: bool = (
        True  # phases of scope `*`; without, the reader's calendar has to know them
    )
    disorder: Disorder | None = None
    room: Room = field(default_factory=Room)
    client: Mapping[str, Any] = field(default_factory=dict)


async def produce(
    scenario: Scenario,
    bootstrap: str,
    topics: Topics = Topics(),
    sending: Sending = Sending(),
    *,
    bad: Sequence[BadRecord] = (),
    positions: Positions | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> Session:
    """Play `scenario` to its end, or until `stop` is set; return the session as played so far.

    `bad` records, in time order, are sent with the window they fall into. `positions` tells where
    the reader is; then at most `sending.room` lies unread in a partition. Raises MonitorError when
    the broker can't be reached or refuses.
    """
    if sending.speed is not None and not sending.speed > 0:
        raise MonitorError(f"speed must be positive, got {sending.speed}")
    session = Session(scenario)
    encoder = Encoder(scenario, sending.codec, sending.rows_per_record)
    clock = Clock(sending.speed, sending.skip_idle) if sending.speed else None
    async with connected(bootstrap, sending.client) as kafka:
        wire = _Wire(kafka, topics, encoder, Backlog(sending.room, positions), deque(bad))
        if sending.reference:
            await wire.send_reference(scenario)
        for batch in disordered(session.batches(_window(session, sending)), sending.disorder):
            if stop is not None and stop.is_set():
                break
            if clock:
                await clock.reach(batch.start, batch.end)
            await wire.send(batch if sending.market_phases else _without_market_phases(batch))
            if progress:
                report(session, batch.end, progress)
    return session


def _without_market_phases(batch: Batch) -> Batch:
    kept = [c for c in batch.controls if c.record != "phase" or c.fields["scope"] != ALL]
    return replace(batch, controls=kept)


def _window(session: Session, sending: Sending) -> int:
    """Session time that is sent together: a twentieth of a wall second, or less if it is dense."""
    speed = sending.speed or float("inf")
    return int(max(1, min(session.default_window_ns, WINDOW_SECONDS * SECOND * speed)))


@asynccontextmanager
async def connected(bootstrap: str, client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer. Kafka's errors become MonitorErrors with the broker and the cause."""
    try:
        kafka = AIOKafkaProducer(
            **{"acks": 1, "max_batch_size": BATCH_BYTES, **client}, bootstrap_servers=bootstrap
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise MonitorError(f"Kafka client for {bootstrap}: {error}") from error
    try:
        await kafka.start()
    except KafkaError as error:
        await kafka.stop()
        cause = await _cause(bootstrap) or str(error)
        raise MonitorError(f"cannot connect to Kafka at {bootstrap}: {cause}") from error
    try:
        yield kafka
    except KafkaError as error:
        raise MonitorError(f"Kafka at {bootstrap} refused a record: {error}") from error
    finally:
        await kafka.stop()


async def _cause(bootstrap: str) -> str:
    """What the network says of the first broker; the client keeps that to itself."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 5)
    except ValueError:
        return f"no host:port in {bootstrap!r}"
    except (OSError, TimeoutError) as error:
        return str(error) or type(error).__name__
    writer.close()
    return ""


class _Wire:
    """Sends batches of one session; knows which offsets they got."""

    def __init__(
        self,
        kafka: AIOKafkaProducer,
        topics: Topics,
        encoder: Encoder,
        backlog: Backlog,
        bad: deque[BadRecord],
    ) -> None:
        self._kafka, self._topics = kafka, topics
        self._encoder, self._backlog, self._bad = encoder, backlog, bad
        self._partitions: dict[str, int] = {}

    async def send_reference(self, scenario: Scenario) -> None:
        """Write every row of the reference tables."""
        topic = self._topics.reference
        futures = [
            await self._kafka.send(topic, value, key=key)
            for key, value in reference_values(scenario)
        ]
        await asyncio.gather(*futures)

    async def send(self, batch: Batch) -> None:
        """Send all of one batch, controls first, and wait until it is acknowledged and has room."""
        controls = [
            Record(0, c.fields["scope"].encode(), control_value(c), c.ts // MILLION)
            for c in batch.controls
        ]
        topics, encode = self._topics, self._encoder.records
        bad = self._bad_until(batch.end)
        waiting = [
            *await self._enqueue(topics.control, controls, bad["control"]),
            *await self._enqueue(
                topics.theo, encode(batch.theos, await self._count(topics.theo)), bad["theo"]
            ),
            *await self._enqueue(
                topics.quotes, encode(batch.quotes, await self._count(topics.quotes)), bad["quotes"]
            ),
        ]
        await asyncio.gather(*waiting)
        await self._backlog.drain()

    def _bad_until(self, end: int) -> dict[str, list[BadRecord]]:
        """Malformed records that are due, by feed."""
        due: dict[str, list[BadRecord]] = {"control": [], "theo": [], "quotes": []}
        while self._bad and self._bad[0].ts < end:
            record = self._bad.popleft()
            due[record.feed].append(record)
        return due

    async def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._kafka.partitions_for(topic))
        return self._partitions[topic]

    async def _enqueue(
        self, topic: str, good: Iterable[Record], bad: list[BadRecord]
    ) -> list[asyncio.Future[None]]:
        """Hand records to the client, a partition at a time; await the result later."""
        by_partition: dict[int, list[Record]] = {}
        for record in [*await self._placed(topic, bad), *good]:
            by_partition.setdefault(record.partition, []).append(record)
        waiting = []
        for partition, records in by_partition.items():
            for batch, sizes in self._batches(records):
                waiting.append(await self._ship(batch, topic, partition, sizes))
        return waiting

    async def _placed(self, topic: str, bad: list[BadRecord]) -> list[Record]:
        if not bad:
            return []
        partitions = 1 if topic == self._topics.control else await self._count(topic)
        return [
            Record(partition_of(b.klass, partitions), b.klass.encode(), b.value, b.ts // MILLION)
            for b in bad
        ]

    def _batches(self, records: list[Record]) -> Iterator[tuple[Any, list[int]]]:
        """Full batches of the client and the sizes of the records in each."""
        batch, sizes = self._kafka.create_batch(), list[int]()
        for record in records:
            if not _append(batch, record):
                if not sizes:
                    raise MonitorError(
                        f"a record of {len(record.value)} bytes is over the batch size"
                        f" {BATCH_BYTES}: fewer rows per record"
                    )
                yield batch, sizes
                batch, sizes = self._kafka.create_batch(), []
                _append(batch, record)
            sizes.append(len(record.value))
        yield batch, sizes

    async def _ship(
        self, batch: Any, topic: str, partition: int, sizes: list[int]
    ) -> asyncio.Future[None]:
        future = await self._kafka.send_batch(batch, topic, partition=partition)

        async def acknowledged() -> None:
            metadata = await future
            self._backlog.sent((topic, partition), metadata.offset, sizes)

        return asyncio.ensure_future(acknowledged())


def _append(batch: Any, record: Record) -> bool:
    appended = batch.append(key=record.key, value=record.value, timestamp=record.timestamp)
    return appended is not None
