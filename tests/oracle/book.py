"""What the records up to an instant say, and how one slot is judged by that, from scratch.

A test passes (True), fails (False) or hangs on a missing number (None). Prices are in 10^-8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from .records import Capture, Record, Side, Slot
from .rulebook import Day, Rules, Term, price, ratio

Key = tuple[str, str]  # scope, maker
Row = dict[str, Any]
Number = Fraction | int | None
NEVER = (None, None)  # the prices of a quote that is not there


class Quote(NamedTuple):
    """What stands; a side is None where absent."""

    bid: Side | None
    ask: Side | None


class Piece(NamedTuple):
    """A slot over `[t0, t1)`: state (None: not obliged), failing tests, validity (None: unknown)."""

    t0: int
    t1: int
    state: str | None
    fails: list[str]
    valid: bool | None
    resumes: bool  # its class and contract leave the rest of the calendar to be obliged
    stress: bool
    free: bool  # exempt or deemed
    use: int | None  # of the limit, in 10^-9


@dataclass
class Book:
    """The state of the tape in one trading date; `reached` are the rests known to be reached."""

    capture: Capture
    rules: Rules
    day: Day
    reached: set[tuple[Slot, int]] = field(default_factory=set)
    phase: dict[str, str] = field(default_factory=dict)
    exempt: set[tuple[str, str, str]] = field(default_factory=set)
    down: set[Key] = field(default_factory=set)
    owed: dict[Slot, set[Key]] = field(default_factory=dict)  # keys up again, snapshot still owed
    bad: set[Slot] = field(default_factory=set)  # a dead letter since the last good quote
    stress: set[str] = field(default_factory=set)
    theo: dict[str, Record] = field(default_factory=dict)
    seen_theo: dict[str, Record] = field(default_factory=dict)  # the last that was a number
    underlying: dict[str, Row] = field(default_factory=dict)  # by class
    outside: set[int] = field(default_factory=set)  # lines of quotes outside the required set
    quotes: dict[Slot, dict[str, Quote]] = field(default_factory=dict)  # by account
    stamp: dict[Slot, int] = field(default_factory=dict)  # the instant of the last quote
    stood: dict[Slot, Any] = field(
        default_factory=dict
    )  # prices at the last instant, and since when

    def __post_init__(self) -> None:
        self.dated = self.rules.dated_relief(self.day.date)
        self.judge = cache(lambda *of: judge(self.rules, *of))

    def covers(self, scope: str, maker: str, slot: Slot) -> bool:
        return scope in ("*", slot[1], self.capture.cls(slot[1])) and maker in ("*", slot[0])

    def apply(self, record: Record) -> None:
        row = record.row
        if record.kind == "phase":
            self.phase[row["scope"]] = row["phase"]
        elif record.kind == "exemption":
            key = (row["scope"], row["maker"], row["kind"])
            (self.exempt.add if row["action"] == "start" else self.exempt.discard)(key)
        elif record.kind == "stress":
            (self.stress.add if row["action"] == "start" else self.stress.discard)(row["scope"])
        elif record.kind == "feed":
            self._feed((row["scope"], row["maker"]), row["status"], record.ts)
        elif record.kind == "underlying":
            self.underlying[row["class"]] = row
        elif record.kind == "theo":
            self.theo[row["contract"]] = record
            self.seen_theo |= {} if row["theo"] is None else {row["contract"]: record}
        elif record.kind in ("quote", "fill") and record.ts >= self.day.roll:
            slot = (row["maker"], row["contract"])
            if slot in self.capture.slots:
                (self._quote if record.kind == "quote" else self._fill)(slot, record)

    def _feed(self, key: Key, status: str, ts: int) -> None:
        slots = [s for s in self.capture.slots if self.covers(*key, s)]
        if status == "down":
            self.down.add(key)
        elif status == "up" and key in self.down:
            self.down.discard(key)
            for slot in slots if ts >= self.day.roll else []:
                self.owed.setdefault(slot, set()).add(key)
        elif status == "synced" and key not in self.down:
            for slot in (s for s in slots if key in self.owed.get(s, ())):
                self.owed[slot].discard(key)
                self.quotes.pop(slot, None)

    def _quote(self, slot: Slot, record: Record) -> None:
        row = record.row
        if row.get("bad"):
            self.bad.add(slot)
            return
        if record.ts < self.day.until and not self.owes(slot[1]):
            self.outside.add(record.line)
        self.bad.discard(slot)
        account = row["account"] if self.rules.rollup else ""
        self.quotes.setdefault(slot, {})[account] = Quote(row["bid"], row["ask"])
        self.stamp[slot] = record.ts
        if not self._is_down(slot):
            self.owed.pop(slot, None)

    def _fill(self, slot: Slot, record: Record) -> None:
        side = "bid" if record.row["side"] == "buy" else "ask"
        for account, quote in self.quotes.get(slot, {}).items() if self.rules.shrinks else ():
            price, size = getattr(quote, side) or (0, 0)
            left = (price, size - record.row["size"]) if size > record.row["size"] else None
            self.quotes[slot][account] = quote._replace(**{side: left})

    def settle(self, now: int) -> None:
        """The instant is over: a quote whose prices changed, or came from nothing, rests from now."""
        for slot in self.capture.slots:
            quote = self.quote(slot)
            prices = tuple(side and side[0] for side in quote) if slot not in self.bad else None
            if prices != self.stood.get(slot, (NEVER, now))[0]:
                self.stood[slot] = (prices, now)

    def quote(self, slot: Slot) -> Quote:
        """The effective quote of the maker's accounts."""
        own = [quote for _, quote in sorted(self.quotes.get(slot, {}).items())]
        bids, asks = [q.bid for q in own if q.bid], [q.ask for q in own if q.ask]
        if self.rules.rollup == "union":
            bid, ask = (
                max(b[0] for b in bids) if bids else 0,
                min(a[0] for a in asks) if asks else 0,
            )
            sizes = [
                sum(n for p, n in side if p == best) for side, best in ((bids, bid), (asks, ask))
            ]
            return Quote((bid, sizes[0]) if bids else None, (ask, sizes[1]) if asks else None)
        return min(own, key=_rank, default=Quote(None, None))

    def _is_down(self, slot: Slot) -> bool:
        return any(self.covers(*key, slot) for key in self.down)

    def _is_open(self, *scopes: str) -> bool:
        return all(self.phase[s] == "continuous" for s in scopes if s in self.phase)

    def _theo_now(self, contract: str, now: int) -> int | None:
        if self.rules.when_missing == "hold":
            return self.seen_theo[contract].row["theo"] if contract in self.seen_theo else None
        last, age = self.theo.get(contract), self.rules.theo_age
        return last.row["theo"] if last and (age is None or now < last.ts + age) else None

    def _days(self, contract: str) -> float:
        expiry: date | None = self.capture.contracts[contract]["expiry"]
        return (expiry - self.day.date).days if expiry else math.inf

    def owes(self, contract: str) -> bool:
        """The contract is in the required set; what a missing spot or delta leaves open, holds."""
        want, row = self.rules.required_set, self.capture.contracts[contract]
        days, expiry, strike = self._days(contract), row["expiry"], row["strike"]
        mates = [c for c in self.capture.contracts.values() if c["class"] == row["class"]]
        alive = {c["expiry"] for c in mates if c["expiry"] and c["expiry"] >= self.day.date}
        months = sorted({(d.year, d.month) for d in alive})[: want.get("months", len(alive))]
        spot = self.underlying.get(row["class"], {}).get("spot")
        delta = self.theo[contract].row["delta"] if contract in self.theo else None
        tests = [
            row["kind"] in want.get("kinds", [row["kind"]]),
            "months" not in want or (expiry and (expiry.year, expiry.month) in months),
            want.get("min_days", 0) <= days or "min_days" not in want,
            "max_days" not in want or days <= want["max_days"],
            not {*(row.get("flags") or "").split()} & {*want.get("exclude", [])},
        ]
        if spot is not None and strike is not None:
            ladder = sorted({c["strike"] for c in mates if c["expiry"] == expiry and c["strike"]})
            nearest = min(ladder, key=lambda at: (abs(at - spot), at))
            steps = abs(ladder.index(strike) - ladder.index(nearest))
            tests.append(steps <= want.get("strikes", steps))
            tests.append("within" not in want or abs(strike - spot) <= ratio(want["within"]) * spot)
        if delta is not None and "delta" in want:
            low, high = (want["delta"].get(k, d) for k, d in (("from", "0"), ("to", "1")))
            tests.append(price(low) <= abs(delta) <= price(high))
        return all(tests)

    def _rested(self, slot: Slot, now: int) -> bool:
        """VAL-09; retroactively a rest has the future's verdict, which `reached` brings."""
        rest, since = self.rules.min_rest, self.stood.get(slot, (NEVER, now))[1]
        if rest is not None and now - since >= rest:
            self.reached.add((slot, since))
        return rest is None or (slot, since) in self.reached

    def piece(self, slot: Slot, t0: int, t1: int) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        own = (self.capture.cls(slot[1]), slot[1])
        spoken = any(s in self.phase for s in ("*", *own))
        obliged = spoken and self._is_open("*", *own) and self.owes(slot[1])
        meanings = [self.rules.exemptions[k[2]] for k in self.exempt if self.covers(*k[:2], slot)]
        stress = any(self.covers(scope, "*", slot) for scope in self.stress)
        unknown = self._is_down(slot) or bool(self.owed.get(slot)) or slot in self.bad
        theo = self._theo_now(slot[1], t0)
        missing = self.rules.when_missing == "exclude" and self.rules.reads_theo and theo is None
        relaxed = max((m for m in meanings if isinstance(m, Fraction)), default=1)
        factor = relaxed * self.dated * (self.rules.relief if stress else 1)
        fresh = self.rules.max_age is None or t0 < self.stamp.get(slot, 0) + self.rules.max_age
        fails, valid, use = self.judge(
            self.quote(slot), theo, self.underlying.get(own[0], {}).get("spread"), factor, "one_side" in meanings,
            self.capture.contracts[slot[1]]["tick"], self._days(slot[1]), fresh,
            self._rested(slot, t0),
        )  # fmt: skip
        fails, valid, use = ([], None, None) if unknown else (fails, valid, use)
        free = "exclude" in meanings or "deem" in meanings
        if "exclude" in meanings or (missing and not unknown and not free):
            state, use = "exempt", None
        elif "deem" in meanings:
            state, use = "quoted", None
        else:
            state = {True: "quoted", False: "lapsed", None: "unknown"}[valid]
        resumes = self._is_open(*own)
        return Piece(t0, t1, state if obliged else None, fails, valid, resumes, stress, free, use)


def _rank(quote: Quote) -> tuple[Any, ...]:
    """The best of the accounts: two sides, then narrowest, then the larger smaller size."""
    bid, ask = quote
    if bid and ask:
        return (0, ask[0] - bid[0], -min(bid[1], ask[1]))
    return (1, 0, 0)


def judge(
    rules: Rules, quote: Quote, theo: int | None, gap: int | None, factor: Fraction | int,
    one_side: bool, tick: int, days: float, fresh: bool, rested: bool,
) -> tuple[list[str], bool | None, int | None]:  # fmt: skip
    """The tests that fail, in order, validity and use of the limit; `factor` multiplies the limit."""
    bid, ask = quote
    if not (bid or ask):
        return ["absent"], False, None
    sizes = [side[1] for side in (bid, ask) if side]
    wide, use = (
        _spread(rules, bid[0], ask[0], theo, gap, factor, tick, days)
        if bid and ask
        else (True, None)
    )
    tests = {
        "one_sided": True if (bid and ask) or one_side else _zero_bid(rules, bid is None, theo),
        "crossed": not (bid and ask) or bid[0] < ask[0],
        "size": rules.min_size is None or min(sizes) >= rules.min_size,
        "unequal": len(sizes) < 2 or _equal(rules, min(sizes), max(sizes)),
        "spread": wide,
        "off_theo": _near(rules.band, bid and bid[0], ask and ask[0], theo),
        "stale": fresh,
        "flicker": rested,
    }
    fails = [name for name, passed in tests.items() if passed is False]
    hangs = None in tests.values() and rules.when_missing != "skip_spread"
    return fails, False if fails else (None if hangs else True), use


def _zero_bid(rules: Rules, ask_alone: bool, theo: int | None) -> bool | None:
    if not ask_alone or rules.zero_bid_below is None:
        return False
    return None if theo is None else theo < rules.zero_bid_below


def _equal(rules: Rules, small: int, large: int) -> bool:
    raw = rules.size_difference
    if raw is None:
        return True
    of = {"smaller": Fraction(small), "larger": Fraction(large), "mean": Fraction(small + large, 2)}
    return large - small <= Fraction(raw["ratio"].rstrip("%")) / 100 * of[raw["of"]]


def _limit(term: Term, at: dict[str, Number], days: float) -> Number:
    """The limit of one term; None while a number that it needs is missing."""
    if term.kind in ("ticks", "absolute"):
        return term.value * (at["tick"] or 0) if term.kind == "ticks" else term.value
    base = at[term.of]
    if base is None or term.kind != "table":
        return None if base is None else term.value * base
    for cell in term.cells:
        if all(
            low <= x and (high is None or x < high)
            for x, (low, high) in ((base, cell.prices), (days, cell.days))
        ):
            return cell.value[1] * (base if cell.value[0] == "relative" else 1)
    return 0


def _spread(
    rules: Rules, bid: int, ask: int, theo: int | None, gap: int | None, factor: Fraction | int,
    tick: int, days: float,
) -> tuple[bool | None, int | None]:  # fmt: skip
    """Does the spread pass, and how much of the limit does it use?"""
    at: dict[str, Number] = {"bid": bid, "ask": ask, "mid": Fraction(bid + ask, 2), "theo": theo,
                             "underlying_spread": gap, "tick": tick}  # fmt: skip
    limits = [_limit(term, at, days) for term in rules.terms]
    known = [limit * factor for limit in limits if limit is not None]
    limit = (max if rules.combine == "max" else min)(known, default=None)
    use = min(10**9 * (ask - bid) // limit, 2**32 - 1) if limit else None
    passes = None if limit is None else ask - bid <= limit
    if len(known) < len(limits) and passes is not (rules.combine == "max"):
        return None, use  # a missing term may turn a failed max, and a passed min
    return passes is not False, use


def _near(band: Term | None, bid: int | None, ask: int | None, theo: int | None) -> bool | None:
    if band is None or theo is None:
        return True if band is None else None
    width = band.value * (theo if band.kind == "relative" else 1)
    return (bid is None or bid <= theo + width) and (ask is None or ask >= theo - width)
