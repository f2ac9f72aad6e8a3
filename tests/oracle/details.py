"""The numbers beside the verdicts: of windows, stress, limits, requests and re-quotes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from .book import Piece
from .oracle import Judged, Sums, hopeful, judge_days, needed, nine, sums, verdict
from .records import Row, Slot
from .rulebook import Rules, duration, ratio

COUNTS = ("total", "passed", "failed", "open", "empty", "cut")
STATES = ("quoted", "lapsed", "exempt", "unknown")
BUCKETS = [n * 10**k for k in range(3, 11) for n in (1, 2, 5)] + [10**11]  # ns


def windows(pieces: list[Piece], width: int, rules: Rules) -> Counter[str]:
    """PRES-06: tumbling windows over the slot's own obliged time."""
    out, window, room, run = Counter[str](), Counter[str](), width, 0
    out.update(dict.fromkeys(COUNTS, 0))
    for piece in (p for p in pieces if p.state):
        left = piece.t1 - piece.t0
        while left:
            ns = min(left, room)
            window[str(piece.state)] += ns
            left, room = left - ns, room - ns
            if room == 0:
                word = _window(window, rules)
                out.update(["total", word])
                run = {"failed": run + 1, "empty": run}.get(word, 0)
                out["longest_failed_run"] = max(out["longest_failed_run"], run)
                window, room = Counter(), width
    out.update({"cut": int(room < width), "total": int(room < width)})
    return out


def _window(t: Sums, rules: Rules) -> str:
    if needed(t) == 0:
        return "empty"
    if t["quoted"] >= rules.required * needed(t):
        return "passed"
    return "failed" if hopeful(t) < rules.required * needed(t) else "open"


def requotes(judged: Judged, slot: Slot) -> Counter[str]:
    """RESP-01: how long from the record that ended validity to the next valid quote, by bucket."""
    out: Counter[str] = Counter()
    since, before, sides = None, None, (False, False)
    at: dict[int, list[Any]] = {}
    for record in judged.capture.records:
        at.setdefault(record.ts, []).append(record)
    for piece in judged.pieces[slot]:
        theo = fill = quoted = gone = False
        for record in at.get(piece.t0, ()):
            row = record.row
            theo |= record.kind == "theo" and row["contract"] == slot[1]
            ours = (row.get("maker"), row.get("contract")) == slot
            fill |= record.kind == "fill" and ours
            if record.kind == "quote" and ours and not row.get("bad"):
                has = (row["bid"] is not None, row["ask"] is not None)
                quoted, gone = True, any(a and not b for a, b in zip(sides, has, strict=True))
                sides = has
        if before and piece.valid is False and (theo or fill or gone):
            since = piece.t0
        elif since is not None and piece.valid:
            if quoted:
                waited = piece.t0 - since
                out[str(next((b for b in BUCKETS if waited <= b), "inf"))] += 1
                out["sum"] += waited
            since = None
        before = piece.valid
    return out


def judge_details(directory: Path, rulebook: Path) -> Row:
    return details(judge_days(directory, rulebook))


def _windows(judged: list[Judged], slots: list[Slot]) -> list[Row]:
    """The counts of every width, over all dates and these slots."""
    rules, rows = judged[0].rules, []
    asked = [w for w in rules.get("presence.windows", default=[]) if w not in ("session", "am_pm")]
    for width in sorted(map(duration, asked)) if slots else ():
        each = [windows(j.pieces[slot], width, rules) for j in judged for slot in slots]
        row: Row = {key: sum(out[key] for out in each) for key in COUNTS}
        longest = max((out["longest_failed_run"] for out in each), default=0)
        rows.append(row | {"width_ns": width, "longest_failed_run": longest})
    return rows


def _stretches(judged: list[Judged], slots: list[Slot]) -> list[Row]:
    """What these slots were obliged in each stretch of continuous trading of the market."""
    rows: list[Row] = []
    rules = judged[0].rules
    for j in judged if slots and "am_pm" in rules.get("presence.windows", default=[]) else ():
        spoken = [(r.ts, r.row["phase"]) for r in j.capture.records
                  if r.kind == "phase" and r.row["scope"] == "*"]  # fmt: skip
        phases = [*dict(j.day.phases or spoken).items(), (j.day.end, "")]
        since: int | None = None
        for ts, word in phases:
            if since is not None and word != "continuous":
                t: Sums = sum((sums(j.pieces[s], since, ts) for s in slots), Counter())
                row: Row = {f"{state}_ns": t[state] for state in STATES}
                row |= {"start": since, "end": ts, "verdict": verdict(t, rules)}
                rows.append(row | {"presence": nine(t["quoted"], needed(t))})
            since = None if word != "continuous" else ts if since is None else since
    return rows


def details(judged: list[Judged]) -> Row:
    """What can be compared with the details report; counts of requests and re-quotes by their word."""
    capture, rules = judged[0].capture, judged[0].rules
    rows, makers = [], []
    for slot in capture.slots:
        total: Sums = sum((j.totals[slot] for j in judged), Counter())
        rows.append({
            "maker": slot[0], "contract": slot[1], "limit_use": total["use"],
            "windows": _windows(judged, [slot]), "stretches": _stretches(judged, [slot]),
            "stress": {f"{s}_ns": total[f"stress {s}"] for s in STATES if s != "exempt"},
        })  # fmt: skip
    for maker in capture.makers:
        slots = [slot for slot in capture.slots if slot[0] == maker]
        total = sum((j.totals[slot] for j in judged for slot in slots), Counter())
        extra = rules.get("stress.weight", ratio, "1") - 1
        makers.append({
            "maker": maker, "windows": _windows(judged, slots), "stretches": _stretches(judged, slots),
            "stress_presence": nine(total["stress quoted"], needed(total, "stress ")),
            "weighted_presence": nine(total["quoted"] + extra * total["stress quoted"],
                                      needed(total) + extra * needed(total, "stress ")),
            "rfq": sum((j.asked(j.of(maker)) for j in judged), Counter[str]()),
            "requote": sum((requotes(j, slot) for j in judged for slot in slots), Counter[str]()),
        })  # fmt: skip
    return {"obligations": rows, "makers": makers}
