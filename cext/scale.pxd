# A valid quote's use of the limit that most venues have, for all slots of a contract that get a new theo at once.
#
# Which of the two limits is the larger is the same for all of them, so what is left of each is one division by one
# number: a multiplication by its reciprocal, and what that lacks. Plain twin: `limit_use` in reference_judge.py.

from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from layout cimport *
from judge cimport is_plain

cdef extern from *:
    """
    #define MM_HIGH(a, b) ((uint64_t)(((unsigned __int128)(a) * (b)) >> 64))
    """
    uint64_t MM_HIGH(uint64_t a, uint64_t b) noexcept nogil

cdef struct Scale:
    uint64_t part     # use = floor(spread * part / whole)
    uint64_t whole
    uint64_t inverse  # floor((2^64 - 1) / whole)
    uint64_t widest   # of wider spreads, spread * part might not fit 64 bits; 0 where this is not the way

cdef inline Scale scale_of(const Con* c, const Term* terms) noexcept nogil:
    # where is_common and theo is known
    cdef Scale scale
    cdef uint64_t by_ticks, by_share
    cdef bint ticks
    scale.widest = 0
    if (c.theo <= 0 or c.tick <= 0 or terms[0].num <= 0 or terms[1].num <= 0
            or MM_MUL(<uint64_t>c.tick, <uint64_t>terms[1].num, &by_ticks)
            or MM_MUL(<uint64_t>c.theo, <uint64_t>terms[0].num, &by_share)):
        return scale
    ticks = <u128>by_ticks * <uint64_t>terms[0].den >= <u128>by_share * <uint64_t>terms[1].den
    scale.whole = by_ticks if ticks else by_share
    if MM_MUL(<uint64_t>(terms[1].den if ticks else terms[0].den), 1000000000, &scale.part):
        return scale
    scale.inverse = UINT64_MAX // scale.whole
    scale.widest = UINT64_MAX // scale.part
    return scale

cdef inline bint is_scaled(const Scale* scale, const Slot* s) noexcept nogil:
    return <uint64_t>(s.ask - s.bid) <= scale.widest and is_plain(s) and s.bid_size != 0 and s.ask_size != 0

cdef inline uint32_t scaled_use(const Scale* scale, uint64_t spread) noexcept nogil:
    # of a valid quote that is_scaled; the reciprocal is too small by less than two
    cdef uint64_t part = spread * scale.part, q = MM_HIGH(part, scale.inverse)
    cdef uint64_t rest = part - q * scale.whole
    while rest >= scale.whole:
        rest -= scale.whole
        q += 1
    return <uint32_t>q
