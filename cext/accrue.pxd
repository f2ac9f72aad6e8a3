# Integration of a slot's state over its contract's net obligation clock, and its judgement.
#
# The clock of a contract is piecewise linear: a pause stops it for all its slots at once (OBL-04). A state that
# lasted zero clock time leaves no trace. Plain twin: mm_monitor/kernels/reference.py.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset
from layout cimport *
from windows cimport add_apart, add_time
from reply cimport note, turn
from scale cimport Scale
from judge cimport Judged, common_use, is_plain, judge, limit_use, theo_needed, within_ticks

cdef struct World:
    Slot* slots
    Past* past          # per slot
    Rest* rests         # NULL without a max age and a min rest
    int64_t* wide       # obliged ns that a quote has stood wide, per slot; NULL without a grace
    Win* win            # per slot and width; NULL without windows
    const int64_t* widths
    Apart* apart        # time inside stress, per slot; NULL if nothing asks for it
    bint beside         # is any of these three there?
    Con* cons
    const Param* p
    const Term* terms   # p.terms for each relief: index relax * 2 + stress
    const Cell* cells   # of the tables
    Edge* edges
    int64_t rejudged    # standing quotes that were judged again: by a theo, or by time alone
    int64_t edge_count
    int64_t edge_room
    int64_t edge_stop   # with more edges than this, one more step might not find room
    int64_t slot_count
    bint by_width       # reads_width
    bint common         # of a quote of both sides the tests read the least size and a limit that is_common
    Scale* scales       # per contract
    Reply* replies      # NULL where nobody asks how fast makers answer
    int64_t* latency    # by class and maker, cause, bucket
    bint hangs          # did the last judgement hang on a missing theo?
    unsigned int mask   # the tests that failed in it
    bint overrun        # debug builds: an index was out of range, nothing was touched

cdef extern from *:
    """
    #if MM_DEBUG
    #define MM_CHECKS 1
    #else
    #define MM_CHECKS 0
    #endif
    """
    const bint MM_CHECKS

cdef inline Slot* slot_at(World* w, int64_t i) noexcept nogil:
    if MM_CHECKS and not 0 <= i < w.slot_count:
        w.overrun = True
        return w.slots
    return w.slots + i

cdef inline Rest* rest_of(World* w, const Slot* s) noexcept nogil:
    return w.rests + (s - w.slots)

cdef inline Past* past_of(World* w, const Slot* s) noexcept nogil:
    return w.past + (s - w.slots)

cdef inline const Term* terms_of(const World* w, const Slot* s, const Con* c) noexcept nogil:
    return w.terms + (<int64_t>s.relax * 2 + c.stress) * w.p.terms

cdef inline int64_t net_clock(const Con* c, int64_t t) noexcept nogil:
    return c.n_val + (t - c.t_last) * c.n_run

cdef inline void emit(World* w, const Slot* s, const Con* c, int kind, int64_t n) noexcept nogil:
    if MM_CHECKS and w.edge_count >= w.edge_room:
        w.overrun = True
        return
    cdef Edge* e = w.edges + w.edge_count
    w.edge_count += 1
    e.n = n
    e.bid = s.bid
    e.ask = s.ask
    e.quote_ts = s.quote_ts
    e.src = s.src
    e.theo = c.theo
    e.theo_src = c.theo_src
    e.theo_ts = c.theo_ts
    e.theo_via = c.theo_via
    e.under = c.under
    e.slot = <int32_t>(s - w.slots)
    e.bid_size = s.bid_size
    e.ask_size = s.ask_size
    e.kind = kind
    e.state = s.state
    e.flags = c.theo_ok | c.stress << 1 | (4 if s.ex & STALE else 0) | (8 if s.ex & FRESH else 0)
    e.relax = s.relax

cdef inline void end_lapse(World* w, Slot* s, const Con* c) noexcept nogil:
    if s.current:
        if w.p.longest >= 0 and s.current > w.p.longest:
            emit(w, s, c, LAPSE_CLOSE, s.n_last)
        s.current = 0

cdef inline void add_lapse(World* w, Slot* s, const Con* c, int64_t d) noexcept nogil:
    cdef Past* past = past_of(w, s)
    cdef int64_t before = s.current
    if before == 0:
        s.lapses += 1
    s.current = before + d
    if s.state < LAPSED + 8:
        past.lapsed[s.state - LAPSED] += d
    elif w.rests != NULL:
        rest_of(w, s).flicker += d
    if s.current > past.longest:
        past.longest = s.current
    if w.p.longest >= 0 and before <= w.p.longest < s.current:
        emit(w, s, c, LAPSE_OPEN, s.n_last + (w.p.longest - before))

cdef inline void stand_wide(World* w, Slot* s, const Con* c, int64_t d) noexcept nogil:
    cdef int64_t* wide = w.wide + (s - w.slots)
    cdef int64_t before = wide[0]
    if LAPSED <= s.state < DEEMED and s.ex & WIDE:
        wide[0] = before + d
        if before <= w.p.grace < wide[0]:
            emit(w, s, c, SPREAD_OPEN, s.n_last + (w.p.grace - before))
    elif before:
        if before > w.p.grace:
            emit(w, s, c, SPREAD_CLOSE, s.n_last)
        wide[0] = 0

cdef inline void add_valid(World* w, Slot* s, const Con* c, int64_t t, int64_t d) noexcept nogil:
    cdef u128 use = <u128>s.use_lo + <u128>s.rate * <u128>(<uint64_t>d)
    s.quoted += d
    s.use_lo = <uint64_t>use
    s.use_hi += <uint32_t>(use >> 64)
    s.last_valid = t if c.n_run else c.n_at
    end_lapse(w, s, c)

cdef inline void add_other(World* w, Slot* s, const Con* c, int64_t d) noexcept nogil:
    if s.state == EXEMPT:
        past_of(w, s).exempt += d
    elif s.state == DEEMED:
        s.quoted += d
        end_lapse(w, s, c)
    elif s.state == UNKNOWN:
        past_of(w, s).unknown += d
        end_lapse(w, s, c)

cdef inline void add_windows(World* w, const Slot* s, int state, int64_t d) noexcept nogil:
    cdef int64_t k, n = w.p.widths
    cdef Win* v = w.win + (s - w.slots) * n
    for k in range(n):
        add_time(v + k, w.p, w.widths[k], state, d)

cdef inline void accrue_beside(World* w, Slot* s, const Con* c, int64_t d) noexcept nogil:
    # the same time in windows, apart inside stress, and as standing wide
    if w.win != NULL:
        add_windows(w, s, s.state, d)
    if w.apart != NULL and c.stress:
        add_apart(w.apart + (s - w.slots), s.state, d)
    if w.wide != NULL and s.state != EXEMPT:
        stand_wide(w, s, c, d)

cdef inline void accrue_to(World* w, Slot* s, const Con* c, int64_t t, int64_t n) noexcept nogil:
    # bring the slot's totals to instant t, at which the net clock shows n
    cdef int64_t d = n - s.n_last
    if d <= 0:
        return
    if s.state == VALID and not w.beside:  # as most of the time
        add_valid(w, s, c, t, d)
        s.n_last = n
    else:
        accrue_unusual(w, s, c, t, n)

cdef inline void accrue_unusual(World* w, Slot* s, const Con* c, int64_t t, int64_t n) noexcept nogil:
    # accrue_to, of any slot
    cdef int64_t d = n - s.n_last
    if w.beside and s.state != NONE:
        accrue_beside(w, s, c, d)
    if s.state == VALID:
        add_valid(w, s, c, t, d)
    elif LAPSED <= s.state < DEEMED:
        add_lapse(w, s, c, d)
    else:
        add_other(w, s, c, d)
    s.n_last = n

cdef inline void accrue(World* w, Slot* s, const Con* c, int64_t t) noexcept nogil:
    accrue_to(w, s, c, t, net_clock(c, t))

cdef inline void count_hole(World* w, Con* c, int64_t t) noexcept nogil:
    # PRES-08: obliged time in which every maker's quote is known to fail, exempt or not. Since the last count neither
    # the cover nor what runs has changed; time that is not obliged leaves no trace
    cdef int64_t e = c.e_val + (t - c.t_last) * c.e_run
    cdef int64_t d = e - c.hole_e, before = c.hole_now, longest = w.p.longest_hole
    c.hole_e = e
    if d <= 0:
        return
    if c.cover == 0 and c.held:
        c.hole += d
        c.hole_now = before + d
        if longest >= 0 and before <= longest < c.hole_now:
            emit(w, w.slots + c.slot0, c, HOLE_OPEN, t - (c.hole_now - longest))
    elif before:
        if longest >= 0 and before > longest:
            emit(w, w.slots + c.slot0, c, HOLE_CLOSE, t - d)
        c.hole_now = 0

cdef inline void move_clocks(World* w, Con* c, int64_t t) noexcept nogil:
    # the clocks' values at t. What is exempt for all is obliged time of each slot, and has its place in windows
    cdef int32_t k
    cdef Slot* s
    if w.win != NULL:
        for k in range(c.slots):
            s = slot_at(w, c.slot0 + k)
            accrue(w, s, c, t)
            if c.e_run > c.n_run and s.state != NONE:
                add_windows(w, s, EXEMPT, t - c.t_last)
    count_hole(w, c, t)
    if c.n_run:
        c.n_at = t
    c.e_val += (t - c.t_last) * c.e_run
    c.n_val += (t - c.t_last) * c.n_run
    c.t_last = t

cdef inline uint8_t overrule(const World* w, const Slot* s, const Con* c, uint8_t state) noexcept nogil:
    # OBL-02, OBL-03, VAL-12: exclude, deem, unknown feed, policy for a missing theo; in this order
    if s.state == NONE:
        return NONE
    if s.ex & EXCLUDE:
        return EXEMPT
    if s.ex & DEEM:
        return DEEMED
    if s.unk:
        return UNKNOWN
    if not c.theo_ok and w.p.missing == MISSING_EXCLUDE and w.p.reads_theo:
        return EXEMPT
    return state

cdef inline uint8_t cover(World* w, Slot* s, Con* c, int64_t t, bint valid) noexcept nogil:
    # count the slot among those that are, or may be, valid; returns its bit
    cdef uint8_t maybe = MAYBE if valid else 0
    if maybe != (s.ex & MAYBE):
        count_hole(w, c, t)
        c.cover += 1 if maybe else -1
    return maybe

cdef inline void rejudge_fully(World* w, Slot* s, Con* c, int64_t t) noexcept nogil:
    cdef const Term* terms = terms_of(w, s, c)
    cdef Judged j = judge(s, c, w.p, terms, w.cells)
    cdef uint8_t state, maybe
    w.hangs = j.hang
    w.mask = j.mask
    if j.mask:
        state = LAPSED + MM_CTZ(j.mask)
    elif j.hang and w.p.missing != MISSING_SKIP:
        state = UNKNOWN
    else:
        state = VALID
    maybe = cover(w, s, c, t, (s.unk or j.mask == 0) and s.state != NONE)
    s.ex = (s.ex & ~(MAYBE | WIDE)) | maybe | (WIDE if j.mask & B_SPREAD else 0)
    s.theo_lo = j.lo
    s.theo_hi = j.hi
    s.state = overrule(w, s, c, state)
    s.rate = limit_use(s, c, w.p, terms, w.cells) if s.state == VALID else 0

cdef inline bint is_usual(const World* w, const Slot* s, const Con* c) noexcept nogil:
    # nothing but the spread decides, on a theo that is known
    return (w.common and c.theo_ok and not s.unk and not s.ex & ~(MAYBE | WIDE) and s.state != NONE
            and s.bid_size >= c.min_size and s.ask_size >= c.min_size and is_plain(s))

cdef inline void rejudge_usual(World* w, Slot* s, Con* c, const Term* terms, int64_t t) noexcept nogil:
    # rejudge_fully of a slot that is_usual
    cdef int64_t spread = s.ask - s.bid, lo = long_ago(), hi = never()
    cdef bint valid = True
    if not within_ticks(spread, c, terms):
        lo = theo_needed(spread, &terms[0])
        if c.theo < lo:
            valid = False
            hi = lo - 1
            lo = long_ago()
    s.ex = cover(w, s, c, t, valid) | (0 if valid else WIDE)
    s.theo_lo = lo
    s.theo_hi = hi
    s.state = VALID if valid else LAPSED + MM_CTZ(B_SPREAD)
    s.rate = common_use(spread, c, terms) if valid else 0

cdef inline void tell_watched(World* w, const Slot* s, int kind, int64_t t, uint8_t answer) noexcept nogil:
    # an edge of a watched slot: `n` is its instant, `state` the answer
    if MM_CHECKS and w.edge_count >= w.edge_room:
        w.overrun = True
        return
    cdef Edge* e = w.edges + w.edge_count
    w.edge_count += 1
    memset(e, 0, sizeof(Edge))
    e.n = t
    e.slot = <int32_t>(s - w.slots)
    e.kind = kind
    e.state = answer

cdef inline uint8_t answer_of(const World* w, const Slot* s) noexcept nogil:
    # does the standing quote pass? Of the judgement that was last
    if s.state == NONE or not s.ex & MAYBE:
        return V_FAILS
    if s.unk:
        return V_UNKNOWN
    return V_HANGS if w.hangs and w.p.missing != MISSING_SKIP else V_PASSES

cdef inline void witness(World* w, Slot* s, Con* c, int64_t t) noexcept nogil:
    cdef Reply* h = w.replies + (s - w.slots)
    if turn(h, w.latency, s, c, t, answer_of(w, s), w.mask) and s.watched:
        tell_watched(w, s, WATCHED, t, s.now)

cdef inline void note_quote(World* w, Slot* s, const Row* r) noexcept nogil:
    # at the end of an instant a side of those before it may be gone
    cdef uint8_t stand = (1 if r.a_size else 0) | (2 if r.b_size else 0)
    note(w.replies + (s - w.slots), w.latency, s, r.ts, BY_QUOTE)
    s.by = (s.by & ~BY_WITHDRAWAL) | (BY_WITHDRAWAL if s.had & ~stand else 0)

cdef inline void note_theo(World* w, Con* c, int64_t t) noexcept nogil:
    # what turned at this instant before the theo came may be its doing
    cdef int32_t k
    c.theo_at = t
    if w.replies != NULL and c.turn_at == t:
        for k in range(c.slots):
            if w.replies[c.slot0 + k].at == t:
                note(w.replies + c.slot0 + k, w.latency, w.slots + c.slot0 + k, t, BY_THEO)

cdef inline void rejudge(World* w, Slot* s, Con* c, int64_t t) noexcept nogil:
    # the slot must be accrued to t
    cdef uint8_t was = s.state
    w.hangs = False
    if is_usual(w, s, c):
        rejudge_usual(w, s, c, terms_of(w, s, c), t)
        w.mask = B_SPREAD
    else:
        rejudge_fully(w, s, c, t)
    if w.replies != NULL and (was != VALID or s.state != VALID):
        witness(w, s, c, t)
