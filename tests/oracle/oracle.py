"""The oracle: judges a capture anew at every instant at which anything could change."""

import hashlib
import json
import sys
from bisect import bisect_left
from collections import Counter, namedtuple
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate, groupby, pairwise
from math import inf
from pathlib import Path
from typing import Any

from .reading import UNITS, Capture, Day, Record, Row, Slot

REASONS = "absent one_sided crossed size unequal spread off_theo stale flicker"
NEVER = 10**6  # days or months to expiry
OWED = (["quoted"], ["lapsed"], ["unknown"])

# A slot over [t0, t1), throughout which nothing changes. `state` is quoted, deemed, lapsed, exempt,
# unknown or, not obliged, None; `fails` are tests, in order; `valid`: whether it passes them, whatever
# the phase, None: unknown; `resumes`: the calendar's rest obliges it; `quoted`: there is a good quote at t0.
Piece = namedtuple("Piece", "t0 t1 state fails valid stress resumes quoted")


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
            down = key in self.last and self.last[key].row.get("on")
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
            elif status == "synced" and key in self.owed and not down:
                self.owed.discard(key)
                self.quotes.clear()
            elif status != "synced":
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
        bids, asks = ([quote[i] for quote in own if quote[i]] for i in (0, 1))
        ends = (max(bids, default=None), bids), (min(asks, default=None), asks)
        return [best and (best[0], sum(n for at, n in of if at == best[0])) for best, of in ends]

    def theo(self, now: int) -> Any:
        held = self.rules.get("theo.when_missing") == "hold"
        kind, age = ("seen", inf) if held else ("theo", self.rules.get("theo.max_age", inf))
        return self.heard(kind, "theo") if now < (self.heard(kind, "ts_event") or 0) + age else None

    def owes(self, begun: bool = True) -> bool:
        """In the required set; what hangs on a date not begun, on a missing spot or delta holds."""
        want, own, today = self.rules.get("required_set", {}), self.contract, self.day.date
        kind, expiry, strike = own["kind"], own["expiry"] or date(9000, 1, 1), own["strike"]
        spot, delta = self.heard("underlying", "price"), self.heard("theo", "delta")
        flags, deltas = (own.get("flags") or "").split(), want.get("delta", {"to": inf})
        holds = [kind in want.get("kinds", [kind]), not {*flags} & {*want.get("exclude", [])},
                 delta is None or deltas.get("from", 0) <= abs(delta) <= deltas.get("to", 1)]  # fmt: skip
        if begun:
            holds += ["months" not in want or month(expiry) in self.months[: want["months"]]]
        if begun or not own["expiry"]:  # a month's days that it does not have are its last
            after, end = expiry + timedelta(1), month(today) + want.get("below_months", inf)
            holds += [want.get("min_days", -inf) <= self.days <= want.get("max_days", inf),
                      (month(after), after.day) <= (end, today.day)]  # fmt: skip
        if spot is None or not want.keys() & {"strikes", "nearest", "within"}:
            return all(holds)
        series = [row for row in self.mates if row["expiry"] == own["expiry"] and row["strike"]]
        ladder = sorted({row["strike"] for row in series})
        if strike not in ladder:
            return False
        middle = min(ladder, key=lambda at: (abs(at - spot), at))
        alike = {row["strike"] for row in series if row["kind"] == kind}
        out = {at for at in alike if at == spot or (at > spot) == (kind == "call")}
        word, side = ("otm", out) if strike in out else ("itm", alike - out)
        nearer = sum(abs(at - spot) < abs(strike - spot) for at in side)
        few = kind in ("call", "put") and nearer < want.get("nearest", {}).get(word, 0)
        holds += [abs(ladder.index(strike) - ladder.index(middle)) <= want.get("strikes", inf),
                  abs(strike - spot) / Fraction(spot) <= want.get("within", inf),
                  few or "nearest" not in want]  # fmt: skip
        return all(holds)

    def piece(self, t0: int, t1: int, quoted: bool) -> Piece:
        """Judge the slot at `t0`; nothing changes before `t1`."""
        rules, stress, missing = self.rules, bool(self.on("stress")), self.rules.get("theo.when_missing")  # fmt: skip
        meanings = [rules["exemptions"][r.row["kind"]] for r in self.on("exemptions")]
        relax = [meaning["relax"] for meaning in meanings if isinstance(meaning, dict)]
        reliefs = [relief["multiple"] for relief in rules.get("spread.relief", [])
                   if relief["from"] <= self.day.date <= relief["to"]]  # fmt: skip
        factor = max(relax, default=1) * max(reliefs, default=1) * rules.get("stress.relief", 1) ** stress  # fmt: skip
        tests = self.tests(t0, factor, "one_side" in meanings)
        unknown = bool(self.on("feed") or self.owed or self.bad)
        fails = [name for name, passed in tests.items() if passed is False and not unknown]
        hangs = None in tests.values() and missing != "skip_spread" and not fails
        valid = None if unknown or hangs else not fails
        reads = {"spread.off_theo", "quote.zero_bid_below"} & rules.keys()
        reads |= {"theo"} & {term.get("of") for term in rules.get("spread.terms", [])}
        excluded = reads and missing == "exclude" and self.theo(t0) is None and not unknown
        said = {r.at[1]: r.row["phase"] for r in self.last.values() if r.kind == "phases"}
        closed, owes = {at for at in said if said[at] != "continuous"}, self.owes()
        obliged = owes and said and not closed and t0 >= self.day.start
        states = [(None, not obliged), ("exempt", "exclude" in meanings), ("deemed", "deem" in meanings),
                  ("exempt", excluded), ("unknown", valid is None), ("lapsed", not valid)]  # fmt: skip
        state = next((word for word, holds in states if holds), "quoted")
        return Piece(t0, t1, state, fails, valid, stress, owes and closed <= {"*"}, quoted)

    def tests(self, now: int, factor: Any, one_side: bool) -> dict[str, bool | None]:
        """How the tests of section 6 end, in their order; None: hangs. `factor` is of the limit."""
        rules, theo, (bid, ask) = self.rules, self.theo(now), self.quote()
        both, sizes = bool(bid and ask), [side[1] for side in (bid, ask) if side]
        if not sizes:
            return {"absent": False}
        least = {"size": rules.get("quote.min_size", 0)}
        least = first(rules.get("quote.min_size_by_month", []), least, months=self.month)
        unequal = rules.get("quote.max_size_difference", {"ratio": 1, "of": "larger"})
        of = {"smaller": min(sizes), "larger": max(sizes), "mean": Fraction(sum(sizes), 2)}
        zero, band = rules.get("quote.zero_bid_below"), rules.get("spread.off_theo", {})
        width, at = band.get("absolute", band.get("relative", 0) * (theo or 0)), theo or 0
        near = (not bid or bid[0] <= at + width) and (not ask or ask[0] >= at - width)
        alone = zero is not None and (None if theo is None else theo < zero)
        if now - self.since >= rules.get("quote.min_rest", {}).get("at_least", 0):
            self.reached.add(self.since)
        return {
            "one_sided": both or one_side or (not bid and alone),
            "crossed": not both or bid[0] < ask[0],
            "size": min(sizes) >= least["size"],
            "unequal": max(sizes) - min(sizes) <= unequal["ratio"] * of[unequal["of"]],
            "spread": not both or self.spread(bid[0], ask[0], theo, factor),
            "off_theo": not band or (None if theo is None else near),
            "stale": now < self.stamp + rules.get("quote.max_age", inf),
            "flicker": self.since in self.reached,  # counted back, the future's verdict
        }

    def spread(self, bid: Any, ask: Any, theo: Any, factor: Any) -> bool | None:
        """VAL-10; with max, `most`, one term will do; a term that hangs may yet decide."""
        low, high = self.heard("underlying", "bid_price"), self.heard("underlying", "ask_price")
        at = {"theo": theo, "bid": bid, "ask": ask, "mid": Fraction(bid + ask) / 2,
              "tick": self.contract["tick"], "underlying_spread": low and high and high - low}  # fmt: skip
        most, passed = self.rules.get("spread.combine") != "min", set()
        for term in self.rules.get("spread.terms", []):
            base = at[term.get("of", "tick")]
            cell = first(term.get("table", []), {}, price=base or 0, days=self.days) or term
            share = sum(cell.get(key, 0) for key in ("ticks", "relative", "multiple"))
            limit = base is not None and factor * cell.get("absolute", share * base)
            passed.add(None if base is None else ask - bid <= limit)
        undecided = None if None in passed else not most
        return most if most in passed else undecided if passed else True


def month(day: Any) -> int:
    return int(day.year * 12 + day.month)


def first(cells: list[Row], otherwise: Row, **at: Any) -> Row:
    """The first of the cells whose half-open ranges hold all of `at`."""
    held = [c for c in cells if all(c.get(k + "_from", 0) <= at[k] < c.get(k + "_to", inf) for k in at)]  # fmt: skip
    return [*held, otherwise][0]


def sums(pieces: Any, start: int = 0, end: int = 2**63) -> Counter[str]:
    out = Counter[str]()  # ns by state and by reason of lapses; "required" is T of PRES-02
    for p in pieces:
        ns = min(p.t1, end) - max(p.t0, start)
        if ns > 0 and p.state:
            word = "quoted" if p.state == "deemed" else p.state
            why = p.fails[0] if word == "lapsed" else ""
            out.update({word: ns, why: ns, "required": ns * (word != "exempt")})
    return out


def margin(t: Counter[str], rules: Any, hope: bool = False) -> Any:
    """How much more is quoted, or in hope may be, than is owed."""
    time = rules.get("presence.required_time", 0) * t["days"]
    owed = max(rules.get("presence.required", 0) * t["required"], time)
    return (t["required"] - t["lapsed"] if hope else t["quoted"]) - owed


def verdict(groups: dict[Any, Counter[str]], capture: Capture, by: str = "each") -> str:
    """PRES-03 of slots together, in the way of `by`, or of anything that each must pass."""
    rules, live = capture.rules, {key: t for key, t in groups.items() if t["required"]}

    def passes(hope: bool) -> Any:
        left = {key: margin(t, rules, hope) for key, t in live.items()}
        bad = [key for key in live if left[key] < 0]
        if by in ("each", "stretches"):
            return not bad
        rows = [capture.contracts[contract] for _, contract in bad]
        pairs = {(row["class"], row["expiry"], row["strike"]) for row in rows}
        spared = all(row["kind"] in ("call", "put") for row in rows)
        spared = spared and len(pairs) <= rules.get("presence.coverage_all_but_pairs", -1)
        classes = {capture.cls[contract] for _, contract in live}
        each = [[left[slot] for slot in live if capture.cls[slot[1]] == name] for name in classes]
        passed = [sum(n >= 0 for n in own) for own in each]
        ways = {
            "coverage": spared or sum(passed) >= rules.get("presence.coverage_required", 1) * len(live),
            "mean_of_ratios": sum(left[key] / Fraction(live[key]["required"]) for key in live) >= 0,
            "contracts": min(passed) >= rules.get("presence.contracts_required", 0),
            "products": sum(sum(own) >= 0 for own in each) >= rules.get("presence.products_required", 0),
        }  # fmt: skip
        return ways.get(by, sum(left.values()) >= 0)

    if not live or "presence.required" not in rules:
        return "not_assessed"
    return "compliant" if passes(False) else "indeterminate" if passes(True) else "breached"


def play(capture: Capture, day: Day, slot: Slot, reached: set[int] | None = None) -> list[Piece]:
    """The slot's pieces of one date, from an empty book, after one that ends where the date starts."""
    rules, rest = capture.rules, capture.rules.get("quote.min_rest", {})
    ages = {0, rules.get("quote.max_age", 0), rules.get("theo.max_age", 0), rest.get("at_least", 0)}
    spoken = [Record(ts, "phases", ("*", "*"), {"phase": word}) for ts, word in day.phases]
    tape = sorted([*spoken, *capture.records], key=lambda record: record.ts)
    instants = {r.ts + age for r in tape for age in ages} | {day.start - 1, day.start, day.end}
    tape = [r for r in tape if r.at[0] in ("*", slot[0]) and r.at[1] in ("*", slot[1], capture.cls[slot[1]])
            and (r.kind not in ("quotes", "fills") or day.roll <= r.ts < day.until)]  # fmt: skip
    book, pieces = Book(capture, day, slot, reached or set()), []
    for t0, t1 in pairwise([*sorted(instants), 2**63]):
        now = [record for record in tape if record.ts == t0]
        book.take(t0, now)
        if day.start <= t1 <= day.end:
            pieces.append(book.piece(t0, t1, any("bid_size" in r.row for r in now)))
    again = rest.get("counts") == "retroactive" and reached is None  # knowing which are reached
    return play(capture, day, slot, book.reached) if again else pieces


def spans(points: Any, end: int) -> list[tuple[int, int, list[Any]]]:
    """Where `(instant, on, ...)` is on: from, until, and the points of it."""
    groups = [[*own] for _, own in groupby([*points, (end, False)], lambda point: point[1])]
    found = [(own[0][0], after[0][0], own) for own, after in pairwise(groups) if own[0][1]]
    return [span for span in found if span[0] < span[1]]


def lapses(pieces: list[Piece], end: int, test: str = "") -> list[tuple[int, list[Piece]]]:
    """The lapses in which a test fails, with their ends; not obliged or exempt pauses them."""
    going = [p for p in pieces if p.state not in (None, "exempt")]
    points = [(p.t0, p.state == "lapsed" and (not test or test in p.fails), p) for p in going]
    return [(until, [point[2] for point in run]) for _, until, run in spans(points, end)]


class Judged:  # one trading date of one capture
    def __init__(self, capture: Capture, day: Day) -> None:
        self.capture, self.rules, self.day = capture, capture.rules, day
        self.pieces = {slot: play(capture, day, slot) for slot in capture.slots}
        points = {ts: word == "continuous" for ts, word in day.phases}
        self.stretches = [(t0, t1) for t0, t1, _ in spans(points.items(), day.end)]
        self.breaches: list[tuple[Any, ...]] = []  # start, kind, maker, contract, end, reason
        self.holes: dict[str, list[Piece]] = {}
        for contract in sorted(capture.cls):  # lapsed is where every appointed maker is invalid
            tracks = [own for slot, own in self.pieces.items() if slot[1] == contract]
            rows = [(r[0], all(p.valid is False for p in r)) for r in zip(*tracks, strict=True)]
            words = [(p, p.state and ("quoted", "lapsed")[hole]) for p, hole in rows]
            self.holes[contract] = [p._replace(state=word, fails=[""]) for p, word in words]
            self._exceeding("market_hole.longest_permitted", ("", contract), self.holes[contract])
        for slot, own in self.pieces.items():
            self._exceeding("lapse.longest_permitted", slot, own)
            self._exceeding("spread.grace", slot, own, "spread")
        for maker in capture.makers:
            self._judge(maker)

    def _exceeding(self, key: str, slot: Slot, pieces: list[Piece], test: str = "") -> None:
        """A breach where a lapse uses up its limit and goes on, with the primary reason then."""
        for end, run in lapses(pieces, self.day.end, test):
            left, kind = self.rules.get(key, inf), key.split(".")[0]
            for p in run:
                if 0 <= left < p.t1 - p.t0:
                    self.breaches += [(p.t0 + left, kind, *slot, end, test or p.fails[0])]
                left -= p.t1 - p.t0

    def _judge(self, maker: str) -> None:
        """The breaches of a maker: those of the whole date, then those that begin within it."""
        rules, (start, end), row = self.rules, self.day[2:4], row_of(maker, "", [self])
        mine = {slot: own for slot, own in self.pieces.items() if slot[0] == maker}
        t, rfq, pieces = row["stress"], row["rfq"], [p for own in mine.values() for p in own]
        excess = t["lapsed_ns"] - (1 - rules.get("stress.required", 0)) * t["required_ns"]
        undone = rfq["failed"] > (1 - rules.get("rfq.required", 0)) * rfq["asked"]
        undone = undone and rfq["asked"] > rules.get("rfq.deemed_fulfilled_up_to", 0)

        def burns(now: int, pair: Row) -> bool:
            both = [sums(pieces, now - pair[span], now) for span in ("long", "short")]
            share = pair["burn"] * (1 - rules["presence.required"])
            return all(t["lapsed"] >= max(1, share * t["required"]) for t in both)

        every = rules.get("presence.at_risk_every", UNITS["m"])
        looks = [(now, any(burns(now, pair) for pair in rules.get("presence.at_risk", [])))
                 for now in range(start + every, end, every)]  # fmt: skip
        found = [("presence_at_risk", t0, t1) for t0, t1, _ in spans(looks, end)]
        found += [("presence_unreachable", t0, t1) for t0, t1, _ in spans(self._lost(mine), end)]
        found += [("presence", end, end)] * (row["verdict"] == "breached")
        found += [("stress_presence", end, end)] * (excess > 0) + [("rfq", end, end)] * undone
        self.breaches += [(t0, kind, maker, "", t1, "") for kind, t0, t1 in found]

    def _lost(self, mine: dict[Slot, list[Piece]]) -> Any:
        """From when on the maker can no longer meet its presence, and from when it can again."""
        by = self.rules.get("presence.judged_by", "")

        def lost(now: int) -> bool:
            left = sum(max(0, t1 - max(t0, now)) for t0, t1 in self.stretches)
            totals = {slot: sums(own, end=now) + Counter(required=left * p.resumes, days=1)
                      for (slot, own), p in zip(mine.items(), row, strict=True)}  # fmt: skip
            return verdict(totals, self.capture, by) == "breached"

        rows = [*zip(*mine.values(), strict=True)][1:]  # within the period
        for row in rows if self.day.roll and by != "stretches" else ():
            t0, t1, *_ = row[0]
            yield t0, lost(t0)
            if lost(t1 - 1) and not lost(t0):  # within a piece, what is lost stays lost
                yield t0 + bisect_left(range(t0, t1), True, key=lost), True

    def answers(self, slot: Slot) -> Any:
        """RESP-02: whether the requests to a slot were answered; None: undecided."""
        rules, end, own = self.rules, self.day.end, self.pieces[slot]
        stay, within = max(1, rules.get("rfq.stay", 0)), rules.get("rfq.respond_within", 0)
        for ts, kind, at, row in self.capture.records if "rfq" in rules else ():
            asked = kind == "rfqs" and at[1] == slot[1] and [p.state for p in own if p.t0 == ts]
            if asked in OWED and slot[0] in (row["makers"] or slot[0]).split("|"):
                ahead = [p for p in own if p.t0 >= ts]
                stands = ts if rules.get("rfq.standing_quote_counts") else None
                come = [p.t0 for p in ahead if p.valid and (p.quoted or p.t0 == stands)]
                first = min([*come, *(p.t0 for p in ahead if p.valid is None), end])
                fates: list[bool | None] = [False] * (first > ts + within)
                fates += [p.valid for p in ahead if first <= p.t0 < first + stay and not p.valid]
                yield [*fates, True if first + stay <= end else None][0]


def windows(width: int, tracks: list[list[Piece]], capture: Capture) -> Row:
    """PRES-06: tumbling windows over each slot's own obliged time, on which its pieces are laid."""
    counts, longest = Counter[str](), 0
    for pieces in tracks:
        own = [p for p in pieces if p.state]
        ends = [0, *accumulate(p.t1 - p.t0 for p in own)]
        laid = [p._replace(t0=t0, t1=t1) for p, (t0, t1) in zip(own, pairwise(ends), strict=True)]
        each = [sums(laid, at - width, at) for at in range(width, ends[-1] + 1, width)]
        words = [verdict({"": t}, capture) for t in each]
        counts.update([*words, *["cut"] * (ends[-1] % width > 0)])
        runs = groupby(word == "breached" for word in words if word != "not_assessed")
        longest = max([longest, *(len([*run]) for failed, run in runs if failed)])
    return {"width_ns": width, "total": counts.total(), "passed": counts["compliant"],
            "failed": counts["breached"], "open": counts["indeterminate"], "cut": counts["cut"],
            "empty": counts["not_assessed"], "longest_failed_run": longest}  # fmt: skip


def ratio(top: Any, bottom: Any) -> str | None:
    whole, rest = divmod(int(top * 10**9 / Fraction(bottom)) if bottom else 0, 10**9)
    return f"{whole}.{rest:09d}" if bottom else None


def times(t: Counter[str]) -> Row:
    states = ("quoted", "lapsed", "exempt", "unknown", "required")
    return {f"{word}_ns": t[word] for word in states} | {"presence": ratio(t["quoted"], t["required"])}  # fmt: skip


def row_of(maker: str, contract: str, judged: list[Judged]) -> Row:
    """All that is said of an obligation or, where no contract is named, of a maker."""
    capture, rules = judged[0].capture, judged[0].rules
    slots = [slot for slot in capture.slots if slot[0] == maker and contract in ("", slot[1])]
    tracks = [(j, slot, j.pieces[slot]) for j in judged for slot in slots]
    pieces = [p for _, _, own in tracks for p in own]
    dates = Counter(days=len(judged))
    mine = {slot: dates + sums(p for j in judged for p in j.pieces[slot]) for slot in slots}
    t, stress = sum(mine.values(), Counter[str]()), sums(p for p in pieces if p.stress)
    way, named = rules.get("presence.judged_by", ""), rules.get("presence.windows", [])
    wanted, by = slots and ("am_pm" in named or way == "stretches"), "each" if contract else way
    apart = {span: sums(pieces, *span) for j in judged for span in j.stretches if wanted}
    lengths = [sum(p.t1 - p.t0 for p in run)
               for j, _, own in tracks for _, run in lapses(own, j.day.end)]  # fmt: skip
    said = [verdict({slot: mine[slot]}, capture) for slot in slots if mine[slot]["required"]]
    weight, passed = rules.get("stress.weight", 1) - 1, said.count("compliant")
    answers = [answer for j, slot, _ in tracks for answer in j.answers(slot)]
    return {
        "maker": maker, "contract": contract, "class": capture.cls.get(contract), **times(t),
        "lapsed_by_reason_ns": {reason: t[reason] for reason in REASONS.split()},
        "verdict": verdict(apart if by == "stretches" else mine, capture, by),
        "slack_ns": margin(t, rules) // 1 if "presence.required" in rules else None,
        "lapses": len(lengths), "longest_lapse_ns": max(lengths, default=0),
        "contracts_required": len(said), "contracts_passed": passed,
        "coverage": ratio(passed, len(said)), "stress": times(stress), "stress_presence": times(stress)["presence"],
        "weighted_presence": ratio(t["quoted"] + weight * stress["quoted"],
                                   t["required"] + weight * stress["required"]),
        "windows": [windows(width, [own for _, _, own in tracks], capture)
                    for width in sorted(w for w in named if isinstance(w, int) and slots)],
        "stretches": [{"start": start, "end": end, "verdict": verdict({"": t}, capture), **times(t)}
                      for (start, end), t in apart.items()],
        "rfq": {"asked": len(answers), "answered": answers.count(True),
                "failed": answers.count(False), "undecided": answers.count(None)},
    }  # fmt: skip


def judge(directory: Path, rulebook: Path) -> Row:
    """The report of section 10, with more in its rows; ValueError when there is no period."""
    capture = Capture(directory, rulebook)
    rules, days = capture.rules, capture.days()
    judged = [Judged(capture, day) for day in days]
    counted = Counter(record.row["counted"] for record in capture.records)
    breaches = []
    for start, kind, maker, contract, end, reason in sorted(b for j in judged for b in j.breaches):
        key = f"{rules['id']}|{rules['version']}|{kind}|{maker}|{contract}|{start}".encode()
        breaches.append({"kind": kind, "maker": maker, "contract": contract, "start": start, "end": end,
                         "id": hashlib.sha256(key).hexdigest()[:32], "reason": reason})  # fmt: skip
    return {
        "schema": "mm-monitor/report/1",
        "rulebook": {key: rules[key] for key in ("id", "version", "sha256")},
        "period": {"start": days[0].start, "end": days[-1].end},
        "records": {"applied": 0, "late": 0, "dead_letter": 0, "duplicate": 0, "no_obligation": 0, **counted},
        "obligations": [row_of(*slot, judged) for slot in capture.slots],
        "makers": [row_of(maker, "", judged) for maker in capture.makers],
        "contracts": [{"contract": c, "market_hole_ns": sum(sums(j.holes[c])["lapsed"] for j in judged)}
                      for c in sorted(capture.cls)],
        "breaches": breaches,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(judge(*map(Path, sys.argv[1:])), indent=2, sort_keys=True, ensure_ascii=False))
