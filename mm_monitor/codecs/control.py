"""Control and reference records: json objects, or lines of a capture, to objects of the tape.

`control_of` is the one place that says what such a record must have. Whether a scope or exemption
kind exists is not decided here: a listing may come before it on the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from mm_monitor.codecs.directory import NAMES, check_reference
from mm_monitor.codecs.fields import (
    parse_price,
    parse_quantity,
    parse_size,
    parse_time,
    parse_vol,
    shown,
)
from mm_monitor.codecs.json import MALFORMED, MAX_ELEMENTS, elements_of, text_of
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.verdicts import dead_letter, known_maker
from mm_monitor.core.batch import Decoded, Rows, empty_rows
from mm_monitor.core.model import (
    BadReason,
    Control,
    DeadLetter,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    Phase,
    PhaseRecord,
    PositionRecord,
    RawRecord,
    ReferenceRecord,
    RejectRecord,
    RfqRecord,
    SessionRecord,
    StressRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.pack import know
from mm_monitor.core.reference import Reference
from mm_monitor.errors import DecodeError

Fields = Mapping[str, str]

PHASES = frozenset(phase.value for phase in Phase)
STATUSES = frozenset(("down", "up", "synced"))
EDGES = frozenset(("start", "end"))
ACTIONS = frozenset(("add", "remove"))
SIDES = frozenset(("buy", "sell"))
SESSION_STATUSES = frozenset(("logon", "logoff", "disconnect", "mass_quote_protection"))
KINDS: Mapping[type, Kind] = {
    ReferenceRecord: Kind.REFERENCE,
    PhaseRecord: Kind.PHASE,
    ExemptionRecord: Kind.EXEMPTION,
    FeedRecord: Kind.FEED,
    StressRecord: Kind.STRESS,
    UnderlyingRecord: Kind.UNDERLYING,
    VolRecord: Kind.VOL,
    RfqRecord: Kind.RFQ,
    FillRecord: Kind.FILL,
    PositionRecord: Kind.POSITION,
    SessionRecord: Kind.SESSION,
    RejectRecord: Kind.REJECT,
}
_object = msgspec.json.Decoder(dict[str, Raw])


@know
@dataclass(frozen=True, slots=True)
class KeyedRecord(RawRecord):
    """A record of the compacted reference topic: its key says what a tombstone removes."""

    key: bytes = b""
    timestamp: int = 0  # ns, of the log: when a row without ts_event takes effect


@dataclass(frozen=True, slots=True)
class Placed:
    """A control and its address."""

    control: Control
    offset: int
    sub: int = 0


class ControlCodec:
    """Codec of the control topic and of the compacted reference topic; always json."""

    name = "control"

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Controls and dead letters of a chunk. Never raises for bad data."""
        placed: list[Placed] = []
        dead: list[DeadLetter] = []
        for record in chunk.records:
            for sub, element in enumerate(_elements(record, dead)):
                try:
                    control = _decode_one(chunk.feed, record, element)
                except DecodeError as error:
                    detail, maker = f"element {sub}: {error.detail}", _maker(element, reference)
                    reason = BadReason(error.reason)
                    dead.append(dead_letter(record, element, reason, detail, maker))
                else:
                    placed.append(Placed(control, record.offset, sub))
        return Decoded(place(placed, chunk.part), [p.control for p in placed], dead)

    def element(self, value: bytes, sub: int) -> bytes:
        """The bytes of one element of a record that was decoded."""
        return elements_of(value)[sub]


def place(placed: Iterable[Placed], part: int) -> Rows:
    """Rows that carry controls, in their order: `a` is the index."""
    placed = list(placed)
    rows = empty_rows(len(placed))
    for i, p in enumerate(placed):
        rows[i] = (p.control.ts, p.offset, i, 0, 0, 0, -1, -1, part, p.sub,
                   KINDS[type(p.control)], 0, 0)  # fmt: skip
    return rows


def control_of(record: str, fields: Fields, raw: RawRecord | None) -> Control:
    """The control of kind `record`: one of `_BUILDERS`.

    Raises DecodeError with the reason and the column.
    """
    build = _BUILDERS.get(record)
    if build is None:
        known = ", ".join(_BUILDERS)
        raise DecodeError(BadReason.UNDECODABLE, f"record is none of {known}, got {shown(record)}")
    return build(fields, raw)


def _phase(fields: Fields, raw: RawRecord | None) -> Control:
    phase = _one_of(fields, "phase", PHASES, BadReason.UNKNOWN_PHASE)
    return PhaseRecord(_time(fields), _text(fields, "scope"), phase, raw)


def _exemption(fields: Fields, raw: RawRecord | None) -> Control:
    action = _one_of(fields, "action", EDGES, BadReason.UNKNOWN_ACTION)
    scope, maker, kind = (_text(fields, name) for name in ("scope", "maker", "kind"))
    return ExemptionRecord(_time(fields), scope, maker, kind, action, raw)


def _feed(fields: Fields, raw: RawRecord | None) -> Control:
    status = _one_of(fields, "status", STATUSES, BadReason.UNKNOWN_ACTION)
    return FeedRecord(_time(fields), _text(fields, "scope"), _text(fields, "maker"), status, raw)


def _stress(fields: Fields, raw: RawRecord | None) -> Control:
    action = _one_of(fields, "action", EDGES, BadReason.UNKNOWN_ACTION)
    return StressRecord(_time(fields), _text(fields, "scope"), action, raw)


def _underlying(fields: Fields, raw: RawRecord | None) -> Control:
    price, bid, ask = (_price(fields, name) for name in ("price", "bid_price", "ask_price"))
    return UnderlyingRecord(_time(fields), _text(fields, "class"), price, bid, ask, raw)


def _price(fields: Fields, name: str) -> int | None:
    """A price of the underlying: on no contract's tick, and None where it is not known."""
    text = fields.get(name, "")
    price = parse_price(text) if text else None
    if price is not None and price <= 0:
        detail = f"column {name} is not positive, got {shown(text)}"
        raise DecodeError(BadReason.NON_POSITIVE_PRICE, detail)
    return price


def _vol(fields: Fields, raw: RawRecord | None) -> Control:
    """Of a contract, or of a class and expiry; exactly one of the two."""
    contract, klass, expiry = (fields.get(name, "") for name in ("contract", "class", "expiry"))
    if bool(contract) == bool(klass and expiry):
        detail = f"neither a contract nor a class and an expiry, or both, got {shown(contract)}"
        raise DecodeError(BadReason.UNDECODABLE, detail)
    text = fields.get("vol", "")
    vol = parse_vol(text) if text else None
    if contract:
        klass = expiry = ""
    return VolRecord(_time(fields), contract, klass, expiry, vol, raw)


def _reference(fields: Fields, raw: RawRecord | None) -> Control:
    action = _one_of(fields, "action", ACTIONS, BadReason.UNKNOWN_ACTION)
    table = fields.get("table") or ("contracts" if fields.get("contract") else "makers")
    if table not in NAMES:
        raise DecodeError(BadReason.BAD_REFERENCE, f"column table is unknown, got {shown(table)}")
    own = ("record", "ts_event", "table", "action")
    row = {name: text for name, text in fields.items() if name not in own}
    check_reference(table, action, row)
    return ReferenceRecord(_time(fields), table, action, row, raw)


def _rfq(fields: Fields, raw: RawRecord | None) -> Control:
    makers = tuple(name for name in fields.get("makers", "").split("|") if name)
    name, contract = _text(fields, "rfq_id"), _text(fields, "contract")
    return RfqRecord(_time(fields), name, contract, makers, raw)


def _fill(fields: Fields, raw: RawRecord | None) -> Control:
    side = _one_of(fields, "side", SIDES, BadReason.UNKNOWN_ACTION)
    price, size = parse_price(_text(fields, "price")), parse_size(_text(fields, "size"))
    if price <= 0:
        detail = f"column price is not positive, got {shown(fields['price'])}"
        raise DecodeError(BadReason.NON_POSITIVE_PRICE, detail)
    if size == 0:
        raise DecodeError(BadReason.BAD_SIZE, f"column size is 0, got {shown(fields['size'])}")
    maker, contract = _text(fields, "maker"), _text(fields, "contract")
    return FillRecord(_time(fields), maker, contract, side, price, size, raw)


def _position(fields: Fields, raw: RawRecord | None) -> Control:
    net = parse_quantity(_text(fields, "net_delta"), "column net_delta")
    limit = parse_quantity(_text(fields, "limit"), "column limit")
    if limit < 0:
        detail = f"column limit is negative, got {shown(fields['limit'])}"
        raise DecodeError(BadReason.BAD_POSITION, detail)
    return PositionRecord(
        _time(fields), _text(fields, "maker"), _text(fields, "class"), net, limit, raw
    )


def _session(fields: Fields, raw: RawRecord | None) -> Control:
    status = _one_of(fields, "status", SESSION_STATUSES, BadReason.UNKNOWN_ACTION)
    account = fields.get("account", "")
    return SessionRecord(_time(fields), _text(fields, "maker"), account, status, raw)


def _reject(fields: Fields, raw: RawRecord | None) -> Control:
    return RejectRecord(_time(fields), _text(fields, "maker"), _text(fields, "reason"), raw)


_BUILDERS: Mapping[str, Callable[[Fields, RawRecord | None], Control]] = {
    "phase": _phase,
    "exemption": _exemption,
    "feed": _feed,
    "stress": _stress,
    "underlying": _underlying,
    "vol": _vol,
    "reference": _reference,
    "rfq": _rfq,
    "fill": _fill,
    "position": _position,
    "session": _session,
    "reject": _reject,
}


def maker_of(fields: Fields, reference: Reference) -> str:
    """The maker that a bad record names, "" for nobody we know."""
    return known_maker(reference, reference.find_maker(fields.get("maker", "")))


def _text(fields: Fields, name: str) -> str:
    text = fields.get(name, "")
    if not text:
        raise DecodeError(BadReason.UNDECODABLE, f"column {name} is missing or empty")
    return text


def _time(fields: Fields) -> int:
    return parse_time(_text(fields, "ts_event"))


def _one_of(fields: Fields, name: str, known: frozenset[str], reason: BadReason) -> str:
    text = _text(fields, name)
    if text not in known:
        listed = ", ".join(sorted(known))
        raise DecodeError(reason, f"column {name} is none of {listed}, got {shown(text)}")
    return text


def _elements(record: RawRecord, dead: list[DeadLetter]) -> list[bytes]:
    """Elements of a record; of one that is no json none, and a dead letter. A tombstone is one."""
    try:
        elements = elements_of(record.value)
    except MALFORMED as error:
        dead.append(DeadLetter(record, BadReason.UNDECODABLE, f"no JSON: {error}"))
        return []
    if len(elements) > MAX_ELEMENTS:
        detail = f"array of over {MAX_ELEMENTS} elements"
        dead.append(DeadLetter(record, BadReason.UNDECODABLE, detail))
        return []
    return elements


def _decode_one(feed: str, record: RawRecord, element: bytes) -> Control:
    if feed == "reference" and isinstance(record, KeyedRecord):
        return _keyed(record, element)
    fields = _fields(element)
    return control_of(fields.get("record", ""), fields, record)


def _keyed(record: KeyedRecord, element: bytes) -> Control:
    """A row of the compacted topic is added, a tombstone removes what its key names."""
    fields = {"ts_event": str(record.timestamp), **row_of(record.key, element)}
    return control_of("reference", fields, record)


def row_of(key: bytes, value: bytes) -> dict[str, str]:
    """Columns of a record of the reference topic, with `table` and `action`.

    Raises DecodeError `undecodable`.
    """
    if value:
        return {**_fields(value), "action": "add"}
    table, _, rest = key.decode("utf-8", "replace").partition("/")
    columns = NAMES.get(table)
    names = rest.split("/", 1) if table == "makers" else [rest]
    if columns is None or len(names) != len(columns) or not all(names):
        wanted = "contracts/NAME, makers/MAKER/CLASS or accounts/ACCOUNT"
        raise DecodeError(BadReason.UNDECODABLE, f"key is not {wanted}, got {shown(key)}")
    return {"table": table, "action": "remove", **dict(zip(columns, names, strict=True))}


def _maker(element: bytes, reference: Reference) -> str:
    """The known maker of a bad element, as far as it can be read."""
    try:
        return maker_of(_fields(element), reference)
    except DecodeError:
        return ""


def _fields(element: bytes) -> dict[str, str]:
    """An object's members as text."""
    try:
        return {name: text_of(bytes(raw)) for name, raw in _object.decode(element).items()}
    except MALFORMED as error:
        raise DecodeError(BadReason.UNDECODABLE, f"no JSON object: {error}") from None
