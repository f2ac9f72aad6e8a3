# Digits of text to integers, eight at once: what the scanners of text share.

from libc.stdint cimport int64_t, uint64_t
from names cimport eight, kept
from tape_rows cimport max_price

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "eight bytes of text are read as one little-endian number"
    #endif
    #define MM_FIRST_BYTE(x) (__builtin_ctzll(x) >> 3)
    """
    int MM_FIRST_BYTE(uint64_t x) noexcept nogil


cdef inline int digits_in(uint64_t x) noexcept nogil:
    """How many of the eight bytes, from the first on, are digits, where `x` is them less '0' each."""
    cdef uint64_t other = ((x + <uint64_t> 0x7676767676767676) | x) & <uint64_t> 0x8080808080808080
    return MM_FIRST_BYTE(other) if other else 8


cdef inline uint64_t eight_digits(uint64_t x) noexcept nogil:
    """The number of eight digits, the first in the lowest byte."""
    x = (x * 2561) >> 8
    x = ((x & <uint64_t> 0x00FF00FF00FF00FF) * 6553601) >> 16
    return ((x & <uint64_t> 0x0000FFFF0000FFFF) * <uint64_t> 42949672960001) >> 32


cdef inline int scan_digits(const unsigned char** cursor, const unsigned char* limit, int most, uint64_t* value) noexcept nogil:
    """Digits up to what is none: how many, 0 for none or over `most` (at most 19)."""
    cdef const unsigned char* at = cursor[0]
    cdef uint64_t zeros = <uint64_t> 0x3030303030303030
    cdef uint64_t x = eight(at, limit) ^ zeros
    cdef int n = digits_in(x)
    cdef int total = n
    cdef int k
    value[0] = 0
    while n == 8:
        value[0] = value[0] * 100000000 + eight_digits(x)
        if total > most:
            return 0
        x = eight(at + total, limit) ^ zeros
        n = digits_in(x)
        total += n
    if total > most or total == 0:
        return 0
    if n:
        if total > n:
            for k in range(n):
                value[0] *= 10
        value[0] += eight_digits(x << (64 - 8 * n))
    cursor[0] = at + total
    return total


cdef inline bint scan_decimal(const unsigned char** cursor, const unsigned char* limit, bint strict, int64_t* out) noexcept nogil:
    """At most 11 digits and, behind a point, 1 to 8; `strict` numbers have no leading zeros."""
    cdef const unsigned char* at = cursor[0]
    cdef const unsigned char* start = at
    cdef uint64_t whole, x
    cdef int n = scan_digits(&at, limit, 11, &whole)
    if n == 0 or (strict and n > 1 and start[0] == c'0'):
        return False
    whole *= 100000000
    if at < limit and at[0] == c'.':
        at += 1
        x = eight(at, limit) ^ <uint64_t> 0x3030303030303030
        n = digits_in(x)
        if n == 0 or (n == 8 and at + 8 < limit and 48 <= at[8] <= 57):
            return False
        whole += eight_digits(kept(x, n))
        at += n
    if whole > <uint64_t> max_price():
        return False
    out[0] = <int64_t> whole
    cursor[0] = at
    return True
