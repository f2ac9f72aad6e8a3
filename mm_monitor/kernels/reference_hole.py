"""The market hole of a contract in plain Python (PRES-08): obliged time in which every maker is known to fail.

It is measured on the contract's obliged clock, exempt time included. Time that is not obliged pauses a hole, and what
stands then leaves no trace.
"""

from __future__ import annotations

from mm_monitor.kernels import layout
from mm_monitor.kernels.reference_state import Con, World


def count_hole(w: World, c: Con, t: int) -> None:
    """Count up to `t`; since the last count neither the cover nor what runs has changed."""
    e = c.e_val + (t - c.t_last) * c.e_run
    d, c.hole_e = e - c.hole_e, e
    if d <= 0:
        return
    longest = w.param.longest_hole
    if c.cover == 0 and c.held:
        before = c.hole_now
        c.hole += d
        c.hole_now = before + d
        if longest >= 0 and before <= longest < c.hole_now:
            w.emit(c.slot0, c, layout.HOLE_OPEN, t - (c.hole_now - longest))
        return
    if 0 <= longest < c.hole_now:
        w.emit(c.slot0, c, layout.HOLE_CLOSE, t - d)
    c.hole_now = 0
