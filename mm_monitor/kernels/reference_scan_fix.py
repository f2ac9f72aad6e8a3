"""The FIX scanner in plain Python: the specification as code. Same names, arguments and bytes as `cext/scan_fix.pyx`.

A message that is not plain has count -1 and no rows; `NotPlain` says so from wherever it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import Rows, empty_rows
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, Kind
from mm_monitor.kernels.reference_decode import (
    NULL,
    Bytes,
    Code,
    Indices,
    Ints,
    quote_code,
    records_in,
    settle_quote,
)
from mm_monitor.kernels.reference_scan_json import Names, names_in

LEAST_ENTRY = 17  # bytes of the shortest entry, `299=1 55=C 134=0 `
MOST_ENTRIES = 65_536
PARTIES = 448  # where the maker is a party of some role
# Tags whose value is the length of the data that follows, in which SOH may stand.
LENGTHS = {90, 93, 95, 212, 445, 618, 621, 1184, 1401, 1403, 1664, 2351, *range(348, 366, 2)}
FRAME = re.compile(
    rb"(8=FIX[^\x01]*\x019=([0-9]{1,7})\x01)(35=[iS]\x01.*)10=([0-9]{3})\x01", re.DOTALL
)
FIELD = re.compile(rb"([1-9][0-9]{0,5})=([^\x01]+)\x01")
PRICE = re.compile(rb"(-?)([0-9]{1,11})(?:\.([0-9]{1,8}))?")
TIME = re.compile(
    rb"([0-9]{8})-([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}|[0-9]{6}|[0-9]{9}))?"
)
QUOTED = (60, 132, 133, 134, 135)
Fields = list[tuple[int, bytes]]


class NotPlain(Exception):
    """Somebody else has to look at the message."""


class Tags:
    """Which tags name the maker and the contract, and what the names are."""

    def __init__(self, makers: Names, contracts: Names, ticks: Ints, tags: Sequence[int]) -> None:
        self.makers, self.contracts, self.ticks = makers, contracts, ticks
        self.maker, self.contract, self.role = tags


def scan_quotes(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    part: int,
    maker_cells: NDArray[np.void],
    maker_pool: bytes | Bytes,
    contract_cells: NDArray[np.void],
    contract_pool: bytes | Bytes,
    ticks: Ints,
    maker_tag: int,
    contract_tag: int,
    role: int,
    rows: Rows,
    counts: Indices,
) -> int:
    """Rows of all plain messages; returns how many."""
    makers, contracts = names_in(maker_cells, maker_pool), names_in(contract_cells, contract_pool)
    tags = Tags(makers, contracts, ticks, (maker_tag, contract_tag, role))
    k = 0
    for i, record in enumerate(records_in(data, starts, lengths)):
        counts[i] = -1
        try:
            got = list(_rows(record, tags))
        except NotPlain:
            continue
        if len(got) > MOST_ENTRIES:
            continue
        for sub, row in enumerate(got):
            row["offset"], row["part"], row["sub"] = offsets[i], part, sub
            rows[k + sub] = row[0]
        counts[i] = len(got)
        k += len(got)
    return k


def _rows(record: bytes, tags: Tags) -> Iterator[Rows]:
    fields = _fields(record)
    mass = fields.pop(0)[1] == b"i"
    cut = next((i for i, (tag, _) in enumerate(fields) if mass and tag == 296), len(fields))
    own, groups = fields[:cut], fields[cut:]
    of_message = _message(own, tags, mass)
    if not mass:
        entry = [(tag, value) for tag, value in own if tag not in (60, tags.maker)]
        yield _row(entry, of_message, tags)
        return
    for entry in _entries(groups, tags):
        yield _row(entry, of_message, tags)


def _fields(record: bytes) -> Fields:
    """All fields from 35 on but the trailer, of a message that is framed right."""
    frame = FRAME.fullmatch(record)
    if frame is None or int(frame[2]) != len(frame[3]) or not frame[3].endswith(b"\x01"):
        raise NotPlain
    if int(frame[4]) != sum(frame[1] + frame[3]) % 256:
        raise NotPlain
    pairs = FIELD.findall(frame[3])
    if sum(len(tag) + len(value) + 2 for tag, value in pairs) != len(frame[3]):
        raise NotPlain
    fields = [(int(tag), value) for tag, value in pairs]
    if any(tag in LENGTHS or tag in (8, 9, 10, 43) for tag, _ in fields):
        raise NotPlain
    if any(tag == 35 for tag, _ in fields[1:]):
        raise NotPlain
    return fields


def _message(own: Fields, tags: Tags, mass: bool) -> dict[int, int | bytes]:
    """Time (60), default sizes (293, 294) and the maker's name (0) of the message."""
    found: dict[int, int | bytes] = {}
    values = [(tag, value) for tag, value in own if tag in (52, 60) or (mass and tag in (293, 294))]
    if len({tag for tag, _ in values}) < len(values):
        raise NotPlain
    for tag, value in values:
        if tag in (52, 60) and not (tag == 52 and 60 in found):
            found[60 if tag == 60 else 52] = _time(value)
        elif tag != 52:
            found[tag] = _size(value)
    found.setdefault(60, found.get(52, -1))
    makers = (
        _parties(own, tags.role)
        if tags.maker == PARTIES
        else [v for t, v in own if t == tags.maker]
    )
    if len(makers) != 1 or not {60, 52} & {tag for tag, _ in values}:
        raise NotPlain
    found[0] = makers[0]
    return found


def _parties(own: Fields, role: int) -> list[bytes]:
    party, makers = None, []
    for tag, value in own:
        if tag == 448:
            party = value
        elif tag == 452:
            if party is None or re.fullmatch(rb"[0-9]{1,9}", value) is None:
                raise NotPlain
            makers += [party] if int(value) == role else []
            party = None
    return makers


def _entries(groups: Fields, tags: Tags) -> Iterator[Fields]:
    """The fields of each entry, of sets and entries that are counted right."""
    if not groups:
        raise NotPlain
    sets, at = _count(groups[0][1]), 1
    while at < len(groups):
        at = _set_head(groups, at, tags)
        for _ in range(_count(groups[at - 1][1])):
            if at == len(groups) or groups[at][0] != 299:
                raise NotPlain
            ends = [i for i in range(at + 1, len(groups)) if groups[i][0] in (299, 302, 295, 296)]
            upto = ends[0] if ends else len(groups)
            yield groups[at + 1 : upto]
            at = upto
        sets -= 1
    if sets:
        raise NotPlain


def _set_head(groups: Fields, at: int, tags: Tags) -> int:
    """From the first field of a set to behind its number of entries."""
    if groups[at][0] != 302:
        raise NotPlain
    for i in range(at + 1, len(groups)):
        tag = groups[i][0]
        if tag == 295:
            return i + 1
        if tag in (296, 299, 302, tags.contract, *QUOTED):
            raise NotPlain
    raise NotPlain


def _row(entry: Fields, message: dict[int, int | bytes], tags: Tags) -> Rows:
    """The row of an entry, settled."""
    mine = [(tag, value) for tag, value in entry if tag in (tags.contract, *QUOTED)]
    own = dict(mine)
    if len(own) < len(mine) or tags.contract not in own or not own.keys() & set(QUOTED[1:]):
        raise NotPlain
    maker, account = tags.makers.get(bytes(message[0]), (-1, 0))
    contract, _ = tags.contracts.get(own[tags.contract], (-1, 0))
    ts = _time(own[60]) if 60 in own else message[60]
    bid, bid_size = _side(own, 132, 134, message.get(293, -1))
    ask, ask_size = _side(own, 133, 135, message.get(294, -1))
    rows = empty_rows(1)
    rows[0] = (ts, 0, bid, ask, bid_size, ask_size, maker, contract, 0, 0, Kind.QUOTE, 0, account)
    if quote_code(rows[0], tags.ticks) != Code.OK:
        raise NotPlain
    settle_quote(rows, 0, Code.OK, tags.ticks)
    return rows


def _side(own: dict[int, bytes], price: int, size: int, default: int | bytes) -> tuple[int, int]:
    """Price and size; a price without a size has the message's default."""
    text = own.get(price)
    if size in own:
        return (NULL if text is None else _price(text)), _size(own[size])
    return (NULL, 0) if text is None else (_price(text), int(default))


def _price(text: bytes) -> int:
    match = PRICE.fullmatch(text)
    if match is None:
        raise NotPlain
    value = int(match[2] + (match[3] or b"").ljust(8, b"0"))
    if value > MAX_PRICE:
        raise NotPlain
    return -value if match[1] else value


def _size(text: bytes) -> int:
    if re.fullmatch(rb"[0-9]{1,10}", text) is None or int(text) > MAX_SIZE:
        raise NotPlain
    return int(text)


def _count(text: bytes) -> int:
    if _size(text) == 0:
        raise NotPlain
    return int(text)


def _time(text: bytes) -> int:
    """Nanoseconds since the epoch; a leap second is the start of the next one."""
    match = TIME.fullmatch(text)
    if match is None or not 1970 <= int(match[1][:4]) <= 2261:
        raise NotPlain
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4])
    if hours > 23 or minutes > 59 or seconds > 60:
        raise NotPlain
    try:
        day = datetime.strptime(match[1].decode(), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise NotPlain from None
    fraction = int((match[5] or b"").ljust(9, b"0"))
    whole = int(day.timestamp()) + hours * 3600 + minutes * 60 + seconds
    return whole * 1_000_000_000 + fraction
