"""What the records up to an instant say of one slot, and how it is judged by that, from scratch.

A test of a quote passes (True), fails (False) or hangs on a missing number (None).
"""

from calendar import monthrange
from collections import Counter
from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

from .reading import Capture, Day, Record, Row, Slot

NEVER = 10**6  # days or months to expiry


class Piece(NamedTuple):  # a slot over [t0, t1), throughout which nothing changes
    t0: int
    t1: int
    state: str | None  # quoted, deemed, lapsed, exempt, unknown; None: not obliged
    fails: list[str]  # tests, in order
    valid: bool | None  # passes the tests, whatever the phase; None: unknown
    quote: list[Any]  # as Book.quote has it
    use: int  # of the spread limit, in 10^-9
    stress: bool
    resumes: bool  # the rest of the calendar will oblige it
    lost: bool  # the quote is unknown, or nobody is obliged
    kinds: set[str]  # of good records at t0


class Book:  # the state of the tape for one slot, in one trading date
    def __init__(self, capture: Capture, day: Day, slot: Slot, reached: set[int]) -> None:
        self.rules, self.day, self.reached = capture.rules, day, reached
        self.contract = own = capture.contracts[slot[1]]
        self.mates = [row for row in capture.contracts.values() if row["class"] == own["class"]]
        ends = {row["expiry"] for row in self.mates if row["expiry"] and row["expiry"] >= day.date}
        self.months = sorted({month(end) for end in ends})
        self.days = (own["expiry"] - day.date).days if own["expiry"] else NEVER
        self.month = self.months.index(month(own["expiry"])) if own["expiry"] in ends else NEVER
        self.last: dict[Any, Record] = {}  # of each kind, from whom to whom
        self.owed: set[Any] = set()  # feeds that are up, their snapshot to come
        self.bad = False  # a dead letter since the last good quote
        self.quotes: dict[str, list[Any]] = {}  # bid and ask by account
        self.stamp = self.since = 0  # the instants of the last quote, of its last change of price
        self.use = 0  # of the spread limit, as last judged
        self.stood: Any = [None, None]  # prices when the last instant was over

    def on(self, kind: str) -> list[Record]:
        return [r for r in self.last.values() if r.kind == kind and r.row["on"]]

    def heard(self, kind: str, column: str) -> Any:
        return next((r.row.get(column) for key, r in self.last.items() if key[0] == kind), None)

    def take(self, now: int, records: list[Record]) -> None:
        """What happens at `now`; prices that are others after it, or new, rest from then."""
        for record in records:
            _, kind, at, row = record
            key, status = (kind, at, row.get("kind")), row.get("status")
            down = key in self.last and self.last[key].row["on"]
            if kind == "quotes":
                self.bad = row["counted"] == "dead_letter"
                if self.bad:
                    continue
                if not self.owes(bool(self.day.roll) or now >= self.day.start):
                    row["counted"] = "no_obligation"
                self.quotes[row["account"]], self.stamp = [row["bid"], row["ask"]], now
                self.owed = self.owed if self.on("feed") else set()
            elif kind == "fills" and self.rules.get("quote.after_fill") == "shrinks":
                before, sides = self.quote(), self.quotes.get(row["account"], [None, None])
                i = ["buy", "sell"].index(row["side"])
                price, size = sides[i] or (0, 0)
                sides[i] = (price, size - row["size"]) if size > row["size"] else None
                for was, side in zip(before, self.quote(), strict=True):
                    if side and (not was or side[0] != was[0] or side[1] > was[1]):
                        self.stamp = now  # another price, or more of another account
            elif status == "synced":
                if key in self.owed and not down:
                    self.owed.discard(key)
                    self.quotes.clear()
            else:
                self.owed |= {key} if status == "up" and down and now >= self.day.roll else set()
                self.last[key] = record
                if row.get("theo") is not None:
                    self.last["seen", at, None] = record
        prices = [side and side[0] for side in self.quote()]
        if self.bad or prices != self.stood:
            self.stood, self.since = (None if self.bad else prices), now

    def quote(self) -> list[Any]:
        """The effective bid and ask of the maker's accounts; a side is None or (price, size)."""
        own = [[*quote] for _, quote in sorted(self.quotes.items()) if any(quote)]
        if self.rules.get("accounts.rollup") == "best":
            both = [(a[0] - b[0], -min(a[1], b[1]), i) for i, (b, a) in enumerate(own) if a and b]
            return own[min(both)[2]] if both else [*own, [None, None]][0]
        bids, asks = Counter[Any](), Counter[Any]()  # sizes by price
        for bid, ask in own:
            bids.update(dict([bid] if bid else []))
            asks.update(dict([ask] if ask else []))
        return [max(bids.items(), default=None), min(asks.items(), default=None)]

    def theo(self, now: int) -> Any:
        if self.rules.get("theo.when_missing") == "hold":
            return self.heard("seen", "theo")
        fresh = now < (self.heard("theo", "ts_event") or 0) + self.rules.get("theo.max_age", inf)
        return self.heard("theo", "theo") if fresh else None

    def owes(self, begun: bool = True) -> bool:
        """In the required set; what hangs on a date not begun, on a missing spot or delta holds."""
        want, own, today = self.rules.get("required_set", {}), self.contract, self.day.date
        kind, expiry, strike = own["kind"], own["expiry"], own["strike"]
        spot, delta = self.heard("underlying", "price"), self.heard("theo", "delta")
        series = [row for row in self.mates if row["expiry"] == expiry and row["strike"]]
        ladder = sorted({row["strike"] for row in series})
        middle = min(ladder, key=lambda at: (abs(at - (spot or 0)), at), default=0)
        last_day = expiry and min(today.day, monthrange(expiry.year, expiry.month)[1])

        def nearest(most: Row) -> bool:
            alike = {row["strike"] for row in series if row["kind"] == kind}
            out = {at for at in alike if at == spot or (at > spot) == (kind == "call")}
            word, side = ("otm", out) if strike in out else ("itm", alike - out)
            nearer = [at for at in side if abs(at - spot) < abs(strike - spot)]
            return kind in ("call", "put") and len(nearer) < most.get(word, 0)

        dated, placed = begun or not expiry, spot is not None
        tests: Row = {  # by key: is all that it needs known, and the test
            "kinds": (True, lambda kinds: kind in kinds),
            "exclude": (True, lambda flags: not {*(own.get("flags") or "").split()} & {*flags}),
            "months": (begun, lambda n: expiry and month(expiry) in self.months[:n]),
            "min_days": (dated, lambda least: self.days >= least),
            "max_days": (dated, lambda most: self.days <= most),
            "below_months": (dated, lambda n: expiry and
                             (month(expiry), expiry.day) < (month(today) + n, last_day)),
            "strikes": (placed, lambda n: strike and
                        abs(ladder.index(strike) - ladder.index(middle)) <= n),
            "nearest": (placed, lambda most: strike and nearest(most)),
            "within": (placed, lambda share: strike and abs(strike - spot) <= share * spot),
            "delta": (delta is not None,
                      lambda of: of.get("from", 0) <= abs(delta) <= of.get("to", 1)),
        }  # fmt: skip
        asked = [(want[key], *tests[key]) for key in tests.keys() & want.keys()]
        return all(test(value) for value, known, test in asked if known)

    def piece(self, t0: int, t1: int, kinds: set[str]) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        rules, stress = self.rules, bool(self.on("stress"))
        meant = [(rules["exemptions"][r.row["kind"]], r.at[0]) for r in self.on("exemptions")]
        meanings = [meaning for meaning, _ in meant]
        reliefs = [relief["multiple"] for relief in rules.get("spread.relief", [])
                   if relief["from"] <= self.day.date <= relief["to"]]  # fmt: skip
        factor = max((m["relax"] for m in meanings if isinstance(m, dict)), default=1)
        factor *= max(reliefs, default=1) * (rules.get("stress.relief", 1) if stress else 1)
        tests = self.tests(t0, factor, "one_side" in meanings)
        unknown = bool(self.on("feed") or self.owed or self.bad)
        hangs = None in tests.values() and rules.get("theo.when_missing") != "skip_spread"
        fails = [name for name, passed in tests.items() if passed is False and not unknown]
        valid = None if unknown or (hangs and not fails) else not fails
        reads = {"spread.off_theo", "quote.zero_bid_below"} & rules.keys()
        reads |= {"theo"} & {term.get("of") for term in rules.get("spread.terms", [])}
        excluded = reads and rules.get("theo.when_missing") == "exclude" and self.theo(t0) is None
        said = {r.at[1]: r.row["phase"] for r in self.last.values() if r.kind == "phases"}
        closed = {scope for scope, phase in said.items() if phase != "continuous"}
        owes = self.owes()
        obliged = owes and said and not closed and t0 >= self.day.start
        states = [(None, not obliged), ("exempt", "exclude" in meanings),
                  ("deemed", "deem" in meanings), ("exempt", excluded and not unknown),
                  ("unknown", valid is None), ("lapsed", not valid), ("quoted", True)]  # fmt: skip
        state = next(word for word, holds in states if holds)
        lost = unknown or state is None or ("exclude", "*") in meant
        return Piece(t0, t1, state, fails, valid, self.quote(), self.use * (state == "quoted"),
                     stress, owes and closed <= {"*"}, lost, kinds)  # fmt: skip

    def tests(self, now: int, factor: Any, one_side: bool) -> dict[str, bool | None]:
        """How the tests of section 6 end, in their order; `factor` multiplies the limit."""
        rules, theo, (bid, ask) = self.rules, self.theo(now), self.quote()
        self.use, both, sizes = 0, bool(bid and ask), [side[1] for side in (bid, ask) if side]
        if not sizes:
            return {"absent": False}
        by_month, least = rules.get("quote.min_size_by_month", []), rules.get("quote.min_size", 0)
        least = first(by_month, {"size": least}, months=self.month)["size"]
        unequal = rules.get("quote.max_size_difference", {"ratio": 1, "of": "larger"})
        of = {"smaller": min(sizes), "larger": max(sizes), "mean": Fraction(sum(sizes), 2)}
        zero, band = rules.get("quote.zero_bid_below"), rules.get("spread.off_theo")
        near = alone = None
        if theo is not None:
            width = band.get("absolute", band.get("relative", 0) * theo) if band else inf
            near = (not bid or bid[0] <= theo + width) and (not ask or ask[0] >= theo - width)
            alone = zero is not None and theo < zero
        if now - self.since >= rules.get("quote.min_rest", {}).get("at_least", 0):
            self.reached.add(self.since)
        return {
            "one_sided": both or one_side or (not bid and zero is not None and alone),
            "crossed": not both or bid[0] < ask[0],
            "size": min(sizes) >= least,
            "unequal": max(sizes) - min(sizes) <= unequal["ratio"] * of[unequal["of"]],
            "spread": not both or self.spread(bid[0], ask[0], theo, factor),
            "off_theo": not band or near,
            "stale": now < self.stamp + rules.get("quote.max_age", inf),
            "flicker": self.since in self.reached,  # counted back, the future's verdict
        }

    def spread(self, bid: Any, ask: Any, theo: Any, factor: Any) -> bool | None:
        low, high = self.heard("underlying", "bid_price"), self.heard("underlying", "ask_price")
        at = {"theo": theo, "bid": bid, "ask": ask, "mid": Fraction(bid + ask) / 2,
              "tick": self.contract["tick"],
              "underlying_spread": low and high and high - low}  # fmt: skip
        limits = []
        for term in self.rules.get("spread.terms", []):
            base, cell = at[term.get("of", "tick")], term
            if "table" in term and base is not None:
                cell = first(term["table"], {}, price=base, days=self.days)
            share = sum(cell.get(key, 0) for key in ("ticks", "relative", "multiple"))
            limits.append(None if base is None else factor * cell.get("absolute", share * base))
        known = [limit for limit in limits if limit is not None]
        one_will_do = self.rules.get("spread.combine") != "min"
        limit = (max if one_will_do else min)(known, default=0)
        self.use = int(min(10**9 * (ask - bid) // limit, 2**32 - 1)) if limit else 0
        each = [None if limit is None else ask - bid <= limit for limit in limits]
        undecided = None if None in each else not one_will_do
        return one_will_do if one_will_do in each else undecided if each else True


def month(day: Any) -> int:
    return int(day.year * 12 + day.month)


def first(cells: list[Row], otherwise: Row, **at: Any) -> Row:
    """The first of the cells whose half-open ranges hold all of `at`."""
    for cell in cells:
        if all(cell.get(f"{k}_from", 0) <= at[k] < cell.get(f"{k}_to", inf) for k in at):
            return cell
    return otherwise
