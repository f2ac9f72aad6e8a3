"""The file of a recorded day: frames one behind the other, each with its length and checksums, only ever appended.

A frame is a dict of plain values, records and arrays. What a killed process leaves, a file that ends inside its last
frame, was never judged by and is passed over; any other damage is an error that says where. The header has a checksum
of its own, so a length is known to be sound before it is followed; in version 1 it had none. The rows of a frame stand
byte by byte, the first bytes of all of them and then the second: so they pack in half the time, to half the size. In
versions 1 and 2 they stand one behind the other.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cramjam
import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.pack import flatten, unflatten
from mm_monitor.errors import InputError

ENDING = ".tape"
MAGIC = b"MMTP"
VERSION = 4  # not 3, which one flipped bit makes a 1: a header without a checksum
PACKED = 1  # flag: the body is compressed by zstd
WORTH_PACKING = 1024  # bytes
# magic, version, flags, crc32 of the body, its length, length of the text in it (unpacked)
_FIELDS = struct.Struct("<4sHHIQQ")
_OWN_CRC = struct.Struct("<I")  # of the fields, behind them
_WITH_CRC = _FIELDS.size + _OWN_CRC.size
HEADER_SIZES = {1: _FIELDS.size, 2: _WITH_CRC, VERSION: _WITH_CRC}  # bytes, by version
_NAMED = 6  # bytes until the version is known
_CHUNK = 1 << 20  # bytes
Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Head:
    """A header: `size` its bytes, `length` those of the body behind it, `text` those of the body's text."""

    version: int
    flags: int
    crc: int
    size: int
    length: int
    text: int


def frame_bytes(value: Frame) -> bytes:
    """One frame."""
    text, blob = flatten(_spread(value))
    body, flags = text + blob, 0
    if len(body) >= WORTH_PACKING:
        body, flags = bytes(cramjam.zstd.compress(body, 1)), PACKED
    head = _FIELDS.pack(MAGIC, VERSION, flags, zlib.crc32(body), len(body), len(text))
    return head + _OWN_CRC.pack(zlib.crc32(head)) + body


def frames(path: Path) -> Iterator[Frame]:
    """Every whole frame of a file. InputError for one that cannot be read, or was damaged."""
    try:
        with path.open("rb") as file:
            for place, head in _heads(file, path):
                yield _frame(head, _body(file, place, head), f"{path}: frame at byte {place}")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def sound_length(path: Path) -> int:
    """Bytes up to the end of the last whole frame. InputError if what is there is no such file, or was damaged.

    Of the bodies only the last is read: what power loss damages is at the end, and a reader of the file finds the rest.
    """
    end, last = 0, None
    with path.open("rb") as file:
        for place, head in _heads(file, path):
            end, last = place + head.size + head.length, (place, head)
        if last is not None:
            _verify(last[1], _body(file, *last), f"{path}: frame at byte {last[0]}")
    return end


def _heads(file: BinaryIO, path: Path) -> Iterator[tuple[int, _Head]]:
    """Place and header of every whole frame, up to one that is cut off by the end of the file."""
    place, size = 0, os.fstat(file.fileno()).st_size
    while place < size:
        file.seek(place)
        data = file.read(max(HEADER_SIZES.values()))
        where = f"{path}: frame at byte {place}"
        head = None if _unfilled(data, file) else _head(data, where)
        if head is None:
            return
        end = place + head.size + head.length
        if end > size:
            if head.version == 1 and _frame_after(file, place):
                what = f"{where}: its length was changed, for sound frames follow"
                raise InputError(what, value=head.length)
            return
        yield place, head
        place = end


def _head(data: bytes, where: str) -> _Head | None:
    """The header at the start of `data`, None if the end of the file cuts it off."""
    version = int.from_bytes(data[len(MAGIC) : _NAMED], "little")
    named = len(data) >= _NAMED
    if not MAGIC.startswith(data[: len(MAGIC)]) or (named and version not in HEADER_SIZES):
        raise InputError(
            f"{where}: needs a frame of version 1, 2 or {VERSION}", value=data[:_NAMED]
        )
    size = HEADER_SIZES.get(version, 0)
    if not named or len(data) < size:
        return None
    own = data[_FIELDS.size : size]
    if own and _OWN_CRC.unpack(own)[0] != zlib.crc32(data[: _FIELDS.size]):
        raise InputError(f"{where}: its header's checksum differs, the bytes were changed")
    _, _, flags, crc, length, text = _FIELDS.unpack(data[: _FIELDS.size])
    return _Head(version, flags, crc, size, length, text)


def _unfilled(data: bytes, file: BinaryIO) -> bool:
    """Are `data` and the rest of the file nothing but room that a file system gave and nobody filled?"""
    while data and not any(data):
        data = file.read(_CHUNK)
    return not data


def _frame_after(file: BinaryIO, place: int) -> bool:
    """Does a sound frame begin anywhere after `place`?"""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = place
        while (at := data.find(MAGIC, at + 1)) >= 0:
            try:
                head = _head(data[at : at + max(HEADER_SIZES.values())], "")
            except InputError:
                continue
            if head is not None and _sound_at(data, at + head.size, head):
                return True
    return False


def _sound_at(data: mmap.mmap, start: int, head: _Head) -> bool:
    end = start + head.length
    return end <= len(data) and zlib.crc32(data[start:end]) == head.crc


def _body(file: BinaryIO, place: int, head: _Head) -> bytes:
    file.seek(place + head.size)
    return file.read(head.length)


def _verify(head: _Head, body: bytes, where: str) -> None:
    if zlib.crc32(body) != head.crc:
        raise InputError(f"{where}: its checksum differs, the bytes were changed")


def _frame(head: _Head, body: bytes, where: str) -> Frame:
    _verify(head, body, where)
    try:
        if head.flags & ~PACKED:
            raise ValueError(f"unknown flags {head.flags:#x}")
        if head.flags & PACKED:
            body = bytes(cramjam.zstd.decompress(body))
        if head.text > len(body):
            raise ValueError(f"a text of {head.text} bytes in {len(body)}")
        found: Frame = _gathered(unflatten(body[: head.text], memoryview(body)[head.text :]))
    except (ValueError, cramjam.DecompressionError) as error:  # flags and lengths of version 1
        raise InputError(f"{where}: its header was changed ({error})") from None
    return found


def _spread(value: Frame) -> Frame:
    """The frame with its rows byte by byte."""
    rows = value.get("rows")
    if not isinstance(rows, np.ndarray) or rows.dtype.names is None:
        return value
    octets = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.itemsize)
    return {**value, "rows": {"octets": octets.T, "columns": rows.dtype.descr}}


def _gathered(value: Frame) -> Frame:
    """Inverse of `_spread`."""
    rows = value.get("rows")
    return {**value, "rows": _rows(**rows)} if isinstance(rows, dict) else value


def _rows(octets: NDArray[np.uint8], columns: list[list[str]]) -> NDArray[np.void]:
    dtype = np.dtype([(name, kind) for name, kind in columns])
    return np.ascontiguousarray(octets.T).view(dtype).reshape(-1)
