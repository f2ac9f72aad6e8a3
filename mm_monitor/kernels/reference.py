"""The engine and merge kernels in plain Python: the specification as code, for reading and for parity tests.

Same names, same arguments, same bytes in the same arrays as `cext/engine.pyx` and `cext/merge.pyx`; a thousand times
slower. The quote tests are in `reference_judge.py`, the lists of what falls due in `reference_rests.py`, the merge in
`reference_merge.py`, comparisons in `reference_rules.py`; the decode kernel's twin is `reference_decode.py`.
"""

from __future__ import annotations

from dataclasses import replace

from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING
from mm_monitor.core.model import Kind, Reason
from mm_monitor.kernels import layout
from mm_monitor.kernels.layout import (
    AGE,
    BAD,
    DEEM,
    DEEMED,
    DOWN,
    EXCLUDE,
    EXEMPT,
    FRESH,
    LAPSED,
    LATE,
    MAYBE,
    MISSING_EXCLUDE,
    MISSING_HOLD,
    MISSING_SKIP,
    NEVER,
    NONE,
    RESTED,
    RESTS,
    STALE,
    UNKNOWN,
    VALID,
    WAIT,
    WIDE,
)
from mm_monitor.kernels.reference_hole import count_hole
from mm_monitor.kernels.reference_judge import Judging, limit_use
from mm_monitor.kernels.reference_merge import count_before, merge_runs, survey
from mm_monitor.kernels.reference_rests import (
    age_anew,
    first_rested,
    leave,
    oldest,
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
from mm_monitor.kernels.reference_windows import Rule, add, add_apart

__all__ = [
    "Arrays",
    "apply_rows",
    "compare",
    "count_before",
    "end_rests",
    "merge_runs",
    "restate",
    "set_clocks",
    "set_stress",
    "set_underlying",
    "settle",
    "shrink",
    "slacks",
    "survey",
]

# -- integration ----------------------------------------------------------------------------------


def is_lapsed(s: Slot) -> bool:
    """The slot's state is a lapse with a reason."""
    return LAPSED <= s.state < DEEMED


def net_clock(c: Con, t: int) -> int:
    """OBL-04: net time obliged so far; a pause stops it for all slots of the contract at once."""
    return c.n_val + (t - c.t_last) * c.n_run


def accrue(w: World, i: int, c: Con, t: int) -> None:
    """NUM-04: bring slot `i` to instant `t`; its state has been constant since it was accrued last.

    A state that lasted zero clock time leaves no trace.
    """
    s = w.slots[i]
    n = net_clock(c, t)
    d = n - s.n_last
    if d <= 0:
        return
    if s.state != NONE:
        accrue_beside(w, i, c, d)
    if s.state == EXEMPT:  # PRES-07: pauses a lapse, neither ends it nor adds to it
        s.exempt += d
    elif s.state != NONE:
        stand_wide(w, i, c, d)
        count(w, i, c, t, d)
    s.n_last = n


def accrue_beside(w: World, i: int, c: Con, d: int) -> None:
    """PRES-06, PRES-09: the same `d` ns in windows, and apart if they are inside stress."""
    state = w.slots[i].state
    add_windows(w, i, state, d)
    if w.param.apart and c.stress:
        add_apart(w.apart[i], state, d)


def add_windows(w: World, i: int, state: int, d: int) -> None:
    """`d` ns of obliged time of slot `i` in `state`."""
    for k, width in enumerate(w.widths):
        add(w.win[i * len(w.widths) + k], Rule.of(width, w.param), state, d)


def count(w: World, i: int, c: Con, t: int, d: int) -> None:
    """PRES-01: `d` ns go to exactly one of quoted, unknown and lapsed."""
    s = w.slots[i]
    if is_lapsed(s):
        lapse_goes_on(w, i, c, d)
        return
    if s.state == UNKNOWN:
        s.unknown += d
    else:
        s.quoted += d
    if s.state == VALID:
        if s.rate:
            use = (s.use_hi << 64) + s.use_lo + s.rate * d
            s.use_hi, s.use_lo = use >> 64, use % 2**64
        s.last_valid = t if c.n_run else c.n_at
    lapse_ends(w, i, c)


def lapse_goes_on(w: World, i: int, c: Con, d: int) -> None:
    """A lapse of `d` more ns; it breaks the rule at the instant at which it exceeds what is permitted."""
    s, permitted = w.slots[i], w.param.longest
    before = s.current
    if before == 0:
        s.lapses += 1
    s.current = before + d
    if s.state == LAPSED + Reason.FLICKER:
        w.rests[i].flicker += d
    else:
        s.lapsed[s.state - LAPSED] += d
    s.longest = max(s.longest, s.current)
    if permitted >= 0 and before <= permitted < s.current:
        w.emit(i, c, layout.LAPSE_OPEN, s.n_last + (permitted - before))


def lapse_ends(w: World, i: int, c: Con) -> None:
    """PRES-07: quoted, deemed and unknown time end a lapse, at the time up to which it was accrued."""
    s, permitted = w.slots[i], w.param.longest
    if s.current and 0 <= permitted < s.current:
        w.emit(i, c, layout.LAPSE_CLOSE, s.n_last)
    s.current = 0


def stand_wide(w: World, i: int, c: Con, d: int) -> None:
    """How long a lapsed quote's spread test has failed, primary or not; beyond the grace it is a breach."""
    grace = w.param.grace
    if grace < 0:
        return
    s, before = w.slots[i], w.wide[i]
    if is_lapsed(s) and s.ex & WIDE:
        w.wide[i] = before + d
        if before <= grace < before + d:
            w.emit(i, c, layout.SPREAD_OPEN, s.n_last + (grace - before))
    else:
        if before > grace:
            w.emit(i, c, layout.SPREAD_CLOSE, s.n_last)
        w.wide[i] = 0


# -- judging --------------------------------------------------------------------------------------


def rejudge(w: World, i: int, c: Con, t: int) -> None:
    """Look at the standing quote afresh; the slot must be accrued to `t`."""
    s = w.slots[i]
    terms = w.terms_of(s, c)
    j = Judging(s, c, w.param, terms, w.cells).run()
    cover_changes(w, s, c, t, may_be_valid=s.state != NONE and (s.unk != 0 or not j.failed))
    s.ex = s.ex | WIDE if Reason.SPREAD in j.failed else s.ex & ~WIDE
    s.theo_lo, s.theo_hi = j.theo_lo, j.theo_hi
    s.state = overrule(w, s, c, verdict(w, j))
    s.rate = limit_use(s, c, w.param, terms, w.cells) if s.state == VALID else 0


def verdict(w: World, j: Judging) -> int:
    """The first test that fails names the lapse; a test that hangs is unknown, or passes if the policy says so."""
    if j.failed:
        return LAPSED + min(j.failed)
    return UNKNOWN if j.hangs and w.param.missing != MISSING_SKIP else VALID


def overrule(w: World, s: Slot, c: Con, state: int) -> int:
    """OBL-02, OBL-03, VAL-12: exclude, deem, unknown feed, policy `exclude` for a missing theo; in this order."""
    if s.state == NONE:
        return NONE
    if s.ex & EXCLUDE:
        return EXEMPT
    if s.ex & DEEM:
        return DEEMED
    if s.unk:
        return UNKNOWN
    if not c.theo_ok and w.param.missing == MISSING_EXCLUDE and w.param.reads_theo:
        return EXEMPT
    return state


def cover_changes(w: World, s: Slot, c: Con, t: int, *, may_be_valid: bool) -> None:
    """PRES-08: keep count of the slots that are, or may be, valid."""
    if may_be_valid == bool(s.ex & MAYBE):
        return
    count_hole(w, c, t)
    c.cover += 1 if may_be_valid else -1
    s.ex ^= MAYBE


# -- what falls due by time alone -----------------------------------------------------------------


def next_due(w: World, c: Con) -> int:
    """The first instant at which something on this contract expires."""
    return min(c.theo_until if c.theo_ok else NEVER, oldest(w, c), first_rested(w, c))


def fall_due(w: World, c: Con, t: int) -> None:
    """Everything that expires on this contract up to and including `t`, each at its own instant."""
    while c.due <= t:
        c.due = next_due(w, c)
        if c.due > t or c.due == NEVER:
            return
        expire(w, c, c.due)


def expire(w: World, c: Con, at: int) -> None:
    """VAL-08, VAL-09, VAL-12: quotes and theo whose age, and quotes whose rest, is reached at instant `at`."""
    if c.theo_ok and c.theo_until <= at:
        for i in w.slots_of(c):
            accrue(w, i, c, at)
        c.theo_ok = 0
        for i in w.slots_of(c):
            rejudge(w, i, c, at)
        w.rejudged += c.slots
    while oldest(w, c) <= at < NEVER:
        i = c.head[AGE]
        leave(w, c, i, AGE)
        changes(w, i, c, at, set_bit=STALE)
    while first_rested(w, c) <= at < NEVER:
        i = c.head[RESTS]
        leave(w, c, i, RESTS)
        w.rests[i].fresh = RESTED
        changes(w, i, c, at, clear_bit=FRESH)


def changes(w: World, i: int, c: Con, t: int, *, set_bit: int = 0, clear_bit: int = 0) -> None:
    """Slot `i` is another from `t` on."""
    accrue(w, i, c, t)
    w.slots[i].ex = w.slots[i].ex & ~clear_bit | set_bit
    rejudge(w, i, c, t)
    w.rejudged += 1


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
    used = [i for i in stay if w.slots[i].rate and r.a != c.theo]
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
        fall_due(w, c, t)
        for k in w.slots_of(c):
            accrue(w, k, c, t)
        c.stress = int(on[i])
        for k in w.slots_of(c):
            rejudge(w, k, c, t)
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
        fall_due(w, c, t)
        for k in w.slots_of(c):
            accrue(w, k, c, t)
        c.under = int(spread[i])
        for k in w.slots_of(c):
            rejudge(w, k, c, t)
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


def shrink(a: Arrays, which: Indices, start: int, t: int, bid: Indices, ask: Indices) -> int:
    """The quotes of slots `which` lose what was traded at `t`: so much of the bid and of the ask, down to nothing.

    Age and rest stay, but for a side that goes: that is a change. Returns the position reached.
    """
    n = len(which)
    if len(bid) != n or len(ask) != n:
        raise ValueError(f"bid, ask: {n} elements, got {len(bid)}, {len(ask)}")
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
            rest_anew(w, k, c, t, 0, known=w.rests[k].rest_ts != NEVER)
        rejudge(w, k, c, t)
        i += 1
    w.close()
    return i


def settle(a: Arrays, start: int, t: int) -> int:
    """Bring every contract and slot from contract `start` on to instant `t` (TAPE-01); returns the contract reached."""
    check_start(start, len(a.cons))
    w, i = World(a), start
    while i < len(w.cons) and not a.full():
        c = w.cons[i]
        fall_due(w, c, t)
        for k in w.slots_of(c):
            accrue(w, k, c, t)
        move_clocks(w, c, t)
        i += 1
    w.close()
    return i
