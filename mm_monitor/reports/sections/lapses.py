"""PRES-08 beside presence: lapses, switches and the last valid instant of every obligation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Key

MINUTE = 60_000_000_000


@dataclass(slots=True)
class _Sums:
    """Of one obligation, over the dates."""

    switches: int = 0
    last_valid: int = -1
    current: int = 0


def section(period: Period) -> dict[Key, dict[str, object]]:
    """By obligation. What is open at the end, and the last valid instant, are of the last date that has them."""
    found: dict[Key, _Sums] = {}
    for key, columns, i in period.slots():
        sums = found.setdefault(key, _Sums())
        sums.switches += int(columns.switches[i])
        sums.last_valid = max(sums.last_valid, int(columns.last_valid[i]))
        sums.current = int(columns.current_lapse[i])
    return {key: _plain(key, sums, period) for key, sums in found.items()}


def _plain(key: Key, sums: _Sums, period: Period) -> dict[str, object]:
    row = period.rows[key]
    rate = Fraction(sums.switches * MINUTE, row.required) if row.required else None
    return {
        "lapses": row.lapses,
        "longest_lapse_ns": row.longest,
        "current_lapse_ns": sums.current,
        "switches": sums.switches,
        "switches_per_minute": ratio_text(rate),
        "last_valid": sums.last_valid if sums.last_valid >= 0 else None,
    }
