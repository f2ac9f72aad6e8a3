"""Checkpoints on a partition of a compacted Kafka topic: whoever opens it next can go on from them, on any machine.

A record is written in one transaction, in chunks that fit into messages. Opening takes the transactional id over: from
then on the brokers refuse whoever had it before, so a process that was given up for dead changes nothing any more.
"""

from __future__ import annotations

import asyncio
import struct
import threading
import zlib
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, ProducerFenced

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.errors import CheckpointError

MAGIC = b"MMCT"
SCHEMA = 1
DIFFERENCES = 2  # kept beside their whole record
_CHUNK = 512 << 10
_ROOM = 4096  # of a message, for its key and for what Kafka adds
# magic, schema, chunks, crc32 of the record, serial, base, generation, length
_HEAD = struct.Struct("<4sHxxIIQQQQ")
_SERIAL = struct.Struct("<Q")  # before each chunk, so that none is taken for one of another record
_MADE_WITH = "--config cleanup.policy=compact --config segment.bytes=16777216 --config max.compaction.lag.ms=60000"
T = TypeVar("T")
_Log = Mapping[str, tuple[int, bytes]]  # the newest value of each key, and where it stands


@dataclass(frozen=True, slots=True)
class TopicPlace:
    """Which partition of which topic; `client` is how aiokafka's clients reach the brokers."""

    client: Mapping[str, Any]
    topic: str
    partition: int = 0
    seconds: float = 20.0  # that opening, reading and writing may take each


@dataclass(frozen=True, slots=True)
class _Head:
    """What a record's last message says of it."""

    chunks: int
    crc: int
    serial: int
    base: int
    generation: int
    size: int

    def packed(self) -> bytes:
        return _HEAD.pack(
            MAGIC, SCHEMA, self.chunks, self.crc, self.serial, self.base, self.generation, self.size
        )


class TopicStore:
    """Slots `a` and `b` for whole records in turn, each with two for its differences; a slot is a few keys."""

    name = "topic"

    def __init__(self, place: TopicPlace) -> None:
        """CheckpointError (`storage`) where the topic is missing, is not compacted, or does not answer."""
        self._place = place
        self._tp = TopicPartition(place.topic, place.partition)
        self._problems: list[str] = []
        self._chunk = _CHUNK
        self._held: dict[str, _Head] = {}  # by slot
        self._generation = 0  # not known before all has been read
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
        if not self._generation:
            self.entries()
        slot = self._slot_of(entry)
        size = self._chunk
        pieces = [entry.data[at : at + size] for at in range(0, len(entry.data), size)]
        head = _Head(len(pieces), zlib.crc32(entry.data), entry.serial, entry.base,
                     self._generation, len(entry.data))  # fmt: skip
        messages: dict[str, bytes | None] = {
            f"{slot}/{i}": _SERIAL.pack(entry.serial) + piece for i, piece in enumerate(pieces)
        }
        gone = [name for name in self._held if entry.serial == entry.base and name[:-1] == slot]
        for name in gone:
            messages |= dict.fromkeys(self._keys(name, 0))
        messages |= dict.fromkeys(self._keys(slot, len(pieces))[1:])
        messages[slot] = head.packed()
        self._call(self._send(messages))
        for name in gone:
            del self._held[name]
        self._held[slot] = head

    def entries(self) -> Iterator[Entry]:
        """See the protocol."""
        log = self._call(self._read())
        heads = sorted((key for key in log if "/" not in key), key=lambda k: log[k][0])
        found: list[Entry] = []
        newest = 0
        self._held.clear()
        for slot in heads:
            try:
                head = _head_of(slot, log[slot][1])
                self._held[slot] = replace(
                    head, serial=-1
                )  # if it is no good, it is the next to go
                if head.generation < newest:  # never, as long as the brokers keep their word
                    told = f"record {head.serial} was written by one that was deposed"
                    raise CheckpointError("damaged", told)
                newest = head.generation
                found.append(_assembled(slot, head, log))
                self._held[slot] = head
            except CheckpointError as error:
                self._problems.append(f"{self._where}: {str(error).removeprefix('checkpoint: ')}")
        self._generation = newest + 1
        return reversed(found)

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

    def _slot_of(self, entry: Entry) -> str:
        """A whole record goes where the newest is not; a difference beside its whole record."""
        held = self._held
        if entry.serial == entry.base:
            return min("ab", key=lambda slot: held[slot].serial if slot in held else -1)
        for slot in "ab":
            if slot in held and held[slot].serial == entry.base:
                beside = [f"{slot}{i}" for i in range(DIFFERENCES)]
                return min(beside, key=lambda name: held[name].serial if name in held else -1)
        raise CheckpointError("storage", f"{self._where}: record {entry.base} is no longer there")

    def _keys(self, slot: str, first: int) -> list[str]:
        """The head's key, and those of the chunks from the given one on, as far as they are held."""
        held = self._held[slot].chunks if slot in self._held else 0
        return [slot, *(f"{slot}/{i}" for i in range(first, held))]

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

    async def _send(self, messages: Mapping[str, bytes | None]) -> None:
        """All of them or none: a reader of committed records sees nothing of a transaction that was cut short."""
        assert self._producer is not None
        if self._under_way is not None:
            await asyncio.wait({self._under_way})
            if isinstance(self._under_way.exception(), ProducerFenced):
                await self._under_way
        # A task of its own: whoever waits may give up, a transaction has to come to its end.
        self._under_way = asyncio.create_task(self._transact(self._producer, messages))
        await asyncio.shield(self._under_way)

    async def _transact(
        self, producer: AIOKafkaProducer, messages: Mapping[str, bytes | None]
    ) -> None:
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

    async def _read(self) -> _Log:
        found: dict[str, tuple[int, bytes]] = {}
        consumer = AIOKafkaConsumer(**self._place.client, isolation_level="read_committed",
                                    auto_offset_reset="earliest", enable_auto_commit=False)  # fmt: skip
        try:
            await consumer.start()
            consumer.assign([self._tp])
            end = (await consumer.end_offsets([self._tp]))[self._tp]
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


def _head_of(slot: str, data: bytes) -> _Head:
    if len(data) != _HEAD.size:
        raise CheckpointError("damaged", f"slot {slot}: {_HEAD.size} bytes, there are {len(data)}")
    magic, schema, *rest = _HEAD.unpack(data)
    if magic != MAGIC:
        raise CheckpointError("damaged", f"slot {slot} begins with {MAGIC!r}, not with {magic!r}")
    if schema != SCHEMA:
        raise CheckpointError("schema", f"slot {slot} is of schema {schema}, this is {SCHEMA}")
    return _Head(*rest)


def _assembled(slot: str, head: _Head, log: _Log) -> Entry:
    """The whole record, once all has been checked."""
    pieces = []
    for i in range(head.chunks):
        _, value = log.get(f"{slot}/{i}", (0, b""))
        if len(value) < _SERIAL.size or _SERIAL.unpack_from(value)[0] != head.serial:
            missing = f"record {head.serial}: chunk {i} of {head.chunks} is missing"
            raise CheckpointError("damaged", missing)
        pieces.append(value[_SERIAL.size :])
    data = b"".join(pieces)
    if len(data) != head.size or zlib.crc32(data) != head.crc:
        raise CheckpointError("damaged", f"record {head.serial}: its length or checksum differs")
    return Entry(head.serial, head.base, data)


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
