"""What a FIX message says of quotes: entries of a MassQuote, a Quote, a QuoteCancel, a QuoteStatusReport.

docs/fix.md says which tags count, with their sources.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mm_monitor.codecs.fields import BAD, NULL, parse_price, parse_size
from mm_monitor.codecs.fix_message import Field, bad, fields_of, number, text
from mm_monitor.core.reference import ALL, Contract, Reference
from mm_monitor.errors import DecodeError
from mm_monitor.kernels.reference_scan_fix import PARTIES

MASS_QUOTE, QUOTE, CANCEL, STATUS = b"i", b"S", b"Z", b"AI"
# How a configuration names the maker's tag; behind the stroke is the role of a party.
MAKER_TAGS = ("49", "50", "115", "1", "448/66", "448/1")
# Whom a report goes to stands where the quote says whom it came from.
_MIRRORED = {49: 56, 50: 57, 115: 128}
_PRICES, _SIZES = (132, 133), (134, 135)
_SAID_ONCE = {MASS_QUOTE: (293, 294), QUOTE: (), CANCEL: (298,), STATUS: (297,)}
_DEFAULT = {134: 293, 135: 294}
# QuoteStatus: the quote stands as it is given; it stands no longer; anything else says nothing of it.
_STANDS = {0, 12, 13, 16, 18}
_GONE = {1, 5, 6, 7, 14, 15, 17}
_TIME = re.compile(r"([0-9]{8})-([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?")
_SIZE = re.compile(r"([0-9]+)(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class FixTags:
    """Which tag names the maker, which the contract; `role` (452) is the maker's among the parties of tag 448."""

    maker: int = 49
    contract: int = 55
    role: int = 66

    @classmethod
    def of(cls, maker: str, contract: str) -> FixTags:
        """As a configuration says it: one of `MAKER_TAGS`, and a tag."""
        tag, _, role = maker.partition("/")
        return cls(int(tag), int(contract), int(role or 0))


@dataclass(slots=True)
class FixQuote:
    """One quote: numbers as columns take them, and the texts they came from by tag."""

    ts: int
    maker: str
    contract: str
    start: int  # its bytes in the record
    stop: int
    bid: int = NULL
    ask: int = NULL
    bid_size: int = 0
    ask_size: int = 0
    time_tag: int = 60
    texts: dict[int, str] = field(default_factory=dict)
    defect: str = ""  # what of its shape is wrong


def read_quotes(record: bytes, tags: FixTags, reference: Reference) -> list[FixQuote]:
    """All quotes of a message, none if it is of another kind or was sent before. Raises DecodeError `undecodable`."""
    fields = fields_of(record)
    kind = fields[0].value
    if kind not in (MASS_QUOTE, QUOTE, CANCEL, STATUS) or any(
        f.tag == 43 and f.value == b"Y" for f in fields
    ):
        return []
    cut = next(
        (i for i, f in enumerate(fields) if kind == MASS_QUOTE and f.tag == 296), len(fields)
    )
    own = _Own(fields[:cut], tags, kind)
    if kind == MASS_QUOTE:
        if cut == len(fields):
            raise bad(296, "a number of quote sets", None)
        return [own.quote(entry, tags) for entry in entries_of(fields[cut:])]
    if kind == CANCEL:
        return list(own.cancelled(tags, reference))
    return own.reported(tags) if kind == STATUS else [own.quote(own.fields, tags)]


def entries_of(groups: Sequence[Field]) -> Iterator[Sequence[Field]]:
    """The fields of each entry, from QuoteEntryID (299) on, of sets and entries that are counted right."""
    sets = [i for i, f in enumerate(groups) if f.tag == 302]
    if number(groups[0], "a number of quote sets") != len(sets):
        raise bad(296, f"the number of quote sets, {len(sets)},", groups[0].value)
    for i, start in enumerate(sets):
        yield from _entries_of_set(groups[start : sets[i + 1] if i + 1 < len(sets) else None])


def _entries_of_set(of_set: Sequence[Field]) -> Iterator[Sequence[Field]]:
    counts = [f for f in of_set if f.tag == 295]
    if len(counts) != 1:
        raise bad(295, "one number of entries in each set", counts[1].value if counts else None)
    starts = [i for i, f in enumerate(of_set) if f.tag == 299]
    if number(counts[0], "a number of entries") != len(starts):
        raise bad(295, f"the number of entries, {len(starts)},", counts[0].value)
    for i, start in enumerate(starts):
        yield of_set[start : starts[i + 1] if i + 1 < len(starts) else None]


class _Own:
    """The fields of a message itself, and what they say of all its quotes."""

    def __init__(self, fields: Sequence[Field], tags: FixTags, kind: bytes) -> None:
        self.fields = fields
        self._by_tag = _once(fields, {52, 60, *_SAID_ONCE[kind]})
        stamp = self._by_tag.get(60) or self._by_tag.get(52)
        if stamp is None:
            raise bad(52, "a sending time", None)
        self._stamp = stamp
        mirrored = _MIRRORED.get(tags.maker, tags.maker) if kind == STATUS else tags.maker
        self._maker = text(
            _party(fields, tags.role) if mirrored == PARTIES else _named(fields, mirrored)
        )

    def quote(self, entry: Sequence[Field], tags: FixTags) -> FixQuote:
        """A quote from its fields; what is missing there is the message's."""
        quote = self._bare(entry[0].start, entry[-1].stop)
        try:
            own = _once(entry, {60, tags.contract, *_PRICES, *_SIZES})
            self._fill(quote, own, tags)
        except DecodeError as error:
            quote.defect = error.detail
        return quote

    def cancelled(self, tags: FixTags, reference: Reference) -> Iterator[FixQuote]:
        """Withdrawn quotes of a QuoteCancel."""
        way = self._by_tag.get(298)
        if way is None:
            raise bad(298, "a type of cancel", None)
        if way.value in (b"1", b"5"):
            names = [text(f.value) for f in self.fields if f.tag == tags.contract]
            if not names:
                raise bad(tags.contract, f"a contract for cancel type {text(way.value)}", None)
        elif way.value == b"3":
            names = list(self._of_classes(reference))
        elif way.value == b"4":
            names = list(_of_appointments(self._maker, reference))
        else:
            raise bad(298, "1 (contracts), 3 (underlyings), 4 (all) or 5 (one quote)", way.value)
        for name in names:
            yield self._withdrawn(name)

    def reported(self, tags: FixTags) -> list[FixQuote]:
        """What a QuoteStatusReport says of the quote that stands: nothing, one quote, or that it is withdrawn."""
        field = self._by_tag.get(297)
        status = 0 if field is None else number(field, "a quote status")
        if status in _GONE:
            return [self._withdrawn(text(_named(self.fields, tags.contract)))]
        priced = any(f.tag in (*_PRICES, *_SIZES) for f in self.fields)
        return [self.quote(self.fields, tags)] if status in _STANDS and priced else []

    def _fill(self, quote: FixQuote, own: dict[int, Field], tags: FixTags) -> None:
        quote.texts = {tag: text(f.value) for tag, f in own.items()}
        stamp = own.get(60, self._stamp)
        quote.ts, quote.time_tag = time_of(text(stamp.value)), stamp.tag
        quote.texts[stamp.tag] = text(stamp.value)
        if tags.contract not in own:
            raise bad(tags.contract, "a contract", None)
        quote.contract = text(own[tags.contract].value)
        if not own.keys() & {*_PRICES, *_SIZES}:
            raise bad(132, "a bid (132, 134) or an offer (133, 135)", None)
        quote.bid, quote.bid_size = self._side(own, 132, 134)
        quote.ask, quote.ask_size = self._side(own, 133, 135)

    def _side(self, own: dict[int, Field], price: int, size: int) -> tuple[int, int]:
        value = _price(text(own[price].value)) if price in own else NULL
        given = own.get(size) or (self._by_tag.get(_DEFAULT[size]) if price in own else None)
        if given is None:
            return value, -1 if price in own else 0
        return value, _size(text(given.value))

    def _bare(self, start: int, stop: int) -> FixQuote:
        ts = time_of(text(self._stamp.value))
        quote = FixQuote(ts, self._maker, "", start, stop, time_tag=self._stamp.tag)
        quote.texts[self._stamp.tag] = text(self._stamp.value)
        return quote

    def _withdrawn(self, contract: str) -> FixQuote:
        quote = self._bare(0, -1)
        quote.contract = contract
        return quote

    def _of_classes(self, reference: Reference) -> Iterator[str]:
        """Contracts of the underlyings that are named."""
        names = {text(f.value) for f in self.fields if f.tag == 311}
        for name in sorted(names) or [""]:
            if name not in reference.class_index:
                raise bad(311, "a class of contracts", name.encode() or None)
        yield from (c.name for c in _live(reference) if c.klass in names)


def time_of(stamp: str) -> int:
    """A UTCTimestamp in ns since the epoch, -1 if it is none; digits beyond ns are cut."""
    match = _TIME.fullmatch(stamp)
    if match is None:
        return -1
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4])
    try:
        day = datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return -1
    if hours > 23 or minutes > 59 or seconds > 60:
        return -1
    whole = (day - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 + hours * 3600 + minutes * 60
    ts = (whole + seconds) * 10**9 + int((match[5] or "").ljust(9, "0")[:9])
    return ts if 0 <= ts < 2**63 else -1


def _price(value: str) -> int:
    """10^-8; FIX knows no plus sign."""
    try:
        return BAD if value.startswith("+") else parse_price(value)
    except DecodeError:
        return BAD


def _size(value: str) -> int:
    """A whole quantity, -1 for another; FIX writes it as a float."""
    match = _SIZE.fullmatch(value)
    try:
        return -1 if match is None else parse_size(match[1])
    except DecodeError:
        return -1


def _once(fields: Iterable[Field], tags: set[int]) -> dict[int, Field]:
    """Those of `tags` that are there, none of them twice."""
    found = [f for f in fields if f.tag in tags]
    for tag, count in Counter(f.tag for f in found).items():
        if count > 1:
            raise bad(tag, "it once", [f.value for f in found if f.tag == tag][-1])
    return {f.tag: f for f in found}


def _named(fields: Sequence[Field], tag: int) -> bytes:
    found = _once(fields, {tag})
    if tag not in found:
        raise bad(tag, "a name", None)
    return found[tag].value


def _party(fields: Sequence[Field], role: int) -> bytes:
    """The PartyID (448) whose PartyRole (452) is `role`."""
    party: bytes | None = None
    found: list[bytes] = []
    for f in fields:
        if f.tag == 448:
            party = f.value
        elif f.tag == 452:
            if party is not None and number(f, "a party role") == role:
                found.append(party)
            party = None
    if len(found) != 1:
        raise bad(448, f"one party with role {role} (tag 452)", found[1] if found else None)
    return found[0]


def _live(reference: Reference) -> Iterator[Contract]:
    return (c for c, live in zip(reference.contracts, reference.live, strict=True) if live)


def _of_appointments(maker: str, reference: Reference) -> Iterator[str]:
    """Contracts that the maker, or the maker of that account, is appointed to."""
    name = reference.accounts.get(maker, maker)
    classes = {a.klass for a in reference.appointments if a.maker == name}
    return (c.name for c in _live(reference) if ALL in classes or c.klass in classes)
