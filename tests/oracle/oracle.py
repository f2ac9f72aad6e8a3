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
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from .book import Book, Piece
from .reading import Capture, Day, Record, Row, Slot, trading_dates, utc_date

Sums = Counter[str]  # ns by state and by reason of lapses; "future" is R
STATES = ("quoted", "lapsed", "exempt", "unknown")
REASONS = "absent one_sided crossed size unequal spread off_theo stale flicker"
WINDOWS = {"compliant": "passed", "breached": "failed", "indeterminate": "open",
           "not_assessed": "empty"}  # fmt: skip
BUCKETS = [n * 10**k for k in range(3, 11) for n in (1, 2, 5)] + [10**11]  # ns
# What the report has of each row; the details have all.
OBLIGATION = """maker contract class quoted_ns lapsed_ns exempt_ns unknown_ns lapsed_by_reason_ns
    presence verdict slack_ns lapses longest_lapse_ns"""
MAKER = """maker quoted_ns required_ns presence contracts_required contracts_passed coverage
    verdict"""


def sums(slots: Iterable[list[Piece]], start: int = 0, end: int = 2**63) -> Sums:
    out: Sums = Counter()
    for pieces in slots:
        out["days"] += 1
        for p in pieces:
            ns = min(p.t1, end) - max(p.t0, start)
            if ns > 0 and p.state:
                out["quoted" if p.state == "deemed" else p.state] += ns
                out[p.fails[0] if p.state == "lapsed" else ""] += ns
                out["use"] += ns * p.use
    return out


def needed(t: Sums) -> int:
    return t["quoted"] + t["lapsed"] + t["unknown"] + t["future"]


def margin(t: Sums, rules: Any, hope: bool = False) -> Any:
    """How much more is quoted, or in hope may be, than is owed."""
    time = rules.get("presence.required_time", 0) * t["days"]
    owed = max(rules.get("presence.required", 0) * needed(t), time)
    return (needed(t) - t["lapsed"] if hope else t["quoted"]) - owed


def verdict(groups: dict[Any, Sums], capture: Capture, by: str = "each") -> str:
    """PRES-03 of slots together, in the way of `by`, or of anything that each must pass."""
    rules, live = capture.rules, {key: t for key, t in groups.items() if needed(t)}
    if not live or not {"presence.required", "presence.required_time"} & rules.keys():
        return "not_assessed"

    def passes(hope: bool) -> Any:
        left = {key: margin(t, rules, hope) for key, t in live.items()}
        good, count = {key for key in live if left[key] >= 0}, Counter[str]()
        if by == "each":
            return len(good) == len(live)
        if by == "coverage":
            bad = [capture.contracts[slot[1]] for slot in live.keys() - good]
            pairs = {(row["class"], row["expiry"], row["strike"]) for row in bad}
            spared = len(pairs) <= rules.get("presence.coverage_all_but_pairs", -1)
            share = len(good) >= rules.get("presence.coverage_required", 1) * len(live)
            return share or (spared and all(row["kind"] in ("call", "put") for row in bad))
        for slot in live:
            count[capture.cls[slot[1]]] += slot in good if by == "contracts" else left[slot]
        if by == "contracts":
            return min(count.values()) >= rules["presence.contracts_required"]
        if by == "products":
            return len([n for n in count.values() if n >= 0]) >= rules["presence.products_required"]
        if by == "mean_of_ratios":
            return sum(left[slot] / Fraction(needed(live[slot])) for slot in live) >= 0
        return sum(left.values()) >= 0

    return "compliant" if passes(False) else "indeterminate" if passes(True) else "breached"


def play(capture: Capture, day: Day, slot: Slot, reached: set[int] | None = None) -> list[Piece]:
    """A slot's pieces of one date, from an empty book, after one that ends where the date starts."""
    rules, rest = capture.rules, capture.rules.get("quote.min_rest", {})
    spoken = [Record(ts, "phase", ("*", "*"), {"phase": word}) for ts, word in day.phases]
    tape = sorted([*spoken, *capture.records], key=lambda record: record.ts)
    ages = {0, rules.get("quote.max_age", 0), rules.get("theo.max_age", 0), rest.get("at_least", 0)}
    instants = {r.ts + age for r in tape for age in ages} | {day.start - 1, day.start, day.end}
    scopes = ("*", slot[1], capture.cls[slot[1]])
    tape = [r for r in tape if r.at[0] in ("*", slot[0]) and r.at[1] in scopes]
    book, pieces = Book(capture, day, slot, reached or set()), []
    for t0, t1 in pairwise([*sorted(instants), 2**63]):
        now = [record for record in tape if record.ts == t0]
        for record in now:
            book.apply(record)
        book.settle(t0)
        if day.start <= t1 <= day.end:
            kinds = {record.kind for record in now if "bad" not in record.row}
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
        self.played = {slot: play(capture, day, slot) for slot in capture.slots}
        self.pieces = {slot: own[1:] for slot, own in self.played.items()}
        points = [(ts, word == "continuous") for ts, word in dict(day.phases).items()]
        self.stretches = [(start, end) for start, end, _ in spans(points, day.end)]
        self.breaches: list[tuple[Any, ...]] = []  # start, kind, maker, contract, end, reason
        for slot, own in self.pieces.items():
            self._exceeding("lapse", slot, own)
            self._exceeding("spread", slot, own, "spread")
        for contract in capture.contracts:
            self._exceeding("market_hole", ("", contract), self.hole(contract))
        for maker in capture.makers:
            self._judge(maker, {slot: own for slot, own in self.pieces.items() if slot[0] == maker})

    def hole(self, contract: str) -> list[Piece]:
        """The contract's pieces: lapsed where every appointed maker is known to be invalid."""
        rows = zip(*(own for slot, own in self.pieces.items() if slot[1] == contract), strict=True)
        holes = [(row[0], all(p.valid is False for p in row)) for row in rows]
        return [p._replace(state=p.state and ("lapsed" if hole else "quoted"), fails=[""])
                for p, hole in holes]  # fmt: skip

    def _exceeding(self, kind: str, slot: Slot, pieces: list[Piece], test: str = "") -> None:
        """A breach where a lapse uses up its limit and goes on, with the primary reason then."""
        limit = self.rules.get(f"{kind}.longest_permitted", self.rules.get(f"{kind}.grace"))
        for end, run in lapses(pieces, self.day.end, test) if limit is not None else ():
            left = limit
            for p in run:
                if 0 <= left < p.t1 - p.t0:
                    self.breaches.append((p.t0 + left, kind, *slot, end, test or p.fails[0]))
                left -= p.t1 - p.t0

    def _judge(self, maker: str, mine: dict[Slot, list[Piece]]) -> None:
        rules, (start, end), row = self.rules, self.day[2:4], row_of(maker, "", [self])
        asked, answered = row["rfq"]["asked"], row["rfq"]["answered"] + row["rfq"]["undecided"]
        t = sums([p for p in own if p.stress] for own in mine.values())
        many = asked > rules.get("rfq.deemed_fulfilled_up_to", 0)
        breached = {
            "presence": row["verdict"] == "breached",
            "stress_presence": t["lapsed"] > (1 - rules.get("stress.required", 0)) * needed(t),
            "rfq": many and answered < rules.get("rfq.required", 0) * asked,
        }
        self.breaches += [(end, kind, maker, "", end, "") for kind in breached if breached[kind]]

        def burns(now: int, span: int, least: Any) -> Any:
            t = sums(mine.values(), now - span, now)
            return t["lapsed"] >= max(1, least * (1 - rules["presence.required"]) * needed(t))

        looks: dict[int, Any] = {}
        for pair in rules.get("presence.at_risk", []):
            every = rules.get("presence.at_risk_every", 60 * 10**9)
            for now in range(start + every, end, every):
                fast = all(burns(now, pair[span], pair["burn"]) for span in ("long", "short"))
                looks[now] = looks.get(now, False) or fast
        points = {"at_risk": looks.items(), "unreachable": self._lost(mine).items()}
        for kind, on in points.items():
            found = [(t0, f"presence_{kind}", maker, "", t1, "") for t0, t1, _ in spans(on, end)]
            self.breaches += found

    def _lost(self, mine: dict[Slot, list[Piece]]) -> dict[int, bool]:
        """From when on the maker can no longer meet its presence, and from when it can again."""
        points, by = {}, self.rules.get("presence.judged_by", "")
        phases = [(a[0], b[0]) for a, b in pairwise(self.day.phases) if a[1] == "continuous"]

        def lost(now: int) -> bool:
            left = sum(max(0, t1 - max(t0, now)) for t0, t1 in phases)
            totals = {slot: sums([own], end=now) for slot, own in mine.items()}
            for t, p in zip(totals.values(), row, strict=True):
                t["future"] = left * p.resumes
            return verdict(totals, self.capture, by) == "breached"

        for row in zip(*mine.values(), strict=True) if self.day.roll and by != "stretches" else ():
            t0, t1, *_ = row[0]
            points[t0] = lost(t0)
            if not points[t0] and lost(t1 - 1):  # within a piece, what is lost stays lost
                points[t0 + bisect_left(range(t0, t1), True, key=lost)] = True
        return points

    def answers(self, slot: Slot) -> list[str]:
        """RESP-02: what became of the requests to a slot."""
        rules, end, said = self.rules, self.day.end, []
        stay, within = max(1, rules.get("rfq.stay", 0)), rules.get("rfq.respond_within", 0)
        for ts, _, at, row in (r for r in self.capture.records if r.kind == "rfq"):
            ahead = [p for p in self.pieces[slot] if p.t0 >= ts and at[1] == slot[1]]
            named = "rfq" in rules and slot[0] in (row["makers"] or slot[0]).split("|")
            states = [p.state for p in ahead[:1] if p.t0 == ts]
            if not named or not {*states} & {"quoted", "lapsed", "unknown"}:
                continue
            stands = ts if rules.get("rfq.standing_quote_counts") else None
            first = [p for p in ahead if p.valid is None
                     or (p.valid and ("quote" in p.kinds or p.t0 == stands))][:1]  # fmt: skip
            if not first or first[0].t0 > ts + within:
                said.append("failed" if ts + within < end else "undecided")
                continue
            until = first[0].t0 + stay
            bad = [p.valid for p in ahead if first[0].t0 <= p.t0 < until and not p.valid]
            word = "answered" if until <= end else "undecided"
            said.append({None: "undecided", False: "failed"}[bad[0]] if bad else word)
        return said

    def requotes(self, slot: Slot) -> list[int]:
        """RESP-01: ns from the record that ended validity to the next valid quote, where one did."""
        waits, since = [], None
        for before, p in pairwise(self.played[slot]):
            gone = any(a and not b for a, b in zip(before.quote, p.quote, strict=True))
            caused = "fill" in p.kinds or ("quote" in p.kinds and gone)
            if "theo" in p.kinds:
                caused |= not {"spread", "off_theo", "one_sided"}.isdisjoint(p.fails)
            if since is not None and p.valid and "quote" in p.kinds:
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
        clock, laid = 0, []
        for p in (p for p in pieces if p.state):
            laid.append(p._replace(t0=clock, t1=clock + p.t1 - p.t0))
            clock = laid[-1].t1
        each = [sums([laid], at, at + width) for at in range(0, clock - clock % width, width)]
        words = [WINDOWS[verdict({"": t - Counter(days=1)}, capture)] for t in each]
        counts.update([*words, *["cut"] * (clock % width > 0)])
        runs = groupby(word == "failed" for word in words if word != "empty")
        longest = max([longest, *(len([*run]) for failed, run in runs if failed)])
    return {"width_ns": width, "total": counts.total(), "longest_failed_run": longest,
            **{word: counts[word] for word in [*WINDOWS.values(), "cut"]}}  # fmt: skip


def ratio(top: Any, bottom: Any) -> str | None:
    whole, rest = divmod(int(top * 10**9 / Fraction(bottom)) if bottom else 0, 10**9)
    return f"{whole}.{rest:09d}" if bottom else None


def times(t: Sums) -> Row:
    return {f"{s}_ns": t[s] for s in STATES} | {"presence": ratio(t["quoted"], needed(t))}


def row_of(maker: str, contract: str, judged: list[Judged]) -> Row:
    """All that is said of an obligation or, where no contract is named, of a maker."""
    capture, rules = judged[0].capture, judged[0].rules
    slots = [slot for slot in capture.slots if slot[0] == maker and contract in ("", slot[1])]
    mine = {slot: sums(j.pieces[slot] for j in judged) for slot in slots}
    own = [(j, slot, j.pieces[slot]) for j in judged for slot in slots]
    t, stress = (sums([p for p in pieces if p.stress or not only] for *_, pieces in own)
                 for only in (False, True))  # fmt: skip
    by, named = rules.get("presence.judged_by", ""), rules.get("presence.windows", [])
    apart = {span: sums((j.pieces[slot] for slot in slots), *span) - Counter(days=len(slots))
             for j in judged  # what is owed of a date is not owed of its stretches
             for span in j.stretches if slots and ("am_pm" in named or by == "stretches")}  # fmt: skip
    runs = [run for j, _, pieces in own for _, run in lapses(pieces, j.day.end)]
    lengths = [sum(p.t1 - p.t0 for p in run) for run in runs]
    said = [verdict({slot: mine[slot]}, capture) for slot in slots if needed(mine[slot])]
    together = verdict(apart, capture) if by == "stretches" else verdict(mine, capture, by)
    judges = {"presence.required", "presence.required_time"} & rules.keys()
    weight = rules.get("stress.weight", 1) - 1
    answers = [word for j, slot, _ in own for word in j.answers(slot)]
    waits = [ns for j, slot, _ in own for ns in j.requotes(slot)]
    buckets = Counter(str(next((b for b in BUCKETS if ns <= b), "inf")) for ns in waits)
    return {
        "maker": maker, "contract": contract, "class": capture.cls.get(contract), **times(t),
        "lapsed_by_reason_ns": {reason: t[reason] for reason in REASONS.split()},
        "verdict": verdict(mine, capture) if contract else together, "required_ns": needed(t),
        "slack_ns": margin(t, rules) // 1 if judges else None,
        "lapses": len(lengths), "longest_lapse_ns": max(lengths, default=0),
        "contracts_required": len(said), "contracts_passed": said.count("compliant"),
        "coverage": ratio(said.count("compliant"), len(said)), "limit_use": t["use"],
        "stress": times(stress), "stress_presence": ratio(stress["quoted"], needed(stress)),
        "weighted_presence": ratio(t["quoted"] + weight * stress["quoted"],
                                   needed(t) + weight * needed(stress)),
        "windows": [windows(width, [pieces for *_, pieces in own], capture)
                    for width in sorted(w for w in named if isinstance(w, int) and own)],
        "stretches": [{"start": start, "end": end, "verdict": verdict({"": t}, capture), **times(t)}
                      for (start, end), t in apart.items()],
        "rfq": {"asked": len(answers)} | {word: answers.count(word) for word in ("answered", "undecided")},
        "requote": {"count": len(waits), "sum_ns": sum(waits), "buckets": dict(buckets)},
    }  # fmt: skip


def judge(directory: Path, rulebook: Path) -> tuple[Row, Row]:
    """The report of section 10 and the rows of the details; ValueError when there is no period."""
    capture = Capture(directory, rulebook)
    rules, records, slots = capture.rules, capture.records, capture.slots
    spoken = [(r.ts, r.row["phase"]) for r in records if r.kind == "phase" and r.at == ("*", "*")]
    quoted = [r.ts for r in records if r.kind == "quote" and "bad" not in r.row]
    days = [Day(utc_date(ts), 0, ts, spoken[-1][0], spoken) for ts, _ in spoken[:1]]
    if not spoken and quoted and "calendar" in rules:
        days = trading_dates(rules["calendar"], quoted[0], quoted[-1])
        days = [day for day in days if any(day.roll <= ts < day.until for ts in quoted)]
    if not days:
        raise ValueError("no period: no phase of scope *, no trading date with a quote")
    judged = [Judged(capture, day) for day in days]
    details = {"obligations": [row_of(*slot, judged) for slot in slots],
               "makers": [row_of(maker, "", judged) for maker in capture.makers]}  # fmt: skip
    holes = {c: sum(sums([j.hole(c)])["lapsed"] for j in judged) for c in sorted(capture.cls)}
    outside, breaches = sum("outside" in record.row for record in records), []
    for start, kind, maker, contract, end, reason in sorted(b for j in judged for b in j.breaches):
        parts = f"{rules['id']}|{rules['version']}|{kind}|{maker}|{contract}|{start}"
        breaches.append({"id": hashlib.sha256(parts.encode()).hexdigest()[:32], "kind": kind,
                         "maker": maker, "contract": contract, "start": start, "end": end,
                         "reason": reason})  # fmt: skip
    report = {
        "schema": "mm-monitor/report/1",
        "rulebook": {key: rules[key] for key in ("id", "version", "sha256")},
        "period": {"start": days[0].start, "end": days[-1].end},
        "records": {"applied": capture.counts["applied"] - outside, "late": 0, "duplicate": 0,
                    "dead_letter": capture.counts["dead_letter"],
                    "no_obligation": capture.counts["no_obligation"] + outside},
        "obligations": [{key: row[key] for key in OBLIGATION.split()} for row in details["obligations"]],
        "makers": [{key: row[key] for key in MAKER.split()} for row in details["makers"]],
        "contracts": [{"contract": c, "market_hole_ns": ns} for c, ns in holes.items()],
        "breaches": breaches,
    }  # fmt: skip
    return report, details


if __name__ == "__main__":
    report, _ = judge(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
