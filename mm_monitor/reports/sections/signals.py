"""Signals of every maker, where somebody watched: named numbers to look at, never breaches."""

from __future__ import annotations

from fractions import Fraction

from mm_monitor.core.watch.signals import Day, Kept, Number, Signal, signals
from mm_monitor.core.watch.watched import Watch
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.period import Period


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker; nothing where nobody watched."""
    if period.watch is None:
        return {}
    found = signals(_day(period, period.watch))
    return {maker: {"signals": [_plain(one) for one in mine]} for maker, mine in found.items()}


def _day(period: Period, watch: Watch) -> Day:
    kept = {
        key: Kept(row.klass, row.quoted, row.lapsed, row.unknown)
        for key, row in period.rows.items()
    }
    holes: dict[str, int] = {}
    for view in period.days:
        for contract, ns in view.market_hole:
            holes[contract] = holes.get(contract, 0) + ns
    return Day(watch, kept, holes)


def _plain(signal: Signal) -> dict[str, object]:
    numbers = {name: _number(value) for name, value in signal.numbers.items()}
    return {
        "name": signal.name,
        "class": signal.klass or None,
        "raised": signal.raised,
        "numbers": numbers,
    }


def _number(value: Number) -> int | str | None:
    return ratio_text(value) if isinstance(value, Fraction) else value
