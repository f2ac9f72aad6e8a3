"""The details report: every number beside the verdicts of OUT.json, formatted by the same rules.

A feature adds its numbers by a module in `reports/sections` and a place in one of the three tuples here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mm_monitor.core.rules.judging import Judging
from mm_monitor.core.view import StatusView
from mm_monitor.core.watch.watched import Watch
from mm_monitor.reports.sections import (
    hedging,
    lapses,
    limit_use,
    makers,
    programme,
    response,
    signals,
    stability,
    stress,
    windows,
)
from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Key

SCHEMA = "mm-monitor/details/1"

K = TypeVar("K", str, Key)
Section = Callable[[Period], Mapping[K, Mapping[str, object]]]

OBLIGATIONS: tuple[Section[Key], ...] = (
    lapses.section,
    limit_use.section,
    windows.obligations,
    stress.obligations,
)
MAKERS: tuple[Section[str], ...] = (
    makers.section,
    windows.makers,
    stress.makers,
    response.section,
    signals.section,
    hedging.section,
    stability.section,
    programme.section,
)
CONTRACTS: tuple[Section[str], ...] = ()


def build_details(
    days: Sequence[StatusView],
    judging: Judging,
    period: tuple[int, int],
    watch: Watch | None = None,
    resolution: int = 1,
) -> dict[str, object]:
    """The details over the final pictures of the period's trading dates, all under one rulebook, at least one.

    With what was watched they have signals too. No latency is finer than `resolution`, ns (NUM-01).
    """
    last, whole = days[-1], Period.of(days, judging, watch, resolution)
    obligations = {key: {"maker": key[0], "contract": key[1]} for key in whole.rows}
    contracts = {name: {"contract": name} for name in last.contracts}
    return {
        "schema": SCHEMA,
        "rulebook": {
            "id": last.rulebook_id,
            "version": last.rulebook_version,
            "sha256": last.rulebook_sha256,
        },
        "period": {"start": period[0], "end": period[1]},
        "obligations": _rows(obligations, OBLIGATIONS, whole),
        "makers": _rows({name: {"maker": name} for name in last.makers}, MAKERS, whole),
        "contracts": _rows(contracts, CONTRACTS, whole),
    }


def _rows(
    named: Mapping[K, Mapping[str, object]], sections: Sequence[Section[K]], period: Period
) -> list[dict[str, object]]:
    """Each row by name with what the sections know of it; sorted by key."""
    rows: dict[K, dict[str, object]] = {key: dict(names) for key, names in named.items()}
    for section in sections:
        for key, numbers in section(period).items():
            rows[key] |= numbers
    return [rows[key] for key in sorted(rows)]
