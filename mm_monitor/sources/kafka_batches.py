"""What a broker sent of one partition, as columns, piece by piece: no object per record.

The loops are compiled (`mm_monitor.kernels`); Python sees batches only where they are compressed. A piece
is bounded, so that whoever reads can let others run between two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.values import Buffer, Ints, Values
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError
from mm_monitor.kernels import find_batches, read_records
from mm_monitor.kernels.reference_records import ACTIVE, AT, BATCH, HEAD, LEAST_RECORD, NEXT, Status
from mm_monitor.sources.kafka_inflate import inflate
from mm_monitor.sources.kafka_sequence import number_of

PIECE = 1 << 20  # bytes, unpacked: a piece ends with the batch that reaches them
_ROOM = 4096  # batches
_DEFECTS = {
    Status.BAD_LENGTH: "its length cannot be",
    Status.BAD_CRC: "its checksum is not that of its bytes",
    Status.BAD_HEADER: "its format, offsets or count cannot be",
    Status.BAD_CONTROL: "it marks the end of a transaction and says not how",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Records of one partition with ascending offsets, never none; columns as in `Values`."""

    data: Buffer
    starts: Ints
    lengths: Ints
    offsets: Ints
    stamps: Ints  # ms
    keys: Sequence[bytes | None] = ()  # only where a client made records of them
    numbers: Sequence[bytes | None] = ()  # that feeds gave them, where there is a header for it

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def size(self) -> int:
        """Bytes from the first value to the end of the last."""
        return int(self.starts[-1]) - int(self.starts[0]) + max(0, int(self.lengths[-1]))

    def some(self, which: slice) -> Fetched:
        """Those of them, over the same bytes."""
        columns = (self.starts[which], self.lengths[which], self.offsets[which], self.stamps[which])
        return Fetched(self.data, *columns, self.keys[which], self.numbers[which])

    def values(self, topic: str, partition: int, now: int) -> Values:
        """As a codec reads them."""
        return Values(topic, partition, self.data, self.starts, self.lengths, self.offsets, now)


def of_records(records: Sequence[Any], header: str = "") -> Fetched:
    """Records that a client made, as columns; `header` is the one that holds their numbers."""
    values = [record.value or b"" for record in records]
    lengths = np.array([-1 if r.value is None else len(r.value) for r in records], np.int64)
    sizes = np.maximum(lengths, 0)
    offsets = np.array([record.offset for record in records], np.int64)
    stamps = np.array([record.timestamp for record in records], np.int64)
    keys = [record.key for record in records]
    numbers = [number_of(record.headers, header) for record in records] if header else ()
    starts = np.cumsum(sizes) - sizes
    return Fetched(b"".join(values), starts, lengths, offsets, stamps, keys, numbers)


class BatchReader:
    """Reads the bytes that a broker sent of one partition from `fetch_offset` on.

    `aborted` has (producer, first offset) of every transaction that was taken back; with none, everything is read.
    """

    def __init__(
        self, data: bytes | memoryview, fetch_offset: int, aborted: Iterable[tuple[int, int]] = ()
    ) -> None:
        self.next_offset = fetch_offset  # behind all that was handed out or skipped
        self._data: Buffer = np.frombuffer(data, np.uint8) if len(data) else b""
        self._cursor = np.array([0, fetch_offset, 0, 0], np.int64)
        taken_back = sorted(aborted, key=lambda transaction: transaction[1])
        self._aborted = np.array(taken_back, np.int64).reshape(-1, 2)
        self._active = np.zeros(len(taken_back), np.int64)
        self._found = np.empty(0, BATCH)
        self._status = int(Status.FULL)

    @property
    def old(self) -> bool:
        """Does what is left begin with a batch of an older format? Then `read` has no more."""
        return self._status == Status.OLD and not len(self._found)

    @property
    def rest(self) -> bytes:
        """The bytes that are left."""
        return bytes(self._data[self._cursor[AT] :])

    @property
    def still_aborted(self) -> list[tuple[int, int]]:
        """(producer, first offset) of the transactions that what is left may hold."""
        open_ = [(int(producer), 0) for producer in self._active[: self._cursor[ACTIVE]]]
        return open_ + [(int(p), int(first)) for p, first in self._aborted[self._cursor[HEAD] :]]

    def read(self) -> Fetched | None:
        """The next records, or None at the end. Raises DecodeError before bytes that are no record."""
        while len(self._found) or self._find():
            data, batches, fault = self._unpacked()
            fetched = self._records(data, batches, fault)
            if fetched is not None:
                return fetched
        self.next_offset = max(self.next_offset, int(self._cursor[NEXT]))
        return None

    def _find(self) -> bool:
        """Look for batches; are there any?"""
        batches = np.empty(_ROOM, BATCH)
        cursor = self._cursor
        found, self._status = find_batches(
            self._data, cursor, self._aborted, self._active, PIECE, batches
        )
        if not found and self._status in _DEFECTS:
            defect = _DEFECTS[Status(self._status)]
            raise DecodeError(BadReason.UNDECODABLE, f"record batch at byte {cursor[AT]}: {defect}")
        self._found = batches[:found]
        return found > 0

    def _records(
        self, data: Buffer, batches: NDArray[np.void], fault: DecodeError | None
    ) -> Fetched | None:
        """The records of batches that are in `data`; of all before the one with a fault."""
        columns = np.empty((4, int(batches["count"].sum())), np.int64)
        starts, lengths, offsets, stamps = columns
        n, done = read_records(data, batches, self.next_offset, starts, lengths, offsets, stamps)
        if not done:
            base = int(self._found["base"][0])
            detail = f"record batch at offset {base}: it holds something that is no record"
            raise (
                fault if fault and not len(batches) else DecodeError(BadReason.UNDECODABLE, detail)
            )
        last = self._found[done - 1]
        self._found = self._found[done:]
        behind = int(last["base"]) + int(last["last_delta"]) + 1
        behind = behind if len(self._found) else int(self._cursor[NEXT])
        self.next_offset = max(self.next_offset, behind)
        if not n:
            return None
        return Fetched(data, starts[:n], lengths[:n], offsets[:n], stamps[:n])

    def _unpacked(self) -> tuple[Buffer, NDArray[np.void], DecodeError | None]:
        """Bytes and batches of the next piece, none of them compressed; and what is wrong with the one behind."""
        if not self._found["codec"].any():
            return self._data, self._found, None
        parts: list[Any] = []
        batches = self._found.copy()
        size, count, fault = 0, 0, None
        whole = memoryview(self._data)  # type: ignore[arg-type]
        for batch in batches:
            payload = whole[batch["start"] : batch["stop"]]
            try:
                part = inflate(int(batch["codec"]), payload) if batch["codec"] else payload
                _check_count(int(batch["count"]), len(part))
            except DecodeError as error:
                fault = error
                break
            batch["start"], batch["stop"] = size, size + len(part)
            parts.append(part)
            size, count = size + len(part), count + 1
            if size >= PIECE:
                break
        return b"".join(parts), batches[:count], fault


def _check_count(count: int, size: int) -> None:
    """Before room is made for so many: each takes some bytes."""
    if LEAST_RECORD * count > size:
        raise DecodeError(BadReason.UNDECODABLE, f"{count} records in {size} bytes")
