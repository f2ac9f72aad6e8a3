"""The numbers beside the verdicts: of windows, stress, limits, requests and re-quotes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

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


def requotes(judged: Judged, slot: Slot) -> list[int]:
    """RESP-01: ns from the record that ended validity to the next valid quote, where one did."""
    waits: list[int] = []
    since, before = None, judged.before.get(slot)
    for piece in judged.pieces[slot]:
        caused = quoted = False
        for record in judged.at.get(piece.t0, ()):
            row = record.row
            moved = record.kind == "theo" and row["contract"] == slot[1]
            caused |= moved and not {"spread", "off_theo", "one_sided"}.isdisjoint(piece.fails)
            if (row.get("maker"), row.get("contract")) == slot and not row.get("bad"):
                quoted |= record.kind == "quote"
                caused |= record.kind == "fill"
        if before and quoted:
            caused |= any(a and not b for a, b in zip(before.sides, piece.sides, strict=True))
        if since is not None and piece.valid:
            waits += [piece.t0 - since] if quoted else []
        if piece.lost or piece.valid:
            since = None
        elif before and before.valid and piece.fails and caused and piece.state == "lapsed":
            since = piece.t0
        before = piece
    return waits


def _latency(waits: list[int]) -> Row:
    bounds = Counter(str(next((b for b in BUCKETS if ns <= b), "inf")) for ns in waits)
    return {"buckets": dict(bounds), "count": len(waits), "sum_ns": sum(waits)}


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
    asked = "am_pm" in rules.get("presence.windows", default=[])
    asked |= rules.get("presence.judged_by") == "stretches"
    for j in judged if asked and slots else ():
        for start, end in j.stretches():
            t: Sums = sum((sums(j.pieces[s], start, end) for s in slots), Counter())
            row: Row = {f"{state}_ns": t[state] for state in STATES}
            row |= {"start": start, "end": end, "verdict": verdict(t, rules)}
            rows.append(row | {"presence": nine(t["quoted"], needed(t))})
    return rows


def details(judged: list[Judged]) -> Row:
    """What can be compared with the details report."""
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
        asked = sum((j.asked(j.of(maker)) for j in judged), Counter[str]())
        extra = rules.get("stress.weight", ratio, "1") - 1
        makers.append({
            "maker": maker, "windows": _windows(judged, slots), "stretches": _stretches(judged, slots),
            "stress_presence": nine(total["stress quoted"], needed(total, "stress ")),
            "weighted_presence": nine(total["quoted"] + extra * total["stress quoted"],
                                      needed(total) + extra * needed(total, "stress ")),
            "rfq": {k: asked[k] for k in ("asked", "answered", "undecided")},
            "requote": _latency([ns for j in judged for slot in slots for ns in requotes(j, slot)]),
        })  # fmt: skip
    return {"obligations": rows, "makers": makers}
