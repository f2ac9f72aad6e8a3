"""Plays a session into Kafka: quotes and theos by class, controls to their own topic, paced.

Records go out in ready-made batches with an explicit partition. A window of session time is sent
when its end is reached, so no record is older than its own event; the window's acknowledgements
are awaited before the next, so nothing is lost in silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.capture import Progress, disordered, report
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.encode import (
    MILLION,
    Encoder,
    Record,
    control_value,
    reference_values,
)
from mm_monitor.simulator.pacing import Backlog, Clock, Positions, Room
from mm_monitor.simulator.scenario import SECOND, Scenario
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
    disorder: Disorder | None = None
    room: Room = field(default_factory=Room)
    client: Mapping[str, Any] = field(default_factory=dict)


async def produce(
    scenario: Scenario,
    bootstrap: str,
    topics: Topics = Topics(),
    sending: Sending = Sending(),
    *,
    positions: Positions | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> Session:
    """Play `scenario` to its end, or until `stop` is set; return the session as played so far.

    `positions` tells where the reader is; then at most `sending.room` lies unread in a partition.
    Raises MonitorError when the broker can't be reached or refuses.
    """
    if sending.speed is not None and not sending.speed > 0:
        raise MonitorError(f"speed must be positive, got {sending.speed}")
    session = Session(scenario)
    encoder = Encoder(scenario, sending.codec, sending.rows_per_record)
    clock = Clock(sending.speed, sending.skip_idle) if sending.speed else None
    async with connected(bootstrap, sending.client) as kafka:
        wire = _Wire(kafka, topics, encoder, Backlog(sending.room, positions))
        if sending.reference:
            await wire.send_reference(scenario)
        for batch in disordered(session.batches(_window(session, sending)), sending.disorder):
            if stop is not None and stop.is_set():
                break
            if clock:
                await clock.reach(batch.start, batch.end)
            await wire.send(batch)
            if progress:
                report(session, batch.end, progress)
    return session


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
        self, kafka: AIOKafkaProducer, topics: Topics, encoder: Encoder, backlog: Backlog
    ) -> None:
        self._kafka, self._topics = kafka, topics
        self._encoder, self._backlog = encoder, backlog
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
            Record(
                0, control.fields["scope"].encode(), control_value(control), control.ts // MILLION
            )
            for control in batch.controls
        ]
        topics = self._topics
        quotes = self._encoder.records(batch.quotes, await self._count(topics.quotes))
        theos = self._encoder.records(batch.theos, await self._count(topics.theo))
        waiting = [
            *await self._enqueue(topics.control, controls),
            *await self._enqueue(topics.theo, theos),
            *await self._enqueue(topics.quotes, quotes),
        ]
        await asyncio.gather(*waiting)
        await self._backlog.drain()

    async def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._kafka.partitions_for(topic))
        return self._partitions[topic]

    async def _enqueue(self, topic: str, records: Iterable[Record]) -> list[asyncio.Future[None]]:
        """Hand records to the client in batches of one partition; await the result later."""
        waiting: list[asyncio.Future[None]] = []
        batch, partition, sizes = None, -1, list[int]()
        for record in records:
            if batch is not None and record.partition == partition and _append(batch, record):
                sizes.append(len(record.value))
                continue
            if batch is not None:
                waiting.append(await self._ship(batch, topic, partition, sizes))
            batch, partition, sizes = (
                self._kafka.create_batch(),
                record.partition,
                [len(record.value)],
            )
            if not _append(batch, record):
                raise MonitorError(
                    f"a record of {len(record.value)} bytes is over the batch size {BATCH_BYTES}:"
                    " fewer rows per record"
                )
        if batch is not None:
            waiting.append(await self._ship(batch, topic, partition, sizes))
        return waiting

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
