"""What a simulated session is made from: labelled makers, contracts, phases, incidents.

A `Scenario` is plain data and, with its seed, fixes every record to the nanosecond: the same
scenario is the same session on every machine. All times are int64 ns since the epoch on the
venue's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.market import ETFS, Contract, Underlying, list_contracts

ALL = "*"
SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Behaviour(StrEnum):
    """What a maker does all day; the prefix of its name, so that screens show what to expect."""

    HONEST = "honest"  # valid quotes, at most 3 % of the day out, in short outages
    FAR = "far"  # narrow but far from theo: no rule of szse-2025 forbids it
    BUDGET = "budget"  # out for 9 % of the day in one go: allowed, the budget is 10 %
    WIDE = "wide"  # more than twice the permitted spread
    ONE_SIDED = "one-sided"  # only a bid, or only an ask
    CROSSED = "crossed"  # bid above or equal to ask
    ABSENT = "absent"  # never quotes
    VANISHES = "vanishes"  # honest until the last 12 % of the day
    FLICKERS = "flickers"  # there and gone in turn: present half of the time
    LATE = "late"  # pulls its quotes at each move of the underlying, returns much later
    CHERRY_PICKS = "cherry-picks"  # quotes the cheap half of its contracts only


MISBEHAVING = frozenset(Behaviour) - {Behaviour.HONEST, Behaviour.FAR, Behaviour.BUDGET}


@dataclass(frozen=True, slots=True)
class Maker:
    """One maker, appointed to `classes`; if it `strays`, it quotes the others too, without obligation.

    `latency_ns` is its delay before it mends a quote that a move of theo made invalid.
    """

    name: str
    behaviour: Behaviour
    classes: tuple[str, ...] = (ALL,)
    latency_ns: int = 0
    strays: bool = False


class PhaseChange(NamedTuple):
    """`scope` enters `phase` at `ts`."""

    ts: int
    scope: str
    phase: str


class FeedOutage(NamedTuple):
    """The feed of `maker` (or `*`) in `scope` is down in [down, up); `synced` ends its snapshot."""

    scope: str
    maker: str
    down: int
    up: int
    synced: int | None


class TheoGap(NamedTuple):
    """The theo of `contract` is withdrawn at `start` and published again at `end`."""

    contract: str
    start: int
    end: int


class Exemption(NamedTuple):
    """Exemption `kind` of `maker` (or `*`) in `scope`, from `start` to `end`."""

    scope: str
    maker: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A session as data. See `mm_monitor.simulator.days` for ready-made ones.

    `records_per_second` counts quotes and theos per second of session time while the market is
    open. `requote_share` is the share of quotes renewed at a move of the underlying though they
    were still good. `poison` bad quotes are strewn in, each leaving its slot unknown until the
    maker's next good quote. Raises MonitorError when the parts contradict each other.
    """

    makers: tuple[Maker, ...]
    phases: tuple[PhaseChange, ...]
    date: date
    seed: int = 1
    classes: tuple[Underlying, ...] = ETFS
    contracts_per_class: int = 150
    records_per_second: int = 50_000
    requote_share: float = 0.5
    flicker_ns: int = 5 * MILLISECOND
    lead_in_ns: int = SECOND  # first theos and quotes come this long before continuous trading
    lead_out_ns: int = SECOND  # all quotes are withdrawn this long after the end of the session
    quiet_breaks: bool = True  # the underlyings rest while the market is not in continuous trading
    feed_outages: tuple[FeedOutage, ...] = ()
    theo_gaps: tuple[TheoGap, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    poison: int = 0
    contracts: tuple[Contract, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "contracts", tuple(_all_contracts(self)))

    @property
    def start(self) -> int:
        """The first phase record of scope `*`: start of the judged period."""
        return self.market_phases[0].ts

    @property
    def end(self) -> int:
        """The last phase record of scope `*`: end of the judged period."""
        return self.market_phases[-1].ts

    @property
    def market_phases(self) -> list[PhaseChange]:
        """The phases of scope `*`, in time order."""
        return sorted(phase for phase in self.phases if phase.scope == ALL)

    @property
    def open_intervals(self) -> list[tuple[int, int]]:
        """[start, end) of continuous trading of the whole market, in time order."""
        phases = self.market_phases
        return [
            (phase.ts, after.ts)
            for phase, after in pairwise(phases)
            if phase.phase == "continuous" and after.ts > phase.ts
        ]

    @property
    def open_ns(self) -> int:
        """Continuous trading time of the whole market."""
        return sum(end - start for start, end in self.open_intervals)

    @property
    def mean_tick_ns(self) -> int:
        """Mean time between two moves of one underlying, to get the record rate asked for."""
        quotes = self.contracts_per_class * len(self.makers) * self.requote_share
        records = (self.contracts_per_class + quotes) * len(self.classes)
        return max(2, int(records * SECOND / self.records_per_second))

    @property
    def first_instant(self) -> int:
        """When the first theos and quotes come; may lie before the judged period."""
        return self.open_intervals[0][0] - self.lead_in_ns

    @property
    def rulebook(self) -> str:
        """Id of the rulebook under which the truth holds."""
        return "simulated-exemptions" if self.exemptions else "szse-2025"

    def clock_time(self, spent_ns: int) -> int:
        """The instant at which `spent_ns` of continuous trading have passed, of `open_ns`."""
        for start, end in self.open_intervals:
            if spent_ns <= end - start:
                return start + spent_ns
            spent_ns -= end - start
        raise ValueError(f"the session is shorter by {spent_ns} ns")

    def appointed(self, maker: Maker, klass: str) -> bool:
        """Is `maker` appointed to class `klass`?"""
        return ALL in maker.classes or klass in maker.classes

    def quoted_classes(self, maker: Maker) -> list[int]:
        """Positions of the classes that `maker` quotes, obliged or not."""
        return [
            i
            for i, underlying in enumerate(self.classes)
            if maker.strays or self.appointed(maker, underlying.name)
        ]


def starting_at(scenario: Scenario, start: int) -> Scenario:
    """The same session with all its instants moved so that the judged period starts at `start`."""
    by = start - scenario.start
    return replace(
        scenario,
        phases=tuple(PhaseChange(p.ts + by, p.scope, p.phase) for p in scenario.phases),
        feed_outages=tuple(
            FeedOutage(o.scope, o.maker, o.down + by, o.up + by, o.synced and o.synced + by)
            for o in scenario.feed_outages
        ),
        theo_gaps=tuple(TheoGap(g.contract, g.start + by, g.end + by) for g in scenario.theo_gaps),
        exemptions=tuple(
            Exemption(e.scope, e.maker, e.kind, e.start + by, e.end + by)
            for e in scenario.exemptions
        ),
    )


def _all_contracts(scenario: Scenario) -> list[Contract]:
    contracts: list[Contract] = []
    for underlying in scenario.classes:
        count, first = scenario.contracts_per_class, len(contracts) + 1
        contracts += list_contracts(underlying, scenario.date, count, first)
    return contracts


def check(scenario: Scenario) -> None:
    """Refuse a scenario whose truth would not be well defined. Raises MonitorError."""
    for ok, problem in _requirements(scenario):
        if not ok:
            raise MonitorError(f"scenario: {problem}")


def _requirements(s: Scenario) -> Iterator[tuple[bool, str]]:
    """What must hold, and what to say if it does not; later ones build on earlier ones."""
    names = [maker.name for maker in s.makers]
    distinct = bool(names) and len(set(names)) == len(names)
    yield distinct, f"makers need distinct names, got {names}"
    yield bool(s.classes), "needs at least one class"
    for name in ("contracts_per_class", "records_per_second", "requote_share", "flicker_ns"):
        value = getattr(s, name)
        yield value > 0, f"{name} must be positive, got {value}"
    yield s.requote_share <= 1, f"requote_share must be at most 1, got {s.requote_share}"
    opens = any(phase.scope == ALL for phase in s.phases) and s.open_ns > 0
    yield opens, "the phases of scope * have no continuous trading"
    slowest, most = max(maker.latency_ns for maker in s.makers), s.mean_tick_ns // 2
    yield slowest < most, f"a latency must be below {most} ns, got {slowest}"
    yield _apart(s.feed_outages), "feed outages must not overlap"
    yield not (s.poison and s.feed_outages), "bad quotes and feed outages do not mix"


def _apart(outages: Sequence[FeedOutage]) -> bool:
    spans = sorted((outage.down, outage.synced or outage.up) for outage in outages)
    return all(end < start for (_, end), (start, _) in pairwise(spans))
