"""The oracle: judges a capture anew at every instant at which anything could change.

Every number of the two reports is a sum over pieces of time, or a search among them.
"""

import hashlib
import json
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any

from .book import Book, Piece
from .reading import UNITS, Capture, Day, Record, Row, Slot

Sums = Counter[str]  # ns by state and by reason of lapses; "required" is T, "days" how many dates
REASONS = "absent one_sided crossed size unequal spread off_theo stale flicker"
WINDOWS = {"compliant": "passed", "breached": "failed", "indeterminate": "open",
           "not_assessed": "empty"}  # fmt: skip
BUCKETS = [n * 10**k for k in range(3, 11) for n in (1, 2, 5)] + [10**11]  # ns
RFQ = {True: "answered", False: "failed", None: "undecided"}
COUNTED = "applied late dead_letter duplicate no_obligation"
OWED = (["quoted"], ["lapsed"], ["unknown"])


def sums(pieces: Iterable[Piece], start: int = 0, end: int = 2**63) -> Sums:
    out: Sums = Counter()
    for p in pieces:
        ns = min(p.t1, end) - max(p.t0, start)
        if ns > 0 and p.state:
            out["quoted" if p.state == "deemed" else p.state] += ns
            out["required" if p.state != "exempt" else ""] += ns
            out[p.fails[0] if p.state == "lapsed" else ""] += ns
            out["use"] += ns * p.use
    return out


def margin(t: Sums, rules: Any, hope: bool = False) -> Any:
    """How much more is quoted, or in hope may be, than is owed."""
    time = rules.get("presence.required_time", 0) * t["days"]
    owed = max(rules.get("presence.required", 0) * t["required"], time)
    return (t["required"] - t["lapsed"] if hope else t["quoted"]) - owed


def verdict(groups: dict[Any, Sums], capture: Capture, by: str = "each") -> str:
    """PRES-03 of slots together, in the way of `by`, or of anything that each must pass."""
    rules, live = capture.rules, {key: t for key, t in groups.items() if t["required"]}

    def passes(hope: bool) -> Any:
        left = {key: margin(t, rules, hope) for key, t in live.items()}
        bad = [key for key in live if left[key] < 0]
        if by == "each":
            return not bad
        if by == "coverage":
            rows = [capture.contracts[slot[1]] for slot in bad]
            pairs = {(row["class"], row["expiry"], row["strike"]) for row in rows}
            spared = len(pairs) <= rules.get("presence.coverage_all_but_pairs", -1)
            spared = spared and all(row["kind"] in ("call", "put") for row in rows)
            least = rules.get("presence.coverage_required", 1) * len(live)
            return spared or len(live) - len(bad) >= least
        if by == "mean_of_ratios":
            return sum(left[slot] / Fraction(live[slot]["required"]) for slot in live) >= 0
        classes = {capture.cls[contract] for _, contract in live}
        each = [[left[slot] for slot in live if capture.cls[slot[1]] == name] for name in classes]
        if by == "contracts":
            passed = [sum(n >= 0 for n in own) for own in each]
            return min(passed) >= rules["presence.contracts_required"]
        if by == "products":
            return sum(sum(own) >= 0 for own in each) >= rules["presence.products_required"]
        return sum(left.values()) >= 0

    if not live or "presence.required" not in rules:
        return "not_assessed"
    return "compliant" if passes(False) else "indeterminate" if passes(True) else "breached"


def play(capture: Capture, day: Day, slot: Slot, reached: set[int] | None = None) -> list[Piece]:
    """The slot's pieces of one date, from an empty book, after one that ends where the date starts."""
    rules, rest = capture.rules, capture.rules.get("quote.min_rest", {})
    ages = {0, rules.get("quote.max_age", 0), rules.get("theo.max_age", 0), rest.get("at_least", 0)}
    spoken = [
        Record(ts, "phases", ("*", "*"), {"phase": word, "on": False}) for ts, word in day.phases
    ]
    tape = sorted([*spoken, *capture.records], key=lambda record: record.ts)
    instants = {r.ts + age for r in tape for age in ages} | {day.start - 1, day.start, day.end}
    scopes = ("*", slot[1], capture.cls[slot[1]])
    tape = [r for r in tape if r.at[0] in ("*", slot[0]) and r.at[1] in scopes
            and (r.kind not in ("quotes", "fills") or day.roll <= r.ts < day.until)]  # fmt: skip
    book, pieces = Book(capture, day, slot, reached or set()), []
    for t0, t1 in pairwise([*sorted(instants), 2**63]):
        now = [record for record in tape if record.ts == t0]
        book.take(t0, now)
        if day.start <= t1 <= day.end:
            kinds = {r.kind for r in now if r.row.get("counted") != "dead_letter"}
            pieces.append(book.piece(t0, t1, kinds))
    if rest.get("counts") == "retroactive" and reached is None:
        return play(capture, day, slot, book.reached)  # again, knowing which rests are reached
    return pieces


def spans(points: Iterable[Any], end: int) -> list[tuple[int, int, list[Any]]]:
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
        points = [(ts, word == "continuous") for ts, word in dict(day.phases).items()]
        self.stretches = [(start, end) for start, end, _ in spans(points, day.end)]
        self.breaches: list[tuple[Any, ...]] = []  # start, kind, maker, contract, end, reason
        for slot, own in self.pieces.items():
            self._exceeding("lapse.longest_permitted", slot, own)
            self._exceeding("spread.grace", slot, own, "spread")
        for contract in capture.cls:
            self._exceeding("market_hole.longest_permitted", ("", contract), self.hole(contract))
        for maker in capture.makers:
            self._judge(maker, {slot: own for slot, own in self.pieces.items() if slot[0] == maker})

    def hole(self, contract: str) -> list[Piece]:
        """The contract's pieces: lapsed where every appointed maker is known to be invalid."""
        rows = zip(*(own for slot, own in self.pieces.items() if slot[1] == contract), strict=True)
        known = [(row[0], row[0].state and ("quoted", "lapsed")[all(p.valid is False for p in row)])
                 for row in rows]  # fmt: skip
        return [p._replace(state=state, fails=[""]) for p, state in known]

    def _exceeding(self, key: str, slot: Slot, pieces: list[Piece], test: str = "") -> None:
        """A breach where a lapse uses up its limit and goes on, with the primary reason then."""
        for end, run in lapses(pieces, self.day.end, test) if key in self.rules else ():
            left = self.rules[key]
            for p in run:
                if 0 <= left < p.t1 - p.t0:
                    reason = test or p.fails[0]
                    self.breaches.append((p.t0 + left, key.split(".")[0], *slot, end, reason))
                left -= p.t1 - p.t0

    def _judge(self, maker: str, mine: dict[Slot, list[Piece]]) -> None:
        """The breaches of a maker: those of the whole date, then those that begin within it."""
        rules, (start, end), row = self.rules, self.day[2:4], row_of(maker, "", [self])
        pieces, rfq = [p for own in mine.values() for p in own], row["rfq"]
        t, least = sums(p for p in pieces if p.stress), rules.get("rfq.required", 0) * rfq["asked"]
        many = rfq["asked"] > rules.get("rfq.deemed_fulfilled_up_to", 0)
        failed = {
            "presence": row["verdict"] == "breached",
            "stress_presence": t["lapsed"] > (1 - rules.get("stress.required", 0)) * t["required"],
            "rfq": many and rfq["answered"] + rfq["undecided"] < least,
        }

        def burns(now: int, pair: Row) -> bool:
            both = [sums(pieces, now - pair[span], now) for span in ("long", "short")]
            share = pair["burn"] * (1 - rules["presence.required"])
            return all(t["lapsed"] >= max(1, share * t["required"]) for t in both)

        every = rules.get("presence.at_risk_every", UNITS["m"])
        looks = [(now, any(burns(now, pair) for pair in rules.get("presence.at_risk", [])))
                 for now in range(start + every, end, every)]  # fmt: skip
        found = [("presence_at_risk", t0, t1) for t0, t1, _ in spans(looks, end)]
        found += [("presence_unreachable", t0, t1) for t0, t1, _ in spans(self._lost(mine), end)]
        found += [(kind, end, end) for kind in failed if failed[kind]]
        self.breaches += [(t0, kind, maker, "", t1, "") for kind, t0, t1 in found]

    def _lost(self, mine: dict[Slot, list[Piece]]) -> list[tuple[int, bool]]:
        """From when on the maker can no longer meet its presence, and from when it can again."""
        points, by = [], self.rules.get("presence.judged_by", "")

        def lost(now: int) -> bool:
            left = sum(max(0, t1 - max(t0, now)) for t0, t1 in self.stretches)
            totals = {
                slot: sums(own, end=now) + Counter(required=left * p.resumes, days=1)
                for (slot, own), p in zip(mine.items(), row, strict=True)
            }
            return verdict(totals, self.capture, by) == "breached"

        rows = [*zip(*mine.values(), strict=True)][1:]  # within the period
        for row in rows if self.day.roll and by != "stretches" else ():
            t0, t1, *_ = row[0]
            points.append((t0, lost(t0)))
            if not points[-1][1] and lost(t1 - 1):  # within a piece, what is lost stays lost
                points.append((t0 + bisect_left(range(t0, t1), True, key=lost), True))
        return points

    def answers(self, slot: Slot) -> list[str]:
        """RESP-02: what became of the requests to a slot."""
        rules, end, said = self.rules, self.day.end, []
        stay, within = max(1, rules.get("rfq.stay", 0)), rules.get("rfq.respond_within", 0)
        asking = [r for r in self.capture.records if r.kind == "rfqs" and r.at[1] == slot[1]]
        for ts, _, _, row in asking if "rfq" in rules else ():
            ahead = [p for p in self.pieces[slot] if p.t0 >= ts]
            states = [p.state for p in ahead[:1] if p.t0 == ts]  # none outside the period
            if states in OWED and slot[0] in (row["makers"] or slot[0]).split("|"):
                stands = ts if rules.get("rfq.standing_quote_counts") else None
                come = [p.t0 for p in ahead if p.valid and ("quotes" in p.kinds or p.t0 == stands)]
                first = min([*come, *(p.t0 for p in ahead if p.valid is None), end])
                fates: list[bool | None] = [False] * (first > ts + within)
                fates += [p.valid for p in ahead if first <= p.t0 < first + stay and not p.valid]
                said.append(RFQ[[*fates, True if first + stay <= end else None][0]])
        return said

    def requotes(self, slot: Slot) -> list[int]:
        """RESP-01: ns from the record that ended validity to the next valid quote, where one did."""
        waits, since = [], None
        for before, p in pairwise(self.pieces[slot]):
            gone = any(a and not b for a, b in zip(before.quote, p.quote, strict=True))
            moved = "theo" in p.kinds and {"spread", "off_theo", "one_sided"} & {*p.fails}
            caused = moved or "fills" in p.kinds or ("quotes" in p.kinds and gone)
            if since is not None and p.valid and "quotes" in p.kinds:
                waits.append(p.t0 - since)
            if p.lost or p.valid:
                since = None
            elif before.valid and p.fails and caused and p.state == "lapsed":
                since = p.t0
        return waits


def windows(width: int, slots: list[list[Piece]], capture: Capture) -> Row:
    """PRES-06: tumbling windows over each slot's own obliged time, on which its pieces are laid."""
    counts, longest = Counter[str](), 0
    for pieces in slots:
        own = [p for p in pieces if p.state]
        ends = [0, *accumulate(p.t1 - p.t0 for p in own)]
        laid = [p._replace(t0=t0, t1=t1) for p, (t0, t1) in zip(own, pairwise(ends), strict=True)]
        each = [sums(laid, at - width, at) for at in range(width, ends[-1] + 1, width)]
        words = [WINDOWS[verdict({"": t}, capture)] for t in each]
        counts.update([*words, *["cut"] * (ends[-1] % width > 0)])
        runs = groupby(word == "failed" for word in words if word != "empty")
        longest = max([longest, *(len([*run]) for failed, run in runs if failed)])
    return {"width_ns": width, "total": counts.total(), "longest_failed_run": longest,
            **{word: counts[word] for word in [*WINDOWS.values(), "cut"]}}  # fmt: skip


def ratio(top: Any, bottom: Any) -> str | None:
    whole, rest = divmod(int(top * 10**9 / Fraction(bottom)) if bottom else 0, 10**9)
    return f"{whole}.{rest:09d}" if bottom else None


def times(t: Sums) -> Row:
    states = {f"{state}_ns": t[state] for state in ("quoted", "lapsed", "exempt", "unknown")}
    return states | {"presence": ratio(t["quoted"], t["required"])}


def row_of(maker: str, contract: str, judged: list[Judged]) -> Row:
    """All that is said of an obligation or, where no contract is named, of a maker."""
    capture, rules = judged[0].capture, judged[0].rules
    slots = [slot for slot in capture.slots if slot[0] == maker and contract in ("", slot[1])]
    tracks = [(j, j.pieces[slot]) for j in judged for slot in slots]
    pieces = [p for _, track in tracks for p in track]
    dates = Counter(days=len(judged))
    mine = {slot: dates + sums(p for j in judged for p in j.pieces[slot]) for slot in slots}
    t, stress = sum(mine.values(), Counter[str]()), sums(p for p in pieces if p.stress)
    by, named = rules.get("presence.judged_by", ""), rules.get("presence.windows", [])
    wanted = slots and ("am_pm" in named or by == "stretches")
    apart = {span: sums(pieces, *span) for j in judged for span in j.stretches if wanted}
    runs = [run for j, track in tracks for _, run in lapses(track, j.day.end)]
    lengths = [sum(p.t1 - p.t0 for p in run) for run in runs]
    said = [verdict({slot: mine[slot]}, capture) for slot in slots if mine[slot]["required"]]
    together = verdict(apart, capture) if by == "stretches" else verdict(mine, capture, by)
    word = verdict(mine, capture) if contract else together
    weight = rules.get("stress.weight", 1) - 1
    answers = Counter(word for j in judged for slot in slots for word in j.answers(slot))
    waits = [ns for j in judged for slot in slots for ns in j.requotes(slot)]
    buckets = Counter(str(next((b for b in BUCKETS if ns <= b), "inf")) for ns in waits)
    return {
        "maker": maker, "contract": contract, "class": capture.cls.get(contract), **times(t),
        "lapsed_by_reason_ns": {reason: t[reason] for reason in REASONS.split()},
        "verdict": word, "required_ns": t["required"],
        "slack_ns": margin(t, rules) // 1 if "presence.required" in rules else None,
        "lapses": len(lengths), "longest_lapse_ns": max(lengths, default=0),
        "contracts_required": len(said), "contracts_passed": said.count("compliant"),
        "coverage": ratio(said.count("compliant"), len(said)), "limit_use": t["use"],
        "stress": times(stress), "stress_presence": times(stress)["presence"],
        "weighted_presence": ratio(t["quoted"] + weight * stress["quoted"],
                                   t["required"] + weight * stress["required"]),
        "windows": [windows(width, [track for _, track in tracks], capture)
                    for width in sorted(w for w in named if isinstance(w, int) and slots)],
        "stretches": [{"start": start, "end": end, "verdict": verdict({"": t}, capture), **times(t)}
                      for (start, end), t in apart.items()],
        "rfq": {"asked": answers.total(), **{word: answers[word] for word in RFQ.values()}},
        "requote": {"count": len(waits), "sum_ns": sum(waits), "buckets": buckets},
    }  # fmt: skip


def judge(directory: Path, rulebook: Path) -> Row:
    """The report of section 10, with more in its rows; ValueError when there is no period."""
    capture = Capture(directory, rulebook)
    rules, days = capture.rules, capture.days()
    judged = [Judged(capture, day) for day in days]
    counted = Counter(record.row["counted"] for record in capture.records)
    holes = {c: sum(sums(j.hole(c))["lapsed"] for j in judged) for c in sorted(capture.cls)}
    breaches = []
    for start, kind, maker, contract, end, reason in sorted(b for j in judged for b in j.breaches):
        parts = f"{rules['id']}|{rules['version']}|{kind}|{maker}|{contract}|{start}"
        breaches.append({"id": hashlib.sha256(parts.encode()).hexdigest()[:32], "kind": kind,
                         "maker": maker, "contract": contract, "start": start, "end": end,
                         "reason": reason})  # fmt: skip
    return {
        "schema": "mm-monitor/report/1",
        "rulebook": {key: rules[key] for key in ("id", "version", "sha256")},
        "period": {"start": days[0].start, "end": days[-1].end},
        "records": {word: counted[word] for word in COUNTED.split()},
        "obligations": [row_of(*slot, judged) for slot in capture.slots],
        "makers": [row_of(maker, "", judged) for maker in capture.makers],
        "contracts": [{"contract": c, "market_hole_ns": ns} for c, ns in holes.items()],
        "breaches": breaches,
    }


if __name__ == "__main__":
    report = judge(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
