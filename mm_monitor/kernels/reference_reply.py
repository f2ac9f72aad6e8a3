"""Whether a slot's quote passes its tests, whatever the phase, and how long a maker takes to put it right (RESP-01).

A turn is a change of that answer. What an instant's turns came to is known once a later one is met.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mm_monitor.core.model import Reason
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.kernels.reference_state import Con, Row, Slot, World

BOUNDS = (*(digit * 10**power for power in range(3, 11) for digit in (1, 2, 5)), 10**11)
READ_THEO = frozenset({Reason.ONE_SIDED, Reason.SPREAD, Reason.OFF_THEO})
CAUSES = (layout.BY_THEO, layout.BY_FILL, layout.BY_WITHDRAWAL)


def answer(w: World, s: Slot, *, hangs: bool) -> int:
    """Does the standing quote pass: fails, passes, unknown (its feed, or a bad record), or hangs on a missing theo."""
    if s.state == layout.NONE or not s.ex & layout.MAYBE:
        return layout.V_FAILS
    if s.unk:
        return layout.V_UNKNOWN
    if hangs and w.param.missing != layout.MISSING_SKIP:
        return layout.V_HANGS
    return layout.V_PASSES


def witness(w: World, i: int, c: Con, t: int, failed: Collection[int], *, hangs: bool) -> None:
    """Note the turn of slot `i` at `t`, if it is one; `failed` are the tests that fail."""
    if not w.replies:
        return
    h, s = w.replies[i], w.slots[i]
    now = answer(w, s, hangs=hangs)
    reads_theo = int(now == layout.V_FAILS and not READ_THEO.isdisjoint(failed))
    if now == s.now:
        if h.at == t and now == layout.V_FAILS:
            h.reads_theo = reads_theo
        return
    note(w, i, t, layout.BY_THEO if c.theo_at == t else 0)
    c.turn_at = h.at = t
    s.now, h.n_at, h.reads_theo = now, c.n_val + (t - c.t_last) * c.n_run, reads_theo
    h.lapsed = int(bool(c.n_run) and layout.LAPSED <= s.state < layout.DEEMED)
    if s.watched:
        w.tell(i, layout.WATCHED, t, now)


def sides(s: Slot) -> int:
    """Which sides stand."""
    return int(s.has_bid) | int(s.has_ask) << 1


def note(w: World, i: int, t: int, by: int) -> None:
    """A record of `t` that may be why the quote of slot `i` turns, or the answer."""
    s = w.slots[i]
    if t > s.by_at:
        end_instant(w, i)
        s.by_at, s.by, s.had = t, 0, sides(s)
    s.by |= by


def note_theo(w: World, c: Con, t: int) -> None:
    """A theo record, whatever it says: what turned at this instant before it came may be its doing."""
    c.theo_at = t
    if not w.replies or c.turn_at != t:
        return
    for i in w.slots_of(c):
        if w.replies[i].at == t:
            note(w, i, t, layout.BY_THEO)


def note_quote(w: World, i: int, r: Row) -> None:
    """A good quote; if at the end of its instant a side is gone, that may be why its tests fail."""
    if not w.replies:
        return
    s = w.slots[i]
    note(w, i, r.ts, layout.BY_QUOTE)
    stand = int(r.a_size != 0) | int(r.b_size != 0) << 1
    s.by = s.by & ~layout.BY_WITHDRAWAL | (layout.BY_WITHDRAWAL if s.had & ~stand else 0)


def end_instant(w: World, i: int) -> None:
    """The instant of the last turn is over: a lapse began, or was put right, or it cannot be said."""
    h, s = w.replies[i], w.slots[i]
    if s.now == s.was:
        return
    took = h.at - h.since
    if s.now == layout.V_PASSES:
        if h.since >= 0 and s.by & layout.BY_QUOTE and h.n_at - h.n == took:
            row = (h.cell * len(CAUSES) + h.cause) * layout.LATENCIES
            w.latency[row + sum(took > bound for bound in BOUNDS)] += 1
            w.latency[row + layout.LATENCIES - 1] += took
        h.since = -1
    elif s.now == layout.V_UNKNOWN:
        h.since = -1
    elif s.was == layout.V_PASSES and s.now == layout.V_FAILS and h.lapsed:
        by = s.by if h.reads_theo else s.by & ~layout.BY_THEO
        causes = [k for k, bit in enumerate(CAUSES) if by & bit]
        if causes:
            h.since, h.n, h.cause = h.at, h.n_at, causes[0]
    s.was = s.now
