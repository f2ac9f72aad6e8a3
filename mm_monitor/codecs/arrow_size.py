"""How many bytes an Arrow stream's compressed buffers say they become, before anything allocates them.

A buffer that is compressed begins with its length unpacked, and Arrow takes its word. Where the buffers lie is in each
message's flatbuffer, of which nothing is read here but that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_BUFFER = struct.Struct("<qq")  # offset and length in the body
_LENGTH = struct.Struct("<q")
_V4 = (
    3  # the oldest version that is read; it said in the message's own metadata how it is compressed
)
_DICTIONARY, _BATCH = 2, 3  # kinds of header


def unpacked_size(messages: Iterator[Any]) -> int:
    """Bytes that all buffers of pyarrow.Messages need. struct.error where one lies outside of its message."""
    return sum(_needed(memoryview(one.metadata), memoryview(one.body or b"")) for one in messages)


class _Table:
    """A table of a flatbuffer: fields by number, 0 for one that is not there."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - _read("<i", data, at)
        self._size = _read("<H", data, self._fields)

    def place(self, number: int) -> int:
        entry = 4 + 2 * number
        offset = _read("<H", self._data, self._fields + entry) if entry < self._size else 0
        return self._at + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        at = self.place(number)
        return _read(form, self._data, at) if at else 0

    def table(self, number: int) -> _Table | None:
        at = self.place(number)
        return _Table(self._data, at + _read("<I", self._data, at)) if at else None

    def buffers(self, number: int) -> Iterator[tuple[int, int]]:
        at = self.place(number)
        if at:
            start = at + _read("<I", self._data, at)
            for i in range(_read("<I", self._data, start)):
                yield _BUFFER.unpack_from(self._data, start + 4 + i * _BUFFER.size)


def _read(form: str, data: memoryview, at: int) -> int:
    if at < 0:
        raise struct.error("before the message")
    return int(struct.unpack_from(form, data, at)[0])


def _needed(metadata: memoryview, body: memoryview) -> int:
    message = _Table(metadata, _read("<I", metadata, 0))
    batch = message.table(2)
    kind = message.number(1, "<B")
    if kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if batch is None or kind not in (_DICTIONARY, _BATCH):
        return 0
    old = message.number(0, "<h") == _V4 and message.place(4) != 0
    if not old and not batch.place(3):
        return len(body)
    found = 0
    for offset, length in batch.buffers(2):
        said = _LENGTH.unpack_from(body, offset)[0] if length >= _LENGTH.size else 0
        found += said if said >= 0 else length
    return found
