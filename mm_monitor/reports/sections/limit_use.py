"""PRES-08: how much of the spread limit was used, by obligation: an exact sum of parts per 10^9 times ns."""

from __future__ import annotations

from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Key


def section(period: Period) -> dict[Key, dict[str, object]]:
    """By obligation; divided by 10^9 and by the quoted ns it is the mean share of the limit."""
    found: dict[Key, int] = {}
    for key, columns, i in period.slots():
        found[key] = found.get(key, 0) + columns.limit_use[i]
    return {key: {"limit_use": use} for key, use in found.items()}
