"""When each maker was obliged on each contract, from the control records alone: OBL-01 read aloud, for law L1.

It knows no kernels, clocks or slots: between two records it asks of every pair whether it is obliged, and adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from mm_monitor.core.model import (
    PRICE_SCALE,
    Control,
    PeriodRecord,
    PhaseRecord,
    ReferenceRecord,
    UnderlyingRecord,
)
from mm_monitor.core.rulebook import RequiredSet
from tests.laws.sets import Listed, owed

DAY = 86_400_000_000_000
Pair = tuple[str, str]
Theo = tuple[int, str, int | None]  # ts, contract, delta


@dataclass
class Duty:
    """The duties of one rulebook's makers. `judged_by_phases`: no record says when a period starts, phases do."""

    rulebook: str
    judged_by_phases: bool
    rules: RequiredSet | None = None
    classes: dict[str, str] = field(default_factory=dict)  # every contract ever heard of -> class
    live: set[str] = field(default_factory=set)
    appointed: set[Pair] = field(default_factory=set)  # (maker, class or *)
    phases: dict[str, str] = field(default_factory=dict)
    time: Counter[Pair] = field(default_factory=Counter)  # ns obliged in this period
    series: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # kind, strike, expiry
    ticks: dict[str, str] = field(default_factory=dict)
    flags: dict[str, frozenset[str]] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)  # instant of a listing on the tape
    spots: dict[str, Fraction] = field(default_factory=dict)
    deltas: dict[str, Fraction] = field(default_factory=dict)
    day: date = date(1970, 1, 1)
    since: int = -1
    trading_date: str = ""
    at: int = 0
    over: bool = False  # the period has ended
    begun: bool = False

    def obliges(self, maker: str, contract: str) -> bool:
        """Live, appointed, and every scope that has spoken of the contract last said `continuous`."""
        klass = self.classes[contract]
        # a scope is a contract if there is one of that name
        scopes = {"*", contract} | ({klass} if klass not in self.classes else set())
        said = [phase for scope, phase in self.phases.items() if scope in scopes]
        open_ = bool(said) and all(phase == "continuous" for phase in said)
        mine = {(maker, klass), (maker, "*")} & self.appointed
        return open_ and bool(mine) and contract in self.live and self.requires(contract)

    def requires(self, contract: str) -> bool:
        """Is the contract in the required set?"""
        if self.rules is None:
            return True
        everyone = {name: self._listed(name) for name in self.series}
        spot = self.spots.get(self.classes[contract])
        return owed(self.rules, everyone[contract], list(everyone.values()), self.day, spot)

    def _listed(self, name: str) -> Listed:
        kind, strike, expiry = self.series[name]
        flags = self.flags.get(name, frozenset())
        if self.listed.get(name, -1) >= self.since:
            flags |= {"added_today"}
        return Listed(
            self.classes[name], kind, Fraction(strike) if strike else None,
            date.fromisoformat(expiry) if expiry else None, flags, name in self.live,
            self.deltas.get(name),
        )  # fmt: skip

    def advance(self, t: int) -> None:
        """Add up to instant `t`."""
        if not self.over:
            makers = {maker for maker, _ in self.appointed}
            for pair in [(m, c) for m in makers for c in self.classes if self.obliges(m, c)]:
                self.time[pair] += t - self.at
        self.at = t

    def take(self, record: Control) -> None:
        """A control record at its instant."""
        self.advance(record.ts)
        if isinstance(record, ReferenceRecord):
            self._reference(record)
        elif isinstance(record, PhaseRecord) and record.rulebook in ("", self.rulebook):
            self._phase(record)
        elif isinstance(record, UnderlyingRecord):
            self.spots.pop(record.klass, None)
            if record.price is not None:
                self.spots[record.klass] = Fraction(record.price, PRICE_SCALE)
        elif isinstance(record, PeriodRecord) and record.rulebook in ("", self.rulebook):
            self._date(record.edge, record.trading_date)
            self._period(record.edge)

    def theo(self, ts: int, contract: str, delta: int | None) -> None:
        """A theo at its instant, with its delta in 10^-8."""
        self.advance(ts)
        self.deltas.pop(contract, None)
        if delta is not None:
            self.deltas[contract] = Fraction(delta, PRICE_SCALE)

    def _date(self, edge: str, trading_date: str) -> None:
        if edge not in ("start", "roll"):
            return
        midnight = self.at // DAY * DAY
        utc = date(1970, 1, 1) + timedelta(days=self.at // DAY)
        self.trading_date = trading_date
        self.day = date.fromisoformat(trading_date) if trading_date else utc
        if edge == "roll":
            self.since = self.at
        elif not trading_date:
            self.since = midnight

    def _phase(self, record: PhaseRecord) -> None:
        if record.scope not in {"*", *self.classes, *self.classes.values()}:
            return
        if self.judged_by_phases and record.scope == "*":
            if record.phase == "closed":
                self._period("end")
            elif self.over or not self.begun:
                if not self.over:
                    self._date("start", self.trading_date)
                self._period("resume" if self.over else "start")
        self.phases[record.scope] = record.phase

    def _period(self, edge: str) -> None:
        if edge in ("start", "roll"):
            self.time.clear()
        if edge == "end":
            self.over = self.begun
        else:
            self.over, self.begun = False, edge != "roll"

    def _list(self, ts: int, row: Mapping[str, str]) -> None:
        name, series = row["contract"], (row["kind"], row["strike"], row["expiry"])
        flags, tick = frozenset(row["flags"].split()), row["tick"]
        if name not in self.live:
            self.listed[name] = ts
        else:
            flags |= self.flags.get(name, frozenset())
            if (series, tick) != (self.series[name], self.ticks[name]):
                flags |= {"adjusted"}
        self.classes[name] = row["class"]
        self.series[name], self.ticks[name], self.flags[name] = series, tick, flags
        self.live.add(name)

    def _reference(self, record: ReferenceRecord) -> None:
        row, adds = record.row, record.action == "add"
        if record.table == "contracts" and adds:
            self._list(record.ts, row)
        elif record.table == "contracts":
            self.live.discard(row["contract"])
        elif adds:
            self.appointed.add((row["maker"], row["class"]))
        else:
            self.appointed.discard((row["maker"], row["class"]))


def obliged(duty: Duty, records: Sequence[Control | Theo], t: int) -> Counter[Pair]:
    """ns that every pair was obliged in the period as of `t`, after those records in order."""
    for record in records:
        if isinstance(record, tuple):
            duty.theo(*record)
        else:
            duty.take(record)
    duty.advance(max(t, duty.at))
    return duty.time
