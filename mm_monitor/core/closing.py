"""What a trading date comes to: the breaches that only its end can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mm_monitor.core.model import BreachKind, Verdict
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Ratio
from mm_monitor.core.rules.stress import short
from mm_monitor.core.times import Times

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator


def judge_close(e: Evaluator, t: int) -> None:
    """The period has ended at `t`: who failed its requirement, and the one of extreme markets."""
    totals = e.totals_at(t)
    for k, verdict in enumerate(e.views.maker_verdicts(totals, e.stretches)):
        if verdict is Verdict.BREACHED:
            e.open_maker(BreachKind.PRESENCE, k, t, totals, t)
    for k, times in short(e.scratch.apart, e.views.maker_slots, e.rulebook):
        _open_stressed(e, k, times, t)


def _open_stressed(e: Evaluator, k: int, times: Times, t: int) -> None:
    evidence = {
        "quoted_ns": times.quoted,
        "unknown_ns": times.unknown,
        "required_ns": times.required,
        "required": str(fraction(e.rulebook.stress_required or Ratio(0, 1))),
    }
    kind, maker = BreachKind.STRESS_PRESENCE, e.views.makers[k]
    e.breaches.open(kind, maker, "", "", t, "", evidence, t)
