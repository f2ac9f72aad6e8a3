"""Random tapes for the laws: small books, rulebooks with every feature, records of all kinds that collide on purpose.

A `Case` is plain data: a law makes as many engines and row arrays from it as it wants to compare. A tape's times are
steps of `Case.step` around the phases, now and then one nanosecond off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from mm_monitor.core.batch import QUOTE_BAD, ROW, THEO_DELTA, THEO_MISSING, Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import (
    PRICE_SCALE,
    Control,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
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
)
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.reference_rows import announce
from mm_monitor.core.rulebook import (
    Band,
    Burn,
    Calendar,
    Cell,
    DatedRelief,
    Meaning,
    PhaseAt,
    Ratio,
    RequiredSet,
    Rfq,
    Rulebook,
    Signals,
    SizeCell,
    SpreadTerm,
)
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.timetable import trading_day

NS = 1_000_000_000
DAYS = ("1970-01-05", "1970-01-06")
MIDNIGHT = 4 * 86_400 * NS
CONTRACTS = ("C0", "C1", "C2", "L0", "L1")  # L: listed on the tape, or never
CLASSES = {"C0": "K0", "C1": "K0", "C2": "K1", "L0": "K0", "L1": "K2"}
MAKERS = ("M0", "M1", "N0")  # N: appointed on the tape, or never
SCOPES = ("*", "K0", "K1", "C0", "C1", "L0", "nowhere")
KINDS = {
    "halt": Meaning("exclude"),
    "drill": Meaning("deem"),
    "limit": Meaning("one_side"),
    "fast": Meaning("relax", Ratio(2, 1)),
    "faster": Meaning("relax", Ratio(3, 2)),
    "void": Meaning("relax", Ratio(0, 1)),
}
SERIES = {  # kind, strike and expiry
    "C0": ("call", "0.00000005", "1970-01-05"),
    "C1": ("put", "0.00000008", "1970-01-05"),
    "C2": ("call", "0.00000005", "1970-02-10"),
    "L0": ("call", "0.00000006", "1970-01-20"),
    "L1": ("", "", ""),
}
QUOTES, THEOS, CONTROLS = 0, 2, 3  # part numbers; quotes have two parts
SOURCES = {0: ("quotes", 0), 1: ("quotes", 1), 2: ("theo", 0), 3: ("control", 0)}
RAW = RawRecord("control", 0, 0, b"")


@dataclass(frozen=True)
class Tick:
    """A quote or a theo, before it is a row: `fields` are those of ROW from `a` to `contract`."""

    ts: int
    kind: int
    fields: tuple[int, int, int, int, int, int]
    flags: int = 0
    account: int = 0  # its number, 0 = the maker's own name


@dataclass(frozen=True)
class Case:
    """A rulebook or two, and a tape in no particular order."""

    rulebooks: tuple[Rulebook, ...]
    mode: str  # calendar | feed | phases | periods: who says when a day is judged
    records: tuple[Tick | Control, ...]
    step: int
    accounts: bool = False  # does M0 quote through two more?

    def engine(self, *, announced: bool = True) -> Engine:
        """A new engine that has seen nothing; unless `announced` it has not heard the tape's new names either."""
        reference = Reference.of(
            [Contract(name, CLASSES[name], 1, *SERIES[name]) for name in CONTRACTS[:3]],
            [Appointment("M0", "*"), Appointment("M1", "K0")],
            [("A1", "M0"), ("Z2", "M0")] if self.accounts else [],
        )
        if announced:
            announce_all(reference)
        judge = self.mode in ("feed", "phases")
        return Engine(self.rulebooks, reference, SOURCES, phases_judge=judge)

    @property
    def end(self) -> int:
        """An instant after everything."""
        return max((record.ts for record in self.records), default=0) + 10 * self.step


def _reference(table: str, action: str, **row: str) -> ReferenceRecord:
    return ReferenceRecord(0, table, action, row, RAW)


def _listing(contract: str, units: int, flags: str = "") -> ReferenceRecord:
    kind, strike, expiry = SERIES[contract]
    return _reference(
        "contracts", "add", contract=contract, tick=f"0.0000000{units}", kind=kind, strike=strike,
        expiry=expiry, flags=flags, multiplier="2.5", **{"class": CLASSES[contract]},
    )  # fmt: skip


ADD_L0 = _listing("L0", 1)
ADD_L1 = _listing("L1", 2, "odd")
ADD_N0 = _reference("makers", "add", maker="N0", **{"class": "K0"})
NEWCOMERS = (ADD_L0, ADD_L1, ADD_N0)
REFERENCES = (
    ADD_L0,
    ADD_L1,
    ADD_N0,
    _reference("contracts", "remove", contract="L0"),
    _reference("contracts", "remove", contract="C1"),
    _listing("C1", 3),
    _reference("makers", "remove", maker="M1", **{"class": "K0"}),
    _reference("makers", "add", maker="M1", **{"class": "K0"}),
    _reference("makers", "add", maker="M1", **{"class": "*"}),
    _reference("makers", "remove", maker="N0", **{"class": "K0"}),
    _reference("contracts", "remove", contract="nobody"),
)


def announce_all(reference: Reference) -> None:
    """Give the names that the tape brings their indices, as decoding does."""
    for record in NEWCOMERS:
        announce(reference, record)


# -- rulebooks ------------------------------------------------------------------------------------

TERMS = (
    SpreadTerm("relative", of="theo", ratio=Ratio(1, 2)),
    SpreadTerm("relative", of="theo", ratio=Ratio(1, 10)),
    SpreadTerm("relative", of="bid", ratio=Ratio(1, 4)),
    SpreadTerm("relative", of="ask", ratio=Ratio(1, 5)),
    SpreadTerm("relative", of="mid", ratio=Ratio(1, 5)),
    SpreadTerm("ticks", ticks=2),
    SpreadTerm("absolute", absolute=3),
    SpreadTerm("underlying", ratio=Ratio(3, 2)),
    SpreadTerm("table", of="theo", table=(Cell(0, 5, absolute=2), Cell(5, 12, ratio=Ratio(1, 4)))),
    SpreadTerm(
        "table", of="bid", table=(Cell(3, 9, 0, 2, absolute=5), Cell(0, None, 1, ratio=Ratio(1, 3)))
    ),
)
JUDGES = ("ratio_of_sums", "ratio_of_sums", "coverage", "mean_of_ratios", "contracts", "products")
RELIEFS = (DatedRelief(DAYS[0], DAYS[0], Ratio(2, 1)), DatedRelief(DAYS[1], DAYS[1], Ratio(1, 2)))
BANDS = (None, None, Band(absolute=4), Band(ratio=Ratio(1, 3)), Band(ratio=Ratio(1, 1)))


def calendar_of(changes: Sequence[tuple[int, str]]) -> Calendar:
    """A calendar of all days with phases at those seconds after midnight."""
    return Calendar(
        "UTC", tuple(range(7)), frozenset(), tuple(PhaseAt(at, phase) for at, phase in changes)
    )


SIGNALS = Signals(
    per_second=3, per_day=6, cancelled_share=Ratio(1, 2), cancelled_amount=10 * PRICE_SCALE
)
CALENDARS = tuple(
    calendar_of(changes)
    for changes in (
        [(2, "continuous"), (8, "closed")],
        [(1, "opening_auction"), (2, "continuous"), (4, "break"), (5, "continuous"), (8, "closed")],
    )
)


required_sets = st.none() | st.builds(
    RequiredSet,
    kinds=st.sampled_from([(), (), ("call",)]),
    months=st.sampled_from([None, None, 1]),
    min_days=st.sampled_from([None, None, 1]),
    max_days=st.sampled_from([None, None, 20]),
    exclude=st.sampled_from([(), ("adjusted",), ("added_today", "odd")]),
    strikes=st.sampled_from([None, None, 0, 1]),
    within=st.sampled_from([None, None, Ratio(1, 5)]),
    delta=st.sampled_from([None, None, (Ratio(1, 4), Ratio(1, 2))]),
)


@st.composite
def rulebooks(draw: st.DrawFn, name: str, step: int) -> Rulebook:
    """Every feature on or off."""
    ages = st.sampled_from([None, None, step, 2 * step, 3 * step + 1])
    return Rulebook(
        id=name,
        version=1,
        sha256="0" * 64,
        calendar=draw(st.sampled_from(CALENDARS)),
        min_rest=draw(ages),
        rest_counts=draw(st.sampled_from(["from_then", "retroactive"])),
        dated_relief=tuple(draw(st.lists(st.sampled_from(RELIEFS), max_size=2))),
        min_size=draw(st.sampled_from([None, 5])),
        size_by_month=draw(st.sampled_from([(), (), (SizeCell(7, 0, 1),), (SizeCell(3, 1),)])),
        size_difference=draw(st.sampled_from([None, None, Ratio(1, 2)])),
        size_difference_of=draw(st.sampled_from(["smaller", "larger", "mean"])),
        max_age=draw(ages),
        zero_bid_below=draw(st.sampled_from([None, 4, 6])),
        combine=draw(st.sampled_from(["max", "min"])),
        terms=tuple(draw(st.lists(st.sampled_from(TERMS), max_size=3, unique=True))),
        grace=draw(st.sampled_from([None, 0, step, 2 * step])),
        off_theo=draw(st.sampled_from(BANDS)),
        theo_max_age=draw(ages),
        when_missing=draw(st.sampled_from(["unknown", "skip_spread", "exclude", "hold"])),
        required=draw(st.sampled_from([None, Ratio(9, 10), Ratio(1, 2), Ratio(2, 3)])),
        judged_by=draw(st.sampled_from(JUDGES)),
        coverage_required=draw(st.sampled_from([None, Ratio(1, 2)])),
        coverage_all_but_pairs=draw(st.sampled_from([0, 0, 1])),
        contracts_required=draw(st.sampled_from([1, 2])),
        products_required=draw(st.sampled_from([1, 2])),
        longest_permitted=draw(st.sampled_from([None, 0, step, 2 * step + 1, 3 * step])),
        stress_relief=draw(st.sampled_from([None, Ratio(2, 1)])),
        windows=draw(st.sampled_from([(), (), (1,), (step, 3 * step + 1), (2 * step,)])),
        am_pm=draw(st.booleans()),
        stress_weight=draw(st.sampled_from([None, Ratio(2, 1), Ratio(1, 2)])),
        stress_required=draw(st.sampled_from([None, Ratio(2, 3)])),
        longest_hole=draw(st.sampled_from([None, 0, step, 2 * step + 1])),
        exemptions=KINDS,
        fills_shrink=draw(st.booleans()),
        signals=draw(st.sampled_from([None, None, SIGNALS])),
        required_set=draw(required_sets),
        accounts=draw(st.sampled_from(["", "union", "best"])),
        rfq=draw(st.one_of(st.none(), requests(step))),
        at_risk=draw(st.sampled_from([(), (Burn(4 * step, step, Ratio(2, 1)),)])),
        at_risk_every=step,
    )


@st.composite
def requests(draw: st.DrawFn, step: int) -> Rfq:
    """Short and long times to answer and to stay."""
    return Rfq(
        respond_within=draw(st.sampled_from([0, 1, step, 3 * step])),
        stay=draw(st.sampled_from([0, 1, step, 2 * step])),
        required=draw(st.sampled_from([None, Ratio(1, 2), Ratio(1, 1)])),
        standing_quote_counts=draw(st.booleans()),
        deemed_fulfilled_up_to=draw(st.integers(0, 1)),
    )


# -- records --------------------------------------------------------------------------------------

fills = st.sampled_from([1, 1, 4, 5, 20])
sizes = st.sampled_from([0, 5, 5, 6, 10, 4])
makers = st.sampled_from([0, 0, 0, 1, 1, 2, -1])
contracts = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4])


@st.composite
def quotes(draw: st.DrawFn, ts: int) -> Tick:
    """Good, wide, crossed, one-sided, withdrawn, bad; by makers of every standing."""
    maker, contract = draw(makers), draw(contracts)
    if draw(st.integers(0, 11)) == 0:
        return Tick(ts, Kind.QUOTE, (0, 0, 0, 0, maker, contract), QUOTE_BAD)
    bid, width = draw(st.integers(1, 12)), draw(st.integers(-1, 7))
    bid_size, ask_size = draw(sizes), draw(sizes)
    ask = max(1, bid + width)
    numbers = (bid if bid_size else 0, ask if ask_size else 0, bid_size, ask_size)
    account = draw(st.sampled_from([0, 0, 1, 2])) if maker == 0 else 0
    return Tick(ts, Kind.QUOTE, (*numbers, maker, contract), account=account)


@st.composite
def theos(draw: st.DrawFn, ts: int) -> Tick:
    contract, gone = draw(contracts), draw(st.integers(0, 5)) == 0
    theo = 0 if gone else draw(st.integers(0, 16))
    delta = draw(st.sampled_from([None, None, 0, 25_000_000, -25_000_000, 50_000_000, 50_000_001]))
    flags = (THEO_MISSING if gone else 0) | (0 if delta is None else THEO_DELTA)
    via = draw(st.integers(0, 2))
    return Tick(ts, Kind.THEO, (theo, delta or 0, via, 0, -1, contract), flags)


@st.composite
def controls(draw: st.DrawFn, ts: int) -> Control:
    scope = draw(st.sampled_from(SCOPES))
    maker = draw(st.sampled_from(["*", "*", "M0", "M1", "N0", "nobody"]))
    switch = draw(st.sampled_from(["start", "start", "end"]))
    kind = draw(st.sampled_from(["exemption"] * 4 + ["feed"] * 4 + ["phase"] * 3 + ["stress"] * 2
                                + ["reference"] * 4 + ["underlying"] * 2 + ["rfq"] * 4))  # fmt: skip
    if kind == "underlying":
        price = draw(st.sampled_from([None, 0, 4, 5, 6, 7, 8, 10]))
        klass = draw(st.sampled_from(["K0", "K0", "K1", "K9"]))
        bid, width = draw(st.integers(1, 9)), draw(st.sampled_from([None, 0, 1, 2, 4]))
        if width is None:
            return UnderlyingRecord(ts, klass, price, raw=RAW)
        return UnderlyingRecord(ts, klass, price, bid, bid + width, RAW)
    if kind == "rfq":
        named = draw(st.sampled_from([(), (), ("M0",), ("M0", "nobody")]))
        return RfqRecord(ts, "Q", draw(st.sampled_from(CONTRACTS)), named, RAW)
    if kind == "exemption":
        name = draw(st.sampled_from(["halt", *KINDS, "unheard of"]))
        return ExemptionRecord(ts, scope, maker, name, switch, RAW)
    if kind == "feed":
        status = draw(st.sampled_from(["down", "down", "up", "synced"]))
        return FeedRecord(ts, scope, maker, status, RAW)
    if kind == "stress":
        return StressRecord(ts, scope, switch, RAW)
    if kind == "reference":
        return replace(draw(st.sampled_from(REFERENCES)), ts=ts)
    phase = draw(st.sampled_from(["continuous", "continuous", "halt", "break", "closed"]))
    return PhaseRecord(ts, scope, phase, RAW)


@st.composite
def conduct(draw: st.DrawFn, ts: int) -> Control:
    """Fills, positions, sessions, rejects; few makers, so that they meet."""
    maker = draw(st.sampled_from(["M0", "M0", "M0", "M1", "N0", "nobody"]))
    kind = draw(st.sampled_from(["fill", "fill", "position", "position", "session", "reject"]))
    if kind == "fill":
        contract, side = draw(st.sampled_from(CONTRACTS)), draw(st.sampled_from(["buy", "sell"]))
        return FillRecord(ts, maker, contract, side, draw(st.integers(1, 12)), draw(fills), RAW)
    if kind == "position":
        klass = draw(st.sampled_from(["K0", "K0", "K1", "K2", "nowhere"]))
        delta, limit = draw(st.integers(-7, 7)), draw(st.sampled_from([0, 3, 5, 5]))
        return PositionRecord(ts, maker, klass, delta, limit, RAW)
    if kind == "session":
        statuses = ["logon", "logon", "logoff", "disconnect", "mass_quote_protection"]
        account, status = draw(st.sampled_from(["", "A0"])), draw(st.sampled_from(statuses))
        return SessionRecord(ts, maker, account, status, RAW)
    return RejectRecord(ts, maker, draw(st.sampled_from(["price_band", "late"])), RAW)


@st.composite
def records(draw: st.DrawFn, instants: st.SearchStrategy[int]) -> Tick | Control:
    ts, kind = draw(instants), draw(st.integers(0, 11))
    if kind < 5:
        return draw(quotes(ts))
    return draw(theos(ts)) if kind < 8 else draw(controls(ts))


def timetable(rulebook: Rulebook, days: Sequence[str], *, phases: bool) -> list[Control]:
    """What the calendar of a rulebook writes of some days."""
    assert rulebook.calendar is not None
    schedule = Schedule(rulebook.calendar)
    return [x for day in days for x in trading_day(schedule, day, rulebook.id, phases=phases)]


@st.composite
def skeletons(draw: st.DrawFn, mode: str, books: Sequence[Rulebook], step: int) -> list[Control]:
    """When the market is open, and what is judged."""
    start = MIDNIGHT + 2 * NS
    days = DAYS[: draw(st.sampled_from([1, 1, 2]))]
    if mode == "calendar":
        return [x for book in books for x in timetable(book, days, phases=True)]
    spoken: list[Control] = [
        PhaseRecord(start, "*", "continuous", RAW),
        PhaseRecord(start + draw(st.integers(4, 24)) * step, "*", "closed", RAW),
    ]
    if mode == "feed":
        return [*spoken, *(x for book in books for x in timetable(book, days, phases=False))]
    if mode == "phases":
        return spoken
    last = start + draw(st.integers(8, 24)) * step
    return [*spoken, PeriodRecord(start, "start"), PeriodRecord(last, "end")]


@st.composite
def cases(draw: st.DrawFn, *, fine: bool = False) -> Case:
    """A case of one rulebook, seldom two; if `fine` its step is one nanosecond."""
    modes = ["periods", "phases"] if fine else ["calendar", "calendar", "feed", "periods", "phases"]
    mode = draw(st.sampled_from(modes))
    step = (
        NS // 4
        if mode in ("calendar", "feed")
        else 1
        if fine
        else draw(st.sampled_from([1, 1_000]))
    )
    count = draw(st.sampled_from([1, 1, 1, 2]))
    books = [draw(rulebooks(f"R{i}", step)) for i in range(count)]
    if mode == "phases":
        books = [replace(book, calendar=None) for book in books]
    if (
        mode == "feed"
    ):  # whose `*` records follow the first calendar; a period may last until the next date,
        # with a look at the budget each step
        books = [replace(book, calendar=CALENDARS[0], at_risk=()) for book in books]
    begin = MIDNIGHT + 2 * NS
    grid = st.integers(-3, 27).map(lambda k: begin + k * step)
    late_grid = grid.map(lambda t: t + 86_400 * NS) if mode == "calendar" else grid
    odd = st.tuples(grid, st.sampled_from([-1, 1])).map(sum)
    instants = st.one_of(grid, grid, grid, odd, late_grid)
    made = draw(skeletons(mode, books, step))
    most = draw(st.sampled_from([4, 16, 30, 40]))
    drawn = draw(st.lists(records(instants), min_size=most // 2, max_size=most))
    beside = draw(st.lists(instants.flatmap(conduct), max_size=draw(st.sampled_from([0, 0, 12]))))
    several = draw(st.booleans())
    return Case(tuple(books), mode, (*made, *drawn, *beside), step, several)


# -- rows -----------------------------------------------------------------------------------------

_KINDS = {
    PeriodRecord: Kind.PERIOD,
    ReferenceRecord: Kind.REFERENCE,
    PhaseRecord: Kind.PHASE,
    ExemptionRecord: Kind.EXEMPTION,
    FeedRecord: Kind.FEED,
    StressRecord: Kind.STRESS,
    RfqRecord: Kind.RFQ,
    FillRecord: Kind.FILL,
    PositionRecord: Kind.POSITION,
    SessionRecord: Kind.SESSION,
    RejectRecord: Kind.REJECT,
    UnderlyingRecord: Kind.UNDERLYING,
}


def part_of(record: Tick | Control) -> int:
    """Theos and control records have a partition each, quotes one for odd contracts and one for even."""
    if not isinstance(record, Tick):
        return CONTROLS
    return THEOS if record.kind == Kind.THEO else QUOTES + record.fields[-1] % 2


def rows_of(records: Sequence[Tick | Control]) -> tuple[Rows, list[Control]]:
    """Rows in the order given, offsets counted by partition; a control row's `a` is an index into the list."""
    rows, kept = np.zeros(len(records), ROW), list[Control]()
    offsets = dict.fromkeys(SOURCES, 0)
    for i, record in enumerate(records):
        part = part_of(record)
        offset = offsets[part]
        offsets[part] += 1
        if isinstance(record, Tick):
            rows[i] = (
                record.ts, offset, *record.fields, part, 0, record.kind, record.flags, record.account
            )  # fmt: skip
        else:
            kind = _KINDS[type(record)]
            rows[i] = (record.ts, offset, len(kept), 0, 0, 0, 0, 0, part, 0, kind, 0, 0)
            kept.append(record)
    return rows, kept


def tape_of(case: Case) -> tuple[Rows, dict[int, Control]]:
    """The whole tape in its one order."""
    rows, kept = rows_of(case.records)
    order = np.lexsort((rows["sub"], rows["offset"], rows["part"], rows["kind"], rows["ts"]))
    return rows[order], dict(enumerate(kept))


assert PRICE_SCALE == 10**8  # the ticks above are 1, 2 and 3 units
