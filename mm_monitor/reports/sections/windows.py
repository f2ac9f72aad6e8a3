"""PRES-06: windows by width and stretches of continuous trading, of every obligation and of every maker.

A width or a stretch is there only where the rulebook's `presence.windows` asks for it. Over several dates windows are
summed, and the longest run of failed ones is the longest of any.
"""

from __future__ import annotations

from mm_monitor.core.stretches import PARTS
from mm_monitor.core.times import Times
from mm_monitor.core.view import ObligationColumns
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Key

COUNTS = ("total", "passed", "failed", "open", "empty", "cut")
RUN = "longest_failed_run"

Windows = dict[int, dict[str, int]]  # by width
Stretches = dict[tuple[int, int | None], Times]  # by start and end
Held = dict[Key, tuple[Windows, Stretches]]


def obligations(period: Period) -> dict[Key, dict[str, object]]:
    """By obligation."""
    held = _held(period)
    return {key: _plain(*held[key], period) for key in held}


def makers(period: Period) -> dict[str, dict[str, object]]:
    """By maker: sums over its obligations."""
    sums: dict[str, tuple[Windows, Stretches]] = {name: ({}, {}) for name in period.days[-1].makers}
    for (maker, _), (windows, stretches) in _held(period).items():
        mine = sums.setdefault(maker, ({}, {}))
        for width, counts in windows.items():
            _count(mine[0], width, counts)
        for span, times in stretches.items():
            mine[1][span] = mine[1].get(span, Times()) + times
    return {maker: _plain(*sums[maker], period) for maker in sums}


def _held(period: Period) -> Held:
    held: Held = {}
    for key, columns, i in period.slots():
        windows, stretches = held.setdefault(key, ({}, {}))
        for w in columns.windows:
            _count(windows, w.width, {name: int(getattr(w, name)[i]) for name in (*COUNTS, RUN)})
        stretches.update(_stretches(columns, i))
    return held


def _stretches(columns: ObligationColumns, i: int) -> Stretches:
    return {
        (s.start, s.end): Times(*(int(getattr(s, name)[i]) for name in PARTS))
        for s in columns.stretches
    }


def _count(sums: Windows, width: int, counts: dict[str, int]) -> None:
    known = sums.setdefault(width, dict.fromkeys((*COUNTS, RUN), 0))
    for name in COUNTS:
        known[name] += counts[name]
    known[RUN] = max(known[RUN], counts[RUN])


def _plain(windows: Windows, stretches: Stretches, period: Period) -> dict[str, object]:
    return {
        "windows": [{"width_ns": width, **windows[width]} for width in sorted(windows)],
        "stretches": [
            {
                "start": start,
                "end": end,
                **{f"{name}_ns": getattr(times, name) for name in PARTS},
                "presence": ratio_text(times.presence),
                "verdict": times.verdict(period.judging.required).value,
            }
            for (start, end), times in stretches.items()
        ],
    }
