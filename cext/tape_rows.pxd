# What every decoder shares: where records lie, what a row says of its record, and the checks of a quote or theo.

from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint16_t
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


# --- checks (TAPE-04, NUM-02) ------------------------------------------------------------------

cdef inline unsigned char quote_code(const Row* row, const int64_t* ticks, int limit) noexcept nogil:
    """The first thing wrong with a quote: its time, its contract, its bid, its ask."""
    cdef unsigned char code
    if row.ts < 0:
        return BAD_TIME
    if row.contract < 0 or row.contract >= limit:
        return UNKNOWN_CONTRACT
    code = side_code(row.a, row.a_size, ticks[row.contract], BID)
    return code if code else side_code(row.b, row.b_size, ticks[row.contract], ASK)


cdef inline unsigned char side_code(int64_t price, int32_t size, int64_t tick, int side) noexcept nogil:
    """A withdrawn side (size 0) may have any price that is one; a size needs a positive price."""
    if size < 0:
        return side + BAD_SIZE
    if price == INT64_MIN:
        return OK if size == 0 else side + SIZE_WITHOUT_PRICE
    if price > max_price() or price < -max_price():
        return side + BAD_PRICE
    if tick and price % tick:
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

cdef inline int check_spans(int64_t size, const int64_t[::1] starts, const int64_t[::1] lengths) except -1:
    # every record lies in the buffer; length -1 is a null value, wherever it starts
    cdef Py_ssize_t i
    if starts.shape[0] != lengths.shape[0]:
        raise ValueError(f"starts: {lengths.shape[0]} elements wanted, got {starts.shape[0]}")
    for i in range(lengths.shape[0]):
        if lengths[i] < -1 or (lengths[i] >= 0 and not 0 <= starts[i] <= size - lengths[i]):
            raise ValueError(f"record {i}: {lengths[i]} bytes from {starts[i]}, the buffer has {size} bytes")
    return 0


cdef inline int check_call(
    int64_t size, const int64_t[::1] starts, const int64_t[::1] lengths, const int64_t[::1] offsets, int part,
) except -1:
    check_spans(size, starts, lengths)
    if offsets.shape[0] != lengths.shape[0]:
        raise ValueError(f"offsets: {lengths.shape[0]} elements wanted, got {offsets.shape[0]}")
    if not 0 <= part <= 0xFFFF:
        raise ValueError(f"part: 0 to 65535 wanted, got {part}")
    return 0


cdef inline int check_codes(Py_ssize_t rows, unsigned char[::1] codes) except -1:
    if codes.shape[0] != rows:
        raise ValueError(f"codes: {rows} elements wanted, got {codes.shape[0]}")
    return 0
