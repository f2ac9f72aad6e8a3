"""The rulebook as the oracle reads it: TOML turned into exact numbers, a calendar into instants.

Prices are in 10^-8, times int ns, ratios `Fraction`; None means that the rule is left out.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

SCALE = 10**8
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def ratio(text: str) -> Fraction:
    return Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


@cache
def price(text: str) -> Fraction:
    return Fraction(text) * SCALE


@cache
def duration(text: str) -> int:
    match = re.fullmatch(r"([0-9.]+)(ns|us|ms|s|m|h)", text)
    value = Fraction(match[1]) * UNITS[match[2]] if match else Fraction(1, 2)
    if value.denominator != 1:
        raise ValueError(f"not a duration in whole ns: {text!r}")
    return int(value)


class Rules:
    """The numbers that the oracle judges by."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.raw: dict[str, Any] = tomllib.loads(data.decode())
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.id, self.version = self.raw["id"], self.raw["version"]
        self.required = self.get("presence.required", ratio)
        self.exemptions: dict[str, str | Fraction] = {  # a Fraction is the factor of a `relax`
            kind: meaning if isinstance(meaning, str) else Fraction(meaning["relax"])
            for kind, meaning in self.raw.get("exemptions", {}).items()
            if kind != "source"
        }

    def get(self, path: str, read: Callable[[Any], Any] = lambda x: x, default: Any = None) -> Any:
        """The number at `table.key`, read; a key that is left out has the default."""
        table, key = path.split(".")
        value = self.raw.get(table, {}).get(key, default)
        return None if value is None else read(value)


class Day(NamedTuple):
    """A trading date: quotes of `[roll, until)` are its own, it is judged over `[start, end)`."""

    date: date
    roll: int
    start: int
    end: int
    phases: list[tuple[int, str]]
    until: int = 2**63


def utc_date(ts: int) -> date:
    return (EPOCH + timedelta(seconds=ts // 10**9)).date()


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    gone = datetime.combine(day, at, zone).astimezone(UTC) - EPOCH
    return (gone.days * 86400 + gone.seconds) * 10**9 + gone.microseconds * 1000


def trading_dates(calendar: dict[str, Any], first: int, last: int) -> list[Day]:
    """Every trading date around the span `[first, last]` (ns), in order.

    It rolls over at the local midnight of its first phase, or when the one before ends if later.
    """
    zone = ZoneInfo(calendar["timezone"])
    special = {s["date"]: s["phases"] for s in calendar.get("special", [])}
    closed = {date.fromisoformat(str(d)) for d in calendar.get("holidays", [])}
    span = [
        utc_date(first) + timedelta(n) for n in range(-21, (last - first) // 86400_000000000 + 22)
    ]
    dates = [d for d in span
             if d in special or (WEEKDAYS[d.weekday()] in calendar["days"] and d not in closed)]  # fmt: skip
    days: list[Day] = []
    for i in range(1, len(dates)):
        raw = special.get(dates[i], calendar["phases"])
        local = [(dates[i + p.get("day", 0)], time.fromisoformat(p["at"]), p["phase"]) for p in raw]
        phases = sorted((_instant(day, at, zone), phase) for day, at, phase in local)
        midnight = _instant(min(day for day, _, _ in local), time(), zone)
        roll = max(midnight, days[-1].end if days else 0)
        days.append(Day(dates[i], roll, phases[0][0], phases[-1][0], phases))
    return [day._replace(until=after.roll) for day, after in pairwise(days)]
