"""What the records up to an instant say, and how one slot is judged by that, from scratch.

A test passes (True), fails (False) or hangs on a missing number (None). Prices are in 10^-8.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections import defaultdict
from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from .records import Capture, Record, Row, Side, Slot
from .rulebook import Day, Rules, duration, price, ratio

Key = tuple[str, str]  # scope, maker
Number = Fraction | int | None
NOTHING = (None, None)


class Quote(NamedTuple):
    """What stands; a side is None where absent."""

    bid: Side | None
    ask: Side | None


class Piece(NamedTuple):
    """A slot over `[t0, t1)`: state (None: not obliged), tests that fail, validity (None: unknown)."""

    t0: int
    t1: int
    state: str | None
    fails: list[str]
    valid: bool | None
    resumes: bool  # its class and contract leave the rest of the calendar to be obliged
    stress: bool
    free: bool  # exempt or deemed
    use: int  # of the limit, in 10^-9
    lost: bool  # what the maker quotes is unknown, or nobody is obliged
    sides: tuple[bool, bool]


class Book:
    """The state of the tape in one trading date; `reached` are the rests known to be reached."""

    def __init__(self, capture: Capture, rules: Rules, day: Day, reached: set[tuple[Slot, int]]):
        self.capture, self.rules, self.day, self.reached = capture, rules, day, reached
        self.phase: dict[str, str] = {}
        self.exempt: set[tuple[str, str, str]] = set()
        self.stress: set[str] = set()
        self.down: set[Key] = set()
        self.owed: defaultdict[Slot, set[Key]] = defaultdict(set)  # up again, snapshot still owed
        self.bad: set[Slot] = set()  # a dead letter since the last good quote
        self.theo: dict[str, Record] = {}
        self.seen_theo: dict[str, Record] = {}  # the last that was a number
        self.underlying: dict[str, Row] = {}  # by class
        self.quotes: defaultdict[Slot, dict[str, Quote]] = defaultdict(dict)  # by account
        self.stamp: dict[Slot, int] = {}  # the instant of the last quote
        self.stood: dict[Slot, tuple[Any, int]] = {}  # prices at the last instant, and since when
        dated = [
            d for d in rules.get("spread.relief", default=[]) if d["from"] <= day.date <= d["to"]
        ]
        self.dated = max((Fraction(d["multiple"]) for d in dated), default=1)
        self.judge = cache(lambda *of: judge(rules, *of))

    def covers(self, scope: str, maker: str, slot: Slot) -> bool:
        return scope in ("*", slot[1], self.capture.cls(slot[1])) and maker in ("*", slot[0])

    def apply(self, record: Record) -> None:
        row, kind = record.row, record.kind
        if kind == "phase":
            self.phase[row["scope"]] = row["phase"]
        elif kind == "exemption":
            key = (row["scope"], row["maker"], row["kind"])
            (self.exempt.add if row["action"] == "start" else self.exempt.discard)(key)
        elif kind == "stress":
            (self.stress.add if row["action"] == "start" else self.stress.discard)(row["scope"])
        elif kind == "feed":
            self._feed((row["scope"], row["maker"]), row["status"], record.ts)
        elif kind == "underlying":
            self.underlying[row["class"]] = row
        elif kind == "theo":
            self.theo[row["contract"]] = record
            self.seen_theo |= {} if row["theo"] is None else {row["contract"]: record}
        elif kind in ("quote", "fill") and record.ts >= self.day.roll:
            slot = (row["maker"], row["contract"])
            if slot in self.capture.slots:
                (self._quote if kind == "quote" else self._fill)(slot, record)

    def _feed(self, key: Key, status: str, ts: int) -> None:
        slots = [s for s in self.capture.slots if self.covers(*key, s)]
        if status == "down":
            self.down.add(key)
        elif status == "up" and key in self.down:
            self.down.discard(key)
            for slot in slots if ts >= self.day.roll else []:
                self.owed[slot].add(key)
        elif status == "synced" and key not in self.down:
            for slot in (s for s in slots if key in self.owed[s]):
                self.owed[slot].discard(key)
                self.quotes[slot].clear()

    def _quote(self, slot: Slot, record: Record) -> None:
        row = record.row
        if row.get("bad"):
            self.bad.add(slot)
            return
        begun = record.ts >= (self.day.roll if self.day.phases else self.day.start)
        if record.ts < self.day.until and not self.owes(slot[1], begun):
            self.capture.outside.add(record.line)
        self.bad.discard(slot)
        account = row["account"] if "accounts" in self.rules.raw else ""
        self.quotes[slot][account] = Quote(row["bid"], row["ask"])
        self.stamp[slot] = record.ts
        if not self._is_down(slot):
            self.owed[slot].clear()

    def _fill(self, slot: Slot, record: Record) -> None:
        account = record.row["account"] if "accounts" in self.rules.raw else ""
        quote, filled = self.quotes[slot].get(account), record.row["size"]
        if quote and self.rules.get("quote.after_fill") == "shrinks":
            buys = record.row["side"] == "buy"
            at, size = (quote.bid if buys else quote.ask) or (0, 0)
            left = (at, size - filled) if size > filled else None
            self.quotes[slot][account] = Quote(left, quote.ask) if buys else Quote(quote.bid, left)

    def settle(self, now: int) -> None:
        """The instant is over: a quote whose prices changed, or came from nothing, rests from now."""
        for slot in self.capture.slots:
            prices = tuple(side and side[0] for side in self.quote(slot))
            if slot in self.bad or prices != self.stood.get(slot, (NOTHING, now))[0]:
                self.stood[slot] = (None if slot in self.bad else prices, now)

    def quote(self, slot: Slot) -> Quote:
        """The effective quote of the maker's accounts."""
        own = [quote for _, quote in sorted(self.quotes[slot].items()) if quote.bid or quote.ask]
        if self.rules.get("accounts.rollup") == "best" or len(own) < 2:
            return min(own, key=_rank, default=Quote(None, None))
        bids, asks = [q.bid for q in own if q.bid], [q.ask for q in own if q.ask]
        bid = max((b[0] for b in bids), default=0)
        ask = min((a[0] for a in asks), default=0)
        return Quote((bid, sum(n for p, n in bids if p == bid)) if bids else None,
                     (ask, sum(n for p, n in asks if p == ask)) if asks else None)  # fmt: skip

    def _is_down(self, slot: Slot) -> bool:
        return any(self.covers(*key, slot) for key in self.down)

    def _is_open(self, *scopes: str) -> bool:
        return all(self.phase[s] == "continuous" for s in scopes if s in self.phase)

    def _theo_now(self, contract: str, now: int) -> int | None:
        hold, age = (
            self.rules.get("theo.when_missing") == "hold",
            self.rules.get("theo.max_age", duration),
        )
        last = (self.seen_theo if hold else self.theo).get(contract)
        return last.row["theo"] if last and (hold or age is None or now < last.ts + age) else None

    def _days(self, contract: str) -> float:
        expiry = self.capture.contracts[contract]["expiry"]
        return float((expiry - self.day.date).days) if expiry else math.inf

    def owes(self, contract: str, begun: bool = True) -> bool:
        """The contract is in the required set; what hangs on a missing date, spot or delta holds."""
        want, row = self.rules.raw.get("required_set"), self.capture.contracts[contract]
        if want is None:
            return True
        days, expiry, strike = self._days(contract), row["expiry"], row["strike"]
        mates = [c for c in self.capture.contracts.values() if c["class"] == row["class"]]
        alive = {c["expiry"] for c in mates if c["expiry"] and c["expiry"] >= self.day.date}
        months = sorted({(d.year, d.month) for d in alive})[: want.get("months", len(alive))]
        tests = [
            row["kind"] in want.get("kinds", [row["kind"]]),
            "months" not in want or not begun or (expiry and (expiry.year, expiry.month) in months),
            want.get("min_days", -math.inf) <= days <= want.get("max_days", math.inf)
            or (expiry and not begun),
            "below_months" not in want
            or bool(expiry and (not begun or expiry < _later(self.day.date, want["below_months"]))),
            not {*(row.get("flags") or "").split()} & {*want.get("exclude", [])},
        ]
        spot = self.underlying.get(row["class"], {}).get("spot")
        if spot is not None and strike is None:
            tests.append(not want.keys() & {"strikes", "within", "nearest"})
        elif spot is not None:
            ladder = sorted({c["strike"] for c in mates if c["expiry"] == expiry and c["strike"]})
            nearest = min(ladder, key=lambda at: (abs(at - spot), at))
            steps = abs(ladder.index(strike) - ladder.index(nearest))
            tests.append(steps <= want.get("strikes", steps))
            if "nearest" in want:
                tests.append(_is_nearest(row, mates, spot, want["nearest"]))
            tests.append("within" not in want or abs(strike - spot) <= ratio(want["within"]) * spot)
        delta = self.theo[contract].row["delta"] if contract in self.theo else None
        if delta is not None and "delta" in want:
            low, high = want["delta"].get("from", "0"), want["delta"].get("to", "1")
            tests.append(price(low) <= abs(delta) <= price(high))
        return all(tests)

    def _rested(self, slot: Slot, now: int) -> bool:
        """VAL-09; retroactively a rest has the future's verdict, which `reached` brings."""
        rest, since = self.rules.get("quote.min_rest"), self.stood.get(slot, (NOTHING, now))[1]
        if rest and now - since >= duration(rest["at_least"]):
            self.reached.add((slot, since))
        return not rest or (slot, since) in self.reached

    def piece(self, slot: Slot, t0: int, t1: int) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        own, rules = (self.capture.cls(slot[1]), slot[1]), self.rules
        spoken = any(s in self.phase for s in ("*", *own))
        meanings = [rules.exemptions[k[2]] for k in self.exempt if self.covers(*k[:2], slot)]
        stress = any(self.covers(scope, "*", slot) for scope in self.stress)
        theo, max_age = self._theo_now(slot[1], t0), rules.get("quote.max_age", duration)
        factor = max((m for m in meanings if isinstance(m, Fraction)), default=1) * self.dated
        fails, valid, use = self.judge(
            self.quote(slot), theo, self.underlying.get(own[0], {}).get("spread"),
            factor * rules.get("stress.relief", Fraction, 1) if stress else factor,
            "one_side" in meanings, self.capture.contracts[slot[1]]["tick"], self._days(slot[1]),
            max_age is None or t0 < self.stamp.get(slot, 0) + max_age, self._rested(slot, t0),
        )  # fmt: skip
        unknown = self._is_down(slot) or bool(self.owed[slot]) or slot in self.bad
        if unknown:
            fails, valid = [], None
        missing = (
            theo is None and rules.get("theo.when_missing") == "exclude" and _reads_theo(rules)
        )
        state = {True: "quoted", False: "lapsed", None: "unknown"}[valid]
        free = "exclude" in meanings or "deem" in meanings
        if free or (missing and not unknown):
            state = "quoted" if "deem" in meanings and "exclude" not in meanings else "exempt"
        owes, resumes = self.owes(slot[1]), self._is_open(*own)
        obliged = owes and spoken and self._is_open("*", *own)
        for_all = (
            rules.exemptions[k[2]] == "exclude"
            for k in self.exempt
            if self.covers(k[0], k[1], ("*", slot[1]))
        )
        lost = unknown or not obliged or any(for_all)
        bid, ask = self.quote(slot)
        return Piece(t0, t1, state if obliged else None, fails, valid, owes and resumes, stress, free,
                     use if valid and not free else 0, lost, (bid is not None, ask is not None))  # fmt: skip


def _later(day: date, months: int) -> date:
    """So many calendar months later, at most the last of the month."""
    years, month = divmod(day.month - 1 + months, 12)
    last = monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def _is_nearest(row: Row, mates: list[Row], spot: int, want: dict[str, int]) -> bool:
    """Among the strikes nearest to spot of its expiry and kind, in or out of the money."""
    sign = {"call": 1, "put": -1}.get(row["kind"])
    if sign is None:
        return False
    mine = {
        c["strike"] for c in mates if (c["kind"], c["expiry"]) == (row["kind"], row["expiry"])
    } - {None}
    out = sign * (row["strike"] - spot) >= 0
    side = sorted(
        (strike for strike in mine if (sign * (strike - spot) >= 0) == out),
        key=lambda at: abs(at - spot),
    )
    return row["strike"] in side[: want.get("otm" if out else "itm", 0)]


def _reads_theo(rules: Rules) -> bool:
    terms: list[Row] = rules.get("spread.terms", default=[])
    others = rules.get("spread.off_theo"), rules.get("quote.zero_bid_below")
    return any(term.get("of") == "theo" for term in terms) or any(o is not None for o in others)


def _rank(quote: Quote) -> tuple[int, ...]:
    """The best of the accounts: two sides, then narrowest, then the larger smaller size."""
    bid, ask = quote
    return (0, ask[0] - bid[0], -min(bid[1], ask[1])) if bid and ask else (1,)


def judge(
    rules: Rules, quote: Quote, theo: int | None, gap: int | None, factor: Fraction | int,
    one_side: bool, tick: int, days: float, fresh: bool, rested: bool,
) -> tuple[list[str], bool | None, int]:  # fmt: skip
    """The tests that fail, in order, validity and use of the limit; `factor` multiplies the limit."""
    bid, ask = quote
    if not (bid or ask):
        return ["absent"], False, 0
    sizes = [side[1] for side in (bid, ask) if side]
    at: dict[str, Number] = {"theo": theo, "underlying_spread": gap, "tick": tick}
    wide: tuple[bool | None, int] = (True, 0)
    if bid and ask:
        at |= {"bid": bid[0], "ask": ask[0], "mid": Fraction(bid[0] + ask[0], 2)}
        wide = _spread(rules, ask[0] - bid[0], at, factor, days)
    tests = {
        "one_sided": True if (bid and ask) or one_side else _zero_bid(rules, bid is None, theo),
        "crossed": not (bid and ask) or bid[0] < ask[0],
        "size": min(sizes) >= rules.get("quote.min_size", default=0),
        "unequal": len(sizes) < 2 or _equal(rules, min(sizes), max(sizes)),
        "spread": wide[0],
        "off_theo": _near(rules.get("spread.off_theo"), quote, theo),
        "stale": fresh,
        "flicker": rested,
    }
    fails = [name for name, passed in tests.items() if passed is False]
    hangs = None in tests.values() and rules.get("theo.when_missing") != "skip_spread"
    return fails, False if fails else (None if hangs else True), wide[1]


def _zero_bid(rules: Rules, ask_alone: bool, theo: int | None) -> bool | None:
    below = rules.get("quote.zero_bid_below", price)
    if not ask_alone or below is None:
        return False
    return None if theo is None else theo < below


def _equal(rules: Rules, small: int, large: int) -> bool:
    raw = rules.get("quote.max_size_difference", default={"ratio": "100%", "of": "larger"})
    of = {"smaller": Fraction(small), "larger": Fraction(large), "mean": Fraction(small + large, 2)}
    return large - small <= ratio(raw["ratio"]) * of[raw["of"]]


def _limit(term: Row, at: dict[str, Number], days: float) -> Number:
    """The limit of one term; None while a number that it needs is missing."""
    if "ticks" in term or "absolute" in term:
        return term["ticks"] * (at["tick"] or 0) if "ticks" in term else price(term["absolute"])
    base = at[term["of"]]
    if base is None or "table" not in term:
        return None if base is None else ratio(term.get("relative") or term["multiple"]) * base
    for cell in term["table"]:
        low = price(cell.get("price_from", "0")) <= base and cell.get("days_from", 0) <= days
        high = "price_to" not in cell or base < price(cell["price_to"])
        if low and high and ("days_to" not in cell or days < cell["days_to"]):
            return price(cell["absolute"]) if "absolute" in cell else ratio(cell["relative"]) * base
    return 0


def _spread(
    rules: Rules, spread: int, at: dict[str, Number], factor: Fraction | int, days: float
) -> tuple[bool | None, int]:
    """Does the spread pass, and how much of the limit does it use?"""
    limits = [_limit(term, at, days) for term in rules.get("spread.terms", default=[])]
    known = [limit * factor for limit in limits if limit is not None]
    widest = rules.get("spread.combine") != "min"
    limit = (max if widest else min)(known, default=None)
    use = int(min(10**9 * spread // limit, 2**32 - 1)) if limit else 0
    passes = None if limit is None else spread <= limit
    if len(known) < len(limits) and passes is not widest:
        return None, use  # a missing term may turn a failed max, and a passed min
    return passes is not False, use


def _near(band: dict[str, str] | None, quote: Quote, theo: int | None) -> bool | None:
    if band is None or theo is None:
        return True if band is None else None
    width = price(band["absolute"]) if "absolute" in band else ratio(band["relative"]) * theo
    bid, ask = quote
    return (not bid or bid[0] <= theo + width) and (not ask or ask[0] >= theo - width)
