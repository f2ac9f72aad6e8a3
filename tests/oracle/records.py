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
Row = dict[str, Any]
FILES = {"phase": "phases", "exemption": "exemptions", "feed": "feed", "stress": "stress",
         "underlying": "underlying", "theo": "theo", "quote": "quotes", "rfq": "rfqs",
         "fill": "fills"}  # fmt: skip
ORDER = list(FILES)  # at an equal instant
WORDS = {
    "phase": ["closed", "opening_auction", "continuous", "break", "closing_auction", "halt",
              "breaker_auction"],
    "status": ["down", "up", "synced"], "action": ["start", "end"], "side": ["buy", "sell"],
}  # fmt: skip
FARTHEST = 92_000_000_000 * SCALE


class Record(NamedTuple):
    """One record; `row` holds its columns, read."""

    ts: int
    kind: str
    line: int
    row: Row


@dataclass
class Capture:
    """A capture in memory; `records` are in tape order and hold quotes without obligation too."""

    contracts: dict[str, Row]
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


def _decimal(text: str, exact: bool = True, least: int = -FARTHEST) -> Fraction:
    if not re.fullmatch(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        raise ValueError(f"not a decimal: {text!r}")
    value = Fraction(text) * SCALE
    if not least <= value <= FARTHEST or (exact and value.denominator != 1):
        raise ValueError(f"out of range, or too many decimals: {text!r}")
    return value


def _side(price: str, size_text: str, tick: int) -> Side | None:
    size = _whole(size_text, 2**31 - 1)
    if price == "" and size == 0:
        return None
    value = _decimal(price, least=1 if size else -FARTHEST)
    if value % tick:
        raise ValueError(f"off tick: {price!r}")
    return (int(value), size) if size else None


def _decode(kind: str, raw: dict[str, str], capture: Capture, rules: Rules) -> Row:
    """The columns of one csv line, read; ValueError when it is a dead letter."""
    if None in raw or None in raw.values():
        raise ValueError("too many or too few fields")
    classes = [row["class"] for row in capture.contracts.values()]
    known = WORDS | {"contract": [*capture.contracts], "class": classes}
    known |= {"scope": ["*", *capture.contracts, *classes], "kind": [*rules.exemptions]}
    for column in known.keys() & raw.keys():
        if raw[column] not in known[column]:
            raise ValueError(f"unknown {column}: {raw[column]!r}")
    row: Row = raw | {"ts": _whole(raw["ts_event"])}
    if kind in ("quote", "fill"):
        row |= {"maker": capture.accounts.get(raw["maker"], raw["maker"]), "account": raw["maker"]}
    if kind == "quote":
        tick = capture.contracts[raw["contract"]]["tick"]
        for side in ("bid", "ask"):
            row[side] = _side(raw[f"{side}_price"], raw[f"{side}_size"], tick)
    elif kind == "theo":
        if raw["theo"].startswith("-"):
            raise ValueError(f"a negative theo: {raw['theo']!r}")
        row["theo"] = round(_decimal(raw["theo"], exact=False)) if raw["theo"] else None
        row["delta"] = round(_decimal(raw["delta"], exact=False)) if raw.get("delta") else None
    elif kind == "underlying":
        prices = [raw.get(column) for column in ("price", "bid_price", "ask_price")]
        row["spot"], low, high = (int(_decimal(text, least=1)) if text else None for text in prices)
        row["spread"] = None if low is None or high is None else high - low
    elif kind == "fill":
        row |= {"price": _decimal(raw["price"], least=1), "size": _whole(raw["size"], 2**31 - 1)}
        if row["size"] == 0:
            raise ValueError("a fill of nothing")
    return row


def _take(kind: str, raw: dict[str, str], line: int, capture: Capture, rules: Rules) -> None:
    try:
        row = _decode(kind, raw, capture, rules)
    except ValueError:
        capture.dead += 1
        name = raw.get("maker") or ""  # a dead quote still tells that this slot's quote changed
        slot = (capture.accounts.get(name, name), raw.get("contract") or "")
        ts = raw.get("ts_event") or ""
        if kind == "quote" and slot in capture.slots and ts.isdecimal() and int(ts) < 2**63:
            row = {"maker": slot[0], "contract": slot[1], "bad": True}
            capture.records.append(Record(int(ts), kind, line, row))
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
    contracts: dict[str, Row] = {}
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
