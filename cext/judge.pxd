# The validity tests VAL-01 to VAL-08 of one standing quote, in exact integers.
#
# `judge` is a pure function of quote, theo and rulebook. It also gives the interval of theo in which its whole mask
# stands (VAL-11). Plain twin: mm_monitor/kernels/reference.py, which is the specification.

from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from layout cimport *

cdef struct Judged:
    unsigned int mask   # bit of every failing test
    bint hang           # a test hangs on a missing theo
    int64_t lo
    int64_t hi
    uint32_t rate       # floor(1e9 * spread / limit), 0 where there is no such ratio

cdef inline int64_t clamp(i128 x) noexcept nogil:
    if x > <i128>never():
        return never()
    if x < <i128>long_ago():
        return long_ago()
    return <int64_t>x

cdef inline int64_t floor_div(i128 a, i128 b) noexcept nogil:
    # a >= 0, b > 0
    if a <= <i128>never() and b <= <i128>never():
        return <int64_t>(<uint64_t>a // <uint64_t>b)
    return clamp(<i128>(<u128>a // <u128>b))

cdef inline int64_t ceil_div(i128 a, i128 b) noexcept nogil:
    # b > 0; a <= 0 gives a bound that every theo meets
    cdef int64_t q
    if a <= 0:
        return 0
    q = floor_div(a - 1, b)
    return q + 1 if q < never() else q

cdef inline i128 term_base(const Term* term, const Slot* s, const Con* c) noexcept nogil:
    if term.base == T_THEO:
        return <i128>c.theo
    if term.base == T_BID:
        return <i128>s.bid
    if term.base == T_ASK:
        return <i128>s.ask
    if term.base == T_MID:
        return <i128>s.bid + <i128>s.ask
    if term.base == T_TICKS:
        return <i128>c.tick
    return <i128>term.value

cdef inline void at_least(Judged* j, int64_t bound, bint now) noexcept nogil:
    # a test that passes exactly while theo >= bound
    if now:
        if bound > j.lo:
            j.lo = bound
    elif bound - 1 < j.hi:
        j.hi = bound - 1

cdef inline void at_most(Judged* j, int64_t bound, bint now) noexcept nogil:
    # a test that passes exactly while theo <= bound
    if now:
        if bound < j.hi:
            j.hi = bound
    elif bound < never() and bound + 1 > j.lo:
        j.lo = bound + 1

cdef inline void judge_spread(Judged* j, const Slot* s, const Con* c, const Param* p, const Term* terms) noexcept nogil:
    # VAL-06, VAL-10, VAL-12: max passes if any term does, min if all do; a term on a missing theo is open
    cdef i128 spread = <i128>s.ask - <i128>s.bid
    cdef int64_t k, need, bound = 0
    cdef bint known_pass = False, known_fail = False, theo_terms = False
    for k in range(p.terms):
        if terms[k].base == T_THEO:
            need = ceil_div(spread * <i128>terms[k].den, <i128>terms[k].num) if terms[k].num > 0 else (
                0 if spread <= 0 else never())
            if not theo_terms:
                bound = need
            elif p.combine_min:
                bound = need if need > bound else bound
            else:
                bound = need if need < bound else bound
            theo_terms = True
        elif spread * <i128>terms[k].den <= <i128>terms[k].num * term_base(&terms[k], s, c):
            known_pass = True
        else:
            known_fail = True
    if p.combine_min:
        if known_fail:
            j.mask |= B_SPREAD
            return
    elif known_pass:
        return
    if not theo_terms:
        if known_fail:
            j.mask |= B_SPREAD
        return
    if spread <= 0:
        return
    if not c.theo_ok:
        j.hang = True
        return
    if c.theo < bound:
        j.mask |= B_SPREAD
        at_least(j, bound, False)
    else:
        at_least(j, bound, True)

cdef inline uint32_t limit_use(const Slot* s, const Con* c, const Param* p, const Term* terms) noexcept nogil:
    # PRES-08: floor is monotone, so the largest limit gives the least quotient
    cdef i128 spread = <i128>s.ask - <i128>s.bid
    cdef i128 base
    cdef int64_t k, q, best = -1
    if s.bid_size == 0 or s.ask_size == 0:
        return 0
    for k in range(p.terms):
        if terms[k].base == T_THEO and not c.theo_ok:
            continue
        base = term_base(&terms[k], s, c) * <i128>terms[k].num
        if base <= 0:
            continue
        q = floor_div(spread * <i128>terms[k].den * 1000000000, base)
        if best < 0 or (q > best if p.combine_min else q < best):
            best = q
    if best < 0:
        return 0
    return <uint32_t>(best if best < UINT32_MAX else UINT32_MAX)

cdef inline void judge_sizes(Judged* j, const Slot* s, const Param* p) noexcept nogil:
    # VAL-04, VAL-05
    cdef int64_t b = s.bid_size, a = s.ask_size, small, large
    if (b and b < p.min_size) or (a and a < p.min_size):
        j.mask |= B_SIZE
    if p.size_num < 0 or not b or not a:
        return
    small = b if b < a else a
    large = a if b < a else b
    if p.size_of == 0:
        if <i128>(large - small) * p.size_den > <i128>small * p.size_num:
            j.mask |= B_UNEQUAL
    elif p.size_of == 1:
        if <i128>(large - small) * p.size_den > <i128>large * p.size_num:
            j.mask |= B_UNEQUAL
    elif <i128>(large - small) * 2 * p.size_den > <i128>(small + large) * p.size_num:
        j.mask |= B_UNEQUAL

cdef inline void judge_band(Judged* j, const Slot* s, const Con* c, const Param* p) noexcept nogil:
    # VAL-07: bid <= theo + band and ask >= theo - band
    cdef int64_t low, high
    cdef bint ok = True
    if p.band_abs < 0 and p.band_num < 0:
        return
    if not c.theo_ok:
        j.hang = True
        return
    if s.bid_size:
        if p.band_abs >= 0:
            low = clamp(<i128>s.bid - p.band_abs)
        else:
            low = ceil_div(<i128>s.bid * p.band_den, <i128>p.band_num + p.band_den)
        at_least(j, low, c.theo >= low)
        ok = c.theo >= low
    if s.ask_size:
        if p.band_abs >= 0:
            high = clamp(<i128>s.ask + p.band_abs)
        elif p.band_num < p.band_den:
            high = floor_div(<i128>s.ask * p.band_den, <i128>p.band_den - p.band_num)
        else:
            high = never()
        at_most(j, high, c.theo <= high)
        ok = ok and c.theo <= high
    if not ok:
        j.mask |= B_OFF_THEO

cdef inline void judge_one_side(Judged* j, const Slot* s, const Con* c, const Param* p) noexcept nogil:
    # VAL-02 with the zero-bid rule
    if s.ex & ONE_SIDE:
        return
    if s.bid_size or p.zero_bid < 0:
        j.mask |= B_ONE_SIDED
    elif not c.theo_ok:
        j.hang = True
    else:
        at_most(j, p.zero_bid - 1, c.theo < p.zero_bid)
        if c.theo >= p.zero_bid:
            j.mask |= B_ONE_SIDED

cdef inline Judged judge(const Slot* s, const Con* c, const Param* p, const Term* terms) noexcept nogil:
    cdef Judged j
    j.mask = 0
    j.hang = False
    j.lo = long_ago()
    j.hi = never()
    j.rate = 0
    if not s.bid_size and not s.ask_size:
        j.mask = B_ABSENT
        return j
    if not s.bid_size or not s.ask_size:
        judge_one_side(&j, s, c, p)
    elif s.bid >= s.ask:
        j.mask |= B_CROSSED
    judge_sizes(&j, s, p)
    if s.bid_size and s.ask_size:
        judge_spread(&j, s, c, p, terms)
    judge_band(&j, s, c, p)
    if s.ex & STALE:
        j.mask |= B_STALE
    if not c.theo_ok:  # whatever it is now, a theo that appears is looked at afresh
        j.lo = 1
        j.hi = 0
    return j
