"""The json format: one Kafka record is one object or an array of objects.

A plain record is read by a kernel (codecs/json_scan.py), any other one by msgspec; only one with an element that is
not as it should be is taken apart, so that the element is dead-lettered alone. Prices are read from their own digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec
import numpy as np
from msgspec import Raw

from mm_monitor.codecs.columns import (
    Ints,
    Places,
    QuoteColumns,
    TheoColumns,
    int64,
    quote_rows,
    theo_rows,
)
from mm_monitor.codecs.fields import (
    BAD,
    NULL,
    parse_delta,
    parse_price,
    parse_theo,
    plain_notation,
)
from mm_monitor.codecs.json_scan import JsonScanner
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.scanning import with_the_others
from mm_monitor.codecs.values import Values
from mm_monitor.codecs.verdicts import (
    Codes,
    cut,
    dead_letter,
    detail_of,
    known_maker,
    reason_of,
    tick_of,
    usable_quotes,
    usable_theos,
)
from mm_monitor.core.batch import Decoded, Rows
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.errors import DecodeError
from mm_monitor.kernels.reference_decode import Code

MAX_ELEMENTS = 65_536  # a row's `sub` has 16 bits
# What msgspec raises for bytes that are no JSON of the wanted type; depth is bounded by recursion.
MALFORMED = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class JsonQuote(msgspec.Struct, gc=False):
    """A quote as on the wire; sizes and times beyond their range are caught later."""

    ts_event: int
    maker: str
    contract: str
    bid_price: Raw
    bid_size: int
    ask_price: Raw
    ask_size: int


class JsonTheo(msgspec.Struct, gc=False):
    """A theo as on the wire; a source need not know deltas."""

    ts_event: int
    contract: str
    theo: Raw
    delta: Raw = Raw(b"null")
    source: str | None = None  # where it came from: source, model version, quality
    version: str | None = None
    quality: str | None = None


T = TypeVar("T", JsonQuote, JsonTheo)

_raw_object = msgspec.json.Decoder(dict[str, Raw])
_raw_array = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)
_integer = msgspec.json.Decoder(int)
_NO_PRICE = Raw(b"false")


@dataclass(slots=True)
class _Elements(Generic[T]):
    """Elements of a chunk, each with its record and its place there; `preset` has known codes."""

    items: list[T] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    subs: list[int] = field(default_factory=list)
    preset: dict[int, int] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)

    def add(self, items: Sequence[T], owner: int, first: int = 0) -> None:
        self.items.extend(items)
        self.owners.extend([owner] * len(items))
        self.subs.extend(range(first, first + len(items)))


class JsonCodec:
    """Codec of json quotes and theos."""

    name = "json"

    def __init__(self) -> None:
        self._quote = _Reader(JsonQuote, _loose_quote)
        self._theo = _Reader(JsonTheo, _loose_theo)
        self._prices = JsonNumbers(parse_price)
        self._theos = JsonNumbers(parse_theo)
        self._deltas = JsonNumbers(parse_delta)
        self._scanner = JsonScanner()

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Rows and dead letters of a chunk of quotes or theo. Never raises for bad data."""
        values = Values.of(chunk.records)
        scanned = self._scanner.scan(chunk.feed, chunk.part, values, reference)
        return with_the_others(scanned, chunk, values, lambda c: self.decode_any(c, reference))

    def decode_any(self, chunk: Chunk, reference: Reference) -> Decoded:
        """As `decode`, but by way of objects: for whatever JSON can be, at ten times the cost."""
        if chunk.feed == "theo":
            return self._decode_theos(chunk, reference)
        return self._decode_quotes(chunk, reference)

    def element(self, value: bytes, sub: int) -> bytes:
        """The bytes of one element of a record that was decoded."""
        return elements_of(value)[sub]

    def _decode_quotes(self, chunk: Chunk, reference: Reference) -> Decoded:
        found = self._quote.read(chunk)
        items = found.items
        columns = QuoteColumns(
            ts=_column(items, "ts_event"),
            makers=list(map(attrgetter("maker"), items)),
            contracts=list(map(attrgetter("contract"), items)),
            bid=self._prices.column(items, "bid_price"),
            ask=self._prices.column(items, "ask_price"),
            bid_size=_column(items, "bid_size"),
            ask_size=_column(items, "ask_size"),
        )
        codes = _codes(found)
        rows, bad = quote_rows(columns, _places(found, chunk), reference, codes)
        dead = found.dead
        if bad:
            dead = [*dead, *_bad_rows(chunk, found, rows, codes, reference)]
            rows = usable_quotes(rows, codes)
        return Decoded(rows, dead=dead)

    def _decode_theos(self, chunk: Chunk, reference: Reference) -> Decoded:
        found = self._theo.read(chunk)
        columns = TheoColumns(
            ts=_column(found.items, "ts_event"),
            contracts=list(map(attrgetter("contract"), found.items)),
            theo=self._theos.column(found.items, "theo"),
            delta=self._deltas.column(found.items, "delta"),
            vias=[(t.source or "", t.version or "", t.quality or "") for t in found.items],
        )
        codes = _codes(found)
        rows, bad = theo_rows(columns, _places(found, chunk), reference, codes)
        dead = found.dead
        if bad:
            dead = [*dead, *_bad_rows(chunk, found, rows, codes, reference)]
            rows = usable_theos(rows, codes)
        return Decoded(rows, dead=dead)


class _Reader(Generic[T]):
    """Records to elements of one type."""

    def __init__(self, type_: type[T], loose: Callable[[dict[str, Raw]], tuple[T, int]]) -> None:
        self._record = msgspec.json.Decoder(list[type_] | type_)  # type: ignore[valid-type]
        self._one: msgspec.json.Decoder[T] = msgspec.json.Decoder(type_)
        self._loose: Callable[[dict[str, Raw]], tuple[T, int]] = loose

    def read(self, chunk: Chunk) -> _Elements[T]:
        """All elements, and dead letters of the bytes that are none."""
        found: _Elements[T] = _Elements()
        for owner, record in enumerate(chunk.records):
            try:
                got = self._record.decode(record.value)
            except MALFORMED:
                self._take_apart(record, owner, found)
                continue
            items = got if type(got) is list else [got]
            if len(items) > MAX_ELEMENTS:
                found.dead.append(_too_long(record))
            else:
                found.add(items, owner)
        return found

    def _take_apart(self, record: RawRecord, owner: int, found: _Elements[T]) -> None:
        """Element by element, because one of them is not as it should be."""
        try:
            elements = elements_of(record.value)
        except MALFORMED as error:
            found.dead.append(DeadLetter(record, BadReason.UNDECODABLE, f"no JSON: {error}"))
            return
        if len(elements) > MAX_ELEMENTS:
            found.dead.append(_too_long(record))
            return
        for sub, element in enumerate(elements):
            try:
                found.add([self._one.decode(element)], owner, sub)
            except MALFORMED as error:
                self._salvage(record, element, owner, sub, str(error), found)

    def _salvage(
        self, record: RawRecord, element: bytes, owner: int, sub: int, why: str, found: _Elements[T]
    ) -> None:
        """What can still be read of a bad element may say whose quote changed."""
        try:
            item, code = self._loose(_raw_object.decode(element))
        except MALFORMED:
            detail = f"element {sub}: {why}"
            found.dead.append(dead_letter(record, element, BadReason.UNDECODABLE, detail))
            return
        found.preset[len(found.items)] = code
        found.add([item], owner, sub)


class JsonNumbers(dict[bytes, int]):
    """Raw JSON to int64 10^-8: text and numbers by `parse`, null and "" are NULL, else BAD."""

    def __init__(self, parse: Callable[[str], int]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, raw: bytes) -> int:
        if len(self) >= MAX_ELEMENTS:
            self.clear()
        value = self[raw] = self._value(raw)
        return value

    def column(self, items: Sequence[object], name: str) -> Ints:
        """The values of one field."""
        raws = map(bytes, map(attrgetter(name), items))
        return np.fromiter(map(self.__getitem__, raws), np.int64, len(items))

    def _value(self, raw: bytes) -> int:
        try:
            text = text_of(raw)
            return self._parse(text) if text else NULL
        except (DecodeError, *MALFORMED):
            return BAD


def text_of(raw: bytes) -> str:
    """Text of a JSON string, number (without its exponent) or null (empty).

    Raises DecodeError `undecodable` for other values.
    """
    if raw[:1] == b'"':
        return _text.decode(raw)
    if raw == b"null":
        return ""
    if raw[:1] in b"-0123456789" and raw:
        return plain_notation(raw.decode("ascii"))
    raise DecodeError(BadReason.UNDECODABLE, f"neither text nor number, got {cut(_shown(raw))}")


def elements_of(value: bytes) -> list[bytes]:
    """The elements of a record: of its array, or itself. Raises one of `MALFORMED`."""
    if value.lstrip(b" \t\r\n")[:1] == b"[":
        return [bytes(element) for element in _raw_array.decode(value)]
    return [value]


def _codes(found: _Elements[T]) -> Codes:
    codes = np.zeros(len(found.items), np.uint8)
    for i, code in found.preset.items():
        codes[i] = code
    return codes


def _column(items: Sequence[object], name: str) -> Ints:
    return int64(map(attrgetter(name), items), -1)


def _places(found: _Elements[T], chunk: Chunk) -> Places:
    offsets = np.array([record.offset for record in chunk.records], np.int64)
    owners = np.array(found.owners, np.int64)
    return Places(offsets[owners], np.array(found.subs, np.int64), chunk.part)


def _loose_quote(fields: dict[str, Raw]) -> tuple[JsonQuote, int]:
    """What can be read of a quote, and UNDECODABLE if a field is missing or a name no text."""
    item = JsonQuote(
        ts_event=_integer_or(fields.get("ts_event"), -1),
        maker=_text_or_none(fields.get("maker")) or "",
        contract=_text_or_none(fields.get("contract")) or "",
        bid_price=fields.get("bid_price", _NO_PRICE),
        bid_size=_integer_or(fields.get("bid_size"), -1),
        ask_price=fields.get("ask_price", _NO_PRICE),
        ask_size=_integer_or(fields.get("ask_size"), -1),
    )
    return item, Code.UNDECODABLE if _misshapen(JsonQuote, fields) else Code.OK


def _loose_theo(fields: dict[str, Raw]) -> tuple[JsonTheo, int]:
    item = JsonTheo(
        ts_event=_integer_or(fields.get("ts_event"), -1),
        contract=_text_or_none(fields.get("contract")) or "",
        theo=fields.get("theo", _NO_PRICE),
        delta=fields.get("delta", Raw(b"null")),
        source=_text_or_none(fields.get("source")),
        version=_text_or_none(fields.get("version")),
        quality=_text_or_none(fields.get("quality")),
    )
    return item, Code.UNDECODABLE if _misshapen(JsonTheo, fields) else Code.OK


def _misshapen(type_: type[msgspec.Struct], fields: dict[str, Raw]) -> str:
    """What of an object's shape is wrong, "" if nothing is."""
    needed = type_.__struct_fields__[
        : len(type_.__struct_fields__) - len(type_.__struct_defaults__)
    ]
    missing = [name for name in needed if name not in fields]
    if missing:
        return f"missing {', '.join(missing)}"
    for name in ("maker", "contract"):
        if name in type_.__struct_fields__ and _text_or_none(fields[name]) is None:
            return f"{name} is not text, got {cut(_shown(bytes(fields[name])))}"
    return ""


def _integer_or(raw: Raw | None, bad: int) -> int:
    try:
        return bad if raw is None else _integer.decode(raw)
    except MALFORMED:
        return bad


def _text_or_none(raw: Raw | None) -> str | None:
    try:
        return None if raw is None else _text.decode(raw)
    except MALFORMED:
        return None


def _bad_rows(
    chunk: Chunk, found: _Elements[T], rows: Rows, codes: Codes, reference: Reference
) -> Iterator[DeadLetter]:
    """A dead letter for every row with a code, in the order of the rows."""
    elements: list[bytes] = []
    last = -1
    for k in np.flatnonzero(codes).tolist():
        owner, sub = found.owners[k], found.subs[k]
        record = chunk.records[owner]
        if owner != last:
            elements, last = elements_of(record.value), owner
        detail = _detail(elements[sub], found.items[k], int(codes[k]), rows[k], reference)
        maker = known_maker(reference, int(rows["maker"][k]))
        detail = f"element {sub}: {detail}"
        yield dead_letter(record, elements[sub], reason_of(codes[k]), detail, maker)


def _detail(
    element: bytes, item: JsonQuote | JsonTheo, code: int, row: np.void, reference: Reference
) -> str:
    try:
        fields = _raw_object.decode(element)
    except MALFORMED as error:  # a typed decoder skips what it does not know, whatever it is called
        return f"no JSON: {error}"
    if code == Code.UNDECODABLE:
        return _misshapen(type(item), fields)
    shown = {name: _shown(bytes(raw)) for name, raw in fields.items()}
    return detail_of(code, shown, tick_of(reference, int(row["contract"]), int(row["ts"])))


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _too_long(record: RawRecord) -> DeadLetter:
    detail = f"array of over {MAX_ELEMENTS} elements"
    return DeadLetter(record, BadReason.UNDECODABLE, detail)
