"""The oracle: judges a capture anew at every instant at which anything could change.

Slow and plain on purpose: every number of the report is a sum over the pieces of `book`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from .book import Book, Piece
from .records import ORDER, Capture, Record, Slot, load
from .rulebook import Day, Rules, ratio, trading_dates, utc_date

REASONS = ("absent", "one_sided", "crossed", "size", "unequal", "spread", "off_theo", "stale",
           "flicker")  # fmt: skip
Pieces = dict[Slot, list[Piece]]
Sums = Counter[
    str
]  # ns by state, by reason, by "stress " and state, of the limit's "use"; "future" is R
Row = dict[str, Any]


def _instants(records: list[Record], rules: Rules, day: Day) -> list[int]:
    at = {day.start, day.end} | {r.ts for r in records}
    ages = [("quote", rules.max_age), ("theo", rules.theo_age)]
    ages += [("quote", rules.min_rest), ("fill", rules.min_rest)]
    for kind, age in ages:
        at |= {r.ts + age for r in records if r.kind == kind and age is not None}
    return sorted(t for t in at if t <= day.end)


def play(capture: Capture, rules: Rules, day: Day, first: Book | None = None) -> Pieces:
    """Judge every slot over one trading date, from an empty book; `first` has seen the future."""
    spoken = [Record(ts, "phase", 0, {"scope": "*", "phase": word}) for ts, word in day.phases]
    tape = sorted([*spoken, *capture.records], key=lambda r: (r.ts, ORDER.index(r.kind), r.line))
    pieces: Pieces = {slot: [] for slot in capture.slots}
    book, taken = Book(capture, rules, day, first.reached if first else set()), 0
    for t0, t1 in pairwise(_instants(tape, rules, day)):
        while taken < len(tape) and tape[taken].ts <= t0:
            book.apply(tape[taken])
            taken += 1
        book.settle(t0)
        for slot in capture.slots if t0 >= day.start else ():
            pieces[slot].append(book.piece(slot, t0, t1))
    for record in tape[taken:]:
        book.apply(record)
    capture.outside |= book.outside
    return play(capture, rules, day, book) if rules.retroactive and not first else pieces


def runs(
    pieces: list[Piece], counts: Callable[[Piece], bool], pauses: Callable[[Piece], bool], end: int
) -> Iterator[tuple[list[Piece], int]]:
    """Maximal runs of pieces that count, and their ends; what pauses neither ends nor adds."""
    run: list[Piece] = []
    for piece in pieces:
        if counts(piece):
            run.append(piece)
        elif run and not pauses(piece):
            yield run, piece.t0
            run = []
    if run:
        yield run, end


def _lapsed(piece: Piece) -> bool:
    return piece.state == "lapsed"


def _wide(piece: Piece) -> bool:
    return piece.state == "lapsed" and "spread" in piece.fails


def _pauses(piece: Piece) -> bool:
    return piece.state in (None, "exempt")


def _exceeds(run: list[Piece], limit: int) -> tuple[int, str] | None:
    """When a run uses up `limit` and goes on, and the primary reason then."""
    gone = 0
    for piece in run:
        if gone + piece.t1 - piece.t0 > limit:
            return piece.t0 + limit - gone, piece.fails[0] if piece.fails else ""
        gone += piece.t1 - piece.t0
    return None


def sums(pieces: list[Piece], start: int, end: int) -> Sums:
    """The totals of `[start, end)`."""
    total: Sums = Counter()
    for piece in pieces:
        ns = min(piece.t1, end) - max(piece.t0, start)
        if ns > 0 and piece.state:
            total[piece.state] += ns
            total[f"stress {piece.state}"] += ns * piece.stress
            if piece.state == "lapsed":
                total[piece.fails[0]] += ns
            total["use"] += ns * (piece.use or 0) * (piece.state == "quoted")
    return total


def needed(t: Sums, of: str = "") -> int:
    """T, with the future as if all of it were owed."""
    return t[of + "quoted"] + t[of + "lapsed"] + t[of + "unknown"] + t[of + "future"]


def hopeful(t: Sums, of: str = "") -> int:
    return t[of + "quoted"] + t[of + "unknown"] + t[of + "future"]


def _verdict(sure: Fraction | int, maybe: Fraction | int, required: Fraction | int) -> str:
    if sure >= required:
        return "compliant"
    return "breached" if maybe < required else "indeterminate"


def verdict(t: Sums, rules: Rules) -> str:
    """PRES-03 for one obligation, or for a sum of them."""
    if needed(t) == 0 or rules.required is None:
        return "not_assessed"
    return _verdict(t["quoted"], hopeful(t), rules.required * needed(t))


def _within_pairs(failing: list[Slot], capture: Capture, pairs: int) -> bool:
    rows = [capture.contracts[contract] for _, contract in failing]
    at = {(row["class"], row["expiry"], row["strike"]) for row in rows}
    return len(at) <= pairs and all(row["kind"] in ("call", "put") for row in rows)


def maker_verdict(mine: dict[Slot, Sums], capture: Capture, rules: Rules) -> str:
    """The verdict of a maker, by the aggregation that the rulebook names."""
    live = {slot: t for slot, t in mine.items() if needed(t)}
    total: Sums = sum(live.values(), Counter())
    if rules.judged_by in ("ratio_of_sums", "days") or not live or rules.required is None:
        return verdict(total, rules)
    if rules.judged_by == "mean_of_ratios":
        sure = sum(Fraction(t["quoted"], needed(t)) for t in live.values())
        maybe = sum(Fraction(hopeful(t), needed(t)) for t in live.values())
        return _verdict(sure, maybe, rules.required * len(live))
    units: dict[Any, Sums] = dict(live)
    if rules.judged_by == "products":
        units = {capture.cls(contract): Counter() for _, contract in live}
        for (_, contract), t in live.items():
            units[capture.cls(contract)] += t
    said = {unit: verdict(t, rules) for unit, t in units.items()}
    if rules.judged_by == "contracts":
        return _each_class(said, capture, rules.least["contracts"])
    lost = [unit for unit in said if said[unit] == "breached"]
    passed, could = list(said.values()).count("compliant"), len(said) - len(lost)
    if rules.judged_by == "coverage":
        answer = _verdict(passed, could, rules.coverage_required * len(live))
        if answer == "compliant" or rules.all_but_pairs is None:
            return answer
        failing = [unit for unit in said if said[unit] != "compliant"]
        if _within_pairs(failing, capture, rules.all_but_pairs):
            return "compliant"
        return "indeterminate" if _within_pairs(lost, capture, rules.all_but_pairs) else answer
    return _verdict(passed, could, rules.least["products"])


def _each_class(said: dict[Slot, str], capture: Capture, least: int) -> str:
    """So many contracts of each class must pass."""
    answers = set()
    for cls in {capture.cls(contract) for _, contract in said}:
        own = [v for (_, contract), v in said.items() if capture.cls(contract) == cls]
        answers.add(_verdict(own.count("compliant"), len(own) - own.count("breached"), least))
    return next(v for v in ("breached", "indeterminate", "compliant") if v in answers)


@dataclass
class Judged:
    """One trading date of one capture."""

    capture: Capture
    rules: Rules
    day: Day
    pieces: Pieces
    breaches: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.totals = {s: sums(own, 0, self.day.end) for s, own in self.pieces.items()}
        for slot, own in self.pieces.items():
            self._exceeding("lapse", slot, own, _lapsed, _pauses, self.rules.longest_lapse)
            self._exceeding("spread", slot, own, _wide, _pauses, self.rules.grace)
        for contract in self.capture.contracts:
            hole = self.hole(contract)
            limit = self.rules.longest_hole
            self._exceeding("market_hole", ("", contract), hole, _lapsed, _pauses, limit)
        for maker in self.capture.makers:
            self._maker_breaches(maker, self.of(maker))

    def of(self, maker: str) -> Pieces:
        return {slot: own for slot, own in self.pieces.items() if slot[0] == maker}

    def breach(self, kind: str, slot: Slot, start: int, end: int, reason: str = "") -> None:
        parts = (self.rules.id, self.rules.version, kind, *slot, start)
        name = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]
        self.breaches.append({"id": name, "kind": kind, "maker": slot[0], "contract": slot[1],
                              "start": start, "end": end, "reason": reason})  # fmt: skip

    def _exceeding(
        self, kind: str, slot: Slot, pieces: list[Piece], counts: Callable[[Piece], bool],
        pauses: Callable[[Piece], bool], limit: int | None,
    ) -> None:  # fmt: skip
        for run, end in runs(pieces, counts, pauses, self.day.end) if limit is not None else ():
            if limit is not None and (found := _exceeds(run, limit)) is not None:
                reason = {"lapse": found[1], "spread": kind}.get(kind, "")
                self.breach(kind, slot, found[0], end, reason)

    def hole(self, contract: str) -> list[Piece]:
        """The contract's pieces: lapsed where every appointed maker is known to be invalid."""
        own = [own for slot, own in self.pieces.items() if slot[1] == contract]
        return [
            row[0]._replace(
                state=row[0].state
                and ("lapsed" if all(p.valid is False for p in row) else "quoted"),
                fails=["hole"],
            )
            for row in zip(*own, strict=True)
        ]

    def _maker_breaches(self, maker: str, mine: Pieces) -> None:
        slot, end, rules = (maker, ""), self.day.end, self.rules
        totals = {s: self.totals[s] for s in mine}
        total: Sums = sum(totals.values(), Counter())
        if maker_verdict(totals, self.capture, rules) == "breached":
            self.breach("presence", slot, end, end)
        for start, until in self._unreachable(mine) if self.day.phases and mine else ():
            self.breach("presence_unreachable", slot, start, until)
        required = rules.stress_required
        if required and hopeful(total, "stress ") < required * needed(total, "stress "):
            self.breach("stress_presence", slot, end, end)
        asked = self.asked(mine)
        some = (rules.rfq or {}).get("deemed_fulfilled_up_to", 0)
        if rules.rfq and "required" in rules.rfq and asked["asked"] > some:
            share = ratio(rules.rfq["required"])
            if asked["answered"] + asked["undecided"] < share * asked["asked"]:
                self.breach("rfq", slot, end, end)
        for start, until in self._at_risk(mine):
            self.breach("presence_at_risk", slot, start, until)

    def _is_lost(self, mine: Pieces, i: int, now: int) -> bool:
        """True when at `now`, within the i-th pieces, the maker can no longer meet its presence."""
        phases = pairwise(self.day.phases)
        spans = [(t0, t1) for (t0, word), (t1, _) in phases if word == "continuous"]
        left = sum(max(0, t1 - max(t0, now)) for t0, t1 in spans)
        totals = {}
        for slot, own in mine.items():
            totals[slot] = sums(own[: i + 1], 0, now)
            totals[slot]["future"] = left if own[i].resumes else 0
        return maker_verdict(totals, self.capture, self.rules) == "breached"

    def _unreachable(self, mine: Pieces) -> Iterator[tuple[int, int]]:
        """The maximal stretches in which it is lost; within a piece, what is lost stays lost."""
        since: int | None = None
        for i, piece in enumerate(next(iter(mine.values()))):
            if since is not None and not self._is_lost(mine, i, piece.t0):
                yield since, piece.t0
                since = None
            if since is None and self._is_lost(mine, i, piece.t1 - 1):
                since, high = piece.t0, piece.t1 - 1
                while since < high:
                    middle = (since + high) // 2
                    lost = self._is_lost(mine, i, middle)
                    since, high = (since, middle) if lost else (middle + 1, high)
        if since is not None:
            yield since, self.day.end

    def _at_risk(self, mine: Pieces) -> Iterator[tuple[int, int]]:
        """From a look at which some pair of spans burns too fast to the first at which none does."""
        every, since = self.rules.at_risk_every, None
        for now in range(self.day.start + every, self.day.end, every) if self.rules.at_risk else ():
            burns = any(
                self._burn(mine, now - long, now, least)
                and self._burn(mine, now - short, now, least)
                for long, short, least in self.rules.at_risk
            )
            if since is not None and not burns:
                yield since, now
            since = (now if since is None else since) if burns else None
        if since is not None:
            yield since, self.day.end

    def _burn(self, mine: Pieces, start: int, end: int, least: Fraction) -> bool:
        total: Sums = sum((sums(own, start, end) for own in mine.values()), Counter())
        lost, owed = total["lapsed"], needed(total)
        return owed > 0 and lost >= least * (1 - self.rules.required) * owed

    def asked(self, mine: Pieces) -> Counter[str]:
        """RESP-02: requests and what became of them."""
        out: Counter[str] = Counter()
        for record in self.capture.records if self.rules.rfq else ():
            listed = (record.row.get("makers") or "").split()
            for slot, own in mine.items() if record.kind == "rfq" else ():
                ours = slot[1] == record.row["contract"] and (not listed or slot[0] in listed)
                at = [p for p in own if p.t0 <= record.ts < p.t1 and p.state != "exempt"]
                if ours and at and at[0].state and not at[0].free:
                    out.update(["asked", self._answer(slot, record.ts)])
        return out

    def _answer(self, slot: Slot, ts: int) -> str:
        assert self.rules.rfq
        within, stay = self.rules.rfq_times
        quoted = {r.ts for r in self.capture.records if r.kind == "quote" and not r.row.get("bad")
                  and (r.row["maker"], r.row["contract"]) == slot}  # fmt: skip
        quoted |= {ts} if self.rules.rfq.get("standing_quote_counts") else set()
        ahead = [p for p in self.pieces[slot] if p.t0 >= ts]
        for i, piece in enumerate(p for p in ahead if p.t0 <= ts + within):
            if piece.valid is None:
                return "undecided"
            if piece.valid and piece.t0 in quoted:
                for later in ahead[i:]:
                    if later.t0 - piece.t0 >= stay:
                        break
                    if not later.valid:
                        return "undecided" if later.valid is None else "failed"
                late = self.day.end - piece.t0 < stay
                return "undecided" if late else "answered"
        return "failed" if ts + within < self.day.end else "undecided"


def nine(top: int | Fraction, bottom: int | Fraction) -> str | None:
    if bottom == 0:
        return None
    whole, rest = divmod(int(top * 10**9 / Fraction(bottom)), 10**9)
    return f"{whole}.{rest:09d}"


def _obligation_row(slot: Slot, t: Sums, lapses: list[int], capture: Capture, rules: Rules) -> Row:
    slack = None if rules.required is None else t["quoted"] - rules.required * needed(t)
    return {
        "maker": slot[0], "contract": slot[1], "class": capture.cls(slot[1]),
        "quoted_ns": t["quoted"], "lapsed_ns": t["lapsed"], "exempt_ns": t["exempt"],
        "unknown_ns": t["unknown"], "lapsed_by_reason_ns": {r: t[r] for r in REASONS},
        "presence": nine(t["quoted"], needed(t)), "verdict": verdict(t, rules),
        "slack_ns": None if slack is None else slack.numerator // slack.denominator,
        "lapses": len(lapses), "longest_lapse_ns": max(lapses, default=0),
    }  # fmt: skip


def _maker_row(maker: str, mine: dict[Slot, Sums], capture: Capture, rules: Rules) -> Row:
    total: Sums = sum(mine.values(), Counter())
    verdicts = [verdict(t, rules) for t in mine.values() if needed(t)]
    passed = verdicts.count("compliant")
    return {
        "maker": maker, "quoted_ns": total["quoted"], "required_ns": needed(total),
        "presence": nine(total["quoted"], needed(total)), "contracts_required": len(verdicts),
        "contracts_passed": passed, "coverage": nine(passed, len(verdicts)),
        "verdict": maker_verdict(mine, capture, rules),
    }  # fmt: skip


def _days(capture: Capture, rules: Rules) -> list[Day]:
    """The judged trading dates: one without phases of its own where `*` records speak."""
    spoken = [r.ts for r in capture.records if r.kind == "phase" and r.row["scope"] == "*"]
    if spoken:
        return [Day(utc_date(spoken[0]), 0, spoken[0], spoken[-1], [])]
    quoted = [r.ts for r in capture.records if r.kind == "quote" and not r.row.get("bad")]
    if rules.calendar is None or not quoted:
        raise ValueError("no period: no phase of scope *, no trading date with a quote")
    days = trading_dates(rules.calendar, quoted[0], quoted[-1])
    own = {max(d.roll for d in days if d.roll <= ts) for ts in quoted}
    return [d for d in days if d.roll in own]


def judge_days(directory: Path, rulebook: Path) -> list[Judged]:
    """Every judged trading date of a csv capture; ValueError when there is none."""
    rules = Rules(rulebook)
    capture = load(directory, rules)
    days = _days(capture, rules)
    judged = [Judged(capture, rules, day, play(capture, rules, day)) for day in days]
    capture.applied -= len(capture.outside)
    capture.no_obligation += len(capture.outside)
    return judged


def report(judged: list[Judged]) -> Row:
    """The whole report of section 10."""
    capture, rules = judged[0].capture, judged[0].rules
    totals: dict[Slot, Sums] = {
        s: sum((j.totals[s] for j in judged), Counter()) for s in capture.slots
    }
    lapses = {
        s: [sum(p.t1 - p.t0 for p in run) for j in judged
            for run, _ in runs(j.pieces[s], _lapsed, _pauses, j.day.end)]
        for s in capture.slots
    }  # fmt: skip
    holes = {
        c: sum(sums(j.hole(c), 0, j.day.end)["lapsed"] for j in judged) for c in capture.contracts
    }
    mine = {m: {s: t for s, t in totals.items() if s[0] == m} for m in capture.makers}
    breaches = [breach for j in judged for breach in j.breaches]
    return {
        "schema": "mm-monitor/report/1",
        "rulebook": {"id": rules.id, "version": rules.version, "sha256": rules.sha256},
        "period": {"start": judged[0].day.start, "end": judged[-1].day.end},
        "records": {"applied": capture.applied, "late": 0, "dead_letter": capture.dead,
                    "duplicate": 0, "no_obligation": capture.no_obligation},
        "obligations": [_obligation_row(s, t, lapses[s], capture, rules) for s, t in totals.items()],
        "makers": [_maker_row(maker, own, capture, rules) for maker, own in mine.items()],
        "contracts": [{"contract": c, "market_hole_ns": ns} for c, ns in sorted(holes.items())],
        "breaches": sorted(breaches, key=lambda b: [b[k] for k in ("start", "kind", "maker", "contract")]),
    }  # fmt: skip


def judge_capture(directory: Path, rulebook: Path) -> Row:
    return report(judge_days(directory, rulebook))


def to_text(report: Row) -> str:
    """The report as section 10 writes it."""
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(judge_capture(Path(sys.argv[1]), Path(sys.argv[2]))))
