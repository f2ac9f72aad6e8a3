"""Record batches for tests: those that aiokafka's own builder makes, and those that only a broker writes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from mm_monitor.kernels.reference_records import (
    AT_ATTRIBUTES,
    AT_CRC,
    BATCH,
    CONTROL,
    HEADER,
    LOG_APPEND,
    TRANSACTIONAL,
    Batches,
    Ints,
)
from mm_monitor.kernels.reference_records import crc32c as plain_crc

Headers = list[tuple[str, bytes | None]]
ABORT, COMMIT = 0, 1


@dataclass(frozen=True)
class Record:
    """What a producer says."""

    value: bytes | None
    key: bytes | None = None
    stamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes | None], ...] = ()


def batch(
    records: Sequence[Record],
    base: int = 0,
    *,
    codec: int = 0,
    producer: int = -1,
    deltas: Sequence[int] = (),
    attributes: int = 0,
    last_delta: int | None = None,
) -> bytes:
    """A batch of format v2 whose first offset is `base`; `deltas` leaves gaps, `attributes` adds bits."""
    transactional = int(bool(attributes & TRANSACTIONAL))
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 24)
    places = list(deltas) or list(range(len(records)))
    for delta, record in zip(places, records, strict=True):
        builder.append(delta, record.stamp, record.key, record.value, list(record.headers))
    data = bytearray(builder.build())
    fields = list(HEADER.unpack_from(data))
    fields[0] = base
    fields[5] |= attributes
    fields[6] = (places[-1] if places else 0) if last_delta is None else last_delta
    HEADER.pack_into(data, 0, *fields)
    return resealed(data)


def resealed(data: bytes | bytearray) -> bytes:
    """The batch with the checksum that its bytes have."""
    data = bytearray(data)
    struct.pack_into(">I", data, AT_CRC, plain_crc(bytes(data[AT_ATTRIBUTES:])))
    return bytes(data)


def mark(kind: int, producer: int, base: int) -> bytes:
    """The control batch that ends a transaction: ABORT or COMMIT."""
    record = Record(bytes(6), struct.pack(">hh", 0, kind))
    return batch([record], base, producer=producer, attributes=CONTROL | TRANSACTIONAL)


def old(values: Sequence[bytes], magic: int = 1) -> bytes:
    """A message set of an older format."""
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1, None, value)
    return bytes(builder.build())


def appended(data: bytes, stamp: int) -> bytes:
    """The batch as a topic with message.timestamp.type=LogAppendTime keeps it."""
    out = bytearray(data)
    fields = list(HEADER.unpack_from(out))
    fields[5] |= LOG_APPEND
    fields[8] = stamp
    HEADER.pack_into(out, 0, *fields)
    return resealed(out)


def ranges(aborted: Sequence[tuple[int, int]]) -> Ints:
    """(producer, first offset) of transactions that were taken back, as the kernel wants them."""
    return np.array(sorted(aborted, key=lambda x: x[1]), np.int64).reshape(-1, 2)


class Reading:
    """Everything that a module finds in `data`, piece by piece; `module` is the kernel or its twin."""

    def __init__(self, module: Any, data: Any, fetch_offset: int = 0,
                 aborted: Sequence[tuple[int, int]] = (), room: int = 4, most: int = 1 << 20) -> None:  # fmt: skip
        self.cursor = np.array([0, fetch_offset, 0, 0], np.int64)
        self.status, self.bad_records = 1, False
        self.starts: list[int] = []
        self.lengths: list[int] = []
        self.offsets: list[int] = []
        self.stamps: list[int] = []
        self.found: list[bytes] = []
        taken_back = ranges(aborted)
        active = np.zeros(len(taken_back), np.int64)
        while self.status == 1 and not self.bad_records:
            batches = np.zeros(room, BATCH)
            expected = max([fetch_offset, *(offset + 1 for offset in self.offsets)])
            n, self.status = module.find_batches(
                data, self.cursor, taken_back, active, most, batches
            )
            self.found.append(batches[:n].tobytes())
            if not batches["codec"][:n].any():
                self._read(module, data, batches[:n], expected)
        self.active = active[: self.cursor[3]].tolist()

    def _read(self, module: Any, data: Any, batches: Batches, expected: int) -> None:
        total = int(batches["count"].sum())
        columns = np.zeros((4, total), np.int64)
        written, done = module.read_records(data, batches, expected, *columns)
        self.bad_records = done < len(batches)
        kept = columns[:, :written].tolist()
        for mine, new in zip(
            (self.starts, self.lengths, self.offsets, self.stamps), kept, strict=True
        ):
            mine += new

    def values(self, data: bytes) -> list[bytes | None]:
        """The values of all records."""
        spans = zip(self.starts, self.lengths, strict=True)
        return [None if n < 0 else bytes(data[at : at + n]) for at, n in spans]

    def image(self) -> tuple[Any, ...]:
        """All of it, to compare."""
        columns = (self.starts, self.lengths, self.offsets, self.stamps)
        return (
            self.cursor.tolist(),
            int(self.status),
            self.bad_records,
            self.active,
            self.found,
            columns,
        )
