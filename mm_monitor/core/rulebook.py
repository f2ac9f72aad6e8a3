"""A rulebook as the engine wants it: every number exact, nothing to parse.

Durations are ns, prices and absolute terms int64 10^-8, percentages exact fractions. What a rulebook leaves
out is None and is not tested. Loading and linting TOML is `mm_monitor.rulebooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_RATIO_PART = 2**33  # keeps every product of the kernels inside 128 bits


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact fraction `num / den`, reduced, both parts at most `MAX_RATIO_PART`, den > 0."""

    num: int
    den: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a spread table, for prices in [price_from, price_to) and days to expiry in [days_from, days_to).

    An open end is None. The limit is `absolute` (10^-8), or `ratio` of the price that the table is `of`.
    """

    price_from: int = 0
    price_to: int | None = None
    days_from: int = 0
    days_to: int | None = None
    absolute: int | None = None
    ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class SizeCell:
    """VAL-04: the least size in expiry months of a class from `months_from` up to `months_to`, the nearest being 0.

    An open end is None.
    """

    size: int
    months_from: int = 0
    months_to: int | None = None


@dataclass(frozen=True, slots=True)
class SpreadTerm:
    """One term of the spread limit (VAL-10). `kind`: relative | ticks | absolute | table | underlying."""

    kind: str
    of: str = ""  # theo | bid | ask | mid for relative, theo | bid for table
    ratio: Ratio | None = None  # relative: share of `of`; underlying: multiple of its spread
    ticks: int = 0
    absolute: int = 0  # 10^-8
    table: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """VAL-07: how far from theo a side may be: `absolute` (10^-8), or `ratio` of theo."""

    absolute: int | None = None
    ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """OBL-02: what an exemption kind does: exclude | deem | relax | one_side."""

    effect: str
    relax: Ratio | None = None


@dataclass(frozen=True, slots=True)
class PhaseAt:
    """A phase that begins at local wall time `at` (seconds after midnight) of trading date + `day` days."""

    at: int
    phase: str
    day: int = 0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Trading days and their phases in the venue's IANA zone. Dates are ISO text."""

    timezone: str
    days: tuple[int, ...]  # Monday = 0
    holidays: frozenset[str]
    phases: tuple[PhaseAt, ...]
    special: Mapping[str, tuple[PhaseAt, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatedRelief:
    """On trading dates `start` to `end` (ISO, both included) the spread limit is multiplied."""

    start: str
    end: str
    multiple: Ratio


@dataclass(frozen=True, slots=True)
class RequiredSet:
    """Which contracts of an appointed class are owed (OBL-01); all of what is given must hold."""

    kinds: tuple[str, ...] = ()  # call | put | future | stock | etf; () = every kind
    months: int | None = None  # the nearest so many expiry months of the class
    min_days: int | None = None  # to expiry, inclusive
    max_days: int | None = None
    below_months: int | None = None  # expires earlier than so many calendar months from now
    exclude: tuple[str, ...] = ()  # flags that take a contract out: adjusted, added_today, ...
    strikes: int | None = None  # per expiry: so many on each side of the one nearest to spot
    nearest: tuple[int, int] | None = None  # per expiry and kind: so many out of, and in the money
    within: Ratio | None = None  # |strike - spot| <= within * spot
    delta: tuple[Ratio, Ratio] | None = None  # least and greatest |delta|, both included


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows of `presence_at_risk`: open while the budget burns `burn` times too fast in both."""

    long: int  # ns of event time
    short: int
    burn: Ratio


@dataclass(frozen=True, slots=True)
class Rfq:
    """Requests for quotes (RESP-02)."""

    respond_within: int
    stay: int = 0
    required: Ratio | None = None
    standing_quote_counts: bool = False
    deemed_fulfilled_up_to: int = 0  # with no more requests than this the duty counts as met


@dataclass(frozen=True, slots=True)
class Signals:
    """Programme-trading signals: never breaches."""

    per_second: int | None = None
    per_day: int | None = None
    cancelled_share: Ratio | None = None
    cancelled_amount: int | None = None  # 10^-8 of the currency


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Every number by which one scheme judges."""

    id: str
    version: int
    sha256: str  # of the file's bytes
    title: str = ""
    effective: str = ""
    verified: bool = False  # has a person read these numbers in the official text?
    checked: Mapping[str, bool] = field(
        default_factory=dict
    )  # the same of tables that say so, by path
    source: str = ""
    calendar: Calendar | None = None
    min_size: int | None = None
    size_by_month: tuple[
        SizeCell, ...
    ] = ()  # the first that holds the month; where none does, min_size
    size_difference: Ratio | None = None
    size_difference_of: str = ""  # smaller | larger | mean
    max_age: int | None = None
    zero_bid_below: int | None = None
    combine: str = "max"  # max | min
    terms: tuple[SpreadTerm, ...] = ()
    grace: int | None = None
    off_theo: Band | None = None
    theo_max_age: int | None = None
    when_missing: str = "unknown"  # unknown | skip_spread | exclude | hold
    required: Ratio | None = None
    required_time: int = 0  # ns that each contract must be quoted in any case, beside `required`
    judged_by: str = (
        "ratio_of_sums"  # coverage | mean_of_ratios | contracts | products | days | stretches
    )
    coverage_required: Ratio | None = None
    longest_permitted: int | None = None
    stress_relief: Ratio | None = None
    exemptions: Mapping[str, Meaning] = field(default_factory=dict)
    min_rest: int | None = None  # VAL-09
    rest_counts: str = "from_then"  # from_then | retroactive
    fills_shrink: bool = False  # the venue does not restate a quote after a fill
    dated_relief: tuple[DatedRelief, ...] = ()
    required_set: RequiredSet | None = None
    accounts: str = (
        ""  # union | best: how the accounts of one maker make one quote; "": the last one is it
    )
    coverage_all_but_pairs: int = 0  # coverage also passes with all but so many call/put pairs
    contracts_required: int | None = None  # judged_by = contracts: so many of each class pass
    products_required: int | None = None  # judged_by = products: so many classes pass
    windows: tuple[int, ...] = ()  # widths in ns of obliged time (PRES-06)
    am_pm: bool = False  # each continuous session of the day is a window too
    at_risk: tuple[Burn, ...] = ()
    at_risk_every: int = 60_000_000_000  # ns of event time between two looks
    stress_weight: Ratio | None = None
    stress_required: Ratio | None = None
    longest_hole: int | None = None  # ns without any valid maker before a `market_hole` breach
    rfq: Rfq | None = None
    days_required: Ratio | None = None  # share of days that must pass
    days_tolerated: int | None = None  # so many days may fail
    signals: Signals | None = None
    sensitivity: Ratio | None = None  # would the verdict flip with theo +- this share?
    missing: tuple[str, ...] = ()  # numbers that no source gives

    @property
    def reads_underlying(self) -> bool:
        """Does the spread limit follow the underlying's own spread (VAL-10)?"""
        return any(term.kind == "underlying" for term in self.terms)

    @property
    def reads_date(self) -> bool:
        """Does the spread limit (VAL-10) or the least size (VAL-04) depend on the trading date?"""
        table = any(term.kind == "table" for term in self.terms)
        return table or bool(self.dated_relief) or bool(self.size_by_month)

    @property
    def reads_theo(self) -> bool:
        """Does any quote test read theo (VAL-12, policy `exclude`)?"""
        spread = any(
            term.kind in ("relative", "table") and term.of == "theo" for term in self.terms
        )
        return spread or self.off_theo is not None or self.zero_bid_below is not None
