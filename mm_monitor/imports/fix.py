"""A FIX session's log as a capture: its quotes, the requests for quotes, and who was logged on when.

A log has a message a line, with or without a time stamp before it, its fields ended by SOH or by `|` or `^A` in its
place. What a message means is what the codec says (docs/fix.md); one that is damaged is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mm_monitor.codecs.fields import BAD, NULL, price_text
from mm_monitor.codecs.fix_quotes import (
    CANCEL,
    MASS_QUOTE,
    QUOTE,
    STATUS,
    FixQuote,
    FixTags,
    read_quotes,
    time_of,
)
from mm_monitor.core.reference import ALL, Appointment, Contract, Reference
from mm_monitor.errors import DecodeError, InputError
from mm_monitor.imports.writing import ABSENT, Counted, Side, Tables, Target, Tell, contracts_of
from mm_monitor.kernels.reference_scan_fix import PARTIES
from mm_monitor.units import price as read_price

MIRRORED = {49: 56, 50: 57, 115: 128}  # a report goes the other way
REQUEST, LOGON, LOGOUT = b"R", b"A", b"5"
QUOTES = (MASS_QUOTE, QUOTE, CANCEL, STATUS)
_BEGIN = re.compile(rb"8=FIX")
_END = re.compile(rb"(\x01|\||\^A)10=[0-9]{3}(\x01|\||\^A|$)")
Message = tuple[str, bytes]  # FILE:LINE, the bytes with SOH


def import_fix(
    paths: Sequence[Path], target: Target, tags: FixTags, tell: Tell | None = None
) -> Counted:
    """Read logs twice: for the names in them, then for what they say. InputError for one without any message."""
    reference = _reference(paths, target, tags)
    makers = set(reference.makers)
    with Tables(target) as tables:
        for path in paths:
            for place, message in messages_of(path, tell):
                try:
                    _take(message, tags, reference, makers, tables)
                except DecodeError as error:
                    tables.counted.leave(error.detail[:120], place)
        for maker in makers:
            tables.know(maker=maker)
        return tables.counted


def messages_of(path: Path, tell: Tell | None = None) -> Iterator[Message]:
    """Every message of a log, with its place. InputError if there is none."""
    found = False
    try:
        size, done = path.stat().st_size, 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                done += len(line)
                if tell is not None and number % 10_000 == 0:
                    tell("reading", done, size)
                for message in _messages(line.rstrip(b"\r\n")):
                    found = True
                    yield f"{path.name}:{number}", message
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if not found:
        raise InputError("lines with FIX messages (8=FIX...10=nnn)", file=str(path))


def _messages(line: bytes) -> Iterator[bytes]:
    starts = [match.start() for match in _BEGIN.finditer(line)]
    for i, start in enumerate(starts):
        piece = line[start : starts[i + 1] if i + 1 < len(starts) else None]
        end = _END.search(piece)
        if end is not None:
            message = piece[: end.end()]
            if end[1] != b"\x01":
                message = message.replace(end[1], b"\x01")
            yield message if message.endswith(b"\x01") else message + b"\x01"


def _fields(message: bytes) -> dict[int, list[str]]:
    """Values by tag, in their order; leniently, for names and for messages of the session."""
    found: dict[int, list[str]] = {}
    for part in message.split(b"\x01"):
        tag, sign, value = part.partition(b"=")
        if sign and tag.isdigit() and len(tag) <= 9:
            found.setdefault(int(tag), []).append(value.decode("utf-8", "replace"))
    return found


def _reference(paths: Sequence[Path], target: Target, tags: FixTags) -> Reference:
    """Contracts that are listed or named, and makers that quote, each appointed to everything."""
    contracts: dict[str, None] = {}
    makers: dict[str, None] = {}
    for path in paths:
        for _, message in messages_of(path):
            fields = _fields(message)
            kind = fields.get(35, [""])[0].encode()
            if kind in QUOTES:
                contracts |= dict.fromkeys(fields.get(tags.contract, []))
                makers |= dict.fromkeys(_maker(fields, tags, mirrored=kind == STATUS))
    if target.contracts is not None:
        rows = contracts_of(target.contracts)
        listed = [Contract(name, klass, read_price(tick)) for name, klass, tick in rows]
    else:
        listed = [Contract(name, name, read_price(target.tick)) for name in sorted(contracts)]
    return Reference.of(listed, [Appointment(maker, ALL) for maker in sorted(makers)])


def _maker(fields: dict[int, list[str]], tags: FixTags, *, mirrored: bool) -> list[str]:
    if tags.maker != PARTIES:
        return fields.get(MIRRORED.get(tags.maker, tags.maker) if mirrored else tags.maker, [])[:1]
    roles = fields.get(452, [])
    return [
        p for p, role in zip(fields.get(448, []), roles, strict=False) if role == str(tags.role)
    ]


def _take(
    message: bytes, tags: FixTags, reference: Reference, makers: set[str], tables: Tables
) -> None:
    fields = _fields(message)
    kind = fields.get(35, [""])[0].encode()
    if kind in QUOTES:
        for quote in read_quotes(message, tags, reference):
            if quote.defect:
                raise DecodeError("undecodable", quote.defect)
            bid = _side(quote, quote.bid, quote.bid_size, 132)
            ask = _side(quote, quote.ask, quote.ask_size, 133)
            tables.quote(quote.ts, quote.maker, quote.contract, bid, ask)
    elif kind == REQUEST:
        ts = _instant(fields)
        for contract in fields.get(tags.contract, []):
            tables.line("rfqs", ts, fields.get(131, [""])[0], contract)
            tables.know(contract=contract)
    elif kind in (LOGON, LOGOUT):
        sender = fields.get(49, [""])[0]
        if sender in makers:
            status = "logon" if kind == LOGON else "logoff"
            tables.line("sessions", _instant(fields), sender, sender, status)


def _instant(fields: dict[int, list[str]]) -> int:
    text = (fields.get(60) or fields.get(52) or [""])[0]
    ts = time_of(text)
    if ts < 0:
        raise DecodeError("undecodable", f"tag 52: a UTC time wanted, got {text!r}")
    return ts


def _side(quote: FixQuote, price: int, size: int, tag: int) -> Side:
    """As the codec read it; what it could not read goes on as it was written."""
    if price == NULL and not size:
        return ABSENT
    text = quote.texts.get(tag, "") if price in (BAD, NULL) else price_text(price)
    return text, str(size) if size >= 0 else quote.texts.get(tag + 2, "")
