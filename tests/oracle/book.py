"""What the records up to an instant say, and how one slot is judged by that, from scratch.

A test passes (True), fails (False) or hangs on a missing theo (None). Prices are in 10^-8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from .records import Capture, Record, Slot
from .rulebook import Rules

Key = tuple[str, str]  # scope, maker


class Piece(NamedTuple):
    """A slot over `[t0, t1)`: state (None: not obliged), failing tests, validity (None: unknown),
    and whether its class and contract leave the rest of the calendar to be obliged."""

    t0: int
    t1: int
    state: str | None
    fails: list[str]
    valid: bool | None
    resumes: bool


@dataclass
class Book:
    """The state of the tape, for the trading date whose quotes start at `roll` (ns)."""

    capture: Capture
    rules: Rules
    roll: int
    phase: dict[str, str] = field(default_factory=dict)
    exempt: set[tuple[str, str, str]] = field(default_factory=set)
    down: set[Key] = field(default_factory=set)
    owed: dict[Slot, set[Key]] = field(default_factory=dict)  # keys up again, snapshot still owed
    bad: set[Slot] = field(default_factory=set)  # a dead letter since the last good quote
    stress: set[str] = field(default_factory=set)
    theo: dict[str, Record] = field(default_factory=dict)
    seen_theo: dict[str, Record] = field(default_factory=dict)  # the last that was a number
    quote: dict[Slot, Record] = field(default_factory=dict)

    def covers(self, scope: str, maker: str, slot: Slot) -> bool:
        return scope in ("*", slot[1], self.capture.cls[slot[1]]) and maker in ("*", slot[0])

    def apply(self, record: Record) -> None:
        if record.kind == "phase":
            self.phase[record.scope] = record.word
        elif record.kind == "exemption":
            key = (record.scope, record.maker, record.word)
            (self.exempt.add if record.action == "start" else self.exempt.discard)(key)
        elif record.kind == "stress":
            (self.stress.add if record.action == "start" else self.stress.discard)(record.scope)
        elif record.kind == "feed":
            self._feed(record)
        elif record.kind == "theo":
            self.theo[record.scope] = record
            self.seen_theo |= {} if record.theo is None else {record.scope: record}
        else:
            self._quote(record)

    def _feed(self, record: Record) -> None:
        key = (record.scope, record.maker)
        slots = [s for s in self.capture.slots if self.covers(*key, s)]
        if record.word == "down":
            self.down.add(key)
        elif record.word == "up" and key in self.down:
            self.down.discard(key)
            for slot in slots if record.ts >= self.roll else []:
                self.owed.setdefault(slot, set()).add(key)
        elif record.word == "synced" and key not in self.down:
            for slot in (s for s in slots if key in self.owed.get(s, ())):
                self.owed[slot].discard(key)
                self.quote.pop(slot, None)

    def _quote(self, record: Record) -> None:
        slot = (record.maker, record.scope)
        if slot not in self.capture.slots or record.ts < self.roll:
            return
        if record.bad:
            self.bad.add(slot)
            return
        self.bad.discard(slot)
        self.quote[slot] = record
        if not self._is_down(slot):
            self.owed.pop(slot, None)

    def _is_down(self, slot: Slot) -> bool:
        return any(self.covers(*key, slot) for key in self.down)

    def _is_open(self, *scopes: str) -> bool:
        return all(self.phase[s] == "continuous" for s in scopes if s in self.phase)

    def _theo_now(self, contract: str, now: int) -> int | None:
        if self.rules.when_missing == "hold":
            return self.seen_theo[contract].theo if contract in self.seen_theo else None
        last, age = self.theo.get(contract), self.rules.theo_age
        return last.theo if last and (age is None or now < last.ts + age) else None

    def piece(self, slot: Slot, t0: int, t1: int) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        own = (self.capture.cls[slot[1]], slot[1])
        spoken = any(s in self.phase for s in ("*", *own))
        obliged = spoken and self._is_open("*", *own)
        keys = [key for key in self.exempt if self.covers(key[0], key[1], slot)]
        meanings = [self.rules.exemptions[kind] for _, _, kind in keys]
        theo = self._theo_now(slot[1], t0)
        unknown = self._is_down(slot) or bool(self.owed.get(slot)) or slot in self.bad
        fails, valid = ([], None) if unknown else self._verdict(slot, meanings, theo, t0)
        missing = self.rules.when_missing == "exclude" and self.rules.reads_theo and theo is None
        if not obliged:
            state = None
        elif "exclude" in meanings:
            state = "exempt"
        elif "deem" in meanings:
            state = "quoted"
        elif missing and not unknown:
            state = "exempt"
        else:
            state = {True: "quoted", False: "lapsed", None: "unknown"}[valid]
        return Piece(t0, t1, state, fails, valid, self._is_open(*own))

    def _verdict(
        self, slot: Slot, meanings: list[str | Fraction], theo: int | None, now: int
    ) -> tuple[list[str], bool | None]:
        factor = max((m for m in meanings if isinstance(m, Fraction)), default=Fraction(1))
        if any(self.covers(scope, "*", slot) for scope in self.stress):
            factor *= self.rules.relief
        tick, one_side = self.capture.tick[slot[1]], "one_side" in meanings
        tests = judge(self.rules, self.quote.get(slot), theo, factor, one_side, tick, now)
        fails = [name for name, passed in tests.items() if passed is False]
        hangs = None in tests.values() and self.rules.when_missing != "skip_spread"
        return fails, False if fails else (None if hangs else True)


def judge(
    rules: Rules, quote: Record | None, theo: int | None, factor: Fraction, one_side: bool,
    tick: int, now: int,
) -> dict[str, bool | None]:  # fmt: skip
    """VAL-01..08, each by itself, in order; `factor` multiplies the spread limit."""
    if quote is None or not (quote.bid or quote.ask):
        return {"absent": False}
    bid, ask = quote.bid, quote.ask
    sizes = [side[1] for side in (bid, ask) if side]
    return {
        "one_sided": True if (bid and ask) or one_side else _zero_bid(rules, bid is None, theo),
        "crossed": not (bid and ask) or bid[0] < ask[0],
        "size": rules.min_size is None or min(sizes) >= rules.min_size,
        "unequal": len(sizes) < 2 or _equal(rules, min(sizes), max(sizes)),
        "spread": _spread(rules, bid[0], ask[0], theo, factor, tick) if bid and ask else True,
        "off_theo": _near(rules.band, bid and bid[0], ask and ask[0], theo),
        "stale": rules.max_age is None or now < quote.ts + rules.max_age,
    }


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


def _spread(
    rules: Rules, bid: int, ask: int, theo: int | None, factor: Fraction, tick: int
) -> bool | None:
    mid = Fraction(bid + ask, 2)
    bases: dict[str, Fraction | int | None] = {"bid": bid, "ask": ask, "mid": mid, "theo": theo}
    units: list[Fraction | int | None] = [
        {"relative": bases[t.of], "ticks": tick, "absolute": 1}[t.kind] for t in rules.terms
    ]
    passing = [
        None if unit is None else ask - bid <= t.value * unit * factor
        for t, unit in zip(rules.terms, units, strict=True)
    ]
    decisive = rules.combine == "max"  # one pass decides a max, one failure a min
    if decisive in passing or not passing:
        return decisive or not passing
    return None if None in passing else not decisive


def _near(
    band: tuple[str, Fraction, str] | None, bid: int | None, ask: int | None, theo: int | None
) -> bool | None:
    if band is None or theo is None:
        return True if band is None else None
    width = band[1] * (theo if band[0] == "relative" else 1)
    return (bid is None or bid <= theo + width) and (ask is None or ask >= theo - width)
