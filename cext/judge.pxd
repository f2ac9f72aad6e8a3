# The validity tests VAL-01 to VAL-09 of one standing quote, in exact integers.
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

ctypedef fused Exact:  # of a spread and what it is held against: 64 bits where the quote is plain
    int64_t
    i128

cdef inline int64_t clamp(i128 x) noexcept nogil:
    if x > <i128>never():
        return never()
    if x < <i128>long_ago():
        return long_ago()
    return <int64_t>x

cdef inline int64_t floor_div(i128 a, int64_t b) noexcept nogil:
    # a >= 0, b > 0
    if a <= <i128>never():
        return <int64_t>(<uint64_t>a // <uint64_t>b)
    return clamp(<i128>(<u128>a // <u128>b))

cdef inline int64_t ceil_div(i128 a, int64_t b) noexcept nogil:
    # b > 0; a <= 0 gives a bound that every theo meets
    cdef int64_t q
    if a <= 0:
        return 0
    q = floor_div(a - 1, b)
    return q + 1 if q < never() else q

cdef inline bint is_plain(const Slot* s) noexcept nogil:
    # not crossed, and both prices, their sum and their difference are positive and fit 64 bits
    return s.bid < s.ask and <uint64_t>(s.bid | s.ask) < <uint64_t>1 << 62

cdef inline Exact base_of(const Term* term, Exact spread, const Slot* s, const Con* c) noexcept nogil:
    # what the term's num / den multiplies; computed in the type of `spread`
    if term.base == T_THEO:
        return c.theo
    if term.base == T_TICKS:
        return c.tick
    if term.base == T_BID:
        return s.bid
    if term.base == T_ASK:
        return s.ask
    if term.base == T_MID:
        return <Exact>s.bid + <Exact>s.ask
    if term.base == T_UNDERLYING:
        return c.under
    return term.value

cdef inline const Cell* cell_of(const Term* table, const Con* c, int64_t price, const Cell* cells) noexcept nogil:
    # the band of a table in which the price is; the last one is open
    cdef const Cell* cell = cells + table.value + c.bucket * table.num
    while price >= cell.until and cell.until != never():
        cell += 1
    return cell

cdef inline Term term_now(const Term* term, const Slot* s, const Con* c, const Cell* cells) noexcept nogil:
    # a term, or for a table what holds of it now
    cdef Term now = term[0]
    cdef const Cell* cell
    if term.base == T_TABLE_BID or term.base == T_TABLE_THEO:
        cell = cell_of(term, c, s.bid if term.base == T_TABLE_BID else c.theo, cells)
        now.base = cell.base
        now.num = cell.num
        now.den = cell.den
        now.value = cell.value
    return now

cdef inline bint reads_theo(const Term* term) noexcept nogil:
    return term.base == T_THEO or term.base == T_TABLE_THEO

cdef inline bint is_missing(const Term* term, const Con* c) noexcept nogil:
    # the term needs what is not known now
    return not c.theo_ok if reads_theo(term) else term.base == T_UNDERLYING and c.under == long_ago()

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

cdef inline int64_t theo_needed(Exact spread, const Term* term) noexcept nogil:
    # the least theo under which a theo term passes
    if term.num > 0:
        return ceil_div(<i128>spread * <i128>term.den, term.num)
    return 0 if spread <= 0 else never()

cdef inline bint is_common(const Param* p, const Term* terms) noexcept nogil:
    # the limit of most venues: a share of theo, or some ticks where that is more
    return (p.terms == 2 and terms[0].base == T_THEO and terms[1].base == T_TICKS and terms[0].num > 0
            and not p.combine_min)

cdef inline bint all_common(const Param* p, const Term* terms, int64_t reliefs) noexcept nogil:
    cdef int64_t i
    for i in range(reliefs):
        if not is_common(p, terms + i * p.terms):
            return False
    return p.size_num < 0

cdef inline bint reads_width(const Param* p, const Term* terms) noexcept nogil:
    # of a quote's prices the tests read only how far they are apart
    cdef int64_t k
    for k in range(p.terms):
        if terms[k].base == T_BID or terms[k].base == T_ASK or terms[k].base == T_MID or terms[k].base == T_TABLE_BID:
            return False
    return p.band_abs < 0 and p.band_num < 0 and p.min_rest < 0

cdef inline void judge_theo(Judged* j, const Con* c, int64_t bound) noexcept nogil:
    # the spread passes exactly while theo >= bound
    if not c.theo_ok:
        j.hang = True
        return
    if c.theo < bound:
        j.mask |= B_SPREAD
    at_least(j, bound, c.theo >= bound)

cdef inline bint within_ticks(int64_t spread, const Con* c, const Term* terms) noexcept nogil:
    # where is_common: does it pass whatever theo is?
    return <i128>spread * <i128>terms[1].den <= <i128>terms[1].num * <i128>c.tick

cdef inline void judge_common(Judged* j, int64_t spread, const Con* c, const Term* terms) noexcept nogil:
    # judge_spread of a plain quote where is_common
    if not within_ticks(spread, c, terms):
        judge_theo(j, c, theo_needed(spread, &terms[0]))

cdef inline bint in_band(Judged* j, Exact spread, const Term* table, const Con* c, const Cell* cells) noexcept nogil:
    # is the spread within the table's limit at this theo? The answer is of this band of theo
    cdef const Cell* cell = cell_of(table, c, c.theo, cells)
    cdef Term now
    cdef int64_t need
    if cell > cells + table.value + c.bucket * table.num:
        at_least(j, (cell - 1).until, True)
    if cell.until != never():
        at_most(j, cell.until - 1, True)
    if cell.base != T_THEO:
        return <i128>spread * <i128>cell.den <= <i128>cell.num * <i128>cell.value
    now.num = cell.num
    now.den = cell.den
    need = theo_needed(spread, &now)
    at_least(j, need, c.theo >= need)
    return c.theo >= need

cdef inline bint by_theo(Judged* j, Exact spread, const Con* c, const Param* p, const Term* terms, const Cell* cells,
                         bint decisive) noexcept nogil:
    # does the spread pass as far as the terms on theo say? As soon as one decides, only that one bounds the interval
    cdef int64_t k, need, bound = 0
    cdef bint shares = False
    for k in range(p.terms):
        if terms[k].base == T_THEO:
            need = theo_needed(spread, &terms[k])
            if shares and (need >= bound if decisive else need <= bound):
                need = bound
            bound = need
            shares = True
    if shares:
        at_least(j, bound, c.theo >= bound)
        if (c.theo >= bound) == decisive:
            return decisive
    for k in range(p.terms):
        if terms[k].base == T_TABLE_THEO and in_band(j, spread, &terms[k], c, cells) == decisive:
            return decisive
    return not decisive

cdef inline void judge_spread(Judged* j, Exact spread, const Slot* s, const Con* c, const Param* p,
                              const Term* terms, const Cell* cells) noexcept nogil:
    # VAL-06, VAL-10, VAL-12: max passes if any term does, min if all do; a term on what is missing is open
    cdef int64_t k
    cdef bint decisive = not p.combine_min  # one term within the largest, or one beyond the least, decides
    cdef bint within, gone = False, more = False
    cdef Term term
    for k in range(p.terms):
        if is_missing(&terms[k], c):
            gone = True
        elif not reads_theo(&terms[k]):
            term = term_now(&terms[k], s, c, cells)
            within = <i128>spread * <i128>term.den <= <i128>term.num * <i128>base_of(&term, spread, s, c)
            if within == decisive:
                if not decisive:
                    j.mask |= B_SPREAD
                return
        else:
            more = True
    if p.terms == 0 or (spread <= 0 and (gone or more)):
        return
    if more and by_theo(j, spread, c, p, terms, cells, decisive) == decisive:
        if not decisive:
            j.mask |= B_SPREAD
    elif gone:
        j.hang = True
    elif decisive:
        j.mask |= B_SPREAD

cdef inline uint64_t use_of(uint64_t spread, uint64_t den, Exact base, uint64_t num) noexcept nogil:
    # floor(1e9 * spread * den / (base * num)); base, num > 0. In 64 bits where they hold it
    cdef uint64_t part, whole
    if Exact is int64_t:
        if not (MM_MUL(<uint64_t>base, num, &whole) or MM_MUL(spread, den, &part)
                or MM_MUL(part, 1000000000, &part)):
            return part // whole
    return <uint64_t>clamp(<i128>(<u128>spread * <u128>den * 1000000000 // (<u128>base * <u128>num)))

cdef inline uint32_t least_use(Exact spread, const Slot* s, const Con* c, const Param* p,
                               const Term* terms, const Cell* cells) noexcept nogil:
    # floor is monotone, so the largest limit gives the least quotient
    cdef Exact base
    cdef Term term
    cdef uint64_t q, best = 0
    cdef bint found = False
    cdef int64_t k
    for k in range(p.terms):
        if is_missing(&terms[k], c):
            continue
        term = term_now(&terms[k], s, c, cells)
        base = base_of(&term, spread, s, c)
        if base <= 0 or term.num <= 0:
            continue
        q = use_of(<uint64_t>spread, <uint64_t>term.den, base, <uint64_t>term.num)
        if not found or (q > best if p.combine_min else q < best):
            best = q
        found = True
    return <uint32_t>(best if best < UINT32_MAX else UINT32_MAX)

cdef inline uint32_t common_use(int64_t spread, const Con* c, const Term* terms) noexcept nogil:
    # least_use of a plain quote where is_common
    cdef uint64_t q, best = UINT32_MAX
    if c.theo_ok and not within_ticks(spread, c, terms):  # it is valid, so theo gives the larger limit
        return <uint32_t>use_of(spread, terms[0].den, c.theo, terms[0].num)
    if c.tick > 0 and terms[1].num > 0:
        best = use_of(spread, terms[1].den, c.tick, terms[1].num)
    elif not c.theo_ok or c.theo <= 0:
        return 0
    if c.theo_ok and c.theo > 0:
        q = use_of(spread, terms[0].den, c.theo, terms[0].num)
        best = q if q < best else best
    return <uint32_t>(best if best < UINT32_MAX else UINT32_MAX)

cdef inline uint32_t limit_use(const Slot* s, const Con* c, const Param* p, const Term* terms,
                               const Cell* cells) noexcept nogil:
    # PRES-08, of a valid quote
    if s.bid_size == 0 or s.ask_size == 0:
        return 0
    if not is_plain(s):
        return least_use(<i128>s.ask - <i128>s.bid, s, c, p, terms, cells)
    if is_common(p, terms):
        return common_use(s.ask - s.bid, c, terms)
    return least_use(s.ask - s.bid, s, c, p, terms, cells)

cdef inline void judge_sizes(Judged* j, const Slot* s, const Con* c, const Param* p) noexcept nogil:
    # VAL-04, VAL-05
    cdef int64_t b = s.bid_size, a = s.ask_size, small, large
    if (b and b < c.min_size) or (a and a < c.min_size):
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
            low = ceil_div(<i128>s.bid * p.band_den, p.band_num + p.band_den)
        at_least(j, low, c.theo >= low)
        ok = c.theo >= low
    if s.ask_size:
        if p.band_abs >= 0:
            high = clamp(<i128>s.ask + p.band_abs)
        elif p.band_num < p.band_den:
            high = floor_div(<i128>s.ask * p.band_den, p.band_den - p.band_num)
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

cdef inline Judged judge(const Slot* s, const Con* c, const Param* p, const Term* terms,
                         const Cell* cells) noexcept nogil:
    cdef Judged j
    j.mask = 0
    j.hang = False
    j.lo = long_ago()
    j.hi = never()
    if not s.bid_size and not s.ask_size:
        j.mask = B_ABSENT
        return j
    if not s.bid_size or not s.ask_size:
        judge_one_side(&j, s, c, p)
    elif s.bid >= s.ask:
        j.mask |= B_CROSSED
    judge_sizes(&j, s, c, p)
    if s.bid_size and s.ask_size:
        if not is_plain(s):
            judge_spread(&j, <i128>s.ask - <i128>s.bid, s, c, p, terms, cells)
        elif is_common(p, terms):
            judge_common(&j, s.ask - s.bid, c, terms)
        else:
            judge_spread(&j, s.ask - s.bid, s, c, p, terms, cells)
    judge_band(&j, s, c, p)
    if s.ex & STALE:
        j.mask |= B_STALE
    if s.ex & FRESH:
        j.mask |= B_FLICKER
    if not c.theo_ok:  # whatever it is now, a theo that appears is looked at afresh
        j.lo = 1
        j.hi = 0
    return j
