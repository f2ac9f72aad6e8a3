"""A capture and its rulebook, read into exact numbers: integers and fractions, durations in ns."""

import csv
import hashlib
import io
import re
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Slot = tuple[str, str]  # maker, contract
DAY = 86400 * 10**9  # ns
UNITS: Row = {"": Fraction(1), "%": Fraction(1, 100), "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9,
         "m": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
FILES = {"phase": "phases", "exemption": "exemptions", "feed": "feed", "stress": "stress",
         "underlying": "underlying", "theo": "theo", "quote": "quotes", "rfq": "rfqs",
         "fill": "fills"}  # in their order at an equal instant  # fmt: skip
NUMBER = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)"
COLUMNS = {  # what a text of it looks like
    "ts_event": "[0-9]+", "size": "[0-9]+", "bid_size": "[0-9]+", "ask_size": "[0-9]+",
    "theo": f"({NUMBER})?", "delta": f"(-?{NUMBER})?", "price": f"({NUMBER})?",
    "bid_price": f"(-?{NUMBER})?", "ask_price": f"(-?{NUMBER})?", "side": "buy|sell",
    "status": "down|up|synced", "action": "start|end",
    "phase": "closed|opening_auction|continuous|break|closing_auction|halt|breaker_auction",
}  # fmt: skip


class Record(NamedTuple):
    ts: int
    kind: str
    at: Slot  # whose and where: a maker or *, a contract, class or *
    row: Row  # its columns, read

    def is_on(self) -> bool:
        return self.row.get("action") == "start" or self.row.get("status") == "down"


class Day(NamedTuple):
    date: date
    roll: int  # quotes of [roll, until) are its own; 0 if no calendar says so
    start: int  # judged is [start, end)
    end: int
    phases: list[tuple[int, str]]
    until: int = 2**63


def utc_date(ts: int) -> date:
    return datetime.fromtimestamp(ts // 10**9, UTC).date()


def trading_dates(calendar: Any, first: int, last: int) -> list[Day]:
    """Every trading date around the span `[first, last]` (ns)."""
    special = {row["date"]: row["phases"] for row in calendar.get("special", [])}
    usual, off = calendar["days"], calendar.get("holidays", [])

    def instant(day: date, at: str) -> int:
        hours, minutes, *seconds = map(int, at.split(":"))
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(calendar["timezone"]))
        local = midnight + timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))
        return int(local.timestamp()) * 10**9

    near = [utc_date(ts) for ts in range(first - 21 * DAY, last + 22 * DAY, DAY)]
    trading = {d for d in near if f"{d:%a}".lower() in usual and d not in off} | special.keys()
    days: list[Day] = []
    for before, day in pairwise(d for d in near if d in trading):
        rows = special.get(day, calendar["phases"])
        local = [(before if row.get("day") else day, row["at"], row["phase"]) for row in rows]
        phases = sorted((instant(on, at), phase) for on, at, phase in local)
        # From the local midnight of its first phase, or from the end of the one before if later.
        roll = max(instant(min(local)[0], "00:00"), days[-1].end if days else 0)
        days.append(Day(day, roll, phases[0][0], phases[-1][0], phases))
    return [day._replace(until=after.roll) for day, after in pairwise(days)]


def exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    match = re.fullmatch(r"([0-9.]+)(%|[num]?s|m|h|)", value) if isinstance(value, str) else None
    number = Fraction(match[1]) * UNITS[match[2]] if match else None
    return int(number) if number is not None and number.denominator == 1 else number or value


class Capture:
    """`rules` are by `table` and `table.key`; `records` hold quotes without obligation too."""

    def __init__(self, directory: Path, rulebook: Path) -> None:
        def read(name: str) -> list[Row]:
            path = directory / f"{name}.csv"
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            return [*csv.DictReader(io.StringIO(text))]

        raw = tomllib.loads(rulebook.read_text(encoding="utf-8"))
        tables = {name: exact(table) for name, table in raw.items() if isinstance(table, dict)}
        keys = {f"{name}.{key}": value for name in tables for key, value in tables[name].items()}
        self.rules: Any = raw | tables | keys
        self.rules["sha256"] = hashlib.sha256(rulebook.read_bytes()).hexdigest()
        self.contracts = {row["contract"]: row for row in read("contracts")}
        for row in self.contracts.values():
            row["tick"], row["flags"] = Fraction(row["tick"]), (row.get("flags") or "").split()
            row["expiry"] = date.fromisoformat(row["expiry"]) if row.get("expiry") else None
            row["strike"] = Fraction(row["strike"]) if row.get("strike") else None
        self.cls: dict[str, str] = {name: row["class"] for name, row in self.contracts.items()}
        makers = [(row["maker"], row["class"]) for row in read("makers")]
        self.makers = sorted({maker for maker, _ in makers})
        every = {(m, c) for m, of in makers for c in self.cls if of in ("*", self.cls[c])}
        self.slots: list[Slot] = sorted(every)
        self.accounts = {row["account"]: row["maker"] for row in read("accounts")}
        self.counts: Counter[str] = Counter()
        taken = [self._take(kind, row) for kind, name in FILES.items() for row in read(name)]
        self.records = sorted((r for r in taken if r), key=lambda record: record.ts)

    def _take(self, kind: str, raw: Row) -> Record | None:
        name, ts = str(raw.get("maker") or "*"), str(raw.get("ts_event") or "")
        maker = self.accounts.get(name, name) if kind in ("quote", "fill") else name
        at = (maker, raw.get("scope") or raw.get("contract") or raw.get("class") or "")
        row = self._decode(kind, raw)
        if row is None:
            self.counts["dead_letter"] += 1  # it still tells that a slot's quote changed
            if kind != "quote" or at not in self.slots or not ts.isdecimal() or int(ts) >= 2**63:
                return None
            row = {"bad": True}
        else:
            self.counts["applied" if kind != "quote" or at in self.slots else "no_obligation"] += 1
        row["account"] = name if "accounts" in self.rules else ""
        return Record(int(ts), kind, at, row)

    def _decode(self, kind: str, raw: Row) -> Row | None:
        """The columns, or None where one of them makes a dead letter."""
        names = {"contract": [*self.cls], "class": [*self.cls.values()]}
        names["scope"] = ["*", *self.cls, *self.cls.values()]
        names["kind"] = [kind for kind in self.rules.get("exemptions", {}) if kind != "source"]
        if None in raw or None in raw.values():
            return None  # not as many fields as columns
        for column, text in raw.items():
            if text not in names.get(column, [text]):
                return None
            if column in COLUMNS and not re.fullmatch(COLUMNS[column], text):
                return None
        row, fine = {**raw}, [True]
        for column, text in raw.items():
            if column == "ts_event" or column.endswith("size"):
                row[column] = int(text)
                fine.append(int(text) < 2 ** (63 if column == "ts_event" else 31))
            elif column.endswith(("theo", "delta", "price")):
                row[column] = round(Fraction(text), 8) if text else None
                fine.append(abs(Fraction(text or 0)) <= 92 * 10**9)
                if column.endswith("price") and text:
                    fine.append(
                        row[column] == Fraction(text) and (kind == "quote" or row[column] > 0)
                    )
        for side in ("bid", "ask") if kind == "quote" else ():
            price, size = row[f"{side}_price"] or 0, row[f"{side}_size"]
            fine.append(price % self.contracts[row["contract"]]["tick"] == 0)
            fine.append(size == 0 or price > 0)
            row[side] = (price, size) if size else None
        fine.append(kind != "fill" or bool(row["price"] and row["size"]))
        return row if all(fine) else None
