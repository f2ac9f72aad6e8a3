"""Checkpoints on a partition of a compacted Kafka topic: whoever opens it next can go on from them, on any machine.

A record is written in one transaction, in chunks that fit into messages. Opening takes the transactional id over: from
then on the brokers refuse whoever had it before, so a process that was given up for dead changes nothing any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, ProducerFenced

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.slots import Log, Messages, Slots
from mm_monitor.errors import CheckpointError

_CHUNK = 512 << 10
_ROOM = 4096  # of a message, for its key and for what Kafka adds
_MADE_WITH = "--config cleanup.policy=compact --config segment.bytes=16777216 --config max.compaction.lag.ms=60000"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TopicPlace:
    """Which partition of which topic; `client` is how aiokafka's clients reach the brokers."""

    client: Mapping[str, Any]
    topic: str
    partition: int = 0
    seconds: float = 20.0  # that opening, reading and writing may take each


class TopicStore:
    """One partition, opened; `slots.py` says which keys and values a record becomes there."""

    name = "topic"

    def __init__(self, place: TopicPlace) -> None:
        """CheckpointError (`storage`) where the topic is missing, is not compacted, or does not answer."""
        self._place = place
        self._tp = TopicPartition(place.topic, place.partition)
        self._problems: list[str] = []
        self._chunk = _CHUNK
        self._slots = Slots(self._where)
        self._under_way: asyncio.Task[None] | None = None  # the last transaction
        self._loop = _Loop()
        self._producer: AIOKafkaProducer | None = None
        try:
            self._call(self._open())
        except BaseException:
            self.close()
            raise

    def write(self, entry: Entry) -> None:
        """See the protocol. CheckpointError (`deposed`) once another has opened the partition: then never again."""
        if not self._slots.generation:
            self.entries()
        chunk = self._chunk
        self._call(self._send(self._slots.messages(entry, chunk)))
        self._slots.written(entry, chunk)

    def entries(self) -> Iterator[Entry]:
        """See the protocol."""
        found, problems = self._slots.read(self._call(self._read()))
        self._problems += problems
        return iter(found)

    def problems(self) -> list[str]:
        """See the protocol."""
        told, self._problems = self._problems, []
        return told

    def close(self) -> None:
        """See the protocol."""
        if self._loop.ended:
            return
        producer, self._producer = self._producer, None
        with suppress(CheckpointError):
            if producer is not None:
                self._call(_stopped(producer))
        self._loop.end()

    @property
    def _where(self) -> str:
        return f"{self._place.topic}/{self._place.partition}"

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the loop of our own; every failure is a CheckpointError."""
        try:
            return self._loop.run(work, self._place.seconds)
        except ProducerFenced:
            told = f"{self._where}: another service has taken it over"
            raise CheckpointError("deposed", told) from None
        except TimeoutError:
            told = f"{self._where}: no answer within {self._place.seconds:g} s"
            raise CheckpointError("storage", told) from None
        except (KafkaError, OSError) as error:
            told = f"{self._where}: {str(error) or type(error).__name__}"
            raise CheckpointError("storage", told) from None

    # -- in the loop -------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Depose whoever wrote here, before anything is read: nothing comes behind what is read then."""
        await self._check_topic()
        self._producer = AIOKafkaProducer(
            **self._place.client, transactional_id=f"mm-monitor-{self._where}"
        )
        await self._producer.start()

    async def _check_topic(self) -> None:
        admin = AIOKafkaAdminClient(**self._place.client)
        topic, partition = self._tp
        try:
            await admin.start()
            told = (await admin.describe_topics([topic]))[0]
            answers = await admin.describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic)]
            )
        finally:
            await admin.close()
        known = [p["partition"] for p in told.get("partitions", ())]
        if partition not in known:
            missing = (
                f"there is no partition {partition} of topic {topic!r}, which has {len(known)}"
            )
            raise CheckpointError("storage", f"{missing}; make it with {_MADE_WITH}")
        settings = {
            name: value
            for answer in answers
            for *_, entries in answer.resources
            for name, value, *_ in entries
        }
        policy = settings.get("cleanup.policy", "compact")  # where we may not ask, it is taken so
        if policy != "compact":
            wrong = f"topic {topic!r} has cleanup.policy={policy}, which would lose checkpoints"
            raise CheckpointError("storage", f"{wrong}; it must be compact")
        self._chunk = min(_CHUNK, int(settings.get("max.message.bytes", _CHUNK + _ROOM)) - _ROOM)

    async def _send(self, messages: Messages) -> None:
        """All of them or none: a reader of committed records sees nothing of a transaction that was cut short."""
        assert self._producer is not None
        if self._under_way is not None:
            await asyncio.wait({self._under_way})
            if isinstance(self._under_way.exception(), ProducerFenced):
                await self._under_way
        # A task of its own: whoever waits may give up, a transaction has to come to its end.
        self._under_way = asyncio.create_task(self._transact(self._producer, messages))
        await asyncio.shield(self._under_way)

    async def _transact(self, producer: AIOKafkaProducer, messages: Messages) -> None:
        await producer.begin_transaction()
        try:
            sent = [
                await producer.send(*self._tp[:1], value, key.encode(), self._tp.partition)
                for key, value in messages.items()
            ]
            for outcome in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        except ProducerFenced:
            raise
        except KafkaError:
            await producer.abort_transaction()
            raise
        await producer.commit_transaction()

    async def _end(self) -> int:
        """Behind all that was written. A transaction that has ended shows a little later to who reads the committed."""
        consumer = AIOKafkaConsumer(**self._place.client, enable_auto_commit=False)
        try:
            await consumer.start()
            return int((await consumer.end_offsets([self._tp]))[self._tp])
        finally:
            await consumer.stop()

    async def _read(self) -> Log:
        found: dict[str, tuple[int, bytes]] = {}
        end = await self._end()
        consumer = AIOKafkaConsumer(**self._place.client, isolation_level="read_committed",
                                    auto_offset_reset="earliest", enable_auto_commit=False)  # fmt: skip
        try:
            await consumer.start()
            consumer.assign([self._tp])
            await consumer.seek_to_beginning(self._tp)
            while await consumer.position(self._tp) < end:
                for record in (await consumer.getmany(timeout_ms=200)).get(self._tp, ()):
                    key = (record.key or b"").decode("ascii", "replace")
                    found.pop(key, None)
                    if record.value is not None:
                        found[key] = record.offset, record.value
        finally:
            await consumer.stop()
        return found


async def _stopped(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError):  # whoever was deposed cannot even leave
        await producer.stop()


class _Loop:
    """An event loop in a thread of its own: a store is used by threads that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="checkpoint topic", daemon=True
        )
        self._thread.start()
        self.ended = False

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """What the work returns or raises; TimeoutError after so many seconds."""
        return asyncio.run_coroutine_threadsafe(
            asyncio.wait_for(work, seconds), self._loop
        ).result()

    def end(self) -> None:
        self.ended = True
        asyncio.run_coroutine_threadsafe(self._cancelled(), self._loop).result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancelled(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
