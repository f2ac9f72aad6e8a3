# What the limit of most venues comes to on one contract, under its theo as it is: kept until that moves.
#
# It says at once whether a spread passes, and what share of the limit it uses: which of the two limits is the larger is
# the same for all quotes, so what is left of each is one division by one number: a multiplication by its reciprocal, and
# what that lacks. Plain twin: `limit_use` in reference_judge.py.

from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from layout cimport *

cdef extern from *:
    """
    #define MM_HIGH(a, b) ((uint64_t)(((unsigned __int128)(a) * (b)) >> 64))
    """
    uint64_t MM_HIGH(uint64_t a, uint64_t b) noexcept nogil

cdef struct Scale:
    const Term* terms   # without relief; NULL before it is first asked for
    int64_t theo
    int64_t tick
    uint64_t most       # the widest spread that passes; 0 where this is not the way: then ask the tests
    uint64_t by_ticks   # the widest that passes whatever theo is
    uint64_t part       # use = floor(spread * part / whole), which 64 bits hold up to `most`
    uint64_t whole
    uint64_t inverse    # floor((2^64 - 1) / whole)

cdef inline void renew_scale(Scale* scale, const Con* c, const Term* terms) noexcept nogil:
    # where is_common and theo is known
    cdef uint64_t by_ticks, by_share, den
    cdef bint ticks
    scale.terms, scale.theo, scale.tick, scale.most = terms, c.theo, c.tick, 0
    if (c.theo <= 0 or c.tick <= 0 or terms[0].num <= 0 or terms[1].num <= 0 or terms[0].den <= 0 or terms[1].den <= 0
            or MM_MUL(<uint64_t>c.tick, <uint64_t>terms[1].num, &by_ticks)
            or MM_MUL(<uint64_t>c.theo, <uint64_t>terms[0].num, &by_share)):
        return
    ticks = <u128>by_ticks * <uint64_t>terms[0].den >= <u128>by_share * <uint64_t>terms[1].den
    den = <uint64_t>(terms[1].den if ticks else terms[0].den)
    if MM_MUL(den, 1000000000, &scale.part):
        return
    scale.whole = by_ticks if ticks else by_share
    scale.inverse = UINT64_MAX // scale.whole
    scale.by_ticks = by_ticks // <uint64_t>terms[1].den
    scale.most = min(scale.whole // den, UINT64_MAX // scale.part)

cdef inline const Scale* scale_now(Scale* scale, const Con* c, const Term* terms) noexcept nogil:
    if scale.theo != c.theo or scale.terms != terms or scale.tick != c.tick:
        renew_scale(scale, c, terms)
    return scale

cdef inline bint is_scaled(const Scale* scale, int64_t bid, int64_t ask) noexcept nogil:
    # a plain quote of two sides that passes, and of which the scale can say more
    return <uint64_t>ask - <uint64_t>bid - 1 < scale.most and <uint64_t>(bid | ask) < <uint64_t>1 << 62

cdef inline uint32_t scaled_use(const Scale* scale, uint64_t spread) noexcept nogil:
    # of a quote that is_scaled; the reciprocal gives less, by one at most, which is added without a branch
    cdef uint64_t part = spread * scale.part, q = MM_HIGH(part, scale.inverse)
    return <uint32_t>(q + (part - q * scale.whole >= scale.whole))

cdef inline int64_t scaled_need(const Scale* scale, uint64_t spread) noexcept nogil:
    # the least theo under which such a quote passes
    cdef const Term* share = scale.terms
    if spread <= scale.by_ticks:
        return long_ago()
    return <int64_t>((spread * <uint64_t>share.den + <uint64_t>share.num - 1) // <uint64_t>share.num)
