"""A venue's figures beside ours: where they differ, obligation by obligation, and by interval where it gives any.

What a venue does not say is not compared. A ratio is compared at the digits that it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError
from mm_monitor.sources.csv_lines import csv_chunks

TIMES = ("quoted_ns", "lapsed_ns", "exempt_ns", "unknown_ns", "required_ns")
FIGURES = (*TIMES, "presence", "verdict")
STATES = ("quoted", "lapsed", "exempt", "unknown")
Row = Mapping[str, Any]
Interval = tuple[int, int, str]  # [start, end) in ns, state
Ours = Callable[[str, str], Sequence[Interval]]  # maker, contract -> all intervals in order


def read_venue(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines of a venue's file with their numbers. InputError for one that is no line of the table, or says nothing."""
    found: list[tuple[int, dict[str, str]]] = []
    figures: dict[tuple[str, str], int] = {}
    for chunk in csv_chunks(path, ("maker", "contract")):
        for odd in chunk.odd:
            raise InputError(odd.detail, file=str(path), line=odd.number)
        for i, number in enumerate(chunk.numbers.tolist()):
            row = chunk.fields(i)
            if not row.keys() & {*FIGURES, "start"}:
                what = (
                    f"a column that can be compared: {', '.join(FIGURES)}, or start, end and state"
                )
                raise InputError(what, file=str(path), line=1)
            key = row["maker"], row["contract"]
            if not row.get("start") and figures.setdefault(key, number) != number:
                what = f"figures once for each obligation, these are on line {figures[key]} too"
                raise InputError(what, file=str(path), line=number, value=" ".join(key))
            found.append((number, row))
    return found


def reconcile(
    report: Row, venue: Sequence[tuple[int, Mapping[str, str]]], *, within: int = 0, file: str = "",
    intervals: Ours | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Differences in the order of the venue's lines, then what it does not name; times may differ by `within` ns."""
    ours = {(row["maker"], row["contract"]): row for row in report["obligations"]}
    found: list[dict[str, Any]] = []
    named = set()
    for line, theirs in venue:
        key = theirs["maker"], theirs["contract"]
        named.add(key)
        row = ours.get(key)
        head = {"line": line, "maker": key[0], "contract": key[1]}
        if row is None:
            found.append({**head, "what": "obligation", "venue": "there", "ours": None})
        elif theirs.get("start"):
            if intervals is None:
                raise InputError("intervals need --source and --rulebook", file=file, line=line)
            mine = intervals(*key)
            found += [{**head, **one} for one in _interval(theirs, mine, within, file, line)]
        else:
            found += [{**head, **one} for one in _figures(theirs, row, within, file, line)]
    found += [{"line": None, "maker": maker, "contract": contract, "what": "obligation", "venue": None, "ours": "there"}
              for maker, contract in sorted(set(ours) - named)]  # fmt: skip
    return found


def _figures(
    theirs: Mapping[str, str], row: Row, within: int, file: str, line: int
) -> list[dict[str, Any]]:
    mine = {**row, "required_ns": row["quoted_ns"] + row["lapsed_ns"] + row["unknown_ns"]}
    found = []
    for name in TIMES:
        if theirs.get(name):
            said = _int(theirs[name], file, line, name)
            if abs(said - mine[name]) > within:
                found.append(
                    {"what": name, "venue": said, "ours": mine[name], "by": said - mine[name]}
                )
    said_ratio = theirs.get("presence", "")
    if said_ratio and not _same_ratio(_ratio(said_ratio, file, line), mine["presence"]):
        found.append({"what": "presence", "venue": said_ratio, "ours": mine["presence"]})
    if theirs.get("verdict") and theirs["verdict"] != mine["verdict"]:
        found.append({"what": "verdict", "venue": theirs["verdict"], "ours": mine["verdict"]})
    return found


def _ratio(text: str, file: str, line: int) -> tuple[int, int]:
    """A ratio, or a percentage, as an integer and the number of digits that it has behind the point."""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{0,18}))?( ?%)?", text)
    if match is None:
        what = "a ratio or percentage such as 0.9 or 90%"
        raise InputError(what, file=file, line=line, column="presence", value=text)
    whole, part, percent = match[1], match[2] or "", match[3]
    return int(whole + part), len(part) + (2 if percent else 0)


def _same_ratio(theirs: tuple[int, int], mine: str | None) -> bool:
    """The one with more digits truncated to the other's, or rounded half up to them: nobody says which."""
    if mine is None:
        return False
    said, digits = theirs
    exact = int(mine.replace(".", ""))  # nine digits
    fine, coarse = (said, exact) if digits > 9 else (exact, said)
    unit: int = 10 ** abs(digits - 9)
    return coarse in (fine // unit, (fine + unit // 2) // unit)


def _interval(
    theirs: Mapping[str, str], mine: Sequence[Interval], within: int, file: str, line: int
) -> list[dict[str, Any]]:
    """Pieces of one of their intervals in which we say another state."""
    start, end = (_int(theirs.get(name, ""), file, line, name) for name in ("start", "end"))
    state = theirs.get("state", "")
    if state not in STATES:
        raise InputError(
            f"one of {', '.join(STATES)}", file=file, line=line, column="state", value=state
        )
    if end <= start:
        raise InputError(f"after start ({start})", file=file, line=line, column="end", value=end)
    found = []
    for a, b, other in mine:
        low, high = max(a, start), min(b, end)
        if low < high and other != state and high - low > within:
            found.append(
                {"what": "interval", "start": low, "end": high, "venue": state, "ours": other}
            )
    return found


def _int(text: str, file: str, line: int, column: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise InputError("an integer of ns", file=file, line=line, column=column, value=text)
    return int(text)
