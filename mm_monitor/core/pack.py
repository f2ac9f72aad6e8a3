"""Plain values and arrays to bytes and back, deterministically: JSON for the shape, raw little-endian for the arrays.

Only types on the list are known; nothing in the bytes can name code to run.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.conduct import ConductView
from mm_monitor.core.model import (
    Breach,
    BreachEvent,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    PeriodRecord,
    PhaseRecord,
    PositionRecord,
    RawRecord,
    ReferenceRecord,
    RejectRecord,
    RfqRecord,
    SessionRecord,
    StressRecord,
    UnderlyingRecord,
    Verdict,
    VolRecord,
)
from mm_monitor.core.reference import Appointment, Contract
from mm_monitor.core.rules.delays import Delays
from mm_monitor.core.rules.hedging import Desk, Excursion, HedgingRow, Tally
from mm_monitor.core.rules.programme import ProgrammeRow
from mm_monitor.core.rules.stability import Clock, Outage, RejectRow, Session, SessionRow
from mm_monitor.core.view import (
    ObligationColumns,
    PresenceRow,
    ProfileRow,
    RfqRow,
    StatusView,
    StressColumns,
    StretchColumns,
    WindowColumns,
)
from mm_monitor.core.views import LimitUse
from mm_monitor.errors import SnapshotError

MAGIC = b"MMSN"
SCHEMA = 4
_HEADER = struct.Struct(
    "<4sHHIQQ"
)  # magic, schema, 0, crc32 of the rest, JSON length, array length
_TYPES = {
    cls.__name__: cls
    for cls in (
        StatusView,
        ObligationColumns,
        WindowColumns,
        StretchColumns,
        StressColumns,
        PresenceRow,
        RfqRow,
        ProfileRow,
        Breach,
        BreachEvent,
        Contract,
        Appointment,
        ConductView,
        HedgingRow,
        Excursion,
        Desk,
        Tally,
        Delays,
        SessionRow,
        ProgrammeRow,
        RejectRow,
        Session,
        Outage,
        Clock,
        RawRecord,
        PeriodRecord,
        ReferenceRecord,
        PhaseRecord,
        ExemptionRecord,
        FeedRecord,
        StressRecord,
        UnderlyingRecord,
        VolRecord,
        FillRecord,
        PositionRecord,
        SessionRecord,
        RejectRecord,
        RfqRecord,
    )
}
_OF_TUPLES = (
    ConductView,
    HedgingRow,
    SessionRow,
    ProgrammeRow,
    RfqRecord,
)  # whose sequences are tuples


def know(cls: type[Any]) -> type[Any]:
    """Put a dataclass on the list of types that a state may hold; a decorator for those outside the core."""
    _TYPES[cls.__name__] = cls
    return cls


def pack(value: object) -> bytes:
    """Bytes of a value: dicts with text keys, lists, numbers, texts, arrays, and the types on the list."""
    text, blob = flatten(value)
    body = text + blob
    return _HEADER.pack(MAGIC, SCHEMA, 0, zlib.crc32(body), len(text), len(blob)) + body


def unpack(data: bytes) -> Any:
    """The value; SnapshotError for a wrong magic, schema, length or checksum."""
    if len(data) < _HEADER.size:
        raise SnapshotError(f"snapshot: at least {_HEADER.size} bytes, got {len(data)}")
    magic, schema, _, crc, text_size, blob_size = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise SnapshotError(f"snapshot: magic {MAGIC!r}, got {magic!r}")
    if schema != SCHEMA:
        raise SnapshotError(f"snapshot: schema {SCHEMA}, got {schema}")
    body = data[_HEADER.size :]
    if len(body) != text_size + blob_size:
        raise SnapshotError(
            f"snapshot: {text_size + blob_size} bytes after the header, got {len(body)}"
        )
    if zlib.crc32(body) != crc:
        raise SnapshotError("snapshot: the checksum differs, the bytes were changed")
    return unflatten(body[:text_size], memoryview(body)[text_size:])


def flatten(value: object) -> tuple[bytes, bytes]:
    """A value as its shape (JSON) and the bytes of its arrays, one behind the other."""
    arrays: list[NDArray[Any]] = []
    text = json.dumps(_plain(value, arrays), sort_keys=True, separators=(",", ":")).encode()
    return text, b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def unflatten(text: bytes, blob: bytes | memoryview) -> Any:
    """Inverse of `flatten`; for bytes that are known to be sound."""
    return _value(json.loads(text), memoryview(blob))


def _plain(value: object, arrays: list[NDArray[Any]]) -> object:
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, Verdict) else value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float):
        return {"$r": value.hex()}
    if isinstance(value, bytes):
        return {"$b": value.hex()}
    if isinstance(value, Fraction):
        return {"$f": [value.numerator, value.denominator]}
    if isinstance(value, np.ndarray):
        return {"$a": _place(value, arrays)}
    if isinstance(value, LimitUse):
        return {"$u": [_place(part, arrays) for part in value.parts]}
    if is_dataclass(value) and type(value).__name__ in _TYPES:
        content = {f.name: _plain(getattr(value, f.name), arrays) for f in fields(value)}
        return {"$d": type(value).__name__, "v": content}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key], arrays) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item, arrays) for item in value]
    raise TypeError(f"a snapshot cannot hold a {type(value).__name__}")


def _place(array: NDArray[Any], arrays: list[NDArray[Any]]) -> list[object]:
    start = sum(a.nbytes for a in arrays)
    arrays.append(array)
    descr = array.dtype.descr if array.dtype.names else array.dtype.str
    return [start, descr, list(array.shape)]


def _value(plain: Any, blob: memoryview) -> Any:
    if isinstance(plain, list):
        return [_value(item, blob) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "$f" in plain:
        return Fraction(*plain["$f"])
    if "$b" in plain:
        return bytes.fromhex(plain["$b"])
    if "$r" in plain:
        return float.fromhex(plain["$r"])
    if "$a" in plain:
        return _array(plain["$a"], blob)
    if "$u" in plain:
        return LimitUse(*(_array(place, blob) for place in plain["$u"]))
    if "$d" in plain:
        return _object(plain["$d"], {key: _value(item, blob) for key, item in plain["v"].items()})
    return {key: _value(item, blob) for key, item in plain.items()}


def _object(name: str, content: dict[str, Any]) -> object:
    if "verdict" in content:
        content["verdict"] = Verdict(content["verdict"])
    if name == "StatusView":
        content["market_hole"] = [tuple(pair) for pair in content["market_hole"]]
    cls = _TYPES[name]
    if cls in _OF_TUPLES:
        content = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    return cls(**content)


def _array(place: list[Any], blob: memoryview) -> NDArray[Any]:
    start, descr, shape = place
    dtype = (
        np.dtype([tuple(_pair(item)) for item in descr])
        if isinstance(descr, list)
        else np.dtype(descr)
    )
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(blob, dtype=dtype, count=count, offset=start).reshape(shape).copy()


def _pair(item: list[Any]) -> list[Any]:
    return [item[0], item[1], tuple(item[2])] if len(item) == 3 else item
