"""Takes fetch responses out of aiokafka before it makes records of them.

The one place that leans on aiokafka's inside (docs/decisions/0013-record-batches-out-of-aiokafka.md).
Connections, metadata, groups, offsets, pausing and errors stay aiokafka's: its method that handles a
response runs as it is, with two names of its module replaced, and `getmany` then hands out pieces of
columns where it had records.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import islice
from types import FunctionType, MethodType
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher as stock
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError, MonitorError
from mm_monitor.kernels.reference_records import AT_LENGTH, BEFORE_LENGTH
from mm_monitor.sources import kafka_frames
from mm_monitor.sources.kafka_batches import PIECE, BatchReader, Fetched, of_records
from mm_monitor.sources.kafka_frames import Frame

_log = structlog.get_logger("mm_monitor.sources.kafka")
_OLD_RECORDS = 5000  # of an older format, in one piece
_REPLACED = ("MemoryRecords", "PartitionRecords")
# What we count on: the parameters of each, and names that its code must use.
_EXPECTED: Sequence[tuple[str, str, Sequence[str]]] = (
    ("Fetcher._proc_fetch_request", "self, assignment, node_id, request",
     ("MemoryRecords", "PartitionRecords", "FetchResult", "has_next", "size_in_bytes")),
    ("FetchResult.__init__", "self, tp, *, assignment, partition_records, backoff",
     ("_partition_records",)),
    ("FetchResult.getall", "self, max_records=None",
     ("_partition_records", "append", "_update_position", "check_assignment")),
    ("FetchResult._update_position", "self", ("consumed_to", "next_fetch_offset")),
    ("FetchResult.check_assignment", "self, tp", ("position", "next_fetch_offset")),
    ("PartitionRecords.__init__",
     "self, tp, records, aborted_transactions, fetch_offset, key_deserializer, "
     "value_deserializer, check_crcs, isolation_level", ()),
    ("Fetcher.fetched_records", "self, partitions, timeout=0, max_records=None",
     ("_records", "getall", "has_more", "check_raise")),
)  # fmt: skip


def difference(module: Any = stock) -> str:
    """What of aiokafka's inside is not as we know it; "" if all is."""
    for path, parameters, names in _EXPECTED:
        found: Any = module
        for name in path.split("."):
            found = getattr(found, name, None)
        if not inspect.isfunction(found):
            return f"there is no {path}"
        if (got := str(inspect.signature(found))) != f"({parameters})":
            return f"{path} takes {got}, not ({parameters})"
        missing = [name for name in names if name not in found.__code__.co_names]
        if missing or found.__closure__:
            return f"{path} is another ({', '.join(missing) or 'it has a closure'})"
    return ""


def fetch_raw(consumer: AIOKafkaConsumer, wanted: str) -> bool:
    """Take over this started consumer, if `wanted` ("auto", "raw", "getmany") and aiokafka allow; did we?

    Raises MonitorError if it must be and cannot.
    """
    if wanted == "getmany":
        return False
    different = difference()
    if not different:
        take_over(consumer)
        return True
    installed = f"aiokafka {version('aiokafka')} is not as we know it: {different}"
    if wanted == "raw":
        raise MonitorError(f"kafka.fetch: raw: {installed}")
    _log.warning("raw_fetch_unavailable", because=installed,
                 means="the client makes an object of each record: same results, ten times slower")  # fmt: skip
    return False


def take_over(consumer: AIOKafkaConsumer) -> None:
    """From now on `getmany` of this started consumer hands out `Fetched` and `DecodeError`s: see `pieces`."""
    fetcher = consumer._fetcher
    method = stock.Fetcher._proc_fetch_request
    names = {**method.__globals__, "MemoryRecords": _Kept, "PartitionRecords": _Pieces}
    own = FunctionType(method.__code__, names, method.__name__, method.__defaults__)
    fetcher._proc_fetch_request = MethodType(own, fetcher)
    if not kafka_frames.difference():
        kafka_frames.receive_in_place(consumer._client)


async def pieces(
    consumer: AIOKafkaConsumer, timeout_ms: int, most: int
) -> tuple[list[tuple[TopicPartition, Fetched]], list[tuple[TopicPartition, DecodeError]]]:
    """What has come, `most` bytes or one piece more, and what could not be read; waits for the first of it.

    Raises whatever `getmany` does. A partition that cannot be read is asked for again, from there.
    """
    good: list[tuple[TopicPartition, Fetched]] = []
    bad: list[tuple[TopicPartition, DecodeError]] = []
    while most > 0:
        got: Mapping[TopicPartition, Sequence[Fetched | DecodeError]] = await consumer.getmany(
            timeout_ms=0 if good or bad else timeout_ms, max_records=-(-most // PIECE)
        )
        for tp, items in got.items():
            for item in items:
                if isinstance(item, DecodeError):
                    bad.append((tp, item))
                else:
                    good.append((tp, item))
                    most -= item.size
        if not got or bad:
            break
    return good, bad


class _Kept:
    """Stands for `MemoryRecords`: the same answers about the bytes of a partition, and keeps them."""

    def __init__(self, data: Frame | None) -> None:
        self.data = b"" if data is None else data

    def has_next(self) -> bool:
        """Is there a whole batch?"""
        length = int.from_bytes(self.data[AT_LENGTH:BEFORE_LENGTH], "big", signed=True)
        return BEFORE_LENGTH + length <= len(self.data) >= BEFORE_LENGTH

    def size_in_bytes(self) -> int:
        """Whole or not."""
        return len(self.data)


class _Pieces:
    """Stands for `PartitionRecords`: an iterator that moves `next_fetch_offset` as it goes.

    What cannot be read is handed out, not raised: raising here, aiokafka would lose what it has taken from other
    partitions. It comes first of its response, or in the next one, and nothing after it.
    """

    def __init__(
        self,
        tp: TopicPartition,
        records: _Kept,
        aborted_transactions: Sequence[tuple[int, int]] | None,
        fetch_offset: int,
        key_deserializer: object,
        value_deserializer: object,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        committed = isolation_level == stock.READ_COMMITTED
        aborted = aborted_transactions or () if committed else ()
        self._tp, self._level = tp, isolation_level
        self._reader = BatchReader(records.data, fetch_offset, aborted)
        self._pieces = self._read()
        self.next_fetch_offset = fetch_offset

    def __iter__(self) -> Iterator[Fetched | DecodeError]:
        return self

    def __next__(self) -> Fetched | DecodeError:
        return next(self._pieces)

    def _read(self) -> Iterator[Fetched | DecodeError]:
        begun, reader = self.next_fetch_offset, self._reader
        try:
            while (piece := reader.read()) is not None:
                self.next_fetch_offset = reader.next_offset
                yield piece
            self.next_fetch_offset = reader.next_offset
            if reader.old:
                yield from self._older()
        except DecodeError as error:
            if self.next_fetch_offset == begun:
                yield error

    def _older(self) -> Iterator[Fetched]:
        """What is left, as aiokafka reads it."""
        reader = self._reader
        records = stock.PartitionRecords(
            self._tp, MemoryRecords(reader.rest), reader.still_aborted, reader.next_offset,
            None, None, True, self._level,
        )  # fmt: skip
        once = (
            record for record in records
        )  # ended, aiokafka's own iterator is not to be asked again
        while some := _next_records(once):
            self.next_fetch_offset = max(self.next_fetch_offset, records.next_fetch_offset)
            yield of_records(some)
        self.next_fetch_offset = max(self.next_fetch_offset, records.next_fetch_offset)


def _next_records(records: Iterator[Any]) -> list[Any]:
    try:
        return list(islice(records, _OLD_RECORDS))
    except CorruptRecordException as error:
        raise DecodeError(BadReason.UNDECODABLE, str(error)) from None
