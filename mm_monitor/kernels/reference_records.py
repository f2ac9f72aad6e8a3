"""The kernel of Kafka's record batches in plain Python: the specification as code, for reading and for parity tests.

Same names, same arguments, same result as `cext/records.pyx`; a hundred times slower.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Batches = NDArray[np.void]
Bytes = bytes | NDArray[np.uint8]

# base offset, length, leader epoch, magic, crc, attributes, last offset delta, first and greatest time stamp, producer,
# its epoch, base sequence, records
HEADER = struct.Struct(">qiibIhiqqqhii")
AT_LENGTH, BEFORE_LENGTH, AT_MAGIC, AT_CRC, AT_ATTRIBUTES = 8, 12, 16, 17, 21
LEAST_RECORD = 7  # bytes of the smallest record
CODEC, LOG_APPEND, TRANSACTIONAL, CONTROL = 7, 8, 16, 32  # bits of the attributes
AT, NEXT, HEAD, ACTIVE = range(4)  # elements of the cursor

BATCH = np.dtype(
    [
        ("start", "<i8"),  # first byte of the records, which may be compressed
        ("stop", "<i8"),
        ("base", "<i8"),  # offset to which those of the records are added
        ("first_stamp", "<i8"),  # ms
        ("max_stamp", "<i8"),  # ms; of every record if the broker says when
        ("last_delta", "<i4"),  # of the last record that there was, though compaction took it
        ("count", "<i4"),
        ("codec", "<i4"),  # 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
        ("log_append", "<i4"),
    ]
)
assert BATCH.itemsize == 56


class Status(IntEnum):
    """Why `find_batches` stopped."""

    END = 0  # no more bytes, or a batch that is cut off
    FULL = 1  # there may be more
    OLD = 2  # a batch of an older format
    BAD_LENGTH = 3
    BAD_CRC = 4
    BAD_HEADER = 5
    BAD_RECORD = 6  # in no batch that was found: what `read_records` stops at
    BAD_CONTROL = 7


class _Bad(Exception):
    """Bytes that are none of a record batch."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_OF_BYTE = [_crc_of_byte(byte) for byte in range(256)]


def crc32c(data: Bytes, hardware: bool = True) -> int:
    """CRC-32C of `data`; `hardware` makes no difference here."""
    crc = 0xFFFFFFFF
    for byte in bytes(data):
        crc = (crc >> 8) ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def find_batches(
    data: Bytes, cursor: Ints, aborted: Ints, active: Ints, most: int, batches: Batches
) -> tuple[int, int]:
    """Batches of records from the cursor on; how many were found, and why it stopped."""
    data, found, taken = bytes(data), 0, 0
    while found < len(batches) and taken < most:
        start = int(cursor[AT])
        try:
            if _next_batch(data, cursor, aborted, active, batches[found : found + 1]):
                found += 1
                taken += int(cursor[AT]) - start
        except _Bad as bad:
            return found, bad.status
    return found, Status.FULL


def _next_batch(data: bytes, cursor: Ints, aborted: Ints, active: Ints, batch: Batches) -> bool:
    """Moves the cursor over one batch; is it one to read?"""
    at = int(cursor[AT])
    stop = _end_of_batch(data, at)
    base, _, _, magic, crc, attributes, last, first_stamp, max_stamp, producer, _, _, count = (
        HEADER.unpack_from(data, at)
    )
    if magic != 2:
        raise _Bad(Status.BAD_HEADER)
    if crc != crc32c(data[at + AT_ATTRIBUTES : stop]):
        raise _Bad(Status.BAD_CRC)
    codec, log_append = attributes & CODEC, int(attributes & LOG_APPEND != 0)
    batch[0] = (at + HEADER.size, stop, base, first_stamp, max_stamp, last, count, codec, log_append)  # fmt: skip
    if not _sound(base, last, count, codec, stop - at - HEADER.size):
        raise _Bad(Status.BAD_HEADER)
    _activate(cursor, aborted, active, base)
    if attributes & CONTROL and cursor[ACTIVE] and count:
        if codec:
            raise _Bad(Status.BAD_CONTROL)
        if _takes_back(data[at + HEADER.size : stop]):
            _deactivate(producer, cursor, active)
    cursor[AT], cursor[NEXT] = stop, max(int(cursor[NEXT]), base + last + 1)
    taken_back = attributes & TRANSACTIONAL and producer in active[: cursor[ACTIVE]].tolist()
    return not attributes & CONTROL and not taken_back


def _end_of_batch(data: bytes, at: int) -> int:
    if len(data) - at < BEFORE_LENGTH:
        raise _Bad(Status.END)
    length = int.from_bytes(data[at + AT_LENGTH : at + BEFORE_LENGTH], "big", signed=True)
    stop = at + BEFORE_LENGTH + length
    if length < 0:
        raise _Bad(Status.BAD_LENGTH)
    if stop > len(data):
        raise _Bad(Status.END)
    if stop <= at + AT_MAGIC:
        raise _Bad(Status.BAD_LENGTH)
    if data[at + AT_MAGIC] < 2:
        raise _Bad(Status.OLD)
    if stop - at < HEADER.size:
        raise _Bad(Status.BAD_LENGTH)
    return stop


def _sound(base: int, last: int, count: int, codec: int, size: int) -> bool:
    """Can a log hold such a batch? Its records take some bytes each, and one offset each at most."""
    if base < 0 or last < 0 or base > 2**63 - 2**31 - 1:
        return False
    return 0 <= count <= last + 1 and (codec != 0 or LEAST_RECORD * count <= size)


def _activate(cursor: Ints, aborted: Ints, active: Ints, base: int) -> None:
    while cursor[HEAD] < len(aborted) and aborted[cursor[HEAD], 1] <= base:
        producer = aborted[cursor[HEAD], 0]
        if producer not in active[: cursor[ACTIVE]]:
            active[cursor[ACTIVE]] = producer
            cursor[ACTIVE] += 1
        cursor[HEAD] += 1


def _deactivate(producer: int, cursor: Ints, active: Ints) -> None:
    places = np.flatnonzero(active[: cursor[ACTIVE]] == producer)
    if len(places):
        cursor[ACTIVE] -= 1
        active[places[0]] = active[cursor[ACTIVE]]


def _takes_back(data: bytes) -> bool:
    """Is the first record of a control batch the mark of a transaction that was taken back?"""
    try:
        _, at = _varint(data, 0)
        _byte(data, at)
        _, at = _varint(data, at + 1)
        _, at = _varint(data, at)
        length, at = _varint(data, at)
    except _Bad:
        raise _Bad(Status.BAD_CONTROL) from None
    if length < 4 or len(data) - at < length:
        raise _Bad(Status.BAD_CONTROL)
    return data[at : at + 4] == bytes(4)


def read_records(
    data: Bytes,
    batches: Batches,
    next_offset: int,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    stamps: Ints,
) -> tuple[int, int]:
    """Records of `batches` from `next_offset` on; how many were written, and how many batches were read."""
    data, written = bytes(data), 0
    for done, batch in enumerate(batches):
        try:
            records = _records(data, batch)
        except _Bad:
            return written, done
        for start, length, offset, stamp in records:
            if offset >= next_offset:
                starts[written], lengths[written] = start, length
                offsets[written], stamps[written] = offset, stamp
                written, next_offset = written + 1, offset + 1
        next_offset = max(next_offset, int(batch["base"]) + int(batch["last_delta"]) + 1)
    return written, len(batches)


def _records(data: bytes, batch: np.void) -> list[tuple[int, int, int, int]]:
    """Start, length, offset and time of every record of a batch."""
    at, stop, base = int(batch["start"]), int(batch["stop"]), int(batch["base"])
    data, records = data[:stop], []
    for _ in range(batch["count"]):
        length, at = _varint(data, at)
        end = at + length
        if not 0 < length <= stop - at:
            raise _Bad(Status.BAD_RECORD)
        stamp, at = _varint(data, at + 1)
        delta, at = _varint(data, at)
        if not 0 <= delta <= batch["last_delta"]:
            raise _Bad(Status.BAD_RECORD)
        _, at = _field(data, at)
        start, at = _field(data, at)
        stamp = _signed(int(batch["first_stamp"]) + stamp)
        stamp = int(batch["max_stamp"]) if batch["log_append"] else stamp
        size = at - start if start >= 0 else -1
        records.append((max(start, ~start), size, base + delta, stamp))
        if _after_headers(data, at) != end:
            raise _Bad(Status.BAD_RECORD)
        at = end
    if at != stop:
        raise _Bad(Status.BAD_RECORD)
    return records


def _field(data: bytes, at: int) -> tuple[int, int]:
    """Where a key or value begins, inverted if it is null, and what follows it."""
    length, at = _varint(data, at)
    if length > len(data) - at:
        raise _Bad(Status.BAD_RECORD)
    return (at, at + length) if length >= 0 else (~at, at)


def _after_headers(data: bytes, at: int) -> int:
    count, at = _varint(data, at)
    if count < 0:
        raise _Bad(Status.BAD_RECORD)
    for _ in range(count):
        start, at = _field(data, at)
        if start < 0:
            raise _Bad(Status.BAD_RECORD)
        _, at = _field(data, at)
    return at


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _Bad(Status.BAD_RECORD)
    return data[at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of up to 64 bits, and what follows it."""
    value = 0
    for shift in range(0, 64, 7):
        byte = _byte(data, at)
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            value &= 2**64 - 1
            return (value >> 1) ^ -(value & 1), at
    raise _Bad(Status.BAD_RECORD)


def _signed(value: int) -> int:
    """Its 64 bits as the machine reads them."""
    return (value + 2**63) % 2**64 - 2**63
