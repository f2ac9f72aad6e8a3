"""HEDG-01 and HEDG-02: how long positions were above their limit, and how long a fill took to be hedged.

A position is a state that stands until the next record, overnight too; what happened is counted within the period
alone. Nothing is counted of an instant before it is over, so records of one instant leave no excursion of no length.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from mm_monitor.core.rules.delays import Delays

KEPT = 100  # excursions that are listed of a maker in a class and day: the longest


@dataclass(frozen=True, slots=True)
class Excursion:
    """A position above its limit from `start` until `end` (None: still is), at most by `excess` (10^-8)."""

    start: int
    end: int | None
    excess: int


@dataclass(slots=True)
class Tally:
    """What a period has brought so far; times in ns, excess in 10^-8."""

    within: int = 0
    above: int = 0
    unknown: int = 0  # before the first position was known
    excess: int = 0
    excursions: int = 0  # the one that goes on included
    longest: list[Excursion] = field(default_factory=list)  # those that are over, longest first
    fills: int = 0
    unhurt: int = 0  # fills that left the position inside its limit
    blind: int = 0  # fills while the position was not known
    delays: Delays = field(default_factory=Delays)

    def keep(self, start: int, end: int, excess: int) -> None:
        """List an excursion that is over."""
        insort(self.longest, Excursion(start, end, excess), key=_shortness)
        del self.longest[KEPT:]

    def copy(self) -> Tally:
        """An independent copy."""
        return replace(self, longest=self.longest.copy(), delays=self.delays.copy())


def _shortness(excursion: Excursion) -> tuple[int, int]:
    assert excursion.end is not None
    return excursion.start - excursion.end, excursion.start


@dataclass(slots=True)
class Desk:
    """One maker in one class."""

    net_delta: int | None = None  # 10^-8; None: not known
    limit: int = 0
    at: int = 0  # instant up to which everything is counted
    moved: bool = False  # did a position come at that instant?
    since: int | None = None  # the excursion that goes on began here
    peak: int = 0  # its greatest excess
    waiting: list[int] = field(default_factory=list)  # fills that no position has followed
    outside: list[int] = field(default_factory=list)  # fills whose position has not come back
    tally: Tally = field(default_factory=Tally)

    def run(self, t: int, counts: bool) -> None:
        """The position has stood from `at` to `t`, in the period if it `counts`."""
        if t <= self.at:
            return
        if counts and self.net_delta is None:
            self.tally.unknown += t - self.at
        elif counts and self.net_delta is not None:
            excess = abs(self.net_delta) - self.limit
            if excess > 0:
                self._above(t - self.at, excess)
            else:
                self._within(t - self.at)
        self.at, self.moved = t, False

    def _above(self, length: int, excess: int) -> None:
        tally = self.tally
        if self.since is None:
            self.since, self.peak = self.at, 0
            tally.excursions += 1
        tally.above += length
        self.peak = max(self.peak, excess)
        tally.excess = max(tally.excess, excess)
        self.outside += self.waiting
        self.waiting.clear()

    def _within(self, length: int) -> None:
        tally = self.tally
        tally.within += length
        if self.since is not None:
            tally.keep(self.since, self.at, self.peak)
            self.since = None
        if self.moved:
            for fill in self.outside:
                tally.delays.add(self.at - fill)
            tally.unhurt += len(self.waiting)
            self.outside.clear()
            self.waiting.clear()

    def fill(self, t: int) -> None:
        """The maker traded at `t`, up to which everything is counted."""
        self.tally.fills += 1
        if self.net_delta is None:
            self.tally.blind += 1
        else:
            self.waiting.append(t)

    def copy(self) -> Desk:
        """An independent copy."""
        waiting, outside = self.waiting.copy(), self.outside.copy()
        return replace(self, waiting=waiting, outside=outside, tally=self.tally.copy())

    def begin(self, t: int) -> None:
        """A period begins: only what stands is carried into it."""
        self.run(t, counts=False)
        self.since, self.tally = None, Tally()
        self.waiting.clear()
        self.outside.clear()


@dataclass(frozen=True, slots=True)
class HedgingRow:
    """HEDG-01 and HEDG-02 of one maker in one class as of an instant; ns and 10^-8."""

    maker: str
    klass: str
    net_delta: int | None  # None: not known
    limit: int
    within: int
    above: int
    unknown: int
    greatest_excess: int
    excursions: int
    longest: int  # time to return of the slowest, one that goes on included
    listed: tuple[Excursion, ...]  # the longest, in order of their start
    fills: int
    unhurt: int
    blind: int
    pending: int  # fills whose position has not come back yet, or of which no position has told yet
    delays: Delays


class Hedging:
    """The desks of all makers, by maker and class."""

    def __init__(self) -> None:
        self.desks: dict[tuple[str, str], Desk] = {}
        self.judging = False  # is a period on?
        self.since = 0  # instant at which it began

    def position(self, t: int, maker: str, klass: str, net_delta: int, limit: int) -> None:
        """A maker's position in a class is another from `t` on."""
        desk = self._desk(maker, klass)
        desk.run(t, self.judging)
        desk.net_delta, desk.limit, desk.moved = net_delta, limit, True

    def fill(self, t: int, maker: str, klass: str) -> None:
        """A maker traded in a class. Outside the period, and where nobody tells positions, it is not looked at."""
        if self.judging:
            desk = self._desk(maker, klass)
            desk.run(t, counts=True)
            desk.fill(t)

    def _desk(self, maker: str, klass: str) -> Desk:
        desk = self.desks.get((maker, klass))
        if desk is None:
            desk = self.desks[maker, klass] = Desk(at=self.since)
        return desk

    def begin(self, t: int) -> None:
        """A period begins."""
        self.judging, self.since = True, t
        for desk in self.desks.values():
            desk.begin(t)

    def resume(self, t: int) -> None:
        """The period goes on after its end was taken back."""
        for desk in self.desks.values():
            desk.run(t, counts=False)
            desk.moved = True
        self.judging = True

    def end(self, t: int) -> None:
        """The period is over."""
        for desk in self.desks.values():
            desk.run(t, self.judging)
        self.judging = False

    def rows(self, t: int, makers: Iterable[str]) -> tuple[HedgingRow, ...]:
        """As of `t`, of those `makers` of whom a position is known; sorted by maker, class. Changes nothing."""
        told = {key[0] for key, desk in self.desks.items() if desk.net_delta is not None}
        wanted, rows = told & set(makers), []
        for key in sorted(self.desks):
            if key[0] in wanted:
                desk = self.desks[key].copy()
                desk.run(t, self.judging)
                rows.append(_row(key, desk))
        return tuple(rows)

    def state(self) -> dict[str, Any]:
        """All that decides what will be said."""
        desks = [[maker, klass, desk] for (maker, klass), desk in sorted(self.desks.items())]
        return {"desks": desks, "judging": self.judging, "since": self.since}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.judging, self.since = state["judging"], state["since"]
        for maker, klass, desk in state["desks"]:
            self.desks[maker, klass] = desk


def _row(key: tuple[str, str], desk: Desk) -> HedgingRow:
    tally = desk.tally
    listed = sorted(tally.longest, key=lambda e: e.start)
    lengths = [e.end - e.start for e in listed if e.end is not None]
    if desk.since is not None:
        listed.append(Excursion(desk.since, None, desk.peak))
        lengths.append(desk.at - desk.since)
    return HedgingRow(
        maker=key[0], klass=key[1], net_delta=desk.net_delta, limit=desk.limit, within=tally.within,
        above=tally.above, unknown=tally.unknown, greatest_excess=tally.excess,
        excursions=tally.excursions, longest=max(lengths, default=0), listed=tuple(listed),
        fills=tally.fills, unhurt=tally.unhurt, blind=tally.blind,
        pending=len(desk.waiting) + len(desk.outside), delays=tally.delays,
    )  # fmt: skip
