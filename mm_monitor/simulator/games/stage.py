"""The stage on which gaming strategies are played: one tape, and the truth of every obligation beside it.

A play writes down what each quote is worth when it writes the quote, so the truth is the script's and not computed
from prices. That works because theo stays within 5 % of its first value, a good quote uses half of the permitted
spread, and the band is wider than theo ever moves: a good quote stays good whatever theo does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.book import LAPSED, QUOTED, UNKNOWN
from mm_monitor.simulator.days import DEMO_DATE, at
from mm_monitor.simulator.games.aside import tell_session, tell_trades
from mm_monitor.simulator.market import TICK, Contract, fourth_wednesday
from mm_monitor.simulator.rows import NULL
from mm_monitor.simulator.scenario import ALL, MILLISECOND, SECOND, Exemption, PhaseChange
from mm_monitor.simulator.session import Control

MINUTE = 60 * SECOND
LEAD_IN = SECOND  # first theos and quotes come this long before continuous trading
BREAK = 5 * MINUTE
MOST_MINUTES = 600  # from 09:30 the day would soon be another
REST = 5 * MILLISECOND  # a price has to stand so long before it counts; see `rulebook.py`
DRIFT = 50  # per mille: how far theo moves from its first value
LOTS = 10
FAR = 900 * TICK  # from the first theo: beyond the band wherever theo goes

Span = tuple[int, int]
Pair = tuple[int, int]  # of the bid and of the ask

# Ways to spoil a good bid and ask: off tick, worth nothing, out of range, nowhere, of a negative size.
DEFECTS: tuple[Callable[[int, int], tuple[Pair, Pair]], ...] = (
    lambda bid, ask: ((bid + 1, ask), (LOTS, LOTS)),
    lambda bid, ask: ((0, ask), (LOTS, LOTS)),
    lambda bid, ask: ((bid, 92 * 10**17 + TICK), (LOTS, LOTS)),
    lambda bid, ask: ((NULL, ask), (LOTS, LOTS)),
    lambda bid, ask: ((bid, ask), (LOTS, -LOTS)),
    lambda bid, ask: ((-bid, ask), (LOTS, LOTS)),
)


class QuoteLine(NamedTuple):
    """A quote as it is sent; `arrives` places its line in the file, maker and contract count from 1."""

    arrives: int
    ts: int
    maker: int
    contract: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


class Player(NamedTuple):
    """A maker on the stage; `strategy` is empty for an honest one."""

    name: str
    strategy: str
    klass: str


class _Worth(NamedTuple):
    """From `ts` on a slot's quote is in `state`, as far as its rest allows; it was sent at `arrives`."""

    ts: int
    state: int
    rest_from: int
    arrives: int


class Clock:
    """Continuous trading of `minutes` in two halves with a break between them, from 09:30 on `day`."""

    def __init__(self, day: date, minutes: int) -> None:
        if minutes < 2:
            raise MonitorError(f"minutes must be at least 2, got {minutes}")
        if minutes > MOST_MINUTES:
            raise MonitorError(f"minutes must be at most {MOST_MINUTES}, got {minutes}")
        opens = at(day, "09:30")
        middle = opens + minutes // 2 * MINUTE
        self.total = minutes * MINUTE
        self.halves: tuple[Span, Span] = (
            (opens, middle),
            (middle + BREAK, opens + self.total + BREAK),
        )
        self.opens, self.closes = opens, self.halves[1][1]
        self.first_instant = opens - LEAD_IN

    def at(self, spent: int) -> int:
        """The instant at which `spent` ns of continuous trading have passed."""
        start, middle = self.halves[0]
        half = middle - start
        return start + spent if spent < half else self.halves[1][0] + spent - half

    def share(self, percent: float) -> int:
        """So many percent of the continuous trading, in ns."""
        return int(self.total * percent) // 100

    def minutes(self) -> Iterator[int]:
        """Whole minutes at which the market is in continuous trading."""
        for start, end in self.halves:
            yield from range(start, end, MINUTE)

    def phases(self) -> list[PhaseChange]:
        """The phases of the market."""
        (opens, middle), (again, closes) = self.halves
        said = ((opens - MINUTE, "opening_auction"), (opens, "continuous"), (middle, "break"),
                (again, "continuous"), (closes, "closed"))  # fmt: skip
        return [PhaseChange(ts, ALL, phase) for ts, phase in said]


@dataclass
class Stage:
    """Everything that the plays wrote: reference, tape and truth. Fixed by `seed`, `day` and `minutes`."""

    seed: int = 1
    day: date = DEMO_DATE
    minutes: int = 20
    players: list[Player] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of makers and accounts, as quotes name them
    accounts: list[tuple[str, str]] = field(default_factory=list)  # account, maker
    contracts: list[Contract] = field(default_factory=list)
    quotes: list[QuoteLine] = field(default_factory=list)
    theos: list[tuple[int, int, int]] = field(default_factory=list)  # ts, theo, contract from 1
    controls: list[Control] = field(default_factory=list)
    exemptions: list[Exemption] = field(default_factory=list)  # those that are granted
    beside: dict[str, dict[str, int]] = field(default_factory=dict)  # by maker: session, hedging
    bad: int = 0  # records that must be refused

    def __post_init__(self) -> None:
        self.clock = Clock(self.day, self.minutes)
        self._worth: dict[tuple[str, str], list[_Worth]] = defaultdict(list)

    def desk(self, strategy: str, theos: Sequence[int]) -> Desk:
        """A class of its own for a strategy: one contract for each of `theos` (10^-8)."""
        klass, expiry = strategy.upper(), fourth_wednesday(self.day.year, self.day.month)
        first = len(self.contracts) + 1
        mine = [
            Contract(f"{klass}-{k}", klass, "call", 1_000_000 + 100_000 * k, expiry, first + k)
            for k in range(len(theos))
        ]
        self.contracts += mine
        return Desk(self, strategy, klass, mine, list(theos))

    def note(self, maker: str, contract: str, worth: _Worth) -> None:
        """What a slot's quote is worth from an instant on."""
        self._worth[maker, contract].append(worth)

    def edges(
        self, maker: str, contract: str, *, by_arrival: bool = False
    ) -> list[tuple[int, int]]:
        """(ts, state) of one obligation in time order; a price counts once it has rested.

        `by_arrival` takes a quote from when it was sent, whatever time it claims.
        """
        worth = self._worth.get((maker, contract), [])
        if by_arrival:
            worth = [
                w._replace(ts=w.arrives, rest_from=w.arrives) if w.arrives != w.ts else w
                for w in worth
            ]
        worth = sorted(worth, key=lambda w: w.ts)
        found: list[tuple[int, int]] = []
        for i, one in enumerate(worth):
            until = worth[i + 1].ts if i + 1 < len(worth) else self.clock.closes + 1
            counts = max(one.ts, one.rest_from + REST)
            if one.state == QUOTED and counts > one.ts:
                found.append((one.ts, LAPSED))
            if one.state != QUOTED or counts < until:
                found.append((counts if one.state == QUOTED else one.ts, one.state))
        return found

    def stands(self, maker: str, contract: str, start: int, end: int) -> bool:
        """Does a quote count throughout [start, end)?"""
        edges = [(0, LAPSED), *self.edges(maker, contract)]
        at_start = [state for ts, state in edges if ts <= start][-1]
        later = [state for ts, state in edges if start < ts < end]
        return all(state == QUOTED for state in (at_start, *later))


@dataclass
class Standing:
    """What one maker has standing on one contract."""

    prices: tuple[int, int] = (NULL, NULL)
    rest_from: int = 0


@dataclass
class Desk:
    """The class of one strategy: its contracts, its theo, and pens for the quotes of its makers."""

    stage: Stage
    strategy: str
    klass: str
    contracts: list[Contract]
    first_theos: list[int]
    moves: list[int] = field(default_factory=list)  # instants at which theo moved
    _theo: list[list[int]] = field(default_factory=list)  # theos of the contracts from each move on
    _standing: dict[tuple[str, str], Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        letters = [ord(letter) for letter in self.strategy]
        self.rng = np.random.default_rng([self.stage.seed, 7, *letters])
        self.clock = self.stage.clock

    # -- people --------------------------------------------------------------------------------

    def player(self, name: str, strategy: str = "") -> Pen:
        """A maker appointed to this class."""
        self.stage.players.append(Player(name, strategy, self.klass))
        self.stage.names.append(name)
        return Pen(self, name, len(self.stage.names))

    def gamer(self) -> Pen:
        """The maker who plays the strategy; named for it."""
        return self.player(self.strategy, self.strategy)

    def honest(self) -> Pen:
        """A colleague who keeps the rules: two quotes a contract and minute, one short outage, a few trades."""
        pen = self.player(f"honest-{self.strategy}")
        length = int(self.rng.integers(SECOND // 10, self.clock.share(1)))
        start = int(self.rng.integers(0, self.clock.total - length))
        out = (self.clock.at(start), self.clock.at(start + length))
        pen.present([(self.clock.first_instant, out[0]), (out[1], self.clock.closes)])
        tell_session(pen, out)
        told = {"off_ns": length, "on_ns": self.clock.total - length, **tell_trades(pen, out)}
        self.stage.beside[pen.name] = told
        return pen

    # -- theo ----------------------------------------------------------------------------------

    def market(
        self, every: int = SECOND, *, fast: Sequence[Span] = (), jumps: Iterable[int] = ()
    ) -> None:
        """Theo walks about every `every` ns, twenty times as often and in great steps in `fast`; `jumps` by 2 %."""
        calm = self._walk_times(self.clock.first_instant, self.clock.closes, every)
        times = dict.fromkeys(calm, 1)
        for start, end in fast:
            times |= dict.fromkeys(self._walk_times(start, end, every // 20), 8)
        times |= dict.fromkeys(jumps, 20)
        place = 0
        for ts in sorted(times):
            step = times[ts] * int(self.rng.choice([-1, 1]))
            place += step if abs(place + step) <= DRIFT else -step
            self.theo(ts, [first * (1000 + place) // 1000 for first in self.first_theos])

    def _walk_times(self, start: int, end: int, every: int) -> Iterator[int]:
        ts = start
        while ts < end:
            yield ts
            ts += every // 2 + int(self.rng.integers(0, every))

    def theo(self, ts: int, theos: list[int]) -> None:
        """New theos of all contracts, later than those before."""
        self.moves.append(ts)
        self._theo.append(theos)
        self.stage.theos += [
            (ts, theo, c.number) for theo, c in zip(theos, self.contracts, strict=True)
        ]

    def theo_at(self, ts: int, k: int) -> int:
        """Theo of the contract at position `k`."""
        i = bisect_right(self.moves, ts) - 1
        return self._theo[i][k] if i >= 0 else self.first_theos[k]

    def control(self, ts: int, record: str, **fields: str) -> None:
        """Any other record of the tape."""
        self.stage.controls.append(Control(ts, record, fields))


@dataclass
class Pen:
    """Writes the quotes of one maker, and what each of them is worth."""

    desk: Desk
    name: str
    number: int

    def account(self, name: str) -> Pen:
        """An account of this maker; what it quotes counts for the maker."""
        self.desk.stage.accounts.append((name, self.name))
        self.desk.stage.names.append(name)
        return Pen(self.desk, self.name, len(self.desk.stage.names))

    def quote(
        self,
        ts: int,
        k: int,
        bid: int,
        ask: int,
        sizes: tuple[int, int] = (LOTS, LOTS),
        *,
        good: bool,
        arrives: int | None = None,
    ) -> None:
        """A two-sided quote on the contract at position `k`; `good`: it passes every test but rest."""
        contract = self.desk.contracts[k]
        standing = self._standing(contract.name)
        if standing.prices != (bid, ask):
            standing.prices, standing.rest_from = (bid, ask), ts
        self._line(ts, contract.number, (bid, ask), sizes, arrives)
        sent = ts if arrives is None else arrives
        worth = _Worth(ts, QUOTED if good else LAPSED, standing.rest_from, sent)
        self.desk.stage.note(self.name, contract.name, worth)

    def good(
        self,
        ts: int,
        k: int,
        sizes: tuple[int, int] = (LOTS, LOTS),
        *,
        good: bool = True,
        arrives: int | None = None,
    ) -> None:
        """A quote around theo with half of the permitted spread; its sizes may spoil it."""
        bid, ask = self.around(self.desk.theo_at(ts, k))
        self.quote(ts, k, bid, ask, sizes, good=good, arrives=arrives)

    @staticmethod
    def around(theo: int) -> tuple[int, int]:
        """Bid and ask around `theo` in whole ticks, half of 3 % apart but at least a tick."""
        spread = max(1, theo * 3 // (200 * TICK))
        bid = max(1, (2 * theo // TICK - spread) // 2)
        return bid * TICK, (bid + spread) * TICK

    def withdraw(self, ts: int, k: int) -> None:
        """Nothing stands any more."""
        contract = self.desk.contracts[k]
        self._standing(contract.name).prices = (NULL, NULL)
        self._line(ts, contract.number, (NULL, NULL), (0, 0), None)
        self.desk.stage.note(self.name, contract.name, _Worth(ts, LAPSED, ts, ts))

    def unusable(self, ts: int, k: int) -> None:
        """A quote that must be refused: what stands is unknown until the next good one."""
        contract = self.desk.contracts[k]
        self._standing(contract.name).prices = (NULL, NULL)
        bid, ask = self.around(self.desk.theo_at(ts, k))
        prices, sizes = DEFECTS[self.desk.stage.bad % len(DEFECTS)](bid, ask)
        self._line(ts, contract.number, prices, sizes, None)
        self.desk.stage.bad += 1
        self.desk.stage.note(self.name, contract.name, _Worth(ts, UNKNOWN, ts, ts))

    def present(
        self,
        spans: Sequence[Span],
        contracts: Iterable[int] | None = None,
        *,
        moving: bool = True,
    ) -> None:
        """Good quotes on the contracts (all) in `spans`, absent between them; `moving` with theo twice a minute."""
        which = range(len(self.desk.contracts)) if contracts is None else contracts
        for k in which:
            for start, end in spans:
                self._stay(start, end, k, moving)

    def _stay(self, start: int, end: int, k: int, moving: bool) -> None:
        self.good(start, k)
        i = bisect_right(self.desk.moves, start)
        last = start
        for ts in self.desk.moves[i:] if moving else ():
            if ts >= end:
                break
            if ts - last >= 30 * SECOND:
                self.good(ts, k)
                last = ts
        if end < self.desk.clock.closes:
            self.withdraw(end, k)

    def _standing(self, contract: str) -> Standing:
        return self.desk._standing.setdefault((self.name, contract), Standing())

    def _line(
        self,
        ts: int,
        contract: int,
        prices: tuple[int, int],
        sizes: tuple[int, int],
        arrives: int | None,
    ) -> None:
        line = QuoteLine(
            ts if arrives is None else arrives, ts, self.number, contract,
            prices[0], sizes[0], prices[1], sizes[1],
        )  # fmt: skip
        self.desk.stage.quotes.append(line)


def away(clock: Clock, spans: Iterable[Span]) -> list[Span]:
    """The rest of the day: when a maker is there who is away in `spans` (instants, in order)."""
    found, start = [], clock.first_instant
    for out, back in spans:
        if start < out:
            found.append((start, out))
        start = back
    if start < clock.closes:
        found.append((start, clock.closes))
    return found


__all__ = ["MILLISECOND", "MINUTE", "SECOND", "Clock", "Desk", "Pen", "Player", "Stage", "away"]
