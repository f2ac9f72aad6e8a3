"""The engine and merge kernels in plain Python: the specification as code, for reading and for parity tests.

Same names, same arguments, same bytes in the same arrays as `cext/engine.pyx` and `cext/merge.pyx`; a thousand times
slower. The quote tests are in `reference_judge.py`, the lists of what falls due in `reference_rests.py`, the merge in
`reference_merge.py`, comparisons in `reference_rules.py`; the decode kernel's twin is `reference_decode.py`.
"""

from __future__ import annotations

from dataclasses import replace

from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING
from mm_monitor.core.model import Kind
from mm_monitor.kernels import layout
from mm_monitor.kernels.layout import (
    BAD,
    DOWN,
    EXEMPT,
    FRESH,
    LATE,
    MAYBE,
    MISSING_HOLD,
    NEVER,
    NONE,
    RESTED,
    STALE,
    VALID,
    WAIT,
    WIDE,
)
from mm_monitor.kernels.reference_hole import count_hole
from mm_monitor.kernels.reference_judge import limit_use
from mm_monitor.kernels.reference_merge import count_before, merge_runs, survey, tell
from mm_monitor.kernels.reference_reply import end_instant, note, note_quote, note_theo
from mm_monitor.kernels.reference_rests import (
    age_anew,
    remember,
    rest_anew,
)
from mm_monitor.kernels.reference_rules import (
    check_indices,
    check_start,
    check_switch,
    compare,
    slacks,
)
from mm_monitor.kernels.reference_slots import (
    accrue,
    add_windows,
    changes,
    fall_due,
    is_lapsed,
    rejudge,
)
from mm_monitor.kernels.reference_state import (
    Arrays,
    Bytes,
    Con,
    Indices,
    Ints,
    Row,
    Rows,
    Slot,
    World,
    check_rows,
    rows_of,
)

__all__ = [
    "Arrays",
    "apply_rows",
    "compare",
    "count_before",
    "end_rests",
    "merge_runs",
    "note_fill",
    "restate",
    "set_clocks",
    "set_stress",
    "set_underlying",
    "settle",
    "shrink",
    "slacks",
    "survey",
    "tell",
]

# -- rows -----------------------------------------------------------------------------------------


def source(r: Row) -> int:
    """Where a record came from, in one number: part << 48 | offset."""
    number = r.part << layout.SRC_OFFSET_BITS | r.offset % (1 << layout.SRC_OFFSET_BITS)
    return number - 2**64 if number >= 2**63 else number


def slot_of(w: World, r: Row) -> int | None:
    """The slot that a quote is for, None if there is no such obligation."""
    c = w.cons[r.contract]
    if not 0 <= r.maker < w.param.makers or not c.live:
        return None
    rank = int(w.arrays.rank[c.cls * w.param.makers + r.maker])
    return None if rank < 0 else c.slot0 + rank


def take_quote(w: World, i: int, c: Con, r: Row) -> None:
    """A new quote replaces the old one entirely; a bad one tells only that it changed (TAPE-04).

    OBL-03: it ends the wait for a snapshot, but a quote while the feed is down is none.
    """
    s = w.slots[i]
    accrue(w, i, c, r.ts)
    remember(w, i, r.ts)
    if not r.flags & QUOTE_BAD:
        note_quote(w, i, r)
    if r.flags & QUOTE_BAD:
        s.unk |= BAD
        rest_anew(w, i, c, r.ts, r.flags, known=False)
    else:
        s.bid, s.ask, s.bid_size, s.ask_size = r.a, r.b, r.a_size, r.b_size
        s.quote_ts, s.src = r.ts, source(r)
        s.ex &= ~STALE
        s.unk = s.unk & (DOWN | WAIT) if s.unk & DOWN else 0
        age_anew(w, i, c)
        rest_anew(w, i, c, r.ts, r.flags, known=True)
    rejudge(w, i, c, r.ts)
    if w.replies and s.watched:
        w.tell(i, layout.ANSWERED, r.ts, s.now)


def may_break(w: World, s: Slot) -> bool:
    """Could the slot write an edge? What an edge shows of the theo must be what stood at its instant."""
    return is_lapsed(s) and (w.param.longest >= 0 or w.param.grace >= 0)


def take_theo(w: World, c: Con, r: Row) -> None:
    """VAL-11: judge again the quotes whose interval the theo leaves.

    VAL-12: with policy `hold` the last theo stands however old and though withdrawn.
    """
    gone, was = bool(r.flags & THEO_MISSING), bool(c.theo_ok)
    if gone and (not was or w.param.missing == MISSING_HOLD):
        return
    left = [
        i for i in w.slots_of(c)
        if gone or not was or not w.slots[i].theo_lo <= r.a <= w.slots[i].theo_hi
    ]  # fmt: skip
    stay = [i for i in w.slots_of(c) if i not in left]
    used = [i for i in stay if w.slots[i].state == VALID and r.a != c.theo]
    shown = [i for i in stay if may_break(w, w.slots[i])]
    before = replace(c)  # totals run up to here under the theo that was
    c.theo_ok = 0 if gone else 1
    if not gone:
        c.theo, c.theo_src, c.theo_until = r.a, source(r), theo_expiry(w, r.ts)
        c.theo_ts, c.theo_via = r.ts, r.a_size
        c.due = min(c.due, c.theo_until)
    w.rejudged += len(left)
    for i in sorted({*left, *used, *shown}):
        accrue(w, i, before, r.ts)
        if i in left:
            rejudge(w, i, c, r.ts)
        elif i in used:
            w.slots[i].rate = limit_use(w.slots[i], c, w.param, w.terms_of(w.slots[i], c), w.cells)


def theo_expiry(w: World, ts: int) -> int:
    """VAL-12: the instant at which a theo of `ts` is too old."""
    if w.param.theo_age < 0 or w.param.missing == MISSING_HOLD:
        return NEVER
    return min(NEVER, ts + w.param.theo_age)


def apply_rows(a: Arrays, rows: Rows, start: int, counts: Ints) -> int:
    """Apply quote and theo rows from `start`, in order; returns the index of the first row not applied.

    It stops at a row of another kind, and before the edge buffer could overflow. `counts` (5,) int64 grows by quotes,
    theos, no_obligation, bad_quotes, rejudged (standing quotes, by a theo or by what fell due).
    ValueError for a contract outside the arrays; the rows before it are applied.
    """
    check_rows(rows)
    if len(counts) != len(layout.COUNTS):
        raise ValueError(f"counts: {len(layout.COUNTS)} elements, got {len(counts)}")
    check_start(start, len(rows))
    w, i, outside = World(a), start, None
    for r in rows_of(rows[start:]):
        if r.kind not in (Kind.QUOTE, Kind.THEO):
            break
        if not 0 <= r.contract < len(w.cons):
            outside = r.contract
            break
        if a.full():
            break
        apply_row(w, r, counts)
        i += 1
    counts[layout.COUNTS.index("rejudged")] += w.rejudged
    w.close()
    if outside is not None:
        raise ValueError(f"row {i}: contract {outside} of {len(w.cons)}")
    return i


def apply_row(w: World, r: Row, counts: Ints) -> None:
    """One row: first what fell due before it, then the row."""
    quotes, theos, no_obligation, bad_quotes = range(4)
    c = w.cons[r.contract]
    fall_due(w, c, r.ts)
    if r.kind == Kind.THEO:
        note_theo(w, c, r.ts)
        counts[theos] += 1
        take_theo(w, c, r)
        return
    i = slot_of(w, r)
    if i is not None:
        take_quote(w, i, c, r)
    if r.flags & QUOTE_BAD:
        counts[bad_quotes] += 1
    else:
        counts[no_obligation if i is None or c.outside else quotes] += 1


# -- conditions -----------------------------------------------------------------------------------


def move_clocks(w: World, c: Con, t: int) -> None:
    """The clocks' values at `t`. What is exempt for all is obliged time of each slot, and has its place in windows."""
    if w.widths:
        for i in w.slots_of(c):
            accrue(w, i, c, t)
            if c.e_run > c.n_run and w.slots[i].state != NONE:
                add_windows(w, i, EXEMPT, t - c.t_last)
    count_hole(w, c, t)
    if c.n_run:
        c.n_at = t
    c.e_val += (t - c.t_last) * c.e_run
    c.n_val += (t - c.t_last) * c.n_run
    c.t_last = t


def set_clocks(a: Arrays, which: Indices, start: int, t: int, e_run: Bytes, n_run: Bytes) -> int:
    """Run or stop the clocks of contracts `which` at `t` (OBL-04). Returns the position reached in `which`."""
    n = len(which)
    if len(e_run) != n or len(n_run) != n:
        raise ValueError(f"e_run, n_run: {n} elements, got {len(e_run)}, {len(n_run)}")
    check_indices(which, len(a.cons), "contract")
    check_switch(e_run, "e_run")
    check_switch(n_run, "n_run")
    check_start(start, n)
    w, i = World(a), start
    while i < n and not a.full():
        c = w.cons[which[i]]
        fall_due(w, c, t)
        move_clocks(w, c, t)
        c.e_run, c.n_run = int(e_run[i]), int(n_run[i])
        i += 1
    w.close()
    return i


def accrue_all(w: World, c: Con, t: int) -> None:
    """What has been so far, of every slot of a contract."""
    fall_due(w, c, t)
    for k in w.slots_of(c):
        accrue(w, k, c, t)


def rejudge_all(w: World, c: Con, t: int) -> None:
    """By what the contract is from `t` on."""
    for k in w.slots_of(c):
        rejudge(w, k, c, t)


def set_stress(a: Arrays, which: Indices, start: int, t: int, on: Bytes) -> int:
    """Enter or leave stress on contracts `which` at `t`; their quotes face other limits (OBL-02)."""
    if len(on) != len(which):
        raise ValueError(f"on: {len(which)} elements, got {len(on)}")
    check_indices(which, len(a.cons), "contract")
    check_switch(on, "on")
    check_start(start, len(which))
    w, i = World(a), start
    while i < len(which) and not a.full():
        c = w.cons[which[i]]
        accrue_all(w, c, t)
        c.stress = int(on[i])
        rejudge_all(w, c, t)
        i += 1
    w.close()
    return i


def set_underlying(a: Arrays, which: Indices, start: int, t: int, spread: Ints) -> int:
    """The underlying of contracts `which` has another spread from `t` on, LONG_AGO = missing (VAL-10)."""
    if len(spread) != len(which):
        raise ValueError(f"spread: {len(which)} elements, got {len(spread)}")
    check_indices(which, len(a.cons), "contract")
    check_start(start, len(which))
    w, i = World(a), start
    while i < len(which) and not a.full():
        c = w.cons[which[i]]
        accrue_all(w, c, t)
        c.under = int(spread[i])
        rejudge_all(w, c, t)
        i += 1
    w.close()
    return i


def end_rests(a: Arrays, start: int, t: int) -> int:
    """VAL-09: a period has ended at `t`; rests that are reached only after it count as reached from here on."""
    check_start(start, len(a.cons))
    w, i = World(a), start
    while i < len(w.cons) and not a.full():
        c = w.cons[i]
        fall_due(w, c, t)
        for k in w.slots_of(c) if w.rests else ():
            if w.rests[k].fresh == LATE:
                w.rests[k].fresh = RESTED
                changes(w, k, c, t, clear_bit=FRESH)
        i += 1
    w.close()
    return i


def restate(
    a: Arrays,
    which: Indices,
    start: int,
    t: int,
    unk: Bytes,
    ex: Bytes,
    relax: Bytes,
    absent: Bytes,
    reliefs: int,
) -> int:
    """Give slots `which` new conditions at `t`: feed bits, exemption bits, relief; withdraw the quote where `absent`.

    `ex` holds EXCLUDE | DEEM | ONE_SIDE only. Returns the position reached.
    """
    n = len(which)
    if any(len(column) != n for column in (unk, ex, relax, absent)):
        raise ValueError(f"unk, ex, relax, absent: {n} elements each")
    check_indices(which, len(a.slots), "slot")
    if reliefs != a.reliefs:
        raise ValueError(f"reliefs: {a.reliefs}, got {reliefs}")
    if n and relax.max() >= reliefs:
        raise ValueError(f"relax: below {reliefs}, got {relax.max()}")
    check_start(start, n)
    w, i = World(a), start
    while i < n and not a.full():
        k = int(which[i])
        s, c = w.slots[k], w.cons[a.slot_con[k]]
        fall_due(w, c, t)
        accrue(w, k, c, t)
        s.unk, s.relax = int(unk[i]), int(relax[i])
        s.ex = s.ex & (STALE | MAYBE | WIDE | FRESH) | int(ex[i])
        if absent[i]:
            remember(w, k, t)
            s.bid_size = s.ask_size = 0
            age_anew(w, k, c)
            rest_anew(w, k, c, t, 0, known=True)
        rejudge(w, k, c, t)
        i += 1
    w.close()
    return i


def shrink(
    a: Arrays, which: Indices, start: int, t: int, bid: Indices, ask: Indices, flags: Bytes
) -> int:
    """The quotes of slots `which` lose what was traded at `t`: so much of the bid and of the ask, down to nothing.

    Age and rest stay, but for a side that goes: that is a change, whose rest ends as `flags` say (those of a quote's
    row). Returns the position reached.
    """
    n = len(which)
    if len(bid) != n or len(ask) != n or len(flags) != n:
        raise ValueError(f"bid, ask, flags: {n} elements, got {len(bid)}, {len(ask)}, {len(flags)}")
    check_indices(which, len(a.slots), "slot")
    if n and min(bid.min(), ask.min()) < 0:
        raise ValueError(f"bid, ask: not negative, got {min(bid.min(), ask.min())}")
    check_start(start, n)
    w, i = World(a), start
    while i < n and not a.full():
        k = int(which[i])
        s, c = w.slots[k], w.cons[a.slot_con[k]]
        fall_due(w, c, t)
        accrue(w, k, c, t)
        remember(w, k, t)
        stood = s.has_bid, s.has_ask
        s.bid_size = max(0, s.bid_size - int(bid[i]))
        s.ask_size = max(0, s.ask_size - int(ask[i]))
        if not (s.has_bid or s.has_ask):
            age_anew(w, k, c)
        if stood != (s.has_bid, s.has_ask) and w.rests:
            rest_anew(w, k, c, t, int(flags[i]), known=w.rests[k].rest_ts != NEVER)
        rejudge(w, k, c, t)
        i += 1
    w.close()
    return i


def settle(a: Arrays, start: int, t: int, stop: int = -1) -> int:
    """Bring every contract and slot from contract `start` on to instant `t` (TAPE-01); returns the contract reached.

    Only those before contract `stop`, if it is given.
    """
    end = len(a.cons) if stop < 0 else stop
    check_start(end, len(a.cons))
    check_start(start, end)
    w, i = World(a), start
    while i < end and not a.full():
        c = w.cons[i]
        fall_due(w, c, t)
        for k in w.slots_of(c):
            accrue(w, k, c, t)
            if w.replies and w.replies[k].at < t:
                end_instant(w, k)
        move_clocks(w, c, t)
        i += 1
    w.close()
    return i


def note_fill(a: Arrays, slot: int, t: int) -> int:
    """A fill of `slot` at `t`: it may be why its quote turns at that instant (RESP-01).

    Returns 0 if edges must be read first.
    """
    if not 0 <= slot < len(a.slots):
        raise ValueError(f"slot {slot} of {len(a.slots)}")
    if a.full():
        return 0
    w = World(a)
    fall_due(w, w.cons[a.slot_con[slot]], t)
    if w.replies:
        note(w, slot, t, layout.BY_FILL)
    w.close()
    return 1
