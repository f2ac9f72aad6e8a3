"""The board as JSON: everything that the overview shows, of all makers or of one, as of the picture last published.

It leaves out what only a closer look needs; the other answers of `/api/v1` have that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mm_monitor import outlook
from mm_monitor.core.own import own_view
from mm_monitor.core.view import PresenceRow, StatusView
from mm_monitor.formats import ratio_text, rfc3339
from mm_monitor.surroundings import Around
from mm_monitor.web import api

Json = dict[str, Any]
MOST_BREACHES = 200  # the open ones first, then the newest


@dataclass(frozen=True, slots=True)
class Boarded:
    """What a board is made of."""

    views: Sequence[StatusView]
    arounds: Sequence[Around] = ()
    doubts: Sequence[Mapping[str, object]] = ()
    health: Mapping[str, object] = field(default_factory=dict)
    now: int = 0  # our clock, ns


def board(made_of: Boarded, maker: str, *, tokens: bool) -> Json:
    """The board of one `maker`, or ("") of all; `tokens`: does the port ask for any?"""
    around = {one.rulebook: one for one in made_of.arounds}
    views = [own_view(view, maker) if maker else view for view in made_of.views]
    return {
        "maker": maker or None,
        "tokens": tokens,
        "now": made_of.now,
        "vouched": not made_of.doubts,
        "doubts": list(made_of.doubts),
        "health": None if maker else made_of.health or None,
        "rulebooks": [_rulebook(view, around.get(view.rulebook_id), maker) for view in views],
    }


def _rulebook(view: StatusView, around: Around | None, maker: str) -> Json:
    makers, classes = outlook.of_rows(view)
    holes = [ns for _, ns in view.market_hole if ns]
    return {
        "rulebook": {"id": view.rulebook_id, "version": view.rulebook_version},
        "required": ratio_text(view.required),
        "judged_by": view.judged_by,
        "at": view.at,
        "at_text": rfc3339(view.at),
        "trading_date": view.trading_date,
        "period": {"start": view.period_start, "end": view.period_end},
        "obligations": len(view.obligations.maker),
        "contracts": len(view.contracts),
        "classes_known": sorted(view.classes),
        "makers": [_row(row, seen, view) for row, seen in zip(view.maker_rows, makers, strict=True)],
        "classes": [_row(row, seen, view) for row, seen in zip(view.class_rows, classes, strict=True)],
        "breaches": _breaches(view),
        "open_breaches": sum(breach.end is None for breach in view.breaches),
        "holes": None if maker else {"contracts": len(holes), "ns": sum(holes)},
        "around": None if around is None else around_json(around.of_maker(maker) if maker else around),
    }  # fmt: skip


def _row(row: PresenceRow, seen: outlook.Outlook, view: StatusView) -> Json:
    made: Json = {
        "maker": row.maker,
        "class": row.klass or None,
        "presence": ratio_text(row.presence),
        "verdict": row.verdict.value,
        "slack_ns": row.slack,
        "obligations": row.obligations,
        "lapsed_now": row.lapsed_slots,
        "unknown_now": row.unknown_slots,
        "unknown_ns": row.unknown,
        "reason": row.dominant_reason or None,
        "unreachable": row.unreachable,
        "remaining_ns": row.remaining,
        "to_unreachable_ns": seen.to_unreachable,
        "failure_probability": None if seen.failure is None else round(seen.failure, 6),
    }
    if not row.klass:
        mine = (breach for breach in view.breaches if breach.maker == row.maker)
        made["open_breaches"] = sum(breach.end is None for breach in mine)
        made["coverage"] = ratio_text(row.coverage)
    return made


def _breaches(view: StatusView) -> list[Json]:
    newest = sorted(
        view.breaches, key=lambda breach: (breach.end is None, breach.start), reverse=True
    )
    told = [api.breach(breach) for breach in newest[:MOST_BREACHES]]
    for one in told:
        del one["evidence"], one["rulebook"], one["start_text"], one["end_text"]
    return told


def around_json(around: Around) -> Json:
    """Phases, stress, exemptions and feeds as plain values."""
    return {
        "title": around.title,
        "zone": around.zone,
        "phase": around.phase or None,
        "said": dict(around.said),
        "phases": [{"at": at, "phase": phase} for at, phase in around.phases],
        "stress": list(around.stress),
        "exemptions": [
            {"scope": scope, "maker": maker, "kind": kind, "effect": effect}
            for scope, maker, kind, effect in around.exemptions
        ],
        "feeds_down": [
            {"scope": scope, "maker": maker, "waits": waits} for scope, maker, waits in around.feeds_down
        ],
    }  # fmt: skip
