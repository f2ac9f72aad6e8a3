"""A capture and its rulebook, read into exact numbers: integers and fractions, durations in ns.

A line becomes a record, good or a dead letter; the calendar becomes trading dates and phases.
"""

import csv
import hashlib
import re
import tomllib
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Slot = tuple[str, str]  # maker, contract
DAY, EPOCH = 86400 * 10**9, date(1970, 1, 1)  # ns
UNITS: Row = {"": 1, "%": Fraction(1, 100), "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9,
              "m": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
FILES = "phases exemptions feed stress underlying theo quotes rfqs fills"  # the order of kinds
NUMBER, EXACT = r"([0-9]+\.?[0-9]*|\.[0-9]+)", r"([0-9]+(\.[0-9]{0,8}0*)?|\.[0-9]{1,8}0*)"
COUNT, PRICE = ("[0-9]+", 2**31 - 1), (f"(-?{EXACT})?", 92 * 10**9)
COLUMNS: Row = {  # what a text of it looks like and, of a number, how far from 0 it may be
    "ts_event": ("[0-9]+", 2**63 - 1), "size": ("0*[1-9][0-9]*", 2**31 - 1), "bid_size": COUNT,
    "ask_size": COUNT, "price": PRICE, "bid_price": PRICE, "ask_price": PRICE,
    "theo": (f"({NUMBER})?", 92 * 10**9), "delta": (f"(-?{NUMBER})?", 92 * 10**9),
    "side": ("buy|sell", 0), "status": ("down|up|synced", 0), "action": ("start|end", 0),
    "phase": ("closed|opening_auction|continuous|break|closing_auction|halt|breaker_auction", 0),
}  # fmt: skip


class Record(NamedTuple):
    ts: int
    kind: str  # its file
    at: Slot  # whose and where: a maker or *, a contract, class or *
    row: Row  # its columns, read; `counted`, as what; the `account` of a quote or fill


class Day(NamedTuple):
    date: date
    roll: int  # quotes of [roll, until) are its own; 0 if no calendar says so
    start: int  # judged is [start, end)
    end: int
    phases: list[tuple[int, str]]  # of *
    until: int = 2**63


def trading_dates(calendar: Any, first: int, last: int) -> list[Day]:
    """Every trading date around the span `[first, last]` (ns)."""
    special = {row["date"]: row["phases"] for row in calendar.get("special", [])}
    off = [*calendar.get("holidays", []), *special]

    def instant(day: date, at: str) -> int:
        hours, minutes, *seconds = map(int, at.split(":"))
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(calendar["timezone"]))
        local = midnight + timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))
        return int(local.timestamp()) * 10**9

    days: list[Day] = []
    for day in [EPOCH + timedelta(n) for n in range(first // DAY - 21, last // DAY + 22)]:
        usual = f"{day:%a}".lower() in calendar["days"] and day not in off
        before, end = (days[-1].date, days[-1].end) if days else (day, 0)
        rows = special.get(day, calendar["phases"] if usual else [])
        on = [(before if row.get("day") else day, row["at"], row["phase"]) for row in rows]
        if rows:  # from the local midnight of its first phase, or from the end before if later
            phases = sorted((instant(own, at), phase) for own, at, phase in on)
            roll = max(instant(min(on)[0], "00:00"), end)
            days.append(Day(day, roll, phases[0][0], phases[-1][0], phases))
    return [day._replace(until=after.roll) for day, after in pairwise(days)]


def exact(value: Any) -> Any:
    """With a number for each text that is one."""
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    match = re.fullmatch(r"(-?[0-9.]+)(%|[num]?s|m|h|)", value) if isinstance(value, str) else None
    number = Fraction(match[1]) * UNITS[match[2]] if match else None
    return int(number) if number is not None and number.denominator == 1 else number or value


class Capture:
    """`rules` are by `table` and `table.key`; `records` are in the order of the tape."""

    def __init__(self, directory: Path, rulebook: Path) -> None:
        def read(name: str) -> list[Row]:
            path = directory / f"{name}.csv"
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            return [*csv.DictReader(text.split("\n"))]

        raw = tomllib.loads(rulebook.read_text(encoding="utf-8"))
        tables = {name: exact(table) for name, table in raw.items() if isinstance(table, dict)}
        keys = {f"{name}.{key}": value for name in tables for key, value in tables[name].items()}
        self.rules: Any = raw | tables | keys
        self.rules["sha256"] = hashlib.sha256(rulebook.read_bytes()).hexdigest()
        self.contracts = {row["contract"]: row for row in read("contracts")}
        for row in self.contracts.values():
            row["expiry"] = date.fromisoformat(row["expiry"]) if row.get("expiry") else None
            row["tick"], row["strike"] = exact(row["tick"]), exact(row.get("strike") or None)
        self.cls: dict[str, str] = {name: row["class"] for name, row in self.contracts.items()}
        named = [(row["maker"], row["class"]) for row in read("makers")]
        self.makers = sorted({maker for maker, _ in named})
        every = {(maker, c) for maker, of in named for c in self.cls if of in ("*", self.cls[c])}
        self.slots: list[Slot] = sorted(every)
        self.accounts = {row["account"]: row["maker"] for row in read("accounts")}
        kinds = self.rules.get("exemptions", {}).keys() - {"source"} or {"-"}  # "" is never one
        names = {"contract": self.cls, "class": self.cls.values(), "kind": kinds,
                 "scope": ["*", *self.cls, *self.cls.values()]}  # fmt: skip
        self.columns = COLUMNS | {c: ("|".join(map(re.escape, own)), 0) for c, own in names.items()}
        taken = [self._take(kind, row) for kind in FILES.split() for row in read(kind)]
        self.records = sorted(taken, key=lambda record: record.ts)

    def days(self) -> list[Day]:
        """What is judged: from the first to the last phase of `*`, or trading dates with a quote."""
        good = [r for r in self.records if r.row["counted"] != "dead_letter"]
        spoken = [(r.ts, r.row["phase"]) for r in good if r.kind == "phases" and r.at[1] == "*"]
        quoted = [r.ts for r in good if r.kind == "quotes"]
        if spoken:
            start, end = spoken[0][0], spoken[-1][0]
            return [Day(EPOCH + timedelta(start // DAY), 0, start, end, spoken)]
        if not quoted or "calendar" not in self.rules:
            raise ValueError("no period: no phase of scope *, no trading date with a quote")
        days = trading_dates(self.rules["calendar"], quoted[0], quoted[-1])
        return [day for day in days if any(day.roll <= ts < day.until for ts in quoted)]

    def _take(self, kind: str, raw: Row) -> Record:
        """A bad quote still tells that its slot's quote changed, any other dead letter nothing."""
        name, row = str(raw.get("maker") or "*"), self._decode(kind, raw)
        maker = self.accounts.get(name, name) if kind in ("quotes", "fills") else name
        at = (maker, raw.get("scope") or raw.get("contract") or raw.get("class") or "")
        own = {"counted": "applied", "account": name if "accounts" in self.rules else "",
               "on": raw.get("action", raw.get("status")) in ("start", "down")}  # fmt: skip
        if row is None:
            own["counted"] = "dead_letter"
            if kind != "quotes" or self._decode("", {"ts_event": raw["ts_event"]}) is None:
                return Record(0, "", ("", ""), own)
        elif kind == "quotes" and at not in self.slots:
            own["counted"] = "no_obligation"
        return Record(int(raw["ts_event"]), kind, at, (row or {}) | own)

    def _decode(self, kind: str, raw: Row) -> Row | None:
        """The columns, or None where one of them makes a dead letter."""
        if None in raw or None in raw.values():
            return None  # not as many fields as columns
        row: Row = {}
        for column, text in raw.items():
            looks, most = self.columns.get(column, ("(?s:.*)", 0))
            if not re.fullmatch(looks, text):
                return None
            row[column] = round(exact(text), 8) if most and text else text or None
            if most and abs(row[column] or 0) > most:
                return None
        prices = [row[c] for c in row if c.endswith("price") and row[c] is not None]
        if kind != "quotes":
            return row if min(prices, default=1) > 0 and (kind != "fills" or prices) else None
        for side in ("bid", "ask"):
            price, size = row[f"{side}_price"] or 0, row[f"{side}_size"]
            if price % self.contracts[row["contract"]]["tick"] or (size and price <= 0):
                return None
            row[side] = (price, size) if size else None
        return row
