"""A FIX message taken apart: its fields with their places, and that its frame is right.

Every error is a DecodeError `undecodable` that names the tag, what it should be and the value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mm_monitor.codecs.verdicts import cut
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError
from mm_monitor.kernels.reference_scan_fix import LENGTHS

SOH = b"\x01"
_TAG = re.compile(rb"[1-9][0-9]{0,5}")
_DIGITS = re.compile(rb"[0-9]{1,9}")


class Field(NamedTuple):
    """One `tag=value`; it is `record[start:stop]`, SOH included."""

    tag: int
    value: bytes
    start: int
    stop: int


def fields_of(record: bytes) -> list[Field]:
    """The fields from MsgType (35) on, without the checksum, of a message whose length and checksum are right."""
    fields: list[Field] = []
    at = 0
    while at < len(record):
        fields.append(_field(record, at, fields[-1] if fields else None))
        at = fields[-1].stop
    _check_frame(record, fields)
    return fields[2:-1]


def text(value: bytes) -> str:
    """A value as a person reads it; names are looked up as this."""
    return value.decode("utf-8", "replace")


def bad(tag: int, requirement: str, got: bytes | None) -> DecodeError:
    """What is wrong with a tag; `got` None if it is not there."""
    if got is None:
        return DecodeError(BadReason.UNDECODABLE, f"tag {tag} is missing: {requirement} wanted")
    detail = f"tag {tag}: {requirement} wanted, got {cut(text(got))}"
    return DecodeError(BadReason.UNDECODABLE, detail)


def number(field: Field, requirement: str) -> int:
    """A whole number."""
    if _DIGITS.fullmatch(field.value) is None:
        raise bad(field.tag, requirement, field.value)
    return int(field.value)


def _field(record: bytes, at: int, before: Field | None) -> Field:
    sign = record.find(b"=", at, at + 8)
    name = record[at : max(sign, at)]
    if _TAG.fullmatch(name) is None:
        detail = f"byte {at} begins no field tag=value, got {cut(text(record[at : at + 20]))}"
        raise DecodeError(BadReason.UNDECODABLE, detail)
    tag, start = int(name), sign + 1
    if before is not None and before.tag in LENGTHS:
        stop = start + number(before, "a length")
        if record[stop : stop + 1] != SOH:
            raise bad(before.tag, f"the length of tag {tag}", before.value)
    else:
        stop = record.find(SOH, start)
    if stop < 0:
        raise bad(tag, "a value that ends with SOH", record[start:])
    if stop == start:
        raise bad(tag, "a value", b"")
    return Field(tag, record[start:stop], at, stop + 1)


def _check_frame(record: bytes, fields: list[Field]) -> None:
    """BeginString, BodyLength, MsgType come first, CheckSum last."""
    for place, tag in ((0, 8), (1, 9), (2, 35), (-1, 10)):
        if len(fields) < 4 or fields[place].tag != tag:
            where = "last" if place < 0 else f"field {place + 1}"
            raise bad(tag, f"it {where}, of at least 4 fields,", None)
    version, length, trailer = fields[0], fields[1], fields[-1]
    if not version.value.startswith(b"FIX"):
        raise bad(8, "a version of FIX", version.value)
    body = trailer.start - length.stop
    if number(length, "a body length") != body:
        raise bad(9, f"the body's {body} bytes", length.value)
    checksum = sum(record[: trailer.start]) % 256
    if trailer.value != b"%03d" % checksum:
        raise bad(10, f"the checksum {checksum:03d}", trailer.value)
    for field in fields[3:-1]:
        if field.tag in (8, 9, 10, 35):
            raise bad(field.tag, "it only in the frame", field.value)
