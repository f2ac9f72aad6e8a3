"""The capture as the oracle reads it: csv lines decoded into records in tape order.

A record is decoded entirely or it is a dead letter; a dead quote that names one of our slots stays
on the tape as `bad`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from .rulebook import SCALE, Rules

Slot = tuple[str, str]  # maker, contract
Side = tuple[int, int]  # price in 10^-8, size
FILES = {"phase": "phases", "exemption": "exemptions", "feed": "feed", "stress": "stress",
         "underlying": "underlying", "theo": "theo", "quote": "quotes", "rfq": "rfqs",
         "fill": "fills"}  # fmt: skip
ORDER = list(FILES)  # at an equal instant
WORDS = {
    "phase": ("closed", "opening_auction", "continuous", "break", "closing_auction", "halt",
              "breaker_auction"),
    "status": ("down", "up", "synced"), "action": ("start", "end"), "side": ("buy", "sell"),
}  # fmt: skip
FARTHEST = 92_000_000_000 * SCALE


class Record(NamedTuple):
    """One record; `row` holds its columns, read."""

    ts: int
    kind: str
    line: int
    row: dict[str, Any]


@dataclass
class Capture:
    """A capture in memory; `records` are in tape order and hold quotes without obligation too."""

    contracts: dict[str, dict[str, Any]]
    makers: list[str]
    slots: list[Slot]
    accounts: dict[str, str]
    records: list[Record] = field(default_factory=list)
    applied: int = 0
    dead: int = 0
    no_obligation: int = 0
    outside: set[int] = field(default_factory=set)  # lines of quotes outside the required set

    def cls(self, contract: str) -> str:
        return str(self.contracts[contract]["class"])


def _whole(text: str, most: int = 2**63 - 1) -> int:
    if not re.fullmatch("[0-9]+", text) or int(text) > most:
        raise ValueError(f"not a whole number up to {most}: {text!r}")
    return int(text)


def _decimal(text: str) -> Fraction:
    if not re.fullmatch(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        raise ValueError(f"not a decimal: {text!r}")
    value = Fraction(text) * SCALE
    if abs(value) > FARTHEST:
        raise ValueError(f"out of range: {text!r}")
    return value


def _side(price: str, size_text: str, tick: int) -> Side | None:
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


def _decode(kind: str, raw: dict[str, str], capture: Capture, rules: Rules) -> dict[str, Any]:
    """The columns of one csv line, read; ValueError when it is a dead letter."""
    if None in raw or None in raw.values():
        raise ValueError("too many or too few fields")
    row: dict[str, Any] = dict(raw)
    classes = {c["class"] for c in capture.contracts.values()}
    known = WORDS | {"contract": tuple(capture.contracts), "class": tuple(classes)}
    known |= {"scope": ("*", *capture.contracts, *classes)}
    known |= {"kind": tuple(rules.exemptions)} if kind == "exemption" else {}
    for column in known.keys() & raw.keys():
        if raw[column] not in known[column]:
            raise ValueError(f"unknown {column}: {raw[column]!r}")
    row["ts"] = _whole(raw["ts_event"])
    if kind == "quote":
        tick = capture.contracts[raw["contract"]]["tick"]
        for side in ("bid", "ask"):
            row[side] = _side(raw[f"{side}_price"], raw[f"{side}_size"], tick)
        row["maker"] = capture.accounts.get(raw["maker"], raw["maker"])
        row["account"] = raw["maker"]
    elif kind == "theo":
        row["theo"] = _theo(raw["theo"])
        row["delta"] = _decimal(raw["delta"]) if raw.get("delta") else None
    elif kind == "underlying":
        prices = [raw.get("bid_price") or None, raw.get("ask_price") or None]
        low, high = (p and int(_decimal(p)) for p in prices)
        row["spread"] = None if low is None or high is None else high - low
        row["spot"] = int(_decimal(raw["price"])) if raw["price"] else None
    elif kind == "fill":
        row["size"], value = _whole(raw["size"], 2**31 - 1), _decimal(raw["price"])
        row["maker"] = capture.accounts.get(raw["maker"], raw["maker"])
        if row["size"] == 0 or value <= 0 or value.denominator != 1:
            raise ValueError("a fill of nothing, for nothing, or at too many decimals")
    return row


def _take(kind: str, raw: dict[str, str], line: int, capture: Capture, rules: Rules) -> None:
    try:
        row = _decode(kind, raw, capture, rules)
    except ValueError:
        capture.dead += 1
        name = raw.get("maker") or ""  # a dead quote still tells that this slot's quote changed
        row = {"maker": capture.accounts.get(name, name), "contract": raw.get("contract") or ""}
        ts, ours = raw.get("ts_event") or "", (row["maker"], row["contract"]) in capture.slots
        if kind == "quote" and ours and re.fullmatch("[0-9]+", ts) and int(ts) < 2**63:
            capture.records.append(Record(int(ts), kind, line, row | {"bad": True}))
        return
    free = kind == "quote" and (row["maker"], row["contract"]) not in capture.slots
    capture.no_obligation += free
    capture.applied += not free
    capture.records.append(Record(row["ts"], kind, line, row))


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        return [(reader.line_num, row) for row in reader]


def load(directory: Path, rules: Rules) -> Capture:
    """The capture in `directory`; bad contracts or makers are not the oracle's business."""
    contracts: dict[str, dict[str, Any]] = {}
    for _, raw in _lines(directory / "contracts.csv"):
        expiry = date.fromisoformat(raw["expiry"]) if raw.get("expiry") else None
        strike = Fraction(raw["strike"]) * SCALE if raw.get("strike") else None
        read = {"tick": int(Fraction(raw["tick"]) * SCALE), "expiry": expiry, "strike": strike}
        contracts[raw["contract"]] = raw | read
    appointed = [(row["maker"], row["class"]) for _, row in _lines(directory / "makers.csv")]
    slots = {
        (m, c) for m, k in appointed for c, row in contracts.items() if k in ("*", row["class"])
    }
    accounts = {row["account"]: row["maker"] for _, row in _lines(directory / "accounts.csv")}
    capture = Capture(contracts, sorted({m for m, _ in appointed}), sorted(slots), accounts)
    for kind, name in FILES.items():
        for line, row in _lines(directory / f"{name}.csv"):
            _take(kind, row, line, capture, rules)
    capture.records.sort(key=lambda r: (r.ts, ORDER.index(r.kind), r.line))
    return capture
