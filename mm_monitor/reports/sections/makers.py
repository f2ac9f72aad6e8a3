"""PRES-05 of makers, beside what judges: the mean of ratios, and a row for each class."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mm_monitor.formats import ratio_text
from mm_monitor.reports.report import maker_row
from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Row


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker."""
    held: dict[str, dict[str, list[Row]]] = {maker: {} for maker in period.days[-1].makers}
    for maker, contract in sorted(period.rows):
        row = period.rows[maker, contract]
        held.setdefault(maker, {}).setdefault(row.klass, []).append(row)
    return {maker: _maker(maker, classes, period) for maker, classes in held.items()}


def _maker(maker: str, classes: dict[str, list[Row]], period: Period) -> dict[str, object]:
    everything = [row for rows in classes.values() for row in rows]
    return {
        "mean_of_ratios": _mean(everything),
        "classes": [_class(maker, name, classes[name], period) for name in sorted(classes)],
    }


def _class(maker: str, name: str, rows: Sequence[Row], period: Period) -> dict[str, object]:
    row = maker_row(maker, rows, period.judging)
    del row["maker"]
    return row | {"class": name, "mean_of_ratios": _mean(rows)}


def _mean(rows: Sequence[Row]) -> str | None:
    assessed = [Fraction(row.quoted, row.required) for row in rows if row.required]
    return ratio_text(sum(assessed, Fraction(0)) / len(assessed)) if assessed else None
