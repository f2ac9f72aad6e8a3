# What one row of the tape does: a quote to its slot, a theo to all slots of its contract.
#
# Most quotes leave a valid quote valid: they take a short way, which leaves what the long one would. Plain twin:
# mm_monitor/kernels/reference.py.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from layout cimport *
from accrue cimport *
from judge cimport limit_use
from reply cimport sides
from rests cimport age_anew, expect, fall_due, remember, rest_anew
from scale cimport *

cdef enum:
    NOBODY = -1  # no such obligation
    STOP = -2    # not a row for this loop
    THEO = -3

cdef struct Place:  # of a contract's slots
    int32_t slot0
    int32_t ranks  # where the ranks of its class begin

cdef struct Finder:  # what it takes to find the slot of a row: little enough to stay in the first cache
    const Place* places
    const int32_t* rank
    int64_t contracts
    int64_t makers

cdef inline bint full(const World* w) noexcept nogil:
    return w.edge_count > w.edge_stop

cdef inline int64_t slot_of(const Finder* f, const Row* r) noexcept nogil:
    # slot of a quote, whether or not its contract is live, or THEO
    cdef const Place* place
    cdef int32_t k
    if <uint64_t>r.contract >= <uint64_t>f.contracts:
        return STOP
    if r.kind != K_QUOTE:
        return THEO if r.kind == K_THEO else STOP
    if <uint64_t>r.maker >= <uint64_t>f.makers:
        return NOBODY
    place = f.places + r.contract
    k = f.rank[place.ranks + r.maker]
    return NOBODY if k < 0 else <int64_t>place.slot0 + k

cdef inline int64_t fetch(const World* w, const Finder* f, const Row* r) noexcept nogil:
    # the slot of a row, whose memory is then on its way
    cdef int64_t slot = slot_of(f, r)
    cdef char* at
    if slot < 0:
        return slot
    at = <char*>(w.slots + slot)
    MM_PREFETCH(at)
    MM_PREFETCH(at + 64)
    MM_PREFETCH(<char*>(w.cons + r.contract))
    MM_PREFETCH(<char*>(w.scales + r.contract))
    if w.win != NULL:
        at = <char*>(w.win + slot * w.p.widths)
        MM_PREFETCH(at)
        MM_PREFETCH(at + 64)
    if w.rests != NULL:
        MM_PREFETCH(<char*>(w.rests + slot))
    return slot

cdef inline bint stays_usual(const Slot* s, const Con* c, const Row* r) noexcept nogil:
    # does a good quote of a later instant follow a valid one, with nothing but spread and sizes to decide, and nobody
    # waits for its answer? VALID is 0
    if (r.flags | s.state | s.unk | (s.ex ^ MAYBE) | s.relax | s.watched | (s.was ^ s.now)) != 0 or s.current != 0:
        return False
    return c.theo_ok and r.a_size >= c.min_size and r.b_size >= c.min_size

cdef inline bint is_alike(const Slot* s, const Row* r, bint by_width) noexcept nogil:
    # does a row of a later instant only move the prices of a valid quote, and nobody waits for its answer? VALID is 0
    cdef uint64_t bid = s.bid, ask = s.ask, a = r.a, b = r.b, differs
    if (r.flags | s.state | s.unk | (s.ex ^ MAYBE) | s.watched | (s.was ^ s.now)) != 0:
        return False
    if by_width:
        differs = ((ask - bid) ^ (b - a)) | ((bid | ask | a | b) >> 62)
    else:
        differs = (bid ^ a) | (ask ^ b)
    return (differs | <uint64_t>s.current | <uint32_t>(s.bid_size ^ r.a_size) | <uint32_t>(s.ask_size ^ r.b_size)) == 0

cdef inline void move_quote(World* w, Slot* s, const Con* c, const Row* r) noexcept nogil:
    # take_quote of a row that is_alike
    cdef int64_t n = net_clock(c, r.ts)
    if n > s.n_last:
        add_valid(w, s, c, r.ts, n - s.n_last)
        s.n_last = n
    s.had = sides(s)
    s.bid = r.a
    s.ask = r.b
    s.quote_ts = r.ts
    s.src = source(r)
    s.by_at = r.ts
    s.by = BY_QUOTE

cdef inline void change_quote(World* w, Slot* s, const Con* c, const Row* r, const Scale* scale) noexcept nogil:
    # take_quote of a row that stays_usual and is_scaled
    cdef uint64_t spread = <uint64_t>(r.b - r.a)
    move_quote(w, s, c, r)
    s.bid_size = r.a_size
    s.ask_size = r.b_size
    s.theo_lo = scaled_need(scale, spread)
    s.theo_hi = never()
    s.rate = scaled_use(scale, spread)

cdef inline bint take_shortly(World* w, Slot* s, const Con* c, const Row* r) noexcept nogil:
    # take_quote of a row that leaves a valid quote valid, as most do; False where it is not so simple
    cdef const Scale* scale
    if not w.common:
        if is_alike(s, r, w.by_width):
            move_quote(w, s, c, r)
            return True
        return False
    if not stays_usual(s, c, r):
        return False
    scale = scale_now(w.scales + r.contract, c, w.terms + <int64_t>c.stress * w.p.terms)
    if not is_scaled(scale, r.a, r.b):
        return False
    change_quote(w, s, c, r, scale)
    return True

cdef inline bint as_before(const World* w, const Slot* s, const Row* r) noexcept nogil:
    # does nothing that the tests read differ from the quote that stands? Then it need not be judged again
    if (r.a_size != s.bid_size or r.b_size != s.ask_size or s.unk or s.ex & STALE or r.flags & ROW_QUOTE_BAD
            or s.quote_ts == long_ago()):
        return False
    if w.by_width and <uint64_t>(s.bid | s.ask | r.a | r.b) < <uint64_t>1 << 62:
        return s.ask - s.bid == r.b - r.a
    return s.bid == r.a and s.ask == r.b

cdef inline void take_quote(World* w, Slot* s, Con* c, const Row* r) noexcept nogil:
    cdef bint again = as_before(w, s, r)
    cdef bint timed = w.rests != NULL
    accrue(w, s, c, r.ts)
    if timed:
        remember(w, s, r.ts)
    if w.replies != NULL and not r.flags & ROW_QUOTE_BAD:
        note_quote(w, s, r)
    if r.flags & ROW_QUOTE_BAD:
        s.unk |= BAD
        if timed:
            rest_anew(w, s, c, r.ts, r.flags, False)
    else:
        s.bid = r.a
        s.ask = r.b
        s.bid_size = r.a_size
        s.ask_size = r.b_size
        s.quote_ts = r.ts
        s.src = source(r)
        s.ex &= ~STALE
        s.unk = s.unk & (DOWN | WAIT) if s.unk & DOWN else 0  # a quote while down is no snapshot
        if timed:
            age_anew(w, s, c)
            rest_anew(w, s, c, r.ts, r.flags, True)
    if not again:
        rejudge(w, s, c, r.ts)
    if w.replies != NULL and s.watched:
        tell_watched(w, s, ANSWERED, r.ts, s.now)

cdef inline void set_theo(World* w, Con* c, const Row* r) noexcept nogil:
    c.theo_ok = not r.flags & ROW_THEO_MISSING
    if not c.theo_ok:
        return
    c.theo = r.a
    c.theo_src = source(r)
    c.theo_ts = r.ts
    c.theo_via = r.a_size
    c.theo_until = never()
    if w.p.theo_age >= 0 and w.p.missing != MISSING_HOLD and r.ts < never() - w.p.theo_age:
        c.theo_until = r.ts + w.p.theo_age
        expect(c, c.theo_until)

cdef inline bint may_break(const World* w, const Slot* s) noexcept nogil:
    # what an edge shows of the theo must be what stood at its instant
    return LAPSED <= s.state < DEEMED and (w.p.longest >= 0 or w.p.grace >= 0)

cdef inline void stay_valid(World* w, Slot* s, const Con* was, const Con* c, int64_t t, int64_t n,
                            const Scale* scale) noexcept nogil:
    # a valid slot whose verdict stands under a theo that has moved: its rate changes from here on
    if w.beside:
        accrue_to(w, s, was, t, n)
    elif n > s.n_last:
        add_valid(w, s, was, t, n - s.n_last)
        s.n_last = n
    if scale != NULL and s.relax == 0 and is_scaled(scale, s.bid, s.ask) and s.bid_size != 0 and s.ask_size != 0:
        s.rate = scaled_use(scale, s.ask - s.bid)
    else:
        s.rate = limit_use(s, c, w.p, terms_of(w, s, c), w.cells)

cdef inline void take_theo(World* w, Con* c, const Row* r) noexcept nogil:
    # VAL-11: only slots whose interval the theo leaves are judged again
    cdef bint gone = r.flags & ROW_THEO_MISSING
    cdef bint afresh = gone or not c.theo_ok
    cdef bint moved = r.a != c.theo
    cdef Con was = c[0]  # totals run up to here under the theo that was
    cdef int64_t theo = r.a, n = net_clock(c, r.ts)
    cdef const Scale* scale = NULL
    cdef int32_t k
    cdef Slot* s
    if gone and (not c.theo_ok or w.p.missing == MISSING_HOLD):
        return
    set_theo(w, c, r)
    if w.common and c.theo_ok:
        scale = scale_now(w.scales + r.contract, c, w.terms + <int64_t>c.stress * w.p.terms)
    for k in range(c.slots):
        s = slot_at(w, c.slot0 + k)
        if afresh or theo < s.theo_lo or theo > s.theo_hi:
            accrue_to(w, s, &was, r.ts, n)
            rejudge(w, s, c, r.ts)
            w.rejudged += 1
        elif s.state == VALID and moved:
            stay_valid(w, s, &was, c, r.ts, n, scale)
        elif may_break(w, s):
            accrue_to(w, s, &was, r.ts, n)
