"""The capture as the oracle reads it: csv lines decoded into records in tape order.

A record is decoded entirely or it is a dead letter; a dead quote that names one of our slots stays
on the tape as `bad`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from .rulebook import SCALE, Rules

Slot = tuple[str, str]  # maker, contract
Row = dict[str, str]
FILES = {"phase": "phases", "exemption": "exemptions", "feed": "feed", "stress": "stress",
         "theo": "theo", "quote": "quotes"}  # fmt: skip
ORDER = list(FILES)  # at an equal instant
PHASES = {"closed", "opening_auction", "continuous", "break", "closing_auction", "halt",
          "breaker_auction"}  # fmt: skip
FARTHEST = 92_000_000_000 * SCALE


@dataclass(frozen=True)
class Record:
    """One record; a side is (price in 10^-8, size), None where absent."""

    ts: int
    kind: str
    line: int
    scope: str
    maker: str = ""
    word: str = ""  # phase, exemption kind, feed status
    action: str = ""  # start | end
    theo: int | None = None
    bid: tuple[int, int] | None = None
    ask: tuple[int, int] | None = None
    bad: bool = False


@dataclass
class Capture:
    """A capture in memory; `records` are in tape order and hold quotes without obligation too."""

    cls: dict[str, str]
    tick: dict[str, int]
    makers: list[str]
    slots: list[Slot]
    records: list[Record] = field(default_factory=list)
    applied: int = 0
    dead: int = 0
    no_obligation: int = 0


def _whole(text: str, most: int) -> int:
    if not re.fullmatch("[0-9]+", text) or int(text) > most:
        raise ValueError(f"not a whole number up to {most}: {text!r}")
    return int(text)


def _time(text: str) -> int:
    return _whole(text, 2**63 - 1)


def _decimal(text: str) -> Fraction:
    if not re.fullmatch(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        raise ValueError(f"not a decimal: {text!r}")
    value = Fraction(text) * SCALE
    if abs(value) > FARTHEST:
        raise ValueError(f"out of range: {text!r}")
    return value


def _side(price: str, size_text: str, tick: int) -> tuple[int, int] | None:
    size = _whole(size_text, 2**31 - 1)
    if price == "":
        if size:
            raise ValueError("a size without a price")
        return None
    value = _decimal(price)
    if value.denominator != 1 or value % tick or (size and value <= 0):
        raise ValueError(f"too many decimals, off tick, or not positive: {price!r}")
    return (int(value), size) if size else None


def _theo(text: str) -> int | None:
    if text.startswith("-"):
        raise ValueError(f"a negative theo: {text!r}")
    return round(_decimal(text)) if text else None


def _one_of(word: str, *words: str) -> str:
    if word not in words:
        raise ValueError(f"unknown: {word!r}")
    return word


def _decode(kind: str, row: Row, line: int, capture: Capture, rules: Rules) -> Record:
    """One record out of one csv line; ValueError when it is a dead letter."""
    if None in row or None in row.values():
        raise ValueError("too many or too few fields")
    ts, cls = _time(row["ts_event"]), capture.cls
    if kind in ("theo", "quote"):
        contract = _one_of(row["contract"], *cls)
        if kind == "theo":
            return Record(ts, kind, line, contract, theo=_theo(row["theo"]))
        bid, ask = (
            _side(row[f"{side}_price"], row[f"{side}_size"], capture.tick[contract])
            for side in ("bid", "ask")
        )
        return Record(ts, kind, line, contract, row["maker"], bid=bid, ask=ask)
    scope = _one_of(row["scope"], "*", *cls, *cls.values())
    if kind == "phase":
        return Record(ts, kind, line, scope, word=_one_of(row["phase"], *PHASES))
    if kind == "feed":
        status = _one_of(row["status"], "down", "up", "synced")
        return Record(ts, kind, line, scope, row["maker"], status)
    action = _one_of(row["action"], "start", "end")
    if kind == "stress":
        return Record(ts, kind, line, scope, action=action)
    word = _one_of(row["kind"], *rules.exemptions)
    return Record(ts, kind, line, scope, row["maker"], word, action)


def _bad_quote(row: Row, line: int, capture: Capture) -> list[Record]:
    """What a dead-lettered quote still tells: that this slot's quote changed then."""
    slot = (row.get("maker") or "", row.get("contract") or "")
    try:
        ts = _time(row.get("ts_event") or "")
    except ValueError:
        return []
    return [Record(ts, "quote", line, slot[1], slot[0], bad=True)] if slot in capture.slots else []


def _take(kind: str, row: Row, line: int, capture: Capture, rules: Rules) -> None:
    try:
        record = _decode(kind, row, line, capture, rules)
    except ValueError:
        capture.dead += 1
        capture.records += _bad_quote(row, line, capture) if kind == "quote" else []
        return
    if kind == "quote" and (record.maker, record.scope) not in capture.slots:
        capture.no_obligation += 1
    else:
        capture.applied += 1
    capture.records.append(record)


def _lines(path: Path) -> list[tuple[int, Row]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        return [(reader.line_num, row) for row in reader]


def load(directory: Path, rules: Rules) -> Capture:
    """The capture in `directory`; bad contracts or makers are not the oracle's business."""
    contracts = [row for _, row in _lines(directory / "contracts.csv")]
    cls = {row["contract"]: row["class"] for row in contracts}
    tick = {row["contract"]: int(Fraction(row["tick"]) * SCALE) for row in contracts}
    appointed = [(row["maker"], row["class"]) for _, row in _lines(directory / "makers.csv")]
    slots = sorted({(m, c) for m, k in appointed for c in cls if k in ("*", cls[c])})
    capture = Capture(cls, tick, sorted({m for m, _ in appointed}), slots)
    for kind, name in FILES.items():
        for line, row in _lines(directory / f"{name}.csv"):
            _take(kind, row, line, capture, rules)
    capture.records.sort(key=lambda r: (r.ts, ORDER.index(r.kind), r.line))
    return capture
