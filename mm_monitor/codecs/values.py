"""Records as columns over one buffer: what a codec reads when nobody made an object of each record.

To those who want records it is a sequence of them, made as they are asked for: a dead letter names its
record, good rows never do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import RawRecord

Ints = NDArray[np.int64]
Buffer = bytes | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Values(Sequence[RawRecord]):
    """Records of one partition, offsets ascending.

    Value i is `data[starts[i]:starts[i] + lengths[i]]`, null if its length is -1. `data` is bytes or uint8; `starts`,
    `lengths` and `offsets` are int64 of equal length. Nothing is copied: `data` must stay as it is until they are
    decoded.
    """

    topic: str
    partition: int
    data: Buffer
    starts: Ints
    lengths: Ints
    offsets: Ints
    ts_recv: int = 0  # ns, our clock

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> RawRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Values: ...
    def __getitem__(self, index: int | slice) -> RawRecord | Values:
        """A record with its own copy of the bytes (null is empty), or some of them as columns."""
        if isinstance(index, slice):
            return self.some(index)
        start, length = int(self.starts[index]), int(self.lengths[index])
        value = bytes(self.data[start : start + length]) if length > 0 else b""
        return RawRecord(self.topic, self.partition, int(self.offsets[index]), value, self.ts_recv)

    def __iter__(self) -> Iterator[RawRecord]:
        """All records, each made as it is reached."""
        data = self.data if isinstance(self.data, bytes) else self.data.data
        columns = (self.starts.tolist(), self.lengths.tolist(), self.offsets.tolist())
        for start, length, offset in zip(*columns, strict=True):
            value = bytes(data[start : start + length]) if length > 0 else b""
            yield RawRecord(self.topic, self.partition, offset, value, self.ts_recv)

    def some(self, which: slice | NDArray[np.intp]) -> Values:
        """Those records, over the same bytes."""
        columns = (self.starts[which], self.lengths[which], self.offsets[which])
        return Values(self.topic, self.partition, self.data, *columns, self.ts_recv)

    @classmethod
    def of(cls, records: Sequence[RawRecord]) -> Values:
        """`records` of one partition as columns: they themselves, if they are that already."""
        if isinstance(records, Values):
            return records
        values = [record.value for record in records]
        lengths = np.array([len(value) for value in values], np.int64)
        offsets = np.array([record.offset for record in records], np.int64)
        topic, partition, ts_recv = "", 0, 0
        if records:
            topic, partition, ts_recv = records[0].topic, records[0].partition, records[0].ts_recv
        starts = np.cumsum(lengths) - lengths
        return cls(topic, partition, b"".join(values), starts, lengths, offsets, ts_recv)
