"""A capture and its rulebook, read into exact numbers: integers and fractions, durations in ns."""

import csv
import hashlib
import re
import tomllib
from collections import defaultdict, namedtuple
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
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


# Of its file `kind`; `at` is whose and where: a maker or *, a contract, class or *. `row` are its
# columns, read, and `counted`, as what; the `account` of a quote or fill; whether it is `on`.
Record = namedtuple("Record", "ts kind at row")
# Judged is [start, end), `phases` are (instant, phase) of *; quotes of [roll, until) are its own,
# where roll is 0 if no calendar says so.
Day = namedtuple("Day", "date roll start end phases until", defaults=[2**63])


def trading_dates(calendar: Any, first: int, last: int) -> list[Day]:
    """Every trading date around the span `[first, last]` (ns)."""

    def instant(day: date, at: str) -> int:
        zone = ZoneInfo(calendar["timezone"])
        return int(datetime.fromisoformat(f"{day} {at}").replace(tzinfo=zone).timestamp()) * 10**9

    around = [EPOCH + timedelta(n) for n in range(first // DAY - 21, last // DAY + 22)]
    rows = {day: calendar["phases"] for day in around if f"{day:%a}".lower() in calendar["days"]}
    rows |= {day: [] for day in calendar.get("holidays", [])}
    rows |= {row["date"]: row["phases"] for row in calendar.get("special", [])}
    days = [Day(around[0], 0, 0, 0, [])]
    for before, day in pairwise([around[0], *sorted(day for day in rows if rows[day])]):
        on = [(before if row.get("day") else day, row["at"], row["phase"]) for row in rows[day]]
        phases = sorted((instant(own, at), phase) for own, at, phase in on)
        roll = max(instant(min(on)[0], "00:00"), days[-1].end)  # its midnight, or the end before
        days.append(Day(day, roll, phases[0][0], phases[-1][0], phases))
    return [day._replace(until=after.roll) for day, after in pairwise(days[1:])]


def exact(value: Any) -> Any:
    """With a number for each text that is one."""
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    match = re.fullmatch(r"(-?[0-9.]+)(%|[num]?s|m|h|)", str(value))
    number = Fraction(match[1]) * UNITS[match[2]] if match else None
    return int(number) if number is not None and number.denominator == 1 else number or value


class Capture:
    """`rules` are by `table` and `table.key`; `records` are in the order of the tape."""

    def __init__(self, directory: Path, rulebook: Path) -> None:
        rows: Any = defaultdict(list)
        for path in directory.glob("*.csv"):
            rows[path.stem] = [*csv.DictReader(path.read_text(encoding="utf-8").split("\n"))]
        raw = exact(tomllib.loads(rulebook.read_text(encoding="utf-8")))
        tables = [(name, table) for name, table in raw.items() if isinstance(table, dict)]
        keys = {f"{name}.{key}": value for name, table in tables for key, value in table.items()}
        self.rules: Any = raw | keys | {"sha256": hashlib.sha256(rulebook.read_bytes()).hexdigest()}
        self.contracts = {row["contract"]: row for row in rows["contracts"]}
        for row in self.contracts.values():
            row["expiry"] = date.fromisoformat(row["expiry"]) if row.get("expiry") else None
            row["tick"], row["strike"] = exact(row["tick"]), exact(row.get("strike") or None)
        self.cls: dict[str, str] = {name: row["class"] for name, row in self.contracts.items()}
        named = [(row["maker"], row["class"]) for row in rows["makers"]]
        self.makers = sorted({maker for maker, _ in named})
        self.slots = sorted({(m, c) for m, k in named for c in self.cls if k in ("*", self.cls[c])})
        self.accounts = {row["account"]: row["maker"] for row in rows["accounts"]}
        kinds = self.rules.get("exemptions", {}).keys() - {"source"} or {"-"}  # "" is never one
        names = {"contract": self.cls, "class": self.cls.values(), "kind": kinds,
                 "scope": ["*", *self.cls, *self.cls.values()]}  # fmt: skip
        self.columns = COLUMNS | {c: ("|".join(map(re.escape, own)), 0) for c, own in names.items()}
        taken = [self._take(kind, row) for kind in FILES.split() for row in rows[kind]]
        self.records = sorted(taken, key=lambda record: record.ts)

    def days(self) -> list[Day]:
        """What is judged: from the first to the last phase of `*`, or trading dates with a quote."""
        tape = self.records
        spoken = [(r.ts, r.row["phase"]) for r in tape if r.kind == "phases" and r.at[1] == "*"]
        quoted = [r.ts for r in tape if r.kind == "quotes" and "bid" in r.row]
        if spoken:
            start, end = spoken[0][0], spoken[-1][0]
            return [Day(EPOCH + timedelta(start // DAY), 0, start, end, spoken)]
        if not quoted or "calendar" not in self.rules:
            raise ValueError("no period: no phase of scope *, no trading date with a quote")
        days = trading_dates(self.rules["calendar"], quoted[0], quoted[-1])
        return [day for day in days if any(day.roll <= ts < day.until for ts in quoted)]

    def _take(self, kind: str, raw: Row) -> Record:
        """TAPE-04: a bad quote tells that its slot's quote changed, any other dead letter nothing."""
        row, dated = self._decode(kind, raw), self._decode("", {"ts_event": raw["ts_event"]})
        name = str(raw.get("maker") or "*")
        maker = self.accounts.get(name, name) if kind in ("quotes", "fills") else name
        at = (maker, raw.get("scope") or raw.get("contract") or raw.get("class") or "")
        counted = "no_obligation" if kind == "quotes" and at not in self.slots else "applied"
        own = {"counted": counted if row else "dead_letter", "account": name if "accounts" in self.rules else "",
               "on": raw.get("action", raw.get("status")) in ("start", "down")}  # fmt: skip
        if row or (dated and kind == "quotes"):
            return Record(int(raw["ts_event"]), kind, at, (row or {}) | own)
        return Record(0, "", at, own)

    def _decode(self, kind: str, raw: Row) -> Row | None:
        """The columns, or None where one of them makes a dead letter."""
        row: Row = {}
        for column, text in raw.items():
            looks, most = self.columns.get(column, ("(?s:.*)", 0))
            if None in (column, text) or not re.fullmatch(looks, text):
                return None  # not as many fields as columns, or not of its form
            row[column] = round(exact(text), 8) if most and text else text or None
            if most and abs(row[column] or 0) > most:
                return None
        for c in [column for column in row if column.endswith("price")]:
            price, size = row[c] or 0, row.get(c.replace("price", "size"), row[c] is not None)
            off = kind == "quotes" and price % self.contracts[row["contract"]]["tick"]
            if off or (size and price <= 0):
                return None
            row[c[:3]] = (price, size) if size else None  # the side bid or ask of a quote
        return row
