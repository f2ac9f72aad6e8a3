"""What happens to one slot as time goes on: integration, judgement, and what falls due by time alone.

Parts of the plain twin in `reference.py`; the compiled ones are `cext/accrue.pxd` and `cext/rests.pxd`.
"""

from __future__ import annotations

from mm_monitor.core.model import Reason
from mm_monitor.kernels import layout
from mm_monitor.kernels.layout import (
    AGE,
    DEEM,
    DEEMED,
    EXCLUDE,
    EXEMPT,
    FRESH,
    LAPSED,
    MAYBE,
    MISSING_EXCLUDE,
    MISSING_SKIP,
    NEVER,
    NONE,
    RESTED,
    RESTS,
    STALE,
    UNKNOWN,
    VALID,
    WIDE,
)
from mm_monitor.kernels.reference_hole import count_hole
from mm_monitor.kernels.reference_judge import Judging, limit_use
from mm_monitor.kernels.reference_reply import witness
from mm_monitor.kernels.reference_rests import (
    first_rested,
    leave,
    oldest,
)
from mm_monitor.kernels.reference_state import (
    Con,
    Slot,
    World,
)
from mm_monitor.kernels.reference_windows import Rule, add, add_apart

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
        w.past[i].exempt += d
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
        w.past[i].unknown += d
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
    s, past, permitted = w.slots[i], w.past[i], w.param.longest
    before = s.current
    if before == 0:
        s.lapses += 1
    s.current = before + d
    if s.state == LAPSED + Reason.FLICKER:
        w.rests[i].flicker += d
    else:
        past.lapsed[s.state - LAPSED] += d
    past.longest = max(past.longest, s.current)
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
    witness(w, i, c, t, j.failed, hangs=bool(j.hangs))


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
