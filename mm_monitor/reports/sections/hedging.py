"""HEDG-01 and HEDG-02 of makers: positions above their limit, and how long fills took to be hedged."""

from __future__ import annotations

from collections.abc import Sequence

from mm_monitor.core.rules.delays import EDGES, Delays
from mm_monitor.core.rules.hedging import HedgingRow
from mm_monitor.reports.sections.period import Period
from mm_monitor.units import show_price

NOT_ASSESSED = "not_assessed"


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker; `not_assessed` where no position was told on any of the dates."""
    held: dict[str, dict[str, list[HedgingRow]]] = {}
    for view in period.days:
        for row in view.conduct.hedging:
            held.setdefault(row.maker, {}).setdefault(row.klass, []).append(row)
    return {
        maker: {"hedging": _classes(held[maker]) if maker in held else NOT_ASSESSED}
        for maker in period.days[-1].makers
    }


def _classes(held: dict[str, list[HedgingRow]]) -> list[dict[str, object]]:
    return [_class(name, held[name]) for name in sorted(held)]


def _class(name: str, days: Sequence[HedgingRow]) -> dict[str, object]:
    return {
        "class": name,
        "within_ns": sum(row.within for row in days),
        "above_ns": sum(row.above for row in days),
        "unknown_ns": sum(row.unknown for row in days),
        "greatest_excess": show_price(max(row.greatest_excess for row in days)),
        "excursions": sum(row.excursions for row in days),
        "longest_excursion_ns": max(row.longest for row in days),
        "listed_excursions": [
            {"start": e.start, "end": e.end, "greatest_excess": show_price(e.excess)}
            for row in days
            for e in row.listed
        ],
        "fills": sum(row.fills for row in days),
        "fills_within": sum(row.unhurt for row in days),
        "fills_blind": sum(row.blind for row in days),
        "fills_pending": sum(row.pending for row in days),
        "hedge_delay": delays_of([row.delays for row in days]),
    }


def delays_of(parts: Sequence[Delays]) -> dict[str, object]:
    """Several histograms as one; only buckets that are not empty, by their upper edge (`null`: none)."""
    counts = [sum(column) for column in zip(*(part.buckets for part in parts), strict=True)]
    return {
        "count": sum(part.count for part in parts),
        "total_ns": sum(part.total for part in parts),
        "longest_ns": max((part.longest for part in parts), default=0),
        "buckets": [
            {"up_to_ns": edge, "count": count}
            for edge, count in zip([*EDGES, None], counts, strict=True)
            if count
        ],
    }
