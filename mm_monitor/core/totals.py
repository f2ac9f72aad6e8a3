"""Totals of every slot as of one instant, in plain columns: what the rules and the views read.

Columns have n elements, one per slot in slot order; times in ns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.model import State
from mm_monitor.core.pieces import Pieces, whole
from mm_monitor.core.view import Ints
from mm_monitor.kernels import layout


@dataclass(frozen=True, slots=True)
class Totals:
    """PRES-01 by slot: quoted + lapsed + exempt + unknown = obliged."""

    quoted: Ints
    by_reason: Ints  # (n, 9)
    lapsed: Ints
    exempt: Ints
    unknown: Ints
    obliged: Ints
    remaining: Ints  # R of PRES-04
    state: NDArray[np.uint8]  # model.State; a removed obligation shows EXEMPT
    running: NDArray[np.bool_]  # the contract's net clock runs
    required: Ints  # T of PRES-02


def read_totals(settled: Accruals, remaining: Ints) -> Totals:
    """Totals of settled arrays; `remaining` has one element per contract."""
    return whole(totals_in_pieces(settled, remaining))


def totals_in_pieces(settled: Accruals, remaining: Ints) -> Pieces[Totals]:
    """`read_totals`, for arrays that nobody touches meanwhile."""
    slots, past, con = settled.slots, settled.past, settled.book.slot_con
    by_reason = np.zeros((len(slots), 9), dtype=np.int64)
    by_reason[:, :8] = past["lapsed"]
    by_reason[:, 8] = settled.flicker
    yield
    gone = slots["state"] == layout.NONE
    for_all = (settled.cons["e_val"] - settled.cons["n_val"])[con]
    exempt = past["exempt"] + np.where(gone, 0, for_all)
    lapsed = np.einsum("ij->i", by_reason)  # a fifth of what `sum` takes
    yield
    state = slots["state"].copy()
    state[state == layout.DEEMED] = State.QUOTED
    state[gone] = State.EXEMPT
    quoted, unknown = slots["quoted"].copy(), past["unknown"].copy()
    return Totals(
        quoted=quoted,
        by_reason=by_reason,
        lapsed=lapsed,
        exempt=exempt,
        unknown=unknown,
        obliged=quoted + lapsed + exempt + unknown,
        remaining=np.where(gone, 0, remaining[con]),
        state=state,
        running=(settled.cons["n_run"] > 0)[con] & ~gone,
        required=quoted + lapsed + unknown,
    )
