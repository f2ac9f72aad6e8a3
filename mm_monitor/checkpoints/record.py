"""A checkpoint's bytes: named sections, whole or as what differs from a whole record before; schema version and CRCs.

A difference says of each section: the same, anew, or which of its blocks of 128 bytes changed. It is always against a
whole record, never against another difference, so that one that is lost spoils no other.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.errors import CheckpointError

MAGIC = b"MMCP"
SCHEMA = 1
BLOCK = 128
# magic, schema, 0, crc32 of all that follows it, length of the index, length of the rest, serial, base, the base's crc
_HEADER = struct.Struct("<4sHHIIQQQI")
_AFTER_CRC = struct.calcsize("<4sHHI")
SAME, NEW, BLOCKS = 0, 1, 2
Sections = Mapping[str, bytes]
_Index = Sequence[tuple[str, int, int, int]]  # section, mode, its whole length, bytes of it here


@dataclass(frozen=True, slots=True)
class Base:
    """A whole record, as differences are reckoned from it."""

    serial: int
    crc: int
    sections: Sections


def whole(serial: int, sections: Sections) -> Entry:
    """A record that needs no other."""
    index = [(name, NEW, len(data), len(data)) for name, data in sections.items()]
    return Entry(serial, serial, _bytes(serial, serial, 0, index, list(sections.values())))


def base_of(entry: Entry, sections: Sections) -> Base:
    """What `difference` needs of a whole record."""
    return Base(entry.serial, _crc_of(entry.data), sections)


def difference(serial: int, base: Base, sections: Sections) -> Entry:
    """What differs from `base`."""
    index: list[tuple[str, int, int, int]] = []
    bodies: list[bytes] = []
    for name, data in sections.items():
        mode, body = _compared(base.sections.get(name), data)
        index.append((name, mode, len(data), len(body)))
        bodies.append(body)
    return Entry(serial, base.serial, _bytes(serial, base.serial, base.crc, index, bodies))


def read_whole(entry: Entry) -> Sections:
    """The sections of a whole record. CheckpointError for one that is damaged or of another schema."""
    _, index, bodies = _opened(entry)
    if any(mode != NEW for _, mode, _, _ in index):
        raise CheckpointError("damaged", f"record {entry.serial} refers to itself")
    return {name: bodies[name] for name, *_ in index}


def read_difference(entry: Entry, base: Base) -> Sections:
    """The sections of a difference. CheckpointError for one that is damaged, of another schema or of another base."""
    base_crc, index, bodies = _opened(entry)
    if base_crc != base.crc:
        raise CheckpointError(
            "damaged", f"record {entry.serial} is of another record {entry.base} than is kept"
        )
    return {
        name: _restored(entry.serial, name, mode, size, base.sections.get(name), bodies[name])
        for name, mode, size, _ in index
    }


def _bytes(serial: int, base: int, base_crc: int, index: _Index, bodies: Sequence[bytes]) -> bytes:
    text = json.dumps(index, separators=(",", ":")).encode()
    rest = sum(map(len, bodies))
    header = _HEADER.pack(MAGIC, SCHEMA, 0, 0, len(text), rest, serial, base, base_crc)
    crc = zlib.crc32(text, zlib.crc32(header[_AFTER_CRC:]))
    for body in bodies:
        crc = zlib.crc32(body, crc)
    header = _HEADER.pack(MAGIC, SCHEMA, 0, crc, len(text), rest, serial, base, base_crc)
    return b"".join([header, text, *bodies])


def _crc_of(data: bytes) -> int:
    return int(_HEADER.unpack_from(data)[3])


def _opened(entry: Entry) -> tuple[int, _Index, dict[str, bytes]]:
    """The base's crc, the index and the bytes of each section, once all has been checked."""
    data, what = entry.data, f"record {entry.serial}"
    if len(data) < _HEADER.size:
        raise CheckpointError(
            "damaged", f"{what}: at least {_HEADER.size} bytes, there are {len(data)}"
        )
    magic, schema, _, crc, texts, rest, serial, base, base_crc = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise CheckpointError("damaged", f"{what} begins with {MAGIC!r}, not with {magic!r}")
    if schema != SCHEMA:
        raise CheckpointError("schema", f"{what} is of schema {schema}, this is {SCHEMA}")
    if len(data) != _HEADER.size + texts + rest:
        raise CheckpointError(
            "damaged", f"{what}: {_HEADER.size + texts + rest} bytes, there are {len(data)}"
        )
    if zlib.crc32(memoryview(data)[_AFTER_CRC:]) != crc:
        raise CheckpointError("damaged", f"{what}: the checksum differs, the bytes were changed")
    if (serial, base) != (entry.serial, entry.base):
        raise CheckpointError("damaged", f"{what} says that it is record {serial} of {base}")
    index: _Index = json.loads(data[_HEADER.size : _HEADER.size + texts])
    bodies, at = {}, _HEADER.size + texts
    for name, _, _, size in index:
        bodies[name] = data[at : at + size]
        at += size
    return base_crc, index, bodies


def _compared(old: bytes | None, new: bytes) -> tuple[int, bytes]:
    if old == new:
        return SAME, b""
    if old is None or len(old) != len(new) or len(new) < 4 * BLOCK:
        return NEW, new
    even = len(new) // BLOCK * BLOCK
    before, after = (
        np.frombuffer(x, np.uint64, even // 8).reshape(-1, BLOCK // 8) for x in (old, new)
    )
    changed = np.flatnonzero((before != after).any(axis=1)).astype("<u4")
    if len(changed) * (BLOCK + 4) > len(new) // 2:
        return NEW, new
    count = np.array([len(changed)], "<u4")
    return BLOCKS, b"".join(
        [count.tobytes(), changed.tobytes(), after[changed].tobytes(), new[even:]]
    )


def _restored(
    serial: int, name: str, mode: int, size: int, old: bytes | None, body: bytes
) -> bytes:
    if mode == NEW:
        return body
    if old is None or len(old) != size:
        raise CheckpointError("damaged", f"record {serial}: its base has no such section {name!r}")
    if mode == SAME:
        return old
    count = int(np.frombuffer(body, "<u4", 1)[0])
    changed = np.frombuffer(body, "<u4", count, 4)
    even = size // BLOCK * BLOCK
    out = np.frombuffer(old, np.uint8).copy()
    blocks = np.frombuffer(body, np.uint8, count * BLOCK, 4 + 4 * count).reshape(count, BLOCK)
    out[:even].reshape(-1, BLOCK)[changed] = blocks
    out[even:] = np.frombuffer(body, np.uint8, -1, 4 + 4 * count + count * BLOCK)
    return out.tobytes()
