"""What a calendar says of the rest of a date, and what it does not foresee (PRES-04).

Functions of an evaluator that change nothing but its moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mm_monitor.core.reference import ALL
from mm_monitor.core.view import Ints

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator


def remaining(e: Evaluator, t: int) -> Ints:
    """R of PRES-04 by contract: what would still be obliged if from now on only the calendar spoke."""
    rest = np.zeros(len(e.book.slots), dtype=np.int64)
    if e.schedule is None or not e.trading_date or e.period[1] is not None:
        return rest
    rest[:] = e.schedule.remaining(e.trading_date, t)
    for scope, phase in e.conditions.phases.items():
        ends = not e.by_calendar and phase == "closed" if scope == ALL else phase != "continuous"
        if ends:
            rest[e.effects.contracts(scope)] = 0
    rest[(e.accruals.cons["live"] == 0) | (e.accruals.cons["outside"] > 0)] = 0
    return rest


def unforeseen(e: Evaluator, t: int) -> bool:
    """Does anything trade though the calendar says that nothing does? Only records can bring that about."""
    if e.schedule is None or not e.trading_date or e.by_calendar:
        return False
    spoken = any(a <= t < b for a, b in e.schedule.continuous_intervals(e.trading_date))
    return not spoken and bool(e.accruals.cons["e_run"].any())


def foresee_phases(e: Evaluator, t: int) -> None:
    """Look at every instant after `t` at which the calendar of the date says another phase."""
    e.moments.forget("phase")
    phases = e.schedule.phases(e.trading_date) if e.schedule is not None else ()
    for at, _ in phases:
        if at > t:
            e.moments.add(at, "phase")
