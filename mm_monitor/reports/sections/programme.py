"""Programme-trading signals of makers, where the rulebook has `[signals]`: counts, amounts, and what they reach."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mm_monitor.core.rules.programme import SIGNALS, ProgrammeRow
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.period import Period
from mm_monitor.units import show_price


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker; `not_assessed` without thresholds in the rulebook."""
    held: dict[str, dict[str, list[ProgrammeRow]]] = {}
    for view in period.days:
        for row in view.conduct.programme:
            held.setdefault(row.maker, {}).setdefault(row.account, []).append(row)
    return {
        maker: {"programme_trading": _accounts(held[maker]) if maker in held else "not_assessed"}
        for maker in period.days[-1].makers
    }


def _accounts(held: dict[str, list[ProgrammeRow]]) -> list[dict[str, object]]:
    return [{"account": name} | _account(held[name]) for name in sorted(held)]


def _account(days: Sequence[ProgrammeRow]) -> dict[str, object]:
    submitted, cancelled = (
        sum(row.submitted for row in days),
        sum(row.cancelled for row in days),
    )
    reached = {name for row in days for name in row.raised}
    return {
        "messages": sum(row.messages for row in days),
        "most_per_day": max(row.messages for row in days),
        "most_per_sliding_second": max(row.most_sliding for row in days),
        "most_per_calendar_second": max(row.most_calendar for row in days),
        "submitted_amount": show_price(submitted),
        "cancelled_amount": show_price(cancelled),
        "cancelled_share": ratio_text(Fraction(cancelled, submitted) if submitted else None),
        "raised": [name for name in SIGNALS if name in reached],
    }
