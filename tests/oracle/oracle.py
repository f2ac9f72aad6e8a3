"""The oracle: judges a capture anew at every instant at which anything could change.

Slow and plain on purpose: every number of the report is a sum over the pieces of `book`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from .book import Book, Piece
from .records import ORDER, Capture, Record, Slot, load
from .rulebook import Day, Rules, trading_dates

REASONS = ("absent", "one_sided", "crossed", "size", "unequal", "spread", "off_theo", "stale",
           "flicker")  # fmt: skip
Pieces = dict[Slot, list[Piece]]
Row = dict[str, Any]


def _instants(records: list[Record], rules: Rules, day: Day) -> list[int]:
    at = {day.start, day.end} | {r.ts for r in records}
    for kind, age in (("quote", rules.max_age), ("theo", rules.theo_age)):
        at |= {r.ts + age for r in records if r.kind == kind and age is not None}
    return sorted(t for t in at if day.start <= t <= day.end)


def play(capture: Capture, rules: Rules, day: Day) -> Pieces:
    """Judge every slot over one trading date, from an empty book."""
    spoken = [Record(ts, "phase", 0, "*", word=word) for ts, word in day.phases]
    tape = [*spoken, *capture.records]
    tape.sort(key=lambda r: (r.ts, ORDER.index(r.kind), r.line))
    pieces: Pieces = {slot: [] for slot in capture.slots}
    book, taken = Book(capture, rules, day.roll), 0
    for t0, t1 in pairwise(_instants(tape, rules, day)):
        while taken < len(tape) and tape[taken].ts <= t0:
            book.apply(tape[taken])
            taken += 1
        for slot in capture.slots:
            pieces[slot].append(book.piece(slot, t0, t1))
    return pieces


def _runs(
    pieces: list[Piece], counts: Callable[[Piece], bool], end: int
) -> Iterator[tuple[list[Piece], int]]:
    """Maximal runs of pieces that count, and their ends; not obliged or exempt pauses a run."""
    run: list[Piece] = []
    for piece in pieces:
        if counts(piece):
            run.append(piece)
        elif run and piece.state not in (None, "exempt"):
            yield run, piece.t0
            run = []
    if run:
        yield run, end


def _lapsed(piece: Piece) -> bool:
    return piece.state == "lapsed"


def _wide(piece: Piece) -> bool:
    return piece.state == "lapsed" and "spread" in piece.fails


def _exceeds(run: list[Piece], limit: int) -> tuple[int, str] | None:
    """When a run uses up `limit` and goes on, and the primary reason then."""
    gone = 0
    for piece in run:
        if gone + piece.t1 - piece.t0 > limit:
            return piece.t0 + limit - gone, piece.fails[0]
        gone += piece.t1 - piece.t0
    return None


@dataclass
class Tally:
    """Totals in ns; `future` is R, the time still to be obliged today."""

    quoted: int = 0
    lapsed: int = 0
    exempt: int = 0
    unknown: int = 0
    future: int = 0
    by_reason: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    lapses: int = 0
    longest: int = 0

    @property
    def required(self) -> int:
        return self.quoted + self.lapsed + self.unknown + self.future

    @property
    def hopeful(self) -> int:
        return self.quoted + self.unknown + self.future

    def add(self, pieces: list[Piece], upto: int) -> Tally:
        for piece in (p for p in pieces if p.state is not None and p.t0 < upto):
            assert piece.state is not None
            ns = min(piece.t1, upto) - piece.t0
            setattr(self, piece.state, getattr(self, piece.state) + ns)
            if piece.state == "lapsed":
                self.by_reason[piece.fails[0]] += ns
        return self

    def add_day(self, pieces: list[Piece], end: int) -> None:
        runs = [sum(p.t1 - p.t0 for p in run) for run, _ in _runs(pieces, _lapsed, end)]
        self.add(pieces, end).lapses += len(runs)
        self.longest = max(self.longest, *runs, 0)


def _sum(tallies: list[Tally]) -> Tally:
    names = ("quoted", "lapsed", "exempt", "unknown", "future")
    return Tally(**{n: sum(getattr(t, n) for t in tallies) for n in names})


def _verdict(sure: Fraction | int, hopeful: Fraction | int, required: Fraction) -> str:
    if sure >= required:
        return "compliant"
    return "breached" if hopeful < required else "indeterminate"


def slot_verdict(t: Tally, rules: Rules) -> str:
    """PRES-03 for one obligation."""
    if t.required == 0:
        return "not_assessed"
    return _verdict(t.quoted, t.hopeful, rules.required * t.required)


def maker_verdict(tallies: list[Tally], rules: Rules) -> str:
    """The verdict of a maker, by the aggregation that the rulebook names."""
    live = [t for t in tallies if t.required]
    if rules.judged_by == "ratio_of_sums" or not live:
        return slot_verdict(_sum(live), rules)
    if rules.judged_by == "mean_of_ratios":
        sure = sum(Fraction(t.quoted, t.required) for t in live)
        hopeful = sum(Fraction(t.hopeful, t.required) for t in live)
        return _verdict(sure, hopeful, rules.required * len(live))
    verdicts = [slot_verdict(t, rules) for t in live]
    passed, maybe = verdicts.count("compliant"), verdicts.count("indeterminate")
    return _verdict(passed, passed + maybe, rules.coverage_required * len(live))


def _is_lost(pieces: Pieces, i: int, now: int, day: Day, rules: Rules) -> bool:
    """True when at `now`, within the i-th pieces, the maker can no longer meet its presence."""
    spans = [(t0, t1) for (t0, word), (t1, _) in pairwise(day.phases) if word == "continuous"]
    left = sum(max(0, t1 - max(t0, now)) for t0, t1 in spans)
    tallies = [Tally(future=left if own[i].resumes else 0).add(own, now) for own in pieces.values()]
    return maker_verdict(tallies, rules) == "breached"


def _unreachable(pieces: Pieces, day: Day, rules: Rules) -> Iterator[tuple[int, int]]:
    """The maximal stretches in which it is lost; within a piece, what is lost stays lost."""
    since: int | None = None
    for i, piece in enumerate(next(iter(pieces.values()))):
        if since is not None and not _is_lost(pieces, i, piece.t0, day, rules):
            yield since, piece.t0
            since = None
        if since is None and _is_lost(pieces, i, piece.t1 - 1, day, rules):
            since, high = piece.t0, piece.t1 - 1
            while since < high:
                middle = (since + high) // 2
                lost = _is_lost(pieces, i, middle, day, rules)
                since, high = (since, middle) if lost else (middle + 1, high)
    if since is not None:
        yield since, day.end


def _breach(rules: Rules, kind: str, slot: Slot, start: int, end: int, reason: str = "") -> Row:
    parts = (rules.id, rules.version, kind, *slot, start)
    name = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]
    return {"id": name, "kind": kind, "maker": slot[0], "contract": slot[1], "start": start,
            "end": end, "reason": reason}  # fmt: skip


def _place(breach: Row) -> list[Any]:
    return [breach[key] for key in ("start", "kind", "maker", "contract")]


def _slot_breaches(slot: Slot, pieces: list[Piece], day: Day, rules: Rules) -> Iterator[Row]:
    limits = (("lapse", _lapsed, rules.longest_lapse), ("spread", _wide, rules.grace))
    for kind, counts, limit in limits:
        for run, end in _runs(pieces, counts, day.end) if limit is not None else ():
            if limit is not None and (found := _exceeds(run, limit)) is not None:
                reason = "spread" if kind == "spread" else found[1]
                yield _breach(rules, kind, slot, found[0], end, reason)


def _day_breaches(pieces: Pieces, capture: Capture, rules: Rules, day: Day) -> Iterator[Row]:
    for slot, own in pieces.items():
        yield from _slot_breaches(slot, own, day, rules)
    for maker in sorted({maker for maker, _ in capture.slots}):
        mine = {slot: own for slot, own in pieces.items() if slot[0] == maker}
        if maker_verdict([Tally().add(own, day.end) for own in mine.values()], rules) == "breached":
            yield _breach(rules, "presence", (maker, ""), day.end, day.end)
        for start, end in _unreachable(mine, day, rules) if day.phases else ():
            yield _breach(rules, "presence_unreachable", (maker, ""), start, end)


def _hole(pieces: Pieces, contract: str) -> int:
    """Time in continuous trading in which every appointed maker's quote is known to be invalid."""
    at_once = zip(*(own for slot, own in pieces.items() if slot[1] == contract), strict=True)
    return sum(
        row[0].t1 - row[0].t0
        for row in at_once
        if row[0].state is not None and all(p.valid is False for p in row)
    )


def _nine(top: int, bottom: int) -> str | None:
    if bottom == 0:
        return None
    whole, rest = divmod(top * 10**9 // bottom, 10**9)
    return f"{whole}.{rest:09d}"


def _obligation_row(slot: Slot, t: Tally, capture: Capture, rules: Rules) -> Row:
    slack = t.quoted - rules.required * t.required
    return {
        "maker": slot[0], "contract": slot[1], "class": capture.cls[slot[1]],
        "quoted_ns": t.quoted, "lapsed_ns": t.lapsed, "exempt_ns": t.exempt,
        "unknown_ns": t.unknown, "lapsed_by_reason_ns": t.by_reason,
        "presence": _nine(t.quoted, t.required), "verdict": slot_verdict(t, rules),
        "slack_ns": slack.numerator // slack.denominator,
        "lapses": t.lapses, "longest_lapse_ns": t.longest,
    }  # fmt: skip


def _maker_row(maker: str, tallies: list[Tally], rules: Rules) -> Row:
    total, verdicts = _sum(tallies), [slot_verdict(t, rules) for t in tallies]
    required = len(verdicts) - verdicts.count("not_assessed")
    passed = verdicts.count("compliant")
    return {
        "maker": maker, "quoted_ns": total.quoted, "required_ns": total.required,
        "presence": _nine(total.quoted, total.required), "contracts_required": required,
        "contracts_passed": passed, "coverage": _nine(passed, required),
        "verdict": maker_verdict(tallies, rules),
    }  # fmt: skip


def _days(capture: Capture, rules: Rules) -> list[Day]:
    """The judged trading dates: one without phases of its own where `*` records speak."""
    spoken = [r.ts for r in capture.records if r.kind == "phase" and r.scope == "*"]
    if spoken:
        return [Day(0, spoken[0], spoken[-1], [])]
    quoted = [r.ts for r in capture.records if r.kind == "quote" and not r.bad]
    if rules.calendar is None or not quoted:
        raise ValueError("no period: no phase of scope *, no trading date with a quote")
    days = trading_dates(rules.calendar, quoted[0], quoted[-1])
    own = {max(d.roll for d in days if d.roll <= ts) for ts in quoted}
    return [d for d in days if d.roll in own]


def judge_capture(directory: Path, rulebook: Path) -> Row:
    """The whole report of section 10 for a csv capture; ValueError when it has no period."""
    rules = Rules(rulebook)
    capture = load(directory, rules)
    days = _days(capture, rules)
    tallies = {slot: Tally() for slot in capture.slots}
    holes = dict.fromkeys(sorted(capture.cls), 0)
    breaches: list[Row] = []
    for day in days:
        pieces = play(capture, rules, day)
        for slot, tally in tallies.items():
            tally.add_day(pieces[slot], day.end)
        holes = {contract: ns + _hole(pieces, contract) for contract, ns in holes.items()}
        breaches += _day_breaches(pieces, capture, rules, day)
    mine = {m: [t for slot, t in tallies.items() if slot[0] == m] for m in capture.makers}
    return {
        "schema": "mm-monitor/report/1",
        "rulebook": {"id": rules.id, "version": rules.version, "sha256": rules.sha256},
        "period": {"start": days[0].start, "end": days[-1].end},
        "records": {"applied": capture.applied, "late": 0, "dead_letter": capture.dead,
                    "duplicate": 0, "no_obligation": capture.no_obligation},
        "obligations": [_obligation_row(s, t, capture, rules) for s, t in tallies.items()],
        "makers": [_maker_row(maker, own, rules) for maker, own in mine.items()],
        "contracts": [{"contract": c, "market_hole_ns": ns} for c, ns in holes.items()],
        "breaches": sorted(breaches, key=_place),
    }  # fmt: skip


def to_text(report: Row) -> str:
    """The report as section 10 writes it."""
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(judge_capture(Path(sys.argv[1]), Path(sys.argv[2]))))
