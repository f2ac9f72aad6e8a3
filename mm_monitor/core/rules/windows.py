"""PRES-06: how many windows of each width passed, from settled rows, by slot.

A window belongs to the slot's own obliged time, so how many there are follows from how much of that there is.
"""

from __future__ import annotations

import numpy as np

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.stretches import Stretches
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import Ints, StretchColumns, WindowColumns


def window_columns(settled: Accruals, totals: Totals, order: Ints) -> list[WindowColumns]:
    """One for each width, elements in `order`."""
    found = []
    for k, width in enumerate(settled.params.widths.tolist()):
        rows = settled.win[order, k]
        full, cut = totals.obliged[order] // width, (rows["elapsed"] > 0).astype(np.int64)
        passed, failed, hanging = (rows[name].copy() for name in ("passed", "failed", "hanging"))
        found.append(
            WindowColumns(
                width=width, total=full + cut, passed=passed, failed=failed, open=hanging,
                empty=full - passed - failed - hanging, cut=cut,
                longest_failed_run=rows["longest"].copy(),
            )
        )  # fmt: skip
    return found


def stretch_columns(stretches: Stretches, totals: Totals, order: Ints) -> list[StretchColumns]:
    """One for each stretch of continuous trading so far, elements in `order`."""
    return [
        StretchColumns(start, end, *(sums[order, k] for k in range(sums.shape[1])))
        for start, end, sums in stretches.sums(totals)
    ]
