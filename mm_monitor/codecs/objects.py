"""Formats with typed fields (Avro, Protobuf, Arrow): a record is read into quotes or theos, which json's checks judge.

So all formats accept and refuse the same. A float is never a price: it has lost what was written.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mm_monitor.codecs.fields import price_text
from mm_monitor.codecs.json import JsonCodec
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.errors import DecodeError

PRICES = frozenset({"bid_price", "ask_price", "theo", "delta"})
QUOTE = ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size")
THEO = ("ts_event", "contract", "theo")
THEO_MORE = ("delta", "source", "version", "quality")
MOST_DIGITS = 100  # of a decimal on either side of the point: nobody quotes that, and it takes little to say more
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Fields = Mapping[str, Any]


class ObjectsCodec(ABC):
    """Codec of a format of which `read` makes fields by name."""

    name: str

    def __init__(self) -> None:
        self._json = JsonCodec()

    @abstractmethod
    def read(self, value: bytes, feed: str) -> Sequence[Fields]:
        """The quotes or theos of a record. Raises DecodeError `undecodable`."""

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Rows and dead letters of a chunk of quotes or theos. Never raises for bad data."""
        records = {record.offset: record for record in chunk.records}
        texts: list[RawRecord] = []
        dead: list[DeadLetter] = []
        for record in records.values():
            try:
                objects = [plain(one, chunk.feed) for one in self.read(record.value, chunk.feed)]
            except DecodeError as error:
                dead.append(DeadLetter(record, BadReason(error.reason), error.detail))
                continue
            told = objects[0] if len(objects) == 1 else objects
            texts.append(replace(record, value=json.dumps(told).encode()))
        found = self._json.decode(replace(chunk, records=texts), reference)
        dead += [replace(letter, raw=records[letter.raw.offset]) for letter in found.dead]
        dead.sort(key=lambda letter: letter.raw.offset)
        return Decoded(found.rows, dead=dead)

    def element(self, value: bytes, sub: int) -> bytes:
        """All bytes of the record: a part of it is no record."""
        return value


def plain(fields: Fields, feed: str) -> dict[str, Any]:
    """Fields as a json record has them; those that it does not know are left out."""
    names = QUOTE if feed == "quotes" else (*THEO, *THEO_MORE)
    found = {name: _value(name, fields[name]) for name in names if name in fields}
    if feed != "quotes":  # what a theo may leave out may be null here
        return {n: v for n, v in found.items() if n not in THEO_MORE or v not in (None, "")}
    return found


def _value(name: str, value: Any) -> Any:
    if name in PRICES:
        return _price(name, value)
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (at - _EPOCH) // timedelta(microseconds=1) * 1000
    if isinstance(value, int | str) or value is None:
        return value
    raise DecodeError(BadReason.UNDECODABLE, f"{name}: an integer or text, got {value!r}"[:200])


def _price(name: str, value: Any) -> str | None:
    """Decimal text; an integer is in units of 10^-8."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= MOST_DIGITS:
        return format(value, "f")
    if isinstance(value, int) and not isinstance(value, bool):
        return price_text(value)
    wanted = "text, a decimal, or an integer of 10^-8, never a float"
    raise DecodeError(BadReason.UNDECODABLE, f"{name}: {wanted}, got {value!r}"[:200])
