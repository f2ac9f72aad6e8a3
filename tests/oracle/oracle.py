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
from .records import ORDER, Capture, Record, Row, Slot, load
from .rulebook import Day, Rules, duration, ratio, trading_dates, utc_date

REASONS = ("absent", "one_sided", "crossed", "size", "unequal", "spread", "off_theo", "stale",
           "flicker")  # fmt: skip
Pieces = dict[Slot, list[Piece]]
Sums = Counter[
    str
]  # ns by state, by reason, by "stress " and state, of the limit's "use"; "future" is R


def _instants(records: list[Record], rules: Rules, day: Day) -> list[int]:
    at = {day.start, day.end} | {r.ts for r in records}
    rest = rules.get("quote.min_rest", lambda rest: duration(rest["at_least"]))
    ages = {
        "quote": rules.get("quote.max_age", duration),
        "theo": rules.get("theo.max_age", duration),
    }
    at |= {r.ts + age for r in records if (age := ages.get(r.kind)) is not None}
    at |= {r.ts + rest for r in records if r.kind in ("quote", "fill") and rest is not None}
    return sorted(t for t in at if t <= day.end)


def play(capture: Capture, rules: Rules, day: Day, reached: set[Any] | None = None) -> Pieces:
    """Judge every slot over one trading date, from an empty book; `reached`: the rests of its future."""
    spoken = [Record(ts, "phase", 0, {"scope": "*", "phase": word}) for ts, word in day.phases]
    tape = sorted([*spoken, *capture.records], key=lambda r: (r.ts, ORDER.index(r.kind), r.line))
    pieces: Pieces = {slot: [] for slot in capture.slots}
    book, taken = Book(capture, rules, day, reached or set()), 0
    for t0, t1 in pairwise(_instants(tape, rules, day)):
        while taken < len(tape) and tape[taken].ts <= t0:
            book.apply(tape[taken])
            taken += 1
        book.settle(t0)
        for slot in capture.slots if t1 >= day.start else ():
            pieces[slot].append(book.piece(slot, t0, t1))
    for record in tape[taken:]:
        book.apply(record)
    again = (
        rules.get("quote.min_rest", default={}).get("counts") == "retroactive" and reached is None
    )
    return play(capture, rules, day, book.reached) if again else pieces


def runs(
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


def sums(pieces: list[Piece], start: int, end: int) -> Sums:
    """The totals of `[start, end)`."""
    total: Sums = Counter({"days": 1})
    for piece in pieces:
        ns = min(piece.t1, end) - max(piece.t0, start)
        if ns > 0 and piece.state:
            total[piece.state] += ns
            total["stress " + piece.state] += ns * piece.stress
            if piece.state == "lapsed":
                total[piece.fails[0]] += ns
            if piece.state == "quoted":
                total["use"] += ns * piece.use
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


def owed(t: Sums, rules: Rules) -> Fraction | None:
    """How much must be quoted, in ns; None where nothing is required."""
    time = rules.get("presence.required_time", duration)
    if rules.required is None and time is None:
        return None
    return max((rules.required or Fraction(0)) * needed(t), Fraction((time or 0) * t["days"]))


def verdict(t: Sums, rules: Rules) -> str:
    """PRES-03 for one obligation, or for a sum of them."""
    least = owed(t, rules)
    return (
        "not_assessed"
        if needed(t) == 0 or least is None
        else _verdict(t["quoted"], hopeful(t), least)
    )


def maker_verdict(mine: dict[Slot, Sums], capture: Capture, rules: Rules) -> str:
    """The verdict of a maker, by the aggregation that the rulebook names."""
    by: str = rules.get("presence.judged_by", default="ratio_of_sums")
    live = {slot: t for slot, t in mine.items() if needed(t)}
    if by in ("ratio_of_sums", "days") or not live:
        return verdict(sum(live.values(), Counter()), rules)
    if by == "mean_of_ratios" and rules.required is not None:
        sure = sum(Fraction(t["quoted"], needed(t)) for t in live.values())
        maybe = sum(Fraction(hopeful(t), needed(t)) for t in live.values())
        return _verdict(sure, maybe, rules.required * len(live))
    said: dict[str, list[tuple[str, str]]] = {}  # by class: contracts with their verdicts
    for (_, contract), t in live.items():
        said.setdefault(capture.cls(contract), []).append((contract, verdict(t, rules)))
    if by == "coverage":
        return _coverage([pair for pairs in said.values() for pair in pairs], capture, rules)
    if by == "contracts":  # so many of each class
        least = rules.get("presence.contracts_required")
        each = [_count([v for _, v in pairs], least) for pairs in said.values()]
        return min(each, key=["breached", "indeterminate", "compliant"].index)
    of_class = {cls: Counter[str]() for cls in said}
    for (_, contract), t in live.items():
        of_class[capture.cls(contract)] += t
    return _count(
        [verdict(t, rules) for t in of_class.values()], rules.get("presence.products_required")
    )


def _count(verdicts: list[str], least: Fraction | int) -> str:
    passed = verdicts.count("compliant")
    return _verdict(passed, passed + verdicts.count("indeterminate"), least)


def _coverage(said: list[tuple[str, str]], capture: Capture, rules: Rules) -> str:
    """By the share of contracts, or by failing within so many call/put pairs; the better one."""
    required: Fraction = rules.get("presence.coverage_required", ratio, "100%")
    answers, spared = [_count([v for _, v in said], required * len(said))], []
    for failing in ({"breached", "indeterminate"}, {"breached"}):
        rows = [capture.contracts[contract] for contract, v in said if v in failing]
        pairs = len({(row["class"], row["expiry"], row["strike"]) for row in rows})
        few = pairs <= rules.get("presence.coverage_all_but_pairs", default=-1)
        spared.append(few and all(row["kind"] in ("call", "put") for row in rows))
    answers.append("compliant" if spared[0] else "indeterminate" if spared[1] else "breached")
    return max(answers, key=["breached", "indeterminate", "compliant"].index)


@dataclass
class Judged:
    """One trading date of one capture."""

    capture: Capture
    rules: Rules
    day: Day
    played: Pieces
    breaches: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        start = self.day.start
        self.pieces = {s: [p for p in own if p.t0 >= start] for s, own in self.played.items()}
        self.before = {s: own[0] for s, own in self.played.items() if own and own[0].t0 < start}
        self.at: dict[int, list[Record]] = {}
        for record in self.capture.records:
            self.at.setdefault(record.ts, []).append(record)
        self.totals = {s: sums(own, 0, self.day.end) for s, own in self.pieces.items()}
        for slot, own in self.pieces.items():
            self._exceeding("lapse", slot, own, _lapsed, "lapse.longest_permitted")
            self._exceeding("spread", slot, own, _wide, "spread.grace")
        for contract in self.capture.contracts:
            hole = self.hole(contract)
            self._exceeding(
                "market_hole", ("", contract), hole, _lapsed, "market_hole.longest_permitted"
            )
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
        self, kind: str, slot: Slot, pieces: list[Piece], counts: Callable[[Piece], bool], key: str
    ) -> None:
        """A breach where a run uses up the limit and goes on, with the primary reason then."""
        limit: int | None = self.rules.get(key, duration)
        for run, end in runs(pieces, counts, self.day.end) if limit is not None else ():
            left = limit or 0
            for piece in run:
                if piece.t1 - piece.t0 > left:
                    reason = {"lapse": piece.fails[0], "spread": kind}.get(kind, "")
                    self.breach(kind, slot, piece.t0 + left, end, reason)
                    break
                left -= piece.t1 - piece.t0

    def hole(self, contract: str) -> list[Piece]:
        """The contract's pieces: lapsed where every appointed maker is known to be invalid."""
        at_once = zip(
            *(own for slot, own in self.pieces.items() if slot[1] == contract), strict=True
        )
        words = {True: "lapsed", False: "quoted"}
        return [row[0]._replace(state=row[0].state and words[all(p.valid is False for p in row)], fails=["hole"])
                for row in at_once]  # fmt: skip

    def stretches(self) -> Iterator[tuple[int, int]]:
        """The stretches of continuous trading of the market, by `*` alone."""
        spoken = [(r.ts, r.row["phase"]) for r in self.capture.records
                  if r.kind == "phase" and r.row["scope"] == "*"]  # fmt: skip
        since: int | None = None
        for ts, word in [*dict(self.day.phases or spoken).items(), (self.day.end, "")]:
            if since is not None and word != "continuous" and since < ts:
                yield since, ts
            since = None if word != "continuous" else ts if since is None else since

    def _maker_breaches(self, maker: str, mine: Pieces) -> None:
        slot, end, rules = (maker, ""), self.day.end, self.rules
        totals = {s: self.totals[s] for s in mine}
        if maker_row(maker, totals, [self])["verdict"] == "breached":
            self.breach("presence", slot, end, end)
        apart = rules.get("presence.judged_by") == "stretches"
        for start, until in (
            self._unreachable(mine) if self.day.phases and mine and not apart else ()
        ):
            self.breach("presence_unreachable", slot, start, until)
        total: Sums = sum(totals.values(), Counter())
        required = rules.get("stress.required", ratio, "0%")
        if hopeful(total, "stress ") < required * needed(total, "stress "):
            self.breach("stress_presence", slot, end, end)
        asked, required = self.asked(mine), rules.get("rfq.required", ratio, "0%")
        many = asked["asked"] > rules.get("rfq.deemed_fulfilled_up_to", default=0)
        if many and asked["answered"] + asked["undecided"] < required * asked["asked"]:
            self.breach("rfq", slot, end, end)
        for start, until in self._at_risk(mine):
            self.breach("presence_at_risk", slot, start, until)

    def _is_lost(self, mine: Pieces, i: int, now: int) -> bool:
        """True when at `now`, within the i-th pieces, the maker can no longer meet its presence."""
        phases = pairwise(self.day.phases)
        left = sum(
            max(0, t1 - max(t0, now)) for (t0, word), (t1, _) in phases if word == "continuous"
        )
        totals = {slot: sums(own[: i + 1], 0, now) for slot, own in mine.items()}
        for slot, own in mine.items():
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
        every, pairs = (
            self.rules.get("presence.at_risk_every", duration, "1m"),
            self.rules.get("presence.at_risk"),
        )
        since: int | None = None
        for now in range(self.day.start + every, self.day.end, every) if pairs else ():
            burns = any(self._burn(mine, now, pair["long"], pair["burn"])
                        and self._burn(mine, now, pair["short"], pair["burn"]) for pair in pairs)  # fmt: skip
            if since is not None and not burns:
                yield since, now
            since = (now if since is None else since) if burns else None
        if since is not None:
            yield since, self.day.end

    def _burn(self, mine: Pieces, now: int, span: str, least: str) -> bool:
        total: Sums = sum(
            (sums(own, now - duration(span), now) for own in mine.values()), Counter()
        )
        budget: Fraction = ratio(least) * (1 - self.rules.required) * needed(total)
        return total["lapsed"] > 0 and total["lapsed"] >= budget

    def asked(self, mine: Pieces) -> Counter[str]:
        """RESP-02: requests and what became of them."""
        out: Counter[str] = Counter()
        for record in self.capture.records if "rfq" in self.rules.raw else ():
            listed = [name for name in (record.row.get("makers") or "").split("|") if name]
            for slot, own in mine.items() if record.kind == "rfq" else ():
                if slot[1] == record.row["contract"] and (not listed or slot[0] in listed):
                    at = [p for p in own if p.t0 <= record.ts < p.t1]
                    if at and at[0].state in ("quoted", "lapsed", "unknown") and not at[0].free:
                        out.update(["asked", self._answer(slot, record.ts)])
        return out

    def _answer(self, slot: Slot, ts: int) -> str:
        within, stay = (
            self.rules.get(f"rfq.{k}", duration, "0s") for k in ("respond_within", "stay")
        )
        quoted = {r.ts for r in self.capture.records if r.kind == "quote" and not r.row.get("bad")
                  and (r.row["maker"], r.row["contract"]) == slot}  # fmt: skip
        quoted |= {ts} if self.rules.get("rfq.standing_quote_counts") else set()
        ahead = [p for p in self.pieces[slot] if p.t0 >= ts]
        for i, piece in enumerate(p for p in ahead if p.t0 <= ts + within):
            if piece.valid is None:
                return "undecided"
            if piece.valid and piece.t0 in quoted:
                stays = [p.valid for p in ahead[i:] if p.t0 < piece.t0 + stay]
                if all(stays):
                    return "answered" if piece.t0 + stay <= self.day.end else "undecided"
                return "undecided" if next(v for v in stays if not v) is None else "failed"
        return "failed" if ts + within < self.day.end else "undecided"


def nine(top: int | Fraction, bottom: int | Fraction) -> str | None:
    if bottom == 0:
        return None
    whole, rest = divmod(int(top * 10**9 / Fraction(bottom)), 10**9)
    return f"{whole}.{rest:09d}"


def _obligation_row(slot: Slot, t: Sums, lapses: list[int], judged: Judged) -> Row:
    rules, least = judged.rules, owed(t, judged.rules)
    slack = None if least is None else (t["quoted"] - least) // 1
    return {
        "maker": slot[0], "contract": slot[1], "class": judged.capture.cls(slot[1]),
        "quoted_ns": t["quoted"], "lapsed_ns": t["lapsed"], "exempt_ns": t["exempt"],
        "unknown_ns": t["unknown"], "lapsed_by_reason_ns": {r: t[r] for r in REASONS},
        "presence": nine(t["quoted"], needed(t)), "verdict": verdict(t, rules), "slack_ns": slack,
        "lapses": len(lapses), "longest_lapse_ns": max(lapses, default=0),
    }  # fmt: skip


def _by_stretches(maker: str, judged: list[Judged]) -> str:
    """The worst of the stretches."""
    said = [verdict(sum((sums(own, *span) for own in j.of(maker).values()), Counter()), j.rules)
            for j in judged for span in j.stretches()]  # fmt: skip
    return min(
        said,
        key=["breached", "indeterminate", "compliant", "not_assessed"].index,
        default="not_assessed",
    )


def maker_row(maker: str, mine: dict[Slot, Sums], judged: list[Judged]) -> Row:
    total: Sums = sum(mine.values(), Counter())
    capture, rules = judged[0].capture, judged[0].rules
    apart = rules.get("presence.judged_by") == "stretches"
    verdicts = [verdict(t, rules) for t in mine.values() if needed(t)]
    passed = verdicts.count("compliant")
    return {
        "maker": maker, "quoted_ns": total["quoted"], "required_ns": needed(total),
        "presence": nine(total["quoted"], needed(total)), "contracts_required": len(verdicts),
        "contracts_passed": passed, "coverage": nine(passed, len(verdicts)),
        "verdict": _by_stretches(maker, judged) if apart else maker_verdict(mine, capture, rules),
    }  # fmt: skip


def _days(capture: Capture, rules: Rules) -> list[Day]:
    """The judged trading dates: one without phases of its own where `*` records speak."""
    spoken = [r.ts for r in capture.records if r.kind == "phase" and r.row["scope"] == "*"]
    if spoken:
        return [Day(utc_date(spoken[0]), 0, spoken[0], spoken[-1], [])]
    quoted = [r.ts for r in capture.records if r.kind == "quote" and not r.row.get("bad")]
    if "calendar" not in rules.raw or not quoted:
        raise ValueError("no period: no phase of scope *, no trading date with a quote")
    days = trading_dates(rules.raw["calendar"], quoted[0], quoted[-1])
    own = {max(d.roll for d in days if d.roll <= ts) for ts in quoted}
    return [d for d in days if d.roll in own]


def judge_days(directory: Path, rulebook: Path) -> list[Judged]:
    """Every judged trading date of a csv capture; ValueError when there is none."""
    rules = Rules(rulebook)
    capture = load(directory, rules)
    return [Judged(capture, rules, day, play(capture, rules, day)) for day in _days(capture, rules)]


def report(judged: list[Judged]) -> Row:
    """The whole report of section 10."""
    capture, rules = judged[0].capture, judged[0].rules
    totals: dict[Slot, Sums] = {
        s: sum((j.totals[s] for j in judged), Counter()) for s in capture.slots
    }
    lapses = {
        s: [sum(p.t1 - p.t0 for p in run) for j in judged for run, _ in runs(j.pieces[s], _lapsed, j.day.end)]
        for s in capture.slots
    }  # fmt: skip
    holes = {
        c: sum(sums(j.hole(c), 0, j.day.end)["lapsed"] for j in judged)
        for c in sorted(capture.contracts)
    }
    mine = {m: {s: t for s, t in totals.items() if s[0] == m} for m in capture.makers}
    breaches = [breach for j in judged for breach in j.breaches]
    outside = len(capture.outside)
    return {
        "schema": "mm-monitor/report/1",
        "rulebook": {"id": rules.id, "version": rules.version, "sha256": rules.sha256},
        "period": {"start": judged[0].day.start, "end": judged[-1].day.end},
        "records": {"applied": capture.applied - outside, "late": 0, "dead_letter": capture.dead,
                    "duplicate": 0, "no_obligation": capture.no_obligation + outside},
        "obligations": [_obligation_row(s, t, lapses[s], judged[0]) for s, t in totals.items()],
        "makers": [maker_row(maker, own, judged) for maker, own in mine.items()],
        "contracts": [{"contract": c, "market_hole_ns": ns} for c, ns in holes.items()],
        "breaches": sorted(breaches, key=lambda b: [b[k] for k in ("start", "kind", "maker", "contract")]),
    }  # fmt: skip


def judge_capture(directory: Path, rulebook: Path) -> Row:
    return report(judge_days(directory, rulebook))


def to_text(report: Row) -> str:
    """The report as section 10 writes it."""
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(judge_capture(Path(sys.argv[1]), Path(sys.argv[2]))))
