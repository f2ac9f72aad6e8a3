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
from itertools import pairwise
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
    value = Fraction(match[1]) * UNITS[match[2]] if match else Fraction(1, 2)
    if value.denominator != 1:
        raise ValueError(f"not a duration in whole ns: {text!r}")
    return int(value)


class Cell(NamedTuple):
    """A cell of a `table` term: half-open ranges of price and of days, None where open."""

    prices: tuple[Fraction, Fraction | None]
    days: tuple[int, int | None]
    value: tuple[str, Fraction]  # kind and number of the limit


class Term(NamedTuple):
    """A term of the spread limit, or the band; of a table the cells."""

    kind: str  # relative | ticks | absolute | table | multiple
    value: Fraction
    of: str
    cells: tuple[Cell, ...] = ()


READ: dict[str, Callable[[Any], Fraction]] = {
    "relative": ratio, "ticks": Fraction, "absolute": price, "multiple": Fraction,
}  # fmt: skip


def term(raw: dict[str, Any]) -> Term:
    kind = next(k for k in raw if k not in ("of", "source"))
    if kind == "table":
        return Term(kind, Fraction(0), raw["of"], tuple(map(_cell, raw[kind])))
    return Term(kind, READ[kind](raw[kind]), raw.get("of", "theo"))


def _cell(raw: dict[str, Any]) -> Cell:
    price_to, kind = raw.get("price_to"), "absolute" if "absolute" in raw else "relative"
    prices = price(raw.get("price_from", "0")), None if price_to is None else price(price_to)
    days = raw.get("days_from", 0), raw.get("days_to")
    return Cell(prices, days, (kind, READ[kind](raw[kind])))


class Rules:
    """The numbers that the oracle judges by."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.raw: dict[str, Any] = tomllib.loads(data.decode())
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.id, self.version = self.raw["id"], self.raw["version"]
        self.calendar: dict[str, Any] | None = self.raw.get("calendar")
        self.min_size: int | None = self._get("quote.min_size", int)
        self.size_difference: dict[str, str] | None = self._get("quote.max_size_difference", dict)
        self.max_age: int | None = self._get("quote.max_age", duration)
        rest: dict[str, str] = self._get("quote.min_rest", dict, {})
        self.min_rest = duration(rest["at_least"]) if rest else None
        self.retroactive = rest.get("counts") == "retroactive"
        self.shrinks = self._get("quote.after_fill", str) == "shrinks"
        self.zero_bid_below: Fraction | None = self._get("quote.zero_bid_below", price)
        self.combine: str = self._get("spread.combine", str, "max")
        self.terms: list[Term] = [term(t) for t in self._get("spread.terms", list, [])]
        self.grace: int | None = self._get("spread.grace", duration)
        self.band: Term | None = self._get("spread.off_theo", term)
        self.dated: list[dict[str, Any]] = self._get("spread.relief", list, [])
        self.theo_age: int | None = self._get("theo.max_age", duration)
        self.when_missing: str = self._get("theo.when_missing", str, "unknown")
        self.required: Any = self._get("presence.required", ratio)  # None: nobody is judged
        self.judged_by: str = self._get("presence.judged_by", str, "ratio_of_sums")
        self.coverage_required: Fraction = self._get("presence.coverage_required", ratio, "100%")
        self.all_but_pairs: int | None = self._get("presence.coverage_all_but_pairs", int)
        self.least = {
            "contracts": self._get("presence.contracts_required", int),
            "products": self._get("presence.products_required", int),
        }
        widths = self._get("presence.windows", list, [])
        self.windows = [(w, duration(w)) for w in widths if w not in ("session", "am_pm", "month")]
        self.at_risk = [
            (duration(p["long"]), duration(p["short"]), Fraction(p["burn"]))
            for p in self._get("presence.at_risk", list, [])
        ]
        self.at_risk_every: int = self._get("presence.at_risk_every", duration, "1m")
        self.longest_lapse: int | None = self._get("lapse.longest_permitted", duration)
        self.longest_hole: int | None = self._get("market_hole.longest_permitted", duration)
        self.relief: Fraction = self._get("stress.relief", Fraction, 1)
        self.stress_weight: Fraction = self._get("stress.weight", Fraction, "1")
        self.stress_required: Fraction | None = self._get("stress.required", ratio)
        self.rfq: dict[str, Any] | None = self.raw.get("rfq")
        self.rfq_times = tuple(
            duration((self.rfq or {}).get(k, "0s")) for k in ("respond_within", "stay")
        )
        self.rollup: str | None = self._get("accounts.rollup", str)
        self.required_set: dict[str, Any] = self.raw.get("required_set", {})
        self.exemptions: dict[str, str | Fraction] = {  # a Fraction is the factor of a `relax`
            kind: meaning if isinstance(meaning, str) else Fraction(meaning["relax"])
            for kind, meaning in self.raw.get("exemptions", {}).items()
            if kind != "source"
        }
        of_theo = any(t.kind in ("relative", "table") and t.of == "theo" for t in self.terms)
        self.reads_theo = of_theo or (self.band or self.zero_bid_below) is not None

    def _get(self, path: str, read: Callable[[Any], Any], default: Any = None) -> Any:
        table, key = path.split(".")
        value = self.raw.get(table, {}).get(key, default)
        return None if value is None else read(value)

    def dated_relief(self, day: date) -> Fraction | int:
        """The largest multiple of the dated reliefs that cover this trading date."""
        inside = [d for d in self.dated if d["from"] <= day <= d["to"]]
        return max((Fraction(d["multiple"]) for d in inside), default=1)


class Day(NamedTuple):
    """A trading date: quotes from `roll` on are its own, it is judged over `[start, end)`."""

    date: date
    roll: int
    start: int
    end: int
    phases: list[tuple[int, str]]
    until: int = 2**63  # the next one's roll


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
    span = range(-21, (last - first) // (86400 * 10**9) + 22)
    dates = [
        d
        for d in (utc_date(first) + timedelta(days=n) for n in span)
        if d in special or (WEEKDAYS[d.weekday()] in calendar["days"] and d not in closed)
    ]
    days: list[Day] = []
    for i in range(1, len(dates)):
        raw = special.get(dates[i], calendar["phases"])
        local = [(dates[i + p.get("day", 0)], time.fromisoformat(p["at"]), p["phase"]) for p in raw]
        phases = sorted((_instant(day, at, zone), phase) for day, at, phase in local)
        midnight = _instant(min(day for day, _, _ in local), time(), zone)
        roll = max(midnight, days[-1].end if days else 0)
        days.append(Day(dates[i], roll, phases[0][0], phases[-1][0], phases))
    return [day._replace(until=after.roll) for day, after in pairwise(days)]
