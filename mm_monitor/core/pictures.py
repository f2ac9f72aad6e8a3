"""What is shown of an evaluator at one instant, gathered once: later pieces of the picture read only what is here.

Changes nothing of the evaluator but the edges noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.pieces import Pieces
from mm_monitor.core.remaining import remaining
from mm_monitor.core.view import StatusView
from mm_monitor.core.views import Said

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator


def picture(
    e: Evaluator, copy: Accruals, t: int, *, estimate: bool = False, exact: bool = False
) -> Pieces[StatusView]:
    """The picture as of `t`; `copy` is taken anew at once, and nobody may touch it before the picture is made."""
    e.settle(copy, t, estimate=estimate)
    said = Said(
        breaches=list(e.breaches.found.values()),
        provisional=frozenset(e.provisional),
        conduct=e.conduct.view(t, e.views.makers),
        rfq=e.response.rfq_rows(),
        profile=e.response.profile_rows(),
        stretches=e.stretches and e.stretches.copy(),
    )
    return e.views.build(
        copy, remaining(e, t), t, estimate=estimate, exact=exact, trading_date=e.trading_date,
        period=e.period, unreachable=e.unreachable_names(), said=said,
    )  # fmt: skip
