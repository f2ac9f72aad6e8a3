"""STAB-01 and STAB-02 of makers: availability of their sessions, disconnects, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from mm_monitor.core.rules.stability import RejectRow, SessionRow
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sections.hedging import NOT_ASSESSED
from mm_monitor.reports.sections.period import Period


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker; `not_assessed` for what was not fed of it on any of the dates."""
    sessions: dict[str, dict[str, list[SessionRow]]] = {}
    rejects: dict[str, list[RejectRow]] = {}
    for view in period.days:
        for row in view.conduct.sessions:
            sessions.setdefault(row.maker, {}).setdefault(row.account, []).append(row)
        for refused in view.conduct.rejects:
            rejects.setdefault(refused.maker, []).append(refused)
    return {
        maker: {
            "sessions": _accounts(sessions[maker]) if maker in sessions else NOT_ASSESSED,
            "rejects": _rejects(rejects[maker]) if maker in rejects else NOT_ASSESSED,
        }
        for maker in period.days[-1].makers
    }


def _accounts(held: dict[str, list[SessionRow]]) -> list[dict[str, object]]:
    return [_account(name, held[name]) for name in sorted(held)]


def _account(name: str, days: Sequence[SessionRow]) -> dict[str, object]:
    on, off = sum(row.on for row in days), sum(row.off for row in days)
    unknown = sum(row.unknown for row in days)
    whole = on + off + unknown
    outages = [outage for row in days for outage in row.outages]
    return {
        "account": name,
        "on_ns": on,
        "off_ns": off,
        "unknown_ns": unknown,
        "availability": ratio_text(Fraction(on, whole) if whole else None),
        "mass_quote_protections": sum(row.protections for row in days),
        "disconnects": [{"start": outage.start, "end": outage.end} for outage in outages],
        "recoveries": sum(outage.end is not None for outage in outages),
        "recovery_ns": sum(row.recovery for row in days),
        "longest_recovery_ns": max(row.longest_recovery for row in days),
    }


def _rejects(days: Sequence[RejectRow]) -> dict[str, object]:
    reasons: Counter[str] = Counter()
    for row in days:
        reasons.update(row.by_reason)
    submitted = sum(row.submitted for row in days)
    share = Fraction(reasons.total(), submitted) if submitted else None
    return {
        "submitted": submitted,
        "rejected": reasons.total(),
        "share": ratio_text(share),
        "by_reason": dict(reasons),
    }
