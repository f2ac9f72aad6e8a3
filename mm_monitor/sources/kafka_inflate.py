"""Compressed record batches to plain bytes, by the library that aiokafka uses too, and never more than a bound.

A batch says nowhere how long it will be, so the room for it is guessed and grows until it fits or the bound is reached.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError

MOST = 128 << 20  # bytes of one batch: a hundred times what a broker takes by default
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16  # bytes: magic, version, least version that can read it
_FIRST_ROOM = 8  # times the compressed size
Bytes = bytes | NDArray[np.uint8]


def inflate(codec: int, payload: memoryview, most: int = MOST) -> Bytes:
    """What `payload` holds; `codec` as in a batch's attributes, 1 to 4. Raises DecodeError."""
    if codec not in _CODECS:
        raise DecodeError(BadReason.UNDECODABLE, f"compression 1 to 4 wanted, got {codec}")
    name, unpack = _CODECS[codec]
    try:
        return unpack(payload, most)
    except (cramjam.DecompressionError, zlib.error, struct.error) as error:
        detail = f"{len(payload)} bytes are no {name} of at most {most} bytes ({error})"
        raise DecodeError(BadReason.UNDECODABLE, detail) from None


def _gzip(payload: memoryview, most: int) -> bytes:
    """All members, one behind the other."""
    parts: list[bytes] = []
    rest, room = bytes(payload), most
    while rest.strip(b"\0") or not parts:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts.append(member.decompress(rest, room + 1))
        room -= len(parts[-1])
        if room < 0 or not member.eof:
            raise zlib.error("too long" if room < 0 else "cut off")
        rest = member.unused_data
    return b"".join(parts)


def _snappy(payload: memoryview, most: int) -> Bytes:
    """One block, or the blocks of a Java client, each behind its length."""
    if bytes(payload[: len(_XERIAL)]) != _XERIAL:
        return _snappy_block(payload, most)
    parts, at = [], _XERIAL_HEADER
    while at < len(payload):
        (size,) = struct.unpack_from(">i", payload, at)
        at += 4
        if not 0 <= size <= len(payload) - at:
            raise struct.error(f"a block of {size} bytes where {len(payload) - at} are left")
        parts.append(_snappy_block(payload[at : at + size], most))
        most -= len(parts[-1])
        at += size
    return np.concatenate(parts) if parts else b""


def _snappy_block(payload: memoryview, most: int) -> NDArray[np.uint8]:
    length = cramjam.snappy.decompress_raw_len(payload)
    if length > most:
        raise struct.error(f"a block of {length} bytes")
    out = np.empty(length, np.uint8)
    return out[: cramjam.snappy.decompress_raw_into(payload, out.data)]


def _growing(module: Any) -> Callable[[memoryview, int], Bytes]:
    """Decompression into more and more room."""

    def unpack(payload: memoryview, most: int) -> Bytes:
        room = max(1 << 16, _FIRST_ROOM * len(payload))
        while room < most:
            out = np.empty(room, np.uint8)
            try:
                return out[: module.decompress_into(payload, out.data)]
            except cramjam.DecompressionError:  # for want of room, or it never will be
                room *= 8
        out = np.empty(most, np.uint8)
        return out[: module.decompress_into(payload, out.data)]

    return unpack


_CODECS: dict[int, tuple[str, Callable[[memoryview, int], Bytes]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _growing(cramjam.lz4)),
    4: ("zstd", _growing(cramjam.zstd)),
}
