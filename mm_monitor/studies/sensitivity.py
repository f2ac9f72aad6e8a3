"""Would a verdict stand if theo were wrong? The capture again, with every theo a share lower and a share higher.

The answers go beside the verdicts in the details report, where the rulebook says how wrong theo may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.replay import Progress, replay
from mm_monitor.sources.protocol import Source
from mm_monitor.studies.scaled import ScaledTheo


async def add_sensitivity(
    capture: Path, rulebook: Rulebook, report: Mapping[str, Any], details: Mapping[str, Any],
    progress: Progress | None, journal: Path | None = None,
) -> None:  # fmt: skip
    """Add `theo_sensitivity` to the rows of `details` (docs/report.md); `report` is that of the theo as it is."""
    if rulebook.sensitivity is None:
        return
    share = fraction(rulebook.sensitivity)
    lower = await _judged(capture, rulebook, 1 - share, progress, journal)
    higher = await _judged(capture, rulebook, 1 + share, progress, journal)
    for table, keys in (("obligations", ("maker", "contract")), ("makers", ("maker",))):
        _add(details[table], keys, report[table], lower[table], higher[table])


async def _judged(
    capture: Path,
    rulebook: Rulebook,
    factor: Fraction,
    progress: Progress | None,
    journal: Path | None,
) -> Mapping[str, Any]:
    def scaled(source: Source) -> Source:
        return ScaledTheo(source, factor)

    done = await replay(capture, rulebook, progress=progress, wrap=scaled, journal=journal)
    return done.report


def _add(
    rows: Sequence[dict[str, Any]], keys: tuple[str, ...], *reports: Sequence[Mapping[str, Any]]
) -> None:
    as_is, lower, higher = (
        {tuple(row[key] for key in keys): row["verdict"] for row in report} for report in reports
    )
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key in as_is:
            row["theo_sensitivity"] = {
                "verdict": as_is[key],
                "theo_lower": lower[key],
                "theo_higher": higher[key],
                "flips": len({as_is[key], lower[key], higher[key]}) > 1,
            }
