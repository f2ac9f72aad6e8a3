"""The numbers beside the verdicts: of windows, stress, limits, requests and re-quotes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from .book import Piece
from .oracle import Judged, Sums, hopeful, judge_days, needed, nine
from .records import Row, Slot
from .rulebook import Rules, duration, ratio

BUCKETS = [n * 10**k for k in range(3, 11) for n in (1, 2, 5)] + [10**11]  # ns


def windows(pieces: list[Piece], width: int, rules: Rules) -> Counter[str]:
    """PRES-06: tumbling windows over the slot's own obliged time."""
    out, window, room, run = Counter[str](), Counter[str](), width, 0
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
    return out + Counter({"cut": int(room < width), "total": int(room < width)})


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


def details(judged: list[Judged]) -> Row:
    """What can be compared with the details report."""
    capture, rules = judged[0].capture, judged[0].rules
    rows = []
    for slot in capture.slots:
        total: Sums = sum((j.totals[slot] for j in judged), Counter())
        found = {}
        widths = [
            w for w in rules.get("presence.windows", default=[]) if w not in ("session", "am_pm")
        ]
        for name in widths:
            of_days = [windows(j.pieces[slot], duration(name), rules) for j in judged]
            found[name] = sum(of_days, Counter[str]())
            found[name]["longest_failed_run"] = max(d["longest_failed_run"] for d in of_days)
        states = ("quoted", "lapsed", "unknown")
        rows.append({
            "maker": slot[0], "contract": slot[1], "limit_use": total["use"], "windows": found,
            "stress": {f"{s}_ns": total[f"stress {s}"] for s in states},
        })  # fmt: skip
    makers = []
    for maker in capture.makers:
        own = [(j, slot) for j in judged for slot in j.capture.slots if slot[0] == maker]
        total = sum((j.totals[slot] for j, slot in own), Counter())
        extra = rules.get("stress.weight", ratio, "1") - 1
        top = total["quoted"] + extra * total["stress quoted"]
        bottom = needed(total) + extra * needed(total, "stress ")
        makers.append({
            "maker": maker,
            "stress_presence": nine(total["stress quoted"], needed(total, "stress ")),
            "weighted_presence": nine(top, bottom),
            "rfq": sum((j.asked(j.of(maker)) for j in judged), Counter[str]()),
            "requote": sum((requotes(j, slot) for j, slot in own), Counter[str]()),
        })  # fmt: skip
    return {"obligations": rows, "makers": makers}
