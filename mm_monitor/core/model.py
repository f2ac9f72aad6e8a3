"""The nouns of the field as frozen types: records, reasons, verdicts, breaches.

Times are int64 ns since the epoch on the venue's clock, prices int64 in units of 10^-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from hashlib import sha256

PRICE_SCALE = 100_000_000
MAX_PRICE = 92_000_000_000 * PRICE_SCALE  # NUM-02: beyond +/-9.2e10 a price is no price
MAX_SIZE = 2**31 - 1


class Kind(IntEnum):
    """Record kinds in the order in which they count at an equal instant (docs/specs/tape.md)."""

    PERIOD = 0  # our own: start or end of a trading date; before all else at its instant
    REFERENCE = 1
    PHASE = 2
    EXEMPTION = 3
    FEED = 4
    STRESS = 5
    UNDERLYING = 6
    VOL = 7
    THEO = 8
    QUOTE = 9
    RFQ = 10
    FILL = 11
    POSITION = 12
    SESSION = 13
    REJECT = 14


class Reason(IntEnum):
    """Why a quote is not valid, in the order of the tests; the bit of a test is `1 << reason`."""

    ABSENT = 0
    ONE_SIDED = 1
    CROSSED = 2
    SIZE = 3
    UNEQUAL = 4
    SPREAD = 5
    OFF_THEO = 6
    STALE = 7
    FLICKER = 8

    @property
    def code(self) -> str:
        """The name used in reports, metrics and topics."""
        return self.name.lower()


REASONS: tuple[str, ...] = tuple(reason.code for reason in Reason)


class State(IntEnum):
    """What an obliged instant of a slot counts as; lapsed states carry their primary reason."""

    QUOTED = 0
    UNKNOWN = 1
    EXEMPT = 2
    LAPSED = 3  # LAPSED + reason


class Verdict(StrEnum):
    """PRES-03: what can be said of an obligation or a maker."""

    COMPLIANT = "compliant"
    BREACHED = "breached"
    INDETERMINATE = "indeterminate"
    NOT_ASSESSED = "not_assessed"


class Phase(StrEnum):
    """Market phases; only `continuous` obliges (OBL-01)."""

    CLOSED = "closed"
    OPENING_AUCTION = "opening_auction"
    CONTINUOUS = "continuous"
    BREAK = "break"
    CLOSING_AUCTION = "closing_auction"
    HALT = "halt"
    BREAKER_AUCTION = "breaker_auction"


class BadReason(StrEnum):
    """Closed list of dead-letter reasons (TAPE-04); they are metric labels."""

    UNDECODABLE = "undecodable"  # not the format at all: truncated, wrong type, missing field
    BAD_TIME = "bad_time"  # not an integer, before the epoch, beyond int64
    TOO_FAR_AHEAD = "too_far_ahead"  # TAPE-05
    UNKNOWN_CONTRACT = "unknown_contract"
    UNKNOWN_MAKER = "unknown_maker"  # numeric id without a name (packed)
    UNKNOWN_SCOPE = "unknown_scope"
    UNKNOWN_PHASE = "unknown_phase"
    UNKNOWN_KIND = "unknown_kind"  # exemption kind
    UNKNOWN_ACTION = "unknown_action"
    BAD_PRICE = "bad_price"  # not decimal, too many decimals, out of range
    OFF_TICK = "off_tick"
    NON_POSITIVE_PRICE = "non_positive_price"
    SIZE_WITHOUT_PRICE = "size_without_price"
    BAD_SIZE = "bad_size"  # negative, fractional, over 2^31-1
    BAD_THEO = "bad_theo"  # not decimal, negative, out of range
    BAD_REFERENCE = "bad_reference"
    UNKNOWN_CLASS = "unknown_class"  # of a position or an underlying
    BAD_POSITION = "bad_position"  # net delta or limit not decimal, out of range; limit negative
    BAD_VOL = "bad_vol"  # not decimal, too many decimals, not above 0 and up to 100


@dataclass(frozen=True, slots=True)
class RawRecord:
    """Bytes as they came and where they came from: the address of a record for ever."""

    topic: str  # Kafka topic, or file name of a capture
    partition: int
    offset: int  # Kafka offset, or line number of a csv
    value: bytes
    ts_recv: int = 0  # ns, our clock; 0 = unknown (capture)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used (TAPE-04)."""

    raw: RawRecord
    reason: BadReason
    detail: str  # what was wrong and the value, for a person
    maker: str = ""  # where it could be read


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """`scope` (`*`, class or contract) enters `phase` at `ts`."""

    ts: int
    scope: str
    phase: str
    raw: RawRecord | None = None
    rulebook: str = ""  # the calendar of one rulebook speaks to that one alone; "" = to all


@dataclass(frozen=True, slots=True)
class ExemptionRecord:
    """Exemption `kind` starts or ends for `maker` (`*` = all) in `scope`."""

    ts: int
    scope: str
    maker: str
    kind: str
    action: str  # start | end
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """We know that we do not know: the feed of `maker` in `scope` is down, up again, or synced."""

    ts: int
    scope: str
    maker: str
    status: str  # down | up | synced
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class StressRecord:
    """Extreme-market interval of `scope` starts or ends."""

    ts: int
    scope: str
    action: str  # start | end
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class UnderlyingRecord:
    """Price of a class's underlying, and its own quote where that is known; 10^-8, None = not known."""

    ts: int
    klass: str
    price: int | None
    bid_price: int | None = None
    ask_price: int | None = None
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class VolRecord:
    """Volatility a year of `contract`, or where that is empty of a class and expiry; 10^-8, None = not known.

    No judge reads it: a theo is computed from it before anything is judged.
    """

    ts: int
    contract: str
    klass: str
    expiry: str
    vol: int | None
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class ReferenceRecord:
    """A listing, adjustment or appointment that takes effect on the tape.

    `table` is `contracts` or `makers`; `row` has that file's columns as text.
    """

    ts: int
    table: str
    action: str  # add | remove
    row: Mapping[str, str] = field(default_factory=dict)
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class PeriodRecord:
    """Start or end of the judged period of a trading date, written by the calendar or the capture."""

    ts: int
    edge: str  # start | end | roll (new trading date: every slot absent, accruals zero)
    trading_date: str = ""  # ISO date, or "" without a calendar
    rulebook: str = ""  # whose calendar said it; "" = for all


@dataclass(frozen=True, slots=True)
class RfqRecord:
    """A request for quotes on `contract`, to all who are obliged or to those of them in `makers`."""

    ts: int
    rfq_id: str
    contract: str
    makers: tuple[str, ...] = ()
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class FillRecord:
    """`maker` traded on its quote: `side` is what the maker did, so `buy` takes from its bid."""

    ts: int
    maker: str
    contract: str
    side: str  # buy | sell
    price: int  # 10^-8
    size: int
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class PositionRecord:
    """Net delta of `maker` in class `klass` from `ts` on, and the greatest that it may have; both 10^-8."""

    ts: int
    maker: str
    klass: str
    net_delta: int
    limit: int
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What became of a session of `maker`; `account` is empty where a maker has one session alone."""

    ts: int
    maker: str
    account: str
    status: str  # logon | logoff | disconnect | mass_quote_protection
    raw: RawRecord | None = None


@dataclass(frozen=True, slots=True)
class RejectRecord:
    """The venue refused a message of `maker`; `reason` is the venue's own word."""

    ts: int
    maker: str
    reason: str
    raw: RawRecord | None = None


ConductRecord = FillRecord | PositionRecord | SessionRecord | RejectRecord
Control = (
    PhaseRecord
    | ExemptionRecord
    | FeedRecord
    | StressRecord
    | UnderlyingRecord
    | VolRecord
    | ReferenceRecord
    | PeriodRecord
    | RfqRecord
    | ConductRecord
)


class BreachKind(StrEnum):
    """Rules that can be found broken (docs/specs/breaches.md)."""

    PRESENCE = "presence"
    PRESENCE_UNREACHABLE = "presence_unreachable"
    LAPSE = "lapse"
    SPREAD = "spread"
    STRESS_PRESENCE = "stress_presence"
    MARKET_HOLE = "market_hole"
    RFQ = "rfq"
    PRESENCE_AT_RISK = "presence_at_risk"


def breach_id(
    rulebook_id: str, version: int, kind: str, maker: str, contract: str, start: int
) -> str:
    """BRCH-01: the same id however late the breach is noticed. 32 hex digits of SHA-256."""
    text = f"{rulebook_id}|{version}|{kind}|{maker}|{contract}|{start}"
    return sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule found broken. `end` is None while it is open; `contract` is empty at maker level."""

    id: str
    rulebook: str
    version: int
    kind: str
    maker: str
    contract: str
    klass: str
    start: int  # event time, ns
    end: int | None
    reason: str  # primary reason code, or the dominant one at maker level
    evidence: Mapping[str, object] = field(default_factory=dict)  # JSON-able


@dataclass(frozen=True, slots=True)
class BreachEvent:
    """A transition of a breach, for the sinks. `noticed_at` is the watermark that showed it."""

    action: str  # opened | updated | closed | withdrawn
    breach: Breach
    noticed_at: int
