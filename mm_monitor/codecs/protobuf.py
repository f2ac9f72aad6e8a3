"""The protobuf format: one Kafka record is one message of docs/quotes.proto, behind Confluent's header.

The registered schema must have our fields by our numbers; more of its own do not matter. Reading takes no library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mm_monitor.codecs.objects import Fields, ObjectsCodec
from mm_monitor.codecs.registry import SchemaRegistry, split
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError

INT, TEXT, PRICE = "int64", "string", "price"
# By message, in the order of the file: number -> name and type. A price is int64 of 10^-8, absent if it is not there.
MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "Quote": {
        1: ("ts_event", INT), 2: ("maker", TEXT), 3: ("contract", TEXT), 4: ("bid_price", PRICE),
        5: ("bid_size", INT), 6: ("ask_price", PRICE), 7: ("ask_size", INT),
    },
    "Theo": {
        1: ("ts_event", INT), 2: ("contract", TEXT), 3: ("theo", PRICE), 4: ("delta", PRICE),
        5: ("source", TEXT), 6: ("version", TEXT), 7: ("quality", TEXT),
    },
}  # fmt: skip
_OF_FEED = {"quotes": "Quote", "theo": "Theo"}
_SPACE = re.compile(r"\s+")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class ProtobufCodec(ObjectsCodec):
    """Codec of Protobuf with Confluent's header."""

    name = "protobuf"

    def __init__(self, registry: SchemaRegistry) -> None:
        super().__init__()
        self._registry = registry
        self._places: dict[int, dict[str, int]] = {}  # schema -> message -> its place in the file

    def read(self, value: bytes, feed: str) -> Sequence[Fields]:
        """The one message of a record."""
        number, body = split(value)
        name = _OF_FEED[feed]
        indexes, at = _indexes(body)
        place = self._message(number).get(name, -1)
        if indexes != [place]:
            detail = f"message {name} of schema {number} wanted, got message {indexes}"
            raise DecodeError(BadReason.UNDECODABLE, detail)
        return [_fields(body[at:], MESSAGES[name])]

    def _message(self, number: int) -> dict[str, int]:
        if number not in self._places:
            schema = self._registry.schema(number)
            if schema.kind != "PROTOBUF":
                detail = f"schema {number} is PROTOBUF wanted, got {schema.kind}"
                raise DecodeError(BadReason.UNDECODABLE, detail)
            self._places[number] = dict(_usable(schema.text))
        return self._places[number]


def _usable(text: str) -> Iterator[tuple[str, int]]:
    """Messages of a schema that have our fields, with their places among those at its top."""
    text = _COMMENT.sub("", text)
    depth, place, start = 0, -1, 0
    name = ""
    for match in re.finditer(r"message\s+(\w+)\s*\{|\{|\}", text):
        if match[0] == "}":
            depth -= 1
            body = text[start : match.start()]
            if depth == 0 and name in MESSAGES and _has(body, MESSAGES[name]):
                yield name, place
            continue
        if depth == 0:
            name, start = match[1] or "", match.end()
            place += bool(match[1])
        depth += 1


def _has(body: str, fields: dict[int, tuple[str, str]]) -> bool:
    told = {_SPACE.sub(" ", line).strip() for line in body.split(";")}
    return all(_line(number, *one) in told for number, one in fields.items())


def _line(number: int, name: str, kind: str) -> str:
    return f"optional int64 {name} = {number}" if kind == PRICE else f"{kind} {name} = {number}"


def _indexes(body: bytes) -> tuple[list[int], int]:
    """Which message of the file it is; the first one may be written as a single 0."""
    count, at = _varint(body, 0)
    count = _zigzag(count)
    if count == 0:
        return [0], at
    found = []
    for _ in range(count):
        index, at = _varint(body, at)
        found.append(_zigzag(index))
    return found, at


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70 and at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise DecodeError(BadReason.UNDECODABLE, f"message is cut short at byte {at}")


def _fields(data: bytes, known: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """Fields by name; what is not there has its default, unknown ones are passed over."""
    found: dict[str, Any] = {
        name: {INT: 0, TEXT: "", PRICE: None}[kind] for name, kind in known.values()
    }
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value, at = _value(data, at, wire)
        if number not in known:
            continue
        name, kind = known[number]
        if (wire == 2) != (kind == TEXT) or wire not in (0, 2):
            raise DecodeError(BadReason.UNDECODABLE, f"{name}: {kind} wanted, got wire type {wire}")
        found[name] = _text(name, value) if isinstance(value, bytes) else _signed(value)
    return found


def _value(data: bytes, at: int, wire: int) -> tuple[int | bytes, int]:
    if wire == 0:
        return _varint(data, at)
    if wire == 2:
        length, at = _varint(data, at)
    elif wire in (1, 5):
        length = 8 if wire == 1 else 4
    else:
        raise DecodeError(BadReason.UNDECODABLE, f"wire type {wire} at byte {at}")
    if at + length > len(data):
        raise DecodeError(BadReason.UNDECODABLE, f"message is cut short at byte {at}")
    return data[at : at + length], at + length


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError(
            BadReason.UNDECODABLE, f"{name}: text in UTF-8, got {value!r}"[:200]
        ) from None
