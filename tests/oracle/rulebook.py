"""The rulebook as the oracle reads it: TOML turned into exact numbers, a calendar into instants.

Prices are in 10^-8, times int ns, ratios `Fraction`; what it does not judge is a ValueError.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

SCALE = 10**8
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ratio(text: str) -> Fraction:
    return Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def price(text: str) -> Fraction:
    return Fraction(text) * SCALE


def duration(text: str) -> int:
    match = re.fullmatch(r"([0-9.]+)(ns|us|ms|s|m|h)", text)
    value = Fraction(match[1]) * UNITS[match[2]] if match else None
    if value is None or value.denominator != 1:
        raise ValueError(f"not a duration in whole ns: {text!r}")
    return int(value)


class Term(NamedTuple):
    """A term of the spread limit, or the band: kind relative, ticks or absolute."""

    kind: str
    value: Fraction
    of: str


def term(raw: dict[str, Any]) -> Term:
    read: dict[str, Callable[[Any], Fraction]] = {
        "relative": ratio, "ticks": Fraction, "absolute": price,
    }  # fmt: skip
    kind = next(k for k in raw if k != "of")
    if kind not in read:
        raise ValueError(f"the oracle does not judge the spread term {raw!r}")
    return Term(kind, read[kind](raw[kind]), raw.get("of", "theo"))


class Rules:
    """The numbers that the oracle judges by; None means that the test is left out."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.raw: dict[str, Any] = tomllib.loads(data.decode())
        self._refuse_out_of_scope()
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.id, self.version = self.raw["id"], self.raw["version"]
        self.calendar: dict[str, Any] | None = self.raw.get("calendar")
        self.min_size: int | None = self._get("quote.min_size", int)
        self.size_difference: dict[str, str] | None = self._get("quote.max_size_difference", dict)
        self.max_age: int | None = self._get("quote.max_age", duration)
        self.zero_bid_below: Fraction | None = self._get("quote.zero_bid_below", price)
        self.combine: str = self._get("spread.combine", str, "max")
        self.terms: list[Term] = [term(t) for t in self._get("spread.terms", list, [])]
        self.grace: int | None = self._get("spread.grace", duration)
        self.band: Term | None = self._get("spread.off_theo", term)
        self.theo_age: int | None = self._get("theo.max_age", duration)
        self.when_missing: str = self._get("theo.when_missing", str, "unknown")
        self.required: Fraction = self._get("presence.required", ratio)
        self.judged_by: str = self._get("presence.judged_by", str, "ratio_of_sums")
        self.coverage_required: Fraction = self._get("presence.coverage_required", ratio, "100%")
        self.longest_lapse: int | None = self._get("lapse.longest_permitted", duration)
        self.relief: Fraction = self._get("stress.relief", Fraction, "1")
        self.exemptions: dict[str, str | Fraction] = {  # a Fraction is the factor of a `relax`
            kind: meaning if isinstance(meaning, str) else Fraction(meaning["relax"])
            for kind, meaning in self.raw.get("exemptions", {}).items()
            if kind != "source"
        }
        relatives = [t.of for t in self.terms if t.kind == "relative"]
        self.reads_theo = "theo" in relatives or (self.band or self.zero_bid_below) is not None

    def _get(self, path: str, read: Callable[[Any], Any], default: Any = None) -> Any:
        table, key = path.split(".")
        value = self.raw.get(table, {}).get(key, default)
        return None if value is None else read(value)

    def _refuse_out_of_scope(self) -> None:
        presence, stress = self.raw.get("presence", {}), self.raw.get("stress", {})
        refused = {
            "rfq": "rfq" in self.raw,
            "quote.min_rest": "min_rest" in self.raw.get("quote", {}),
            "presence.judged_by": presence.get("judged_by") == "days",
            "presence.windows": presence.get("windows", ["session"]) != ["session"],
            "stress": bool(set(stress) - {"relief", "source"}),
        }
        for path in (path for path, is_there in refused.items() if is_there):
            raise ValueError(f"the oracle does not judge {path} as this rulebook has it")


class Day(NamedTuple):
    """A trading date: quotes from `roll` on are its own, it is judged over `[start, end)`."""

    roll: int
    start: int
    end: int
    phases: list[tuple[int, str]]


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
    begin = (EPOCH + timedelta(seconds=first // 10**9)).date() - timedelta(days=21)
    span = range((last - first) // (86400 * 10**9) + 43)
    all_dates = [begin + timedelta(days=n) for n in span]
    dates = [
        d
        for d in all_dates
        if d in special or (WEEKDAYS[d.weekday()] in calendar["days"] and d not in closed)
    ]
    days: list[Day] = []
    for i in range(1, len(dates)):
        raw = special.get(dates[i], calendar["phases"])
        local = [(dates[i + p.get("day", 0)], time.fromisoformat(p["at"]), p["phase"]) for p in raw]
        phases = sorted((_instant(day, at, zone), phase) for day, at, phase in local)
        midnight = _instant(min(day for day, _, _ in local), time(), zone)
        roll = max(midnight, days[-1].end if days else 0)
        days.append(Day(roll, phases[0][0], phases[-1][0], phases))
    return days
