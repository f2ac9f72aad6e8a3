"""The JSON of `/api/v1`: views as plain objects, in the words and units of the report.

Times are integer ns since the epoch with an RFC 3339 twin where a person reads them; ratios are
decimal text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mm_monitor import outlook
from mm_monitor.core.model import REASONS, Breach, State
from mm_monitor.core.view import PresenceRow, StatusView
from mm_monitor.formats import ratio_text, rfc3339
from mm_monitor.live_signals import Told

Json = dict[str, Any]


def status(views: Sequence[StatusView]) -> list[Json]:
    """Each rulebook's makers and classes."""
    return [
        {
            **_head(view),
            "period": {"start": view.period_start, "end": view.period_end},
            "obligations": len(view.obligations.maker),
            "open_breaches": sum(one.end is None for one in view.breaches),
            "makers": _presences(view.maker_rows, 0, view),
            "classes": _presences(view.class_rows, 1, view),
        }
        for view in views
    ]


def obligations(view: StatusView, rows: Sequence[int]) -> list[Json]:
    """The obligations at the indices `rows`."""
    columns = view.obligations
    return [
        {
            "maker": view.makers[columns.maker[i]],
            "contract": view.contracts[columns.contract[i]],
            "class": view.classes[columns.klass[i]],
            "state": state_name(int(columns.state[i])),
            "obliged": bool(columns.obliged[i]),
            "provisional": bool(columns.provisional[i]),
            "quoted_ns": int(columns.quoted[i]),
            "lapsed_ns": int(columns.lapsed[i]),
            "exempt_ns": int(columns.exempt[i]),
            "unknown_ns": int(columns.unknown[i]),
            "lapsed_by_reason_ns": dict(
                zip(REASONS, columns.lapsed_by_reason[i].tolist(), strict=True)
            ),
            "slack_ns": None if view.required is None else int(columns.slack[i]),
            **_outlook(outlook.of_obligation(view, i)),
            "lapses": int(columns.lapses[i]),
            "longest_lapse_ns": int(columns.longest_lapse[i]),
            "current_lapse_ns": int(columns.current_lapse[i]),
            "last_valid": None if columns.last_valid[i] < 0 else int(columns.last_valid[i]),
            "switches": int(columns.switches[i]),
        }
        for i in rows
    ]


def matching(view: StatusView, maker: str, klass: str, contract: str = "") -> list[int]:
    """Indices of the obligations of `maker` in `klass` on `contract`; an empty name matches all."""
    columns = view.obligations
    found = np.ones(len(columns.maker), np.bool_)
    for wanted, names, column in (
        (maker, view.makers, columns.maker),
        (klass, view.classes, columns.klass),
        (contract, view.contracts, columns.contract),
    ):
        if wanted:
            found &= column == (list(names).index(wanted) if wanted in names else -1)
    rows: list[int] = np.flatnonzero(found).tolist()
    return rows


def least_slack_first(view: StatusView, rows: Sequence[int]) -> list[int]:
    """The same indices, those first that may lose least; by lapsed time where nothing is required."""
    columns, which = view.obligations, np.asarray(rows, dtype=np.intp)
    order = columns.slack[which] if view.required is not None else -columns.lapsed[which]
    found: list[int] = which[np.argsort(order, kind="stable")].tolist()
    return found


def holes(view: StatusView) -> list[Json]:
    """PRES-08: contracts on which nobody was valid for a while, the longest first."""
    found = sorted((pair for pair in view.market_hole if pair[1]), key=lambda p: (-p[1], p[0]))
    klass = dict(
        zip(view.obligations.contract.tolist(), view.obligations.klass.tolist(), strict=True)
    )
    index = {name: i for i, name in enumerate(view.contracts)}
    return [
        {"contract": name, "class": view.classes[klass[index[name]]], "hole_ns": ns}
        for name, ns in found
        if index[name] in klass
    ]


def breaches(views: Sequence[StatusView]) -> Iterator[Json]:
    """All breaches of the trading date, newest start first."""
    found = [one for view in views for one in view.breaches]
    return map(breach, sorted(found, key=lambda one: one.start, reverse=True))


def signals(told: Told) -> Iterator[Json]:
    """Every signal of one maker; a ratio is decimal text, `raised` is null where nothing can be said."""
    for one in told.signals:
        numbers = {
            name: ratio_text(value) if isinstance(value, Fraction) else value
            for name, value in one.numbers.items()
        }
        yield {
            "rulebook": told.rulebook,
            "maker": told.maker,
            "class": one.klass or None,
            "name": one.name,
            "raised": one.raised,
            "numbers": numbers,
            "at": told.at,
            "at_text": rfc3339(told.at),
            "trading_date": told.trading_date,
        }


def state_name(state: int) -> str:
    """`quoted`, `unknown`, `exempt`, or `lapsed:REASON`."""
    if state < State.LAPSED:
        return State(state).name.lower()
    return f"lapsed:{REASONS[state - State.LAPSED]}"


def _head(view: StatusView) -> Json:
    return {
        "rulebook": {
            "id": view.rulebook_id,
            "version": view.rulebook_version,
            "sha256": view.rulebook_sha256,
        },
        "required": ratio_text(view.required),
        "judged_by": view.judged_by,
        "at": view.at,
        "at_text": rfc3339(view.at),
        "estimate": view.estimate,
        "trading_date": view.trading_date,
    }


def _presences(rows: Sequence[PresenceRow], level: int, view: StatusView) -> list[Json]:
    seen = outlook.of_rows(view)[level]
    return [{**_presence(row, view), **_outlook(one)} for row, one in zip(rows, seen, strict=True)]


def _outlook(seen: outlook.Outlook) -> Json:
    chance = None if seen.failure is None else round(seen.failure, 6)
    return {"to_unreachable_ns": seen.to_unreachable, "failure_probability": chance}


def _presence(row: PresenceRow, view: StatusView) -> Json:
    made: Json = {
        "maker": row.maker,
        "obligations": row.obligations,
        "quoted_ns": row.quoted,
        "lapsed_ns": row.lapsed,
        "exempt_ns": row.exempt,
        "unknown_ns": row.unknown,
        "required_ns": row.required_time,
        "remaining_ns": row.remaining,
        "presence": ratio_text(row.presence),
        "mean_of_ratios": ratio_text(row.mean_of_ratios),
        "coverage": ratio_text(row.coverage),
        "contracts_required": row.contracts_required,
        "contracts_passed": row.contracts_passed,
        "contracts_undecided": row.contracts_open,
        "verdict": row.verdict.value,
        "slack_ns": row.slack,
        "lapsed_now": row.lapsed_slots,
        "unknown_now": row.unknown_slots,
        "dominant_reason": row.dominant_reason,
        "unreachable": row.unreachable,
    }
    if row.klass:
        return {**made, "class": row.klass}
    mine = (one for one in view.breaches if one.maker == row.maker)
    return {**made, "open_breaches": sum(one.end is None for one in mine)}


def breach(one: Breach) -> Json:
    """One breach with its evidence."""
    return {
        "id": one.id,
        "rulebook": {"id": one.rulebook, "version": one.version},
        "kind": one.kind,
        "maker": one.maker,
        "contract": one.contract,
        "class": one.klass,
        "start": one.start,
        "start_text": rfc3339(one.start),
        "end": one.end,
        "end_text": None if one.end is None else rfc3339(one.end),
        "reason": one.reason,
        "evidence": dict(one.evidence),
    }
