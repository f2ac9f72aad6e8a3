# What time alone changes: quotes that grow too old, or have stood long enough, and theos that are too old.
#
# Max age and min rest are the same for all quotes of a rulebook, so each of a contract's two lists is in order if a
# quote joins at its end: what falls due next is the head. Plain twin: mm_monitor/kernels/reference_rests.py.

from libc.stdint cimport int32_t, int64_t
from layout cimport *
from accrue cimport *

cdef inline void leave(World* w, Con* c, int64_t i, int k) noexcept nogil:
    # take slot i out of list k of its contract, if it is in
    cdef Rest* rest = w.rests + i
    cdef int32_t before = rest.prev[k], after = rest.next[k]
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
    rest.prev[k] = OUT
    rest.next[k] = OUT

cdef inline void join(World* w, Con* c, int64_t i, int k, int32_t after) noexcept nogil:
    # put slot i into list k behind slot `after`, END for the very front
    cdef int32_t follower = c.head[k] if after == END else w.rests[after].next[k]
    w.rests[i].prev[k] = after
    w.rests[i].next[k] = follower
    if after == END:
        c.head[k] = <int32_t>i
    else:
        w.rests[after].next[k] = <int32_t>i
    if follower == END:
        c.tail[k] = <int32_t>i
    else:
        w.rests[follower].prev[k] = <int32_t>i

cdef inline int64_t after_span(int64_t t, int64_t span) noexcept nogil:
    return never() if t > never() - span else t + span

cdef inline int64_t oldest(const World* w, const Con* c) noexcept nogil:
    # when the next quote of the contract becomes stale
    if w.p.max_age < 0 or c.head[AGE] == END:
        return never()
    return after_span(w.slots[c.head[AGE]].quote_ts, w.p.max_age)

cdef inline int64_t first_rested(const World* w, const Con* c) noexcept nogil:
    # when the next quote of the contract has stood long enough
    if w.p.min_rest < 0 or c.head[RESTS] == END:
        return never()
    return after_span(w.rests[c.head[RESTS]].rest_ts, w.p.min_rest)

cdef inline void expect(Con* c, int64_t at) noexcept nogil:
    if at < c.due:
        c.due = at

cdef inline void age_anew(World* w, const Slot* s, Con* c) noexcept nogil:
    # VAL-08: a good quote begins to age; one that is not there has no age
    cdef int64_t due
    if w.p.max_age < 0:
        return
    leave(w, c, s - w.slots, AGE)
    due = after_span(s.quote_ts, w.p.max_age)
    if (s.bid_size or s.ask_size) and due != never():
        join(w, c, s - w.slots, AGE, c.tail[AGE])
        expect(c, due)

cdef inline void remember(World* w, const Slot* s, int64_t t) noexcept nogil:
    # before a record of instant t touches the slot: keep what stood before that instant
    cdef Rest* rest
    if w.p.min_rest < 0:
        return
    rest = rest_of(w, s)
    if t <= rest.was_at:
        return
    rest.was_at = t
    rest.was_rest = rest.rest_ts
    rest.was_fresh = rest.fresh
    rest.was_bid = s.bid if s.bid_size else long_ago()
    rest.was_ask = s.ask if s.ask_size else long_ago()

cdef inline int32_t begins(const World* w, int flags) noexcept nogil:
    # how a new rest begins; with RESTS_FLAGGED its row knows how it will end
    if w.p.rests != RESTS_FLAGGED:
        return RESTING if w.p.min_rest else RESTED
    if flags & ROW_RESTLESS:
        return RESTING
    return LATE if flags & ROW_LATE else RESTED

cdef inline void wait_to_rest(World* w, const Slot* s, Con* c) noexcept nogil:
    # into the list, behind all that began to rest no later
    cdef Rest* rest = rest_of(w, s)
    cdef int64_t due = after_span(rest.rest_ts, w.p.min_rest)
    cdef int32_t after = c.tail[RESTS]
    if rest.fresh == RESTED or due == never():
        return
    while after != END and w.rests[after].rest_ts > rest.rest_ts:
        after = w.rests[after].prev[RESTS]
    join(w, c, s - w.slots, RESTS, after)
    expect(c, due)

cdef inline void tell(World* w, const Slot* s, const Con* c, int64_t stood) noexcept nogil:
    # a rest of before this instant is cut short, or is not after all
    cdef Rest* rest = rest_of(w, s)
    cdef bint before = stood == rest.was_rest, now = rest.rest_ts == rest.was_rest
    if rest.was_fresh != RESTED and rest.was_rest != never() and before != now:
        emit(w, s, c, REST_STANDS if now else REST_ENDS, rest.was_rest)

cdef inline void rest_anew(World* w, Slot* s, Con* c, int64_t t, int flags, bint known) noexcept nogil:
    # VAL-09, after a record of instant t: since when do the prices stand, and have they stood long enough? A state of
    # zero length weighs nothing: prices that are again those from before the instant have never been away
    cdef Rest* rest
    cdef int64_t stood
    if w.p.min_rest < 0:
        return
    rest = rest_of(w, s)
    stood = rest.rest_ts
    leave(w, c, s - w.slots, RESTS)
    if not known or not (s.bid_size or s.ask_size):
        rest.rest_ts = never()
        rest.fresh = RESTED
    elif (rest.was_rest != never() and rest.was_bid == (s.bid if s.bid_size else long_ago())
            and rest.was_ask == (s.ask if s.ask_size else long_ago())):
        rest.rest_ts = rest.was_rest
        rest.fresh = rest.was_fresh
    else:
        rest.rest_ts = t
        rest.fresh = begins(w, flags)
    s.ex = s.ex | FRESH if rest.fresh != RESTED else s.ex & ~FRESH
    if w.p.rests != RESTS_FLAGGED:
        wait_to_rest(w, s, c)
    if w.p.rests == RESTS_SCOUT:
        tell(w, s, c, stood)

cdef inline void clear_fresh(World* w, Slot* s, Con* c, int64_t t) noexcept nogil:
    rest_of(w, s).fresh = RESTED
    accrue(w, s, c, t)
    s.ex &= ~FRESH
    rejudge(w, s, c, t)
    w.rejudged += 1

cdef inline void theo_ends(World* w, Con* c, int64_t t) noexcept nogil:
    cdef int32_t k
    for k in range(c.slots):
        accrue(w, slot_at(w, c.slot0 + k), c, t)
    c.theo_ok = 0
    for k in range(c.slots):
        rejudge(w, slot_at(w, c.slot0 + k), c, t)
    w.rejudged += c.slots

cdef inline void expire(World* w, Con* c, int64_t at) noexcept nogil:
    cdef Slot* s
    if c.theo_ok and c.theo_until <= at:
        theo_ends(w, c, at)
    while oldest(w, c) <= at:
        s = slot_at(w, c.head[AGE])
        leave(w, c, s - w.slots, AGE)
        accrue(w, s, c, at)
        s.ex |= STALE
        rejudge(w, s, c, at)
        w.rejudged += 1
    while first_rested(w, c) <= at:
        s = slot_at(w, c.head[RESTS])
        leave(w, c, s - w.slots, RESTS)
        clear_fresh(w, s, c, at)

cdef inline void fall_due(World* w, Con* c, int64_t t) noexcept nogil:
    # everything that expires on this contract up to and including t, at its own instant
    while c.due <= t:
        c.due = c.theo_until if c.theo_ok else never()
        expect(c, oldest(w, c))
        expect(c, first_rested(w, c))
        if c.due > t or c.due == never():
            return
        expire(w, c, c.due)
