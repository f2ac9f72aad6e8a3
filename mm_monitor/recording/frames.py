"""The file of a recorded day: frames one behind the other, each with its length and checksum, only ever appended.

A frame is a dict of plain values, records and arrays. Half a frame at the end, as a process that was killed leaves it,
was never judged by and is passed over; any other damage is an error that says where.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import cramjam

from mm_monitor.core.pack import flatten, unflatten
from mm_monitor.errors import InputError

ENDING = ".tape"
MAGIC = b"MMTP"
VERSION = 1
PACKED = 1  # flag: the body is compressed by zstd
WORTH_PACKING = 1024  # bytes
HEADER = struct.Struct(
    "<4sHHIQQ"
)  # magic, version, flags, crc32 of what follows, its length, length of the text
Frame = dict[str, Any]


def frame_bytes(value: Frame) -> bytes:
    """One frame."""
    text, blob = flatten(value)
    body, flags = text + blob, 0
    if len(body) >= WORTH_PACKING:
        body, flags = bytes(cramjam.zstd.compress(body, 1)), PACKED
    return HEADER.pack(MAGIC, VERSION, flags, zlib.crc32(body), len(body), len(text)) + body


def frames(path: Path) -> Iterator[Frame]:
    """Every frame of a file. InputError for one that cannot be read, or was damaged."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            while (place := file.tell()) < size:
                header = _header(file, size - place, path)
                if header is None:
                    return
                yield _frame(header, file.read(header[4]), f"{path}: frame at byte {place}")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def sound_length(path: Path) -> int:
    """Bytes up to the end of the last whole frame. InputError if what is there is no such file."""
    with path.open("rb") as file:
        size = path.stat().st_size
        while (place := file.tell()) < size:
            header = _header(file, size - place, path)
            if header is None:
                return place
            file.seek(header[4], 1)
        return size


def _header(file: BinaryIO, left: int, path: Path) -> tuple[Any, ...] | None:
    """The header of the next frame, None if it or its body is cut off by the end of the file."""
    place = file.tell()
    data = file.read(HEADER.size)
    if len(data) < HEADER.size:
        return None
    header = HEADER.unpack(data)
    if header[0] != MAGIC or header[1] != VERSION:
        if not any(data) and not any(file.read()):  # room that a file system gave and nobody filled
            return None
        what = f"a frame of version {VERSION} at byte {place}"
        raise InputError(what, file=str(path), value=data[:6])
    return header if HEADER.size + header[4] <= left else None


def _frame(header: tuple[Any, ...], body: bytes, where: str) -> Frame:
    _, _, flags, crc, _, text = header
    if zlib.crc32(body) != crc:
        raise InputError(f"{where}: its checksum differs, the bytes were changed")
    if flags & PACKED:
        body = bytes(cramjam.zstd.decompress(body))
    found: Frame = unflatten(body[:text], memoryview(body)[text:])
    return found
