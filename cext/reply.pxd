# Whether a slot's quote passes its tests, whatever the phase; how long a maker takes to put it right (RESP-01).
#
# A turn is a change of that answer. What an instant's turns came to is known once a later one is met, for a state
# that lasted no time is none. Plain twin: mm_monitor/kernels/reference_reply.py.

from libc.stdint cimport int32_t, int64_t, uint8_t
from layout cimport *

cdef enum:
    LATENCIES = 27  # 25 buckets up to 100 s, one beyond, and the sum

cdef inline int bucket_of(int64_t ns) noexcept nogil:
    # least b with ns <= 1, 2, 5, 10, ... us
    cdef int64_t bound = 1000
    cdef int b = 0, step = 0
    while b < LATENCIES - 2 and ns > bound:
        bound = bound // 2 * 5 if step == 1 else bound * 2
        step = 0 if step == 2 else step + 1
        b += 1
    return b

cdef inline int cause_of(const Reply* h, const Slot* s) noexcept nogil:
    if s.by & BY_THEO and h.reads_theo:
        return 0
    if s.by & BY_FILL:
        return 1
    return 2 if s.by & BY_WITHDRAWAL else -1

cdef inline void end_turn(Reply* h, Slot* s, int64_t* latency) noexcept nogil:
    # the instant of the last turn is over
    cdef int64_t took
    cdef int64_t* row
    if s.now == V_PASSES:
        took = h.at - h.since
        if h.since >= 0 and s.by & BY_QUOTE and h.n_at - h.n == took:
            row = latency + (<int64_t>h.cell * 3 + h.cause) * LATENCIES
            row[bucket_of(took)] += 1
            row[LATENCIES - 1] += took
        h.since = -1
    elif s.now == V_UNKNOWN:
        h.since = -1
    elif s.was == V_PASSES and s.now == V_FAILS and h.lapsed and cause_of(h, s) >= 0:
        h.since = h.at
        h.n = h.n_at
        h.cause = <uint8_t>cause_of(h, s)
    s.was = s.now

cdef inline uint8_t sides(const Slot* s) noexcept nogil:
    return (1 if s.bid_size else 0) | (2 if s.ask_size else 0)

cdef inline void note(Reply* h, int64_t* latency, Slot* s, int64_t t, uint8_t by) noexcept nogil:
    # a record of `t` that may be why the quote turns, or the answer
    if t > s.by_at:
        if s.now != s.was:
            end_turn(h, s, latency)
        s.by_at = t
        s.by = 0
        s.had = sides(s)
    s.by |= by

cdef inline bint turn(Reply* h, int64_t* latency, Slot* s, Con* c, int64_t t, uint8_t now,
                      unsigned int mask) noexcept nogil:
    # was there a turn? `mask`: the tests that fail
    cdef bint reads_theo = now == V_FAILS and mask & (B_ONE_SIDED | B_SPREAD | B_OFF_THEO) != 0
    if now == s.now:
        if now == V_FAILS and c.turn_at == t and h.at == t:  # who turned at t, has told the contract
            h.reads_theo = reads_theo
        return False
    note(h, latency, s, t, BY_THEO if c.theo_at == t else 0)
    c.turn_at = t
    h.at = t
    h.n_at = c.n_val + (t - c.t_last) * c.n_run
    s.now = now
    h.reads_theo = reads_theo
    h.lapsed = c.n_run and LAPSED <= s.state < DEEMED
    return True
