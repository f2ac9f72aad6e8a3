# What every decoder shares: where records lie, what a row says of its record, and the checks of a quote or theo.

from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from layout cimport K_QUOTE, K_THEO, ROW_QUOTE_BAD, ROW_THEO_MISSING, Row

# Code: the same numbers as mm_monitor.kernels.reference_decode.Code.
cdef enum:
    OK = 0
    BAD_TIME = 1
    UNKNOWN_CONTRACT = 2
    UNKNOWN_MAKER = 3
    BAD_THEO = 4
    BID = 8
    ASK = 16
    # of a side, added to BID or ASK
    BAD_SIZE = 0
    BAD_PRICE = 1
    OFF_TICK = 2
    SIZE_WITHOUT_PRICE = 3
    NON_POSITIVE = 4

# How rows follow each other: each before the next, some repeats of one, some after the next.
cdef enum:
    UNSORTED = 0
    REPEATS = 1
    STRICT = 2

# What rows have in common that were looked at one after the other; as `survey` of merge.pyx tells it.
cdef struct Survey:
    int order
    int64_t least
    int64_t greatest

# A price tick and what is multiplied to see whether it divides a price: a division takes ten times as long.
cdef struct Divisor:
    int64_t tick
    uint64_t inverse    # of its odd part, modulo 2**64
    uint64_t most       # quotient of any multiple, at most
    int twos            # how often 2 divides it

cdef enum:
    DIVISORS = 16       # a power of two

cdef struct Divisors:
    Divisor latest      # most prices have the tick of the price before: nothing waits for the place of theirs
    Divisor of[DIVISORS]

cdef extern from *:
    """
    #define MM_TWOS(x) __builtin_ctzll(x)
    """
    int MM_TWOS(uint64_t x) noexcept nogil
    bint unlikely(bint x) noexcept nogil  # Cython's own


cdef inline void no_divisors(Divisors* known) noexcept nogil:
    cdef int i
    new_divisor(&known.latest, 1)
    for i in range(DIVISORS):
        known.of[i].tick = 0


cdef inline const Divisor* divisor_of(Divisors* known, int64_t tick) noexcept nogil:
    """Of a tick over 0."""
    if unlikely(known.latest.tick != tick):
        find_divisor(known, tick)
    return &known.latest


cdef inline void find_divisor(Divisors* known, int64_t tick) noexcept nogil:
    cdef Divisor* d = &known.of[(<uint64_t> tick * <uint64_t> 0x9E3779B97F4A7C15) >> 60]
    if d.tick != tick:
        new_divisor(d, tick)
    known.latest = d[0]


cdef inline void new_divisor(Divisor* d, int64_t tick) noexcept nogil:
    cdef uint64_t odd
    cdef int i
    d.tick = tick
    d.twos = MM_TWOS(<uint64_t> tick)
    d.most = (<uint64_t> 0 - 1) // <uint64_t> tick
    odd = <uint64_t> tick >> d.twos
    d.inverse = odd  # right in 3 bits, and each step doubles them
    for i in range(5):
        d.inverse *= 2 - odd * d.inverse


cdef inline bint divides(const Divisor* d, uint64_t price) noexcept nogil:
    """Is `price` a multiple of the tick? That is, is it one of the odd part, in whole twos?"""
    cdef uint64_t x = price * d.inverse
    return (x >> d.twos | x << ((64 - d.twos) & 63)) <= d.most


cdef inline bint before(const Row* a, const Row* b) noexcept nogil:
    """The one total order of the tape."""
    if a.ts != b.ts:
        return a.ts < b.ts
    if a.kind != b.kind:
        return a.kind < b.kind
    if a.part != b.part:
        return a.part < b.part
    if a.offset != b.offset:
        return a.offset < b.offset
    return a.sub < b.sub


cdef inline void look(Survey* s, const Row* row, bint is_first) noexcept nogil:
    """Take one more row into account, which lies behind the one before."""
    if is_first:
        s.order = STRICT
        s.least = s.greatest = row.ts
    elif row.ts > s.greatest:
        s.greatest = row.ts
    else:
        if row.ts < s.least:
            s.least = row.ts
        if s.order != UNSORTED:
            if before(row, row - 1):
                s.order = UNSORTED
            elif not before(row - 1, row):
                s.order = REPEATS


cdef inline int64_t max_price() noexcept nogil:
    return 9200000000000000000


cdef inline void place(Row* row, int64_t ts, int64_t offset, uint16_t part, uint16_t sub, uint8_t kind) noexcept nogil:
    """What every row says of its record; all else is zero, and nobody is its maker."""
    row.ts = ts
    row.offset = offset
    row.a = 0
    row.b = 0
    row.a_size = 0
    row.b_size = 0
    row.maker = -1
    row.contract = -1
    row.part = part
    row.sub = sub
    row.kind = kind
    row.flags = 0
    row.account = 0


cdef inline uint64_t plain_price(int64_t price) noexcept nogil:
    """Its uppermost bit is set unless the price is over 0 and no more than may be."""
    return (<uint64_t> price - 1) | (<uint64_t> max_price() - <uint64_t> price)


# --- checks (TAPE-04, NUM-02) ------------------------------------------------------------------

cdef inline unsigned char quote_code(const Row* row, const int64_t* ticks, int limit, Divisors* known) noexcept nogil:
    """The first thing wrong with a quote: its time, its contract, its bid, its ask."""
    cdef unsigned char code
    cdef const Divisor* d
    # What nearly every quote is: two sides with sizes and prices over 0, none of them more than may be.
    cdef uint64_t signs = <uint64_t> row.ts | <uint64_t> row.contract | <uint64_t> (limit - 1 - <int64_t> row.contract)
    signs |= (<uint64_t> row.a_size - 1) | (<uint64_t> row.b_size - 1)
    signs |= plain_price(row.a) | plain_price(row.b)
    if <int64_t> signs >= 0 and ticks[row.contract] > 0:
        d = divisor_of(known, ticks[row.contract])
        if divides(d, row.a) and divides(d, row.b):
            return OK
    if row.ts < 0:
        return BAD_TIME
    if row.contract < 0 or row.contract >= limit:
        return UNKNOWN_CONTRACT
    code = side_code(row.a, row.a_size, ticks[row.contract], BID, known)
    return code if code else side_code(row.b, row.b_size, ticks[row.contract], ASK, known)


cdef inline unsigned char side_code(int64_t price, int32_t size, int64_t tick, int side, Divisors* known) noexcept nogil:
    """A withdrawn side (size 0) may have any price that is one; a size needs a positive price."""
    if size < 0:
        return side + BAD_SIZE
    if price == INT64_MIN:
        return OK if size == 0 else side + SIZE_WITHOUT_PRICE
    if price > max_price() or price < -max_price():
        return side + BAD_PRICE
    if tick > 0 and not divides(divisor_of(known, tick), price if price >= 0 else -price):
        return side + OFF_TICK
    if size and price <= 0:
        return side + NON_POSITIVE
    return OK


cdef inline unsigned char theo_code(const Row* row) noexcept nogil:
    """The first thing wrong with a theo: its time, its contract, its value."""
    if row.ts < 0:
        return BAD_TIME
    if row.contract < 0:
        return UNKNOWN_CONTRACT
    if row.a != INT64_MIN and (row.a < 0 or row.a > max_price()):
        return BAD_THEO
    return OK


cdef inline int settle_quote(Row* row, unsigned char code, const int64_t* ticks) noexcept nogil:
    """Nothing of a bad quote is left but that it changed; a withdrawn side has no price."""
    if code == OK and ticks[row.contract] == 0:
        return False
    if code:
        row.a_size = 0
        row.b_size = 0
        row.flags = ROW_QUOTE_BAD
    if row.a_size == 0:
        row.a = 0
    if row.b_size == 0:
        row.b = 0
    return code != OK


cdef inline int settle_theo(Row* row, unsigned char code) noexcept nogil:
    """A theo that is withdrawn, or bad, has no value."""
    if code or row.a == INT64_MIN:
        row.a = 0
        row.flags = ROW_THEO_MISSING
    return code != OK


# --- arguments ---------------------------------------------------------------------------------

cdef inline bint lies_within(int64_t size, int64_t start, int64_t length) noexcept nogil:
    """Does a record lie in a buffer of `size` bytes? One of length -1 is a null value, wherever it starts."""
    return length == -1 or (length >= 0 and 0 <= start <= size - length)


cdef inline int check_spans(int64_t size, const int64_t[::1] starts, const int64_t[::1] lengths) except -1:
    # every record lies in the buffer
    cdef Py_ssize_t i
    if starts.shape[0] != lengths.shape[0]:
        raise ValueError(f"starts: {lengths.shape[0]} elements wanted, got {starts.shape[0]}")
    for i in range(lengths.shape[0]):
        if not lies_within(size, starts[i], lengths[i]):
            raise ValueError(f"record {i}: {lengths[i]} bytes from {starts[i]}, the buffer has {size} bytes")
    return 0


cdef inline int check_columns(Py_ssize_t n, const int64_t[::1] starts, const int64_t[::1] offsets, int part) except -1:
    if starts.shape[0] != n:
        raise ValueError(f"starts: {n} elements wanted, got {starts.shape[0]}")
    if offsets.shape[0] != n:
        raise ValueError(f"offsets: {n} elements wanted, got {offsets.shape[0]}")
    if not 0 <= part <= 0xFFFF:
        raise ValueError(f"part: 0 to 65535 wanted, got {part}")
    return 0


cdef inline int check_call(
    int64_t size, const int64_t[::1] starts, const int64_t[::1] lengths, const int64_t[::1] offsets, int part,
) except -1:
    check_spans(size, starts, lengths)
    return check_columns(lengths.shape[0], starts, offsets, part)


cdef inline int check_codes(Py_ssize_t rows, unsigned char[::1] codes) except -1:
    if codes.shape[0] != rows:
        raise ValueError(f"codes: {rows} elements wanted, got {codes.shape[0]}")
    return 0
