"""What the records up to an instant say of one slot, and how it is judged by that, from scratch.

A test of a quote passes (True), fails (False) or hangs on a missing number (None).
"""

from calendar import monthrange
from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

from .reading import Capture, Day, Record, Row, Slot

Quote = tuple[Any, Any]  # bid and ask; a side is None or (price, size)
NOTHING: Quote = (None, None)


class Piece(NamedTuple):  # a slot over [t0, t1), throughout which nothing changes
    t0: int
    t1: int
    state: str | None  # quoted, deemed, lapsed, exempt, unknown; None: not obliged
    fails: list[str]  # tests, in order
    valid: bool | None  # passes the tests, whatever the phase; None: unknown
    quote: Quote
    use: int  # of the spread limit, in 10^-9
    stress: bool
    resumes: bool  # the rest of the calendar will oblige it
    lost: bool  # the quote is unknown, or nobody is obliged
    kinds: set[str]  # of records at t0


class Book:  # the state of the tape for one slot, in one trading date
    def __init__(self, capture: Capture, day: Day, slot: Slot, reached: set[int]) -> None:
        self.capture, self.rules, self.day, self.reached = capture, capture.rules, day, reached
        self.contract = own = capture.contracts[slot[1]]
        self.mates = [row for row in capture.contracts.values() if row["class"] == own["class"]]
        ends = {row["expiry"] for row in self.mates if row["expiry"] and row["expiry"] >= day.date}
        self.months = sorted({(end.year, end.month) for end in ends})
        expiry, never = own["expiry"], 10**6
        self.days = (expiry - day.date).days if expiry else never
        self.month = self.months.index((expiry.year, expiry.month)) if expiry in ends else never
        self.last: dict[Any, Record] = {}  # of each kind, from whom to whom
        self.owed: set[Any] = set()  # feeds that are up, their snapshot to come
        self.bad = False  # a dead letter since the last good quote
        self.quotes: dict[str, Quote] = {}  # by account
        self.stamp = 0  # the instant of the last quote
        self.stood: Any = NOTHING  # prices when the last instant was over
        self.since = 0

    def on(self, kind: str) -> list[Record]:
        return [r for r in self.last.values() if r.kind == kind and r.is_on()]

    def heard(self, kind: str, column: str) -> Any:
        heard = [r.row.get(column) for key, r in self.last.items() if key[0] == kind]
        return heard[0] if heard else None

    def apply(self, record: Record) -> None:
        ts, kind, slot, row = record
        key, today = (kind, slot, row.get("kind")), ts >= self.day.roll
        down = key in self.last and self.last[key].is_on()
        if kind == "quote" and today:
            self.bad = "bad" in row
            if self.bad:
                return
            if ts < self.day.until and not self.owes(bool(self.day.roll) or ts >= self.day.start):
                row["outside"] = True
            self.quotes[row["account"]] = (row["bid"], row["ask"])
            self.stamp = ts
            self.owed = self.owed if self.on("feed") else set()
        elif kind == "fill" and today and self.rules.get("quote.after_fill") == "shrinks":
            sides = [*self.quotes.get(row["account"], NOTHING)]
            i = ["buy", "sell"].index(row["side"])
            price, size = sides[i] or (0, 0)
            sides[i] = (price, size - row["size"]) if size > row["size"] else None
            self.quotes[row["account"]] = (sides[0], sides[1])
        elif row.get("status") == "synced" and not down and key in self.owed:
            self.owed.discard(key)
            self.quotes.clear()
        elif row.get("status") != "synced":
            self.owed |= {key} if row.get("status") == "up" and down and today else set()
            self.last[key] = record
            if row.get("theo") is not None:
                self.last["seen", slot, None] = record

    def settle(self, now: int) -> None:
        """The instant is over: prices that changed, or came from nothing, rest from now."""
        prices = tuple(side and side[0] for side in self.quote())
        if self.bad or prices != self.stood:
            self.stood, self.since = (None if self.bad else prices), now

    def quote(self) -> Quote:
        """The effective quote of the maker's accounts."""
        own = [quote for _, quote in sorted(self.quotes.items()) if any(quote)]
        if self.rules.get("accounts.rollup") == "best":
            both = [(a[0] - b[0], -min(a[1], b[1]), i) for i, (b, a) in enumerate(own) if a and b]
            return own[min(both)[2]] if both else [*own, NOTHING][0]
        top: list[Any] = []
        for side, best in ((0, max), (1, min)):
            there = [quote[side] for quote in own if quote[side]]
            at = best(there, default=NOTHING)[0]
            top.append((at, sum(n for price, n in there if price == at)) if there else None)
        return top[0], top[1]

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
        ladder = {row["strike"] for row in self.mates if row["expiry"] == expiry and row["strike"]}
        same = {
            row["strike"] for row in self.mates if (row["kind"], row["expiry"]) == (kind, expiry)
        }

        def below(months: int) -> bool:
            year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
            last = min(today.day, monthrange(year, month + 1)[1])
            return bool(expiry) and expiry < today.replace(year=year, month=month + 1, day=last)

        def near(steps: int) -> bool:
            middle = min(ladder, key=lambda at: (abs(at - spot), at))
            low, high = min(strike, middle), max(strike, middle)
            return len([at for at in ladder if low < at <= high]) <= steps

        def nearest(most: Row) -> bool:
            out = {at for at in same & ladder if (at >= spot if kind == "call" else at <= spot)}
            word, side = ("otm", out) if strike in out else ("itm", same & ladder - out)
            nearer = [at for at in side if abs(at - spot) < abs(strike - spot)]
            return kind in ("call", "put") and len(nearer) < most.get(word, 0)

        tests: Row = {
            "kinds": lambda kinds: kind in kinds,
            "exclude": lambda flags: not {*own["flags"]} & {*flags},
            "months": lambda n: expiry and (expiry.year, expiry.month) in self.months[:n],
            "min_days": lambda least: self.days >= least,
            "max_days": lambda most: self.days <= most,
            "below_months": below,
            "strikes": lambda steps: strike is not None and near(steps),
            "nearest": lambda most: strike is not None and nearest(most),
            "within": lambda share: strike is not None and abs(strike - spot) <= share * spot,
            "delta": lambda of: of.get("from", 0) <= abs(delta) <= of.get("to", 1),
        }
        hangs = {"delta"} if delta is None else set()
        hangs |= {"strikes", "nearest", "within"} if spot is None else set()
        hangs |= set() if begun else {"months"}
        hangs |= {"min_days", "max_days", "below_months"} if expiry and not begun else set()
        return all(tests[key](want[key]) for key in (tests.keys() & want.keys()) - hangs)

    def piece(self, t0: int, t1: int, kinds: set[str]) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        rules, stress, exemptions = self.rules, bool(self.on("stress")), self.on("exemption")
        meanings = [rules["exemptions"][r.row["kind"]] for r in exemptions]
        for_all = [rules["exemptions"][r.row["kind"]] for r in exemptions if r.at[0] == "*"]
        relax = max((m["relax"] for m in meanings if isinstance(m, dict)), default=1)
        factor = relax * (rules.get("stress.relief", 1) if stress else 1)
        fails, valid, use = self.judge(t0, factor, "one_side" in meanings)
        unknown = bool(self.on("feed") or self.owed or self.bad)
        if unknown:
            fails, valid = [], None
        reads = {"spread.off_theo", "quote.zero_bid_below"} & rules.keys()
        reads |= {"theo"} & {term.get("of") for term in rules.get("spread.terms", [])}
        said = {r.at[1]: r.row["phase"] for r in self.last.values() if r.kind == "phase"}
        closed = {scope for scope, phase in said.items() if phase != "continuous"}
        owes = self.owes()
        state: str | None = {True: "quoted", False: "lapsed", None: "unknown"}[valid]
        if closed or not said or not owes:
            state = None
        elif "exclude" in meanings:
            state = "exempt"
        elif "deem" in meanings:
            state = "deemed"
        elif rules.get("theo.when_missing") == "exclude" and reads and not unknown:
            state = "exempt" if self.theo(t0) is None else state
        lost = unknown or state is None or "exclude" in for_all
        return Piece(t0, t1, state, fails, valid, self.quote(), use * (state == "quoted"), stress,
                     owes and closed <= {"*"}, lost, kinds)  # fmt: skip

    def judge(self, now: int, factor: Any, one_side: bool) -> tuple[list[str], bool | None, int]:
        """The tests that fail, in order; validity; use of the limit, which `factor` multiplies."""
        rules, theo, (bid, ask) = self.rules, self.theo(now), self.quote()
        sizes = [side[1] for side in (bid, ask) if side]
        if not sizes:
            return ["absent"], False, 0
        cell = first(rules.get("quote.min_size_by_month", []), months=self.month)
        least = cell["size"] if cell else rules.get("quote.min_size", 0)
        unequal = rules.get("quote.max_size_difference", {"ratio": 1, "of": "larger"})
        of = {"smaller": min(sizes), "larger": max(sizes), "mean": Fraction(sum(sizes), 2)}
        alone: bool | None = not bid and "quote.zero_bid_below" in rules
        if alone:
            alone = None if theo is None else theo < rules["quote.zero_bid_below"]
        near, band = None if theo is None else True, rules.get("spread.off_theo")
        if band and near:
            width = band["absolute"] if "absolute" in band else band["relative"] * theo
            near = (not bid or bid[0] <= theo + width) and (not ask or ask[0] >= theo - width)
        wide, use = self.spread(bid[0], ask[0], theo, factor) if bid and ask else (True, 0)
        if now - self.since >= rules.get("quote.min_rest", {}).get("at_least", 0):
            self.reached.add(self.since)
        tests = {
            "one_sided": bool(bid and ask) or one_side or alone,
            "crossed": not (bid and ask) or bid[0] < ask[0],
            "size": min(sizes) >= least,
            "unequal": max(sizes) - min(sizes) <= unequal["ratio"] * of[unequal["of"]],
            "spread": wide,
            "off_theo": near if band else True,
            "stale": now < self.stamp + rules.get("quote.max_age", inf),
            "flicker": self.since in self.reached,  # counted back, the future's verdict
        }  # fmt: skip
        fails = [name for name, passed in tests.items() if passed is False]
        hangs = None in tests.values() and rules.get("theo.when_missing") != "skip_spread"
        return fails, False if fails else (None if hangs else True), use

    def spread(self, bid: Any, ask: Any, theo: Any, factor: Any) -> tuple[bool | None, int]:
        """Does the spread pass, and how much of the limit does it use?"""
        low, high = self.heard("underlying", "bid_price"), self.heard("underlying", "ask_price")
        at = {"theo": theo, "bid": bid, "ask": ask, "mid": (bid + ask) / 2,
              "tick": self.contract["tick"],
              "underlying_spread": None if low is None or high is None else high - low}  # fmt: skip
        dated = [relief["multiple"] for relief in self.rules.get("spread.relief", [])
                 if relief["from"] <= self.day.date <= relief["to"]]  # fmt: skip
        limits = [limit_of(term, at, self.days) for term in self.rules.get("spread.terms", [])]
        known = [limit * factor * max(dated, default=1) for limit in limits if limit is not None]
        one_will_do = self.rules.get("spread.combine") != "min"
        limit = (max if one_will_do else min)(known, default=0)
        use = int(min(10**9 * (ask - bid) // limit, 2**32 - 1)) if limit else 0
        each = [ask - bid <= limit for limit in known] + [None] * (len(limits) - len(known))
        if one_will_do in each or not each:
            return one_will_do or not each, use
        return None if None in each else not one_will_do, use


def first(cells: list[Row], **at: Any) -> Row | None:
    """The first of the cells whose half-open ranges hold all of `at`."""
    for cell in cells:
        if all(cell.get(f"{k}_from", 0) <= at[k] < cell.get(f"{k}_to", inf) for k in at):
            return cell
    return None


def limit_of(term: Row, at: Row, days: int) -> Any:
    """The limit of one term; None while a number that it needs is missing."""
    base = at[term.get("of", "tick")]
    if base is None:
        return None
    cell = first(term.get("table", []), price=base, days=days) or {"absolute": 0}
    cell = cell if "table" in term else term
    shares = [cell[key] for key in ("ticks", "relative", "multiple") if key in cell]
    return cell["absolute"] if "absolute" in cell else shares[0] * base
