"""PRES-09: time inside stress, presence in it, and presence in which it weighs more; beside the unweighted one.

It is there only where the rulebook has a weight or a requirement for stress.
"""

from __future__ import annotations

from mm_monitor.core.rules.stress import weighted
from mm_monitor.core.times import Times
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.period import Period
from mm_monitor.reports.sums import Key

Held = dict[Key, tuple[Times, Times]]  # all of the time, and what was inside stress


def obligations(period: Period) -> dict[Key, dict[str, object]]:
    """By obligation."""
    return {key: _plain(*times, period) for key, times in _held(period).items()}


def makers(period: Period) -> dict[str, dict[str, object]]:
    """By maker, sums over its obligations, with what the rulebook says of them."""
    sums: dict[str, tuple[Times, Times]] = {}
    for (maker, _), (whole, stressed) in _held(period).items():
        known = sums.get(maker, (Times(), Times()))
        sums[maker] = known[0] + whole, known[1] + stressed
    required = period.judging.stress_required
    return {
        maker: _plain(*times, period) | {"stress_verdict": times[1].verdict(required).value}
        for maker, times in sums.items()
    }


def _held(period: Period) -> Held:
    held: Held = {}
    for key, columns, i in period.slots():
        if columns.stress is None:
            continue
        values = (int(getattr(columns.stress, name)[i]) for name in ("quoted", "lapsed", "unknown"))
        quoted, lapsed, unknown = values
        _, stressed = held.get(key, (None, Times()))
        row = period.rows[key]
        whole = Times(row.quoted, row.lapsed, row.exempt, row.unknown)
        held[key] = whole, stressed + Times(quoted, lapsed, 0, unknown)
    return held


def _plain(whole: Times, stressed: Times, period: Period) -> dict[str, object]:
    return {
        "stress": {
            "quoted_ns": stressed.quoted,
            "lapsed_ns": stressed.lapsed,
            "unknown_ns": stressed.unknown,
        },
        "presence": ratio_text(whole.presence),
        "stress_presence": ratio_text(stressed.presence),
        "weighted_presence": ratio_text(weighted(whole, stressed, period.judging.stress_weight)),
    }
