"""One obligation as it stands in an evaluator's arrays: its quote with all that it is judged by, and what it counts as.

Reads what the kernels wrote and decides nothing.
"""

from __future__ import annotations

import numpy as np

from mm_monitor.core.days import days_left
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.explain import Standing
from mm_monitor.core.model import REASONS
from mm_monitor.kernels import layout

STATES = {
    layout.VALID: "quoted",
    layout.UNKNOWN: "unknown",
    layout.EXEMPT: "exempt",
    layout.DEEMED: "deemed",
}


def standing_of(evaluator: Evaluator, contract: int, row: np.void, con: np.void) -> Standing:
    """The quote in a row of slots, with the theo and the limits of its contract's row."""
    under = int(con["under"])
    relief = evaluator.edges.relief(int(row["relax"]), bool(con["stress"]))
    return Standing(
        int(row["bid"]), int(row["ask"]), int(row["bid_size"]), int(row["ask_size"]), int(con["tick"]),
        int(con["theo"]) if con["theo_ok"] else None, relief, bool(row["ex"] & layout.STALE),
        bool(row["ex"] & layout.ONE_SIDE), bool(row["ex"] & layout.FRESH),
        days_left(evaluator.reference.contracts[contract], evaluator.day),
        None if under == layout.LONG_AGO else under, int(con["min_size"]),
    )  # fmt: skip


def state_of(row: np.void, con: np.void) -> tuple[str, str]:
    """`quoted | deemed | lapsed | exempt | unknown | not_obliged`, and the primary reason of a lapse."""
    state = int(row["state"])
    if not con["e_run"] or state == layout.NONE:
        return "not_obliged", ""
    if not con["n_run"]:
        return "exempt", ""
    if state in STATES:
        return STATES[state], ""
    return "lapsed", REASONS[state - layout.LAPSED]
