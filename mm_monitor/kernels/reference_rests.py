"""VAL-08 and VAL-09 in plain Python: since when a quote's prices stand, and the lists of what falls due.

Max age and min rest are the same for all quotes of a rulebook, so each list is in order if a quote joins at its end:
what falls due next is the head, however many makers there are.
"""

from __future__ import annotations

from mm_monitor.core.batch import LATE as ROW_LATE
from mm_monitor.core.batch import RESTLESS
from mm_monitor.kernels import layout
from mm_monitor.kernels.layout import (
    AGE,
    END,
    FRESH,
    LATE,
    LONG_AGO,
    NEVER,
    OUT,
    RESTED,
    RESTING,
    RESTS,
    RESTS_FLAGGED,
    RESTS_SCOUT,
)
from mm_monitor.kernels.reference_state import Con, Rest, Slot, World


def leave(w: World, c: Con, i: int, k: int) -> None:
    """Take slot `i` out of list `k` of its contract, if it is in."""
    rest = w.rests[i]
    before, after = rest.prev[k], rest.next[k]
    if before == OUT:
        return
    if before == END:
        c.head[k] = after
    else:
        w.rests[before].next[k] = after
    if after == END:
        c.tail[k] = before
    else:
        w.rests[after].prev[k] = before
    rest.prev[k] = rest.next[k] = OUT


def join(w: World, c: Con, i: int, k: int, after: int) -> None:
    """Put slot `i` into list `k` behind slot `after`, END for the very front."""
    follower = c.head[k] if after == END else w.rests[after].next[k]
    w.rests[i].prev[k], w.rests[i].next[k] = after, follower
    if after == END:
        c.head[k] = i
    else:
        w.rests[after].next[k] = i
    if follower == END:
        c.tail[k] = i
    else:
        w.rests[follower].prev[k] = i


def quote_expiry(w: World, s: Slot) -> int:
    """VAL-08: the instant at which a standing quote becomes stale, NEVER if it does not."""
    if w.param.max_age < 0 or not (s.has_bid or s.has_ask):
        return NEVER
    return min(NEVER, s.quote_ts + w.param.max_age)


def rest_end(w: World, i: int) -> int:
    """VAL-09: the instant at which the prices of slot `i` will have stood long enough."""
    return min(NEVER, w.rests[i].rest_ts + w.param.min_rest)


def oldest(w: World, c: Con) -> int:
    """When the next quote of the contract becomes stale."""
    return NEVER if c.head[AGE] == END else quote_expiry(w, w.slots[c.head[AGE]])


def first_rested(w: World, c: Con) -> int:
    """When the next quote of the contract has stood long enough."""
    return NEVER if c.head[RESTS] == END else rest_end(w, c.head[RESTS])


def age_anew(w: World, i: int, c: Con) -> None:
    """A good quote begins to age; one that is not there has no age."""
    if w.param.max_age < 0:
        return
    leave(w, c, i, AGE)
    due = quote_expiry(w, w.slots[i])
    if due != NEVER:
        join(w, c, i, AGE, c.tail[AGE])
        c.due = min(c.due, due)


def remember(w: World, i: int, t: int) -> None:
    """Before a record of instant `t` touches the slot: keep what stood before that instant."""
    if w.param.min_rest < 0 or t <= w.rests[i].was_at:
        return
    s, rest = w.slots[i], w.rests[i]
    rest.was_at, rest.was_rest, rest.was_fresh = t, rest.rest_ts, rest.fresh
    rest.was_bid, rest.was_ask = sides(s)


def sides(s: Slot) -> tuple[int, int]:
    """Bid and ask, LONG_AGO for a side that is not there: a side that comes or goes is a change of price."""
    return s.bid if s.has_bid else LONG_AGO, s.ask if s.has_ask else LONG_AGO


def rest_anew(w: World, i: int, c: Con, t: int, flags: int, *, known: bool) -> None:
    """After a record of instant `t`: since when do the prices stand, and have they stood long enough?

    Not `known`: the quote changed, not known to what. A state of zero length weighs nothing: prices that are again
    those from before the instant have never been away.
    """
    if w.param.min_rest < 0:
        return
    s, rest = w.slots[i], w.rests[i]
    stood = rest.rest_ts
    leave(w, c, i, RESTS)
    if not known or not (s.has_bid or s.has_ask):
        rest.rest_ts, rest.fresh = NEVER, RESTED
    elif rest.was_rest != NEVER and sides(s) == (rest.was_bid, rest.was_ask):
        rest.rest_ts, rest.fresh = rest.was_rest, rest.was_fresh
    else:
        rest.rest_ts, rest.fresh = t, begins(w, flags)
    s.ex = s.ex | FRESH if rest.fresh != RESTED else s.ex & ~FRESH
    if w.param.rests != RESTS_FLAGGED:
        wait_to_rest(w, i, c)
    if w.param.rests == RESTS_SCOUT:
        tell(w, i, c, rest, stood)


def begins(w: World, flags: int) -> int:
    """How a new rest begins; with RESTS_FLAGGED its row knows how it will end."""
    if w.param.rests != RESTS_FLAGGED:
        return RESTING if w.param.min_rest else RESTED
    if flags & RESTLESS:
        return RESTING
    return LATE if flags & ROW_LATE else RESTED


def wait_to_rest(w: World, i: int, c: Con) -> None:
    """Into the list, behind all that began to rest no later."""
    due = rest_end(w, i)
    if w.rests[i].fresh == RESTED or due == NEVER:
        return
    after = c.tail[RESTS]
    while after != END and w.rests[after].rest_ts > w.rests[i].rest_ts:
        after = w.rests[after].prev[RESTS]
    join(w, c, i, RESTS, after)
    c.due = min(c.due, due)


def tell(w: World, i: int, c: Con, rest: Rest, stood: int) -> None:
    """A rest of before this instant is cut short, or is not after all."""
    if rest.was_fresh == RESTED or rest.was_rest == NEVER:
        return
    before, now = stood == rest.was_rest, rest.rest_ts == rest.was_rest
    if before != now:
        w.emit(i, c, layout.REST_STANDS if now else layout.REST_ENDS, rest.was_rest)
