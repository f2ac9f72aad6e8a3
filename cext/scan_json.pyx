"""Plain json of our own schema to tape rows; whatever is unusual in a record is left to others, record by record.

Plain is: an object or an array of objects, our members and no others, each once and in any order; names of printable ASCII
without a backslash; integers without exponent; prices as numbers or text of at most 11 and 8 digits around an optional point,
null or empty; rows that no check refuses. The plain twin is mm_monitor/kernels/reference_scan_json.py.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint64_t

from layout cimport K_QUOTE, K_THEO, ROW_THEO_DELTA, Row
from names cimport *
from numerals cimport *
from tape_rows cimport *

cdef enum:
    LEAST_QUOTE = 95  # bytes of the shortest plain quote, and theo
    LEAST_THEO = 38
    MOST_ELEMENTS = 65536
    # members, as bits of what was seen
    TS_EVENT = 1
    MAKER = 2
    CONTRACT = 4
    BID_PRICE = 8
    BID_SIZE = 16
    ASK_PRICE = 32
    ASK_SIZE = 64
    QUOTE_MEMBERS = 127
    THEO = 128
    DELTA = 256
    THEO_MEMBERS = 133  # ts_event, contract, theo
    LEAST_MEMBER = 9    # bytes of `"theo":0}`

# What a call knows; `limit` is the end of the buffer, so that eight bytes at once stay inside.
cdef struct Scan:
    Names makers
    Names contracts
    const int64_t* ticks
    int contract_limit
    const unsigned char* limit
    Divisors known
    uint16_t part


def fill_names(
    const unsigned char[::1] pool, const int64_t[::1] starts, const int64_t[::1] lengths, const int32_t[::1] indices,
    const int32_t[::1] numbers, NameCell[::1] cells,
):
    """Fill a table of names for the scanners: name i is `lengths[i]` >= 1 bytes of `pool` from `starts[i]` on.

    `cells` is a power of two of NAME, more than there are names; names differ from each other. Raises ValueError otherwise,
    but for equal names, of which the first is found.
    """
    cdef Py_ssize_t n = lengths.shape[0]
    cdef Py_ssize_t i
    cdef Names names = names_of(cells, pool)
    check_spans(pool.shape[0], starts, lengths)
    if indices.shape[0] != n or numbers.shape[0] != n or cells.shape[0] <= n:
        raise ValueError(f"names: {n} indices and numbers and more cells, got {indices.shape[0]}, {numbers.shape[0]}, "
                         f"{cells.shape[0]}")
    if pool.shape[0] > 0x7FFFFFFF:
        raise ValueError(f"pool: under 2 GiB wanted, got {pool.shape[0]} bytes")
    for i in range(cells.shape[0]):
        cells[i].length = -1
    for i in range(n):
        if lengths[i] < 1:
            raise ValueError(f"names[{i}]: at least 1 byte wanted, got {lengths[i]}")
        add_name(&names, &cells[0], starts[i], lengths[i], indices[i], numbers[i])


def scan_quotes(
    const unsigned char[::1] data, const int64_t[::1] starts, const int64_t[::1] lengths, const int64_t[::1] offsets,
    int part, const NameCell[::1] maker_cells, const unsigned char[::1] maker_pool, const NameCell[::1] contract_cells,
    const unsigned char[::1] contract_pool, const int64_t[::1] ticks, Row[::1] rows, int32_t[::1] counts,
):
    """Rows of all plain records; returns how many. `counts[i]` is how many record i has, -1 if it is not plain.

    Record i is `lengths[i]` bytes of `data` from `starts[i]` on, a null value if that is -1. `rows` has room for
    `most_rows("quotes", ...)`. A contract with tick 0 is left to the caller, as by `decode_quotes`.
    """
    cdef Scan scan
    scan.makers = names_of(maker_cells, maker_pool)
    scan.contracts = names_of(contract_cells, contract_pool)
    scan.ticks = &ticks[0] if ticks.shape[0] else NULL
    scan.contract_limit = <int> ticks.shape[0]
    return scan_records(&scan, True, data, starts, lengths, offsets, part, rows, counts)


def scan_theos(
    const unsigned char[::1] data, const int64_t[::1] starts, const int64_t[::1] lengths, const int64_t[::1] offsets,
    int part, const NameCell[::1] contract_cells, const unsigned char[::1] contract_pool, Row[::1] rows,
    int32_t[::1] counts,
):
    """Rows of all plain theo records; as `scan_quotes`."""
    cdef Scan scan
    scan.contracts = names_of(contract_cells, contract_pool)
    scan.makers = scan.contracts
    scan.ticks = NULL
    scan.contract_limit = 0x7FFFFFFF
    return scan_records(&scan, False, data, starts, lengths, offsets, part, rows, counts)


cdef object scan_records(
    Scan* scan, bint quotes, const unsigned char[::1] data, const int64_t[::1] starts, const int64_t[::1] lengths,
    const int64_t[::1] offsets, int part, Row[::1] rows, int32_t[::1] counts,
):
    """All records of a call: their rows one behind the other."""
    cdef Py_ssize_t n = lengths.shape[0]
    cdef Py_ssize_t i
    cdef int64_t room = 0, k = 0
    cdef int least = LEAST_QUOTE if quotes else LEAST_THEO
    check_call(data.shape[0], starts, lengths, offsets, part)
    if counts.shape[0] != n:
        raise ValueError(f"counts: {n} elements wanted, got {counts.shape[0]}")
    for i in range(n):
        room += max(lengths[i], 0) // least
    if rows.shape[0] < room:
        raise ValueError(f"rows: at least {room} elements wanted, got {rows.shape[0]}")
    if room == 0:
        counts[:] = -1
        return 0
    cdef const unsigned char* base = &data[0]
    cdef Row* out = &rows[0]
    scan.limit = base + data.shape[0]
    scan.part = <uint16_t> part
    no_divisors(&scan.known)
    with nogil:
        for i in range(n):
            counts[i] = -1 if lengths[i] < least else scan_record(
                scan, quotes, base + starts[i], base + starts[i] + lengths[i], offsets[i], out + k
            )
            k += max(counts[i], 0)
    return k


# --- a record ----------------------------------------------------------------------------------

cdef int32_t scan_record(Scan* scan, bint quotes, const unsigned char* at, const unsigned char* end, int64_t offset,
                         Row* rows) noexcept nogil:
    """Rows of a record, -1 if it is not plain."""
    cdef int32_t count = 0
    at = skip(at, end)
    if at < end and at[0] == c'{':
        at = scan_object(scan, quotes, at + 1, end, offset, 0, rows)
        return 1 if at != NULL and skip(at, end) == end else -1
    if at == end or at[0] != c'[':
        return -1
    while count < MOST_ELEMENTS:
        at = skip(at + 1, end)
        if at == end or at[0] != c'{':
            return -1
        at = scan_object(scan, quotes, at + 1, end, offset, <uint16_t> count, rows + count)
        if at == NULL:
            return -1
        count += 1
        at = skip(at, end)
        if at == end:
            return -1
        if at[0] == c']':
            return count if skip(at + 1, end) == end else -1
        if at[0] != c',':
            return -1
    return -1


cdef inline const unsigned char* scan_object(Scan* scan, bint quotes, const unsigned char* at, const unsigned char* end,
                                             int64_t offset, uint16_t sub, Row* out) noexcept nogil:
    """An object from behind its brace: what follows its end, NULL if it is not plain.

    `out` is written only when the object is known to be as long as a plain one is: before that there may be no room.
    """
    cdef Row row
    cdef uint8_t known
    place(&row, 0, offset, scan.part, sub, K_QUOTE if quotes else K_THEO)
    if quotes:
        at = scan_quote(scan, at, end, &row)
        if at == NULL or quote_code(&row, scan.ticks, scan.contract_limit, &scan.known) != OK:
            return NULL
        settle_quote(&row, OK, scan.ticks)
    else:
        at = scan_theo(scan, at, end, &row)
        if at == NULL or theo_code(&row) != OK:
            return NULL
        known = row.flags
        settle_theo(&row, OK)
        row.flags |= known  # a theo that is withdrawn may have a delta
    out[0] = row
    return at


cdef inline const unsigned char* scan_quote(Scan* scan, const unsigned char* at, const unsigned char* end,
                                            Row* row) noexcept nogil:
    """Members of a quote up to its closing brace; NULL if they are not plain."""
    cdef const NameCell* cell
    cdef int64_t number = 0
    cdef unsigned int seen = 0
    cdef unsigned int member
    while True:
        member = scan_key(&at, end)
        if member == 0 or member & seen:
            return NULL
        seen |= member
        if member == MAKER:
            if not scan_name(&at, end, scan.limit, &scan.makers, &cell):
                return NULL
            if cell != NULL:
                row.maker = cell.index
                row.account = <uint16_t> cell.number
        elif member == CONTRACT:
            if not scan_name(&at, end, scan.limit, &scan.contracts, &cell) or cell == NULL:
                return NULL
            row.contract = cell.index
        elif member == BID_PRICE:
            if not scan_price(&at, end, scan.limit, &row.a):
                return NULL
        elif member == ASK_PRICE:
            if not scan_price(&at, end, scan.limit, &row.b):
                return NULL
        elif member == TS_EVENT:
            if not scan_integer(&at, end, scan.limit, INT64_MAX, &row.ts):
                return NULL
        elif member == BID_SIZE or member == ASK_SIZE:
            if not scan_integer(&at, end, scan.limit, 0x7FFFFFFF, &number):
                return NULL
            if member == BID_SIZE:
                row.a_size = <int32_t> number
            else:
                row.b_size = <int32_t> number
        else:
            return NULL
        at = skip(at, end)
        if at == end:
            return NULL
        if at[0] == c'}':
            return at + 1 if seen == QUOTE_MEMBERS else NULL
        if at[0] != c',':
            return NULL
        at += 1


cdef inline const unsigned char* scan_theo(Scan* scan, const unsigned char* at, const unsigned char* end,
                                           Row* row) noexcept nogil:
    """Members of a theo up to its closing brace; NULL if they are not plain."""
    cdef const NameCell* cell
    cdef int64_t delta = INT64_MIN
    cdef unsigned int seen = 0
    cdef unsigned int member
    while True:
        member = scan_key(&at, end)
        if member == 0 or member & seen:
            return NULL
        seen |= member
        if member == CONTRACT:
            if not scan_name(&at, end, scan.limit, &scan.contracts, &cell) or cell == NULL:
                return NULL
            row.contract = cell.index
        elif member == THEO:
            if not scan_price(&at, end, scan.limit, &row.a):
                return NULL
        elif member == TS_EVENT:
            if not scan_integer(&at, end, scan.limit, INT64_MAX, &row.ts):
                return NULL
        elif member != DELTA or not scan_price(&at, end, scan.limit, &delta):
            return NULL
        at = skip(at, end)
        if at == end:
            return NULL
        if at[0] == c'}':
            break
        if at[0] != c',':
            return NULL
        at += 1
    if seen & ~<unsigned int> DELTA != THEO_MEMBERS:
        return NULL
    if delta != INT64_MIN:
        row.b = delta
        row.flags = ROW_THEO_DELTA
    return at + 1


# --- members -----------------------------------------------------------------------------------

cdef inline const unsigned char* skip(const unsigned char* at, const unsigned char* end) noexcept nogil:
    """Past white space."""
    while at < end and at[0] <= 32 and (at[0] == 32 or at[0] == 10 or at[0] == 13 or at[0] == 9):
        at += 1
    return at


cdef inline uint64_t word(const char* text) noexcept nogil:
    """Eight letters as they are compared; a constant."""
    cdef uint64_t value
    memcpy(&value, text, 8)
    return value


cdef inline unsigned int scan_key(const unsigned char** cursor, const unsigned char* end) noexcept nogil:
    """Which member it is, up to its value; 0 for none of ours."""
    cdef const unsigned char* at = skip(cursor[0], end)
    cdef uint64_t key
    cdef unsigned int member
    if end - at < LEAST_MEMBER or at[0] != c'"':
        return 0
    memcpy(&key, at + 1, 8)
    at += 9
    if key == word("bid_size"):
        member = BID_SIZE
    elif key == word("ask_size"):
        member = ASK_SIZE
    elif key == word("bid_pric") and at < end and at[0] == c'e':
        member = BID_PRICE
        at += 1
    elif key == word("ask_pric") and at < end and at[0] == c'e':
        member = ASK_PRICE
        at += 1
    elif key == word("ts_event"):
        member = TS_EVENT
    elif key == word("contract"):
        member = CONTRACT
    elif (key ^ word("maker\"\0\0")) << 16 == 0:
        member = MAKER
        at -= 3
    elif (key ^ word("theo\"\0\0\0")) << 24 == 0:
        member = THEO
        at -= 4
    elif (key ^ word("delta\"\0\0")) << 16 == 0:
        member = DELTA
        at -= 3
    else:
        return 0
    if at >= end or at[0] != c'"':
        return 0
    at = skip(at + 1, end)
    if at == end or at[0] != c':':
        return 0
    cursor[0] = skip(at + 1, end)
    return member


cdef inline uint64_t text_ends(uint64_t x) noexcept nogil:
    """The high bit of every byte that ends plain text or is none: quote, backslash, control, beyond ASCII.

    Bytes above the lowest that is marked may be marked wrongly: only the lowest counts.
    """
    cdef uint64_t ones = <uint64_t> 0x0101010101010101
    cdef uint64_t high = <uint64_t> 0x8080808080808080
    cdef uint64_t quote = x ^ (ones * 34)
    cdef uint64_t slash = x ^ (ones * 92)
    return (((x - ones * 32) & ~x) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | x) & high


cdef inline bint scan_name(const unsigned char** cursor, const unsigned char* end, const unsigned char* limit,
                           const Names* names, const NameCell** cell) noexcept nogil:
    """A name in quotes: its cell, NULL for an unknown one. False if it is not plain, or empty."""
    cdef const unsigned char* start = cursor[0] + 1
    cdef const unsigned char* at = start
    cdef uint64_t first, second = 0, ends, x
    cdef int64_t length
    if at >= end or cursor[0][0] != c'"':
        return False
    first = eight(at, limit)
    ends = text_ends(first)
    if not ends:
        at += 8
        x = second = eight(at, limit)
        ends = text_ends(x)
        while not ends:
            at += 8
            x = eight(at, limit)  # zeros behind the limit are controls: they end it
            ends = text_ends(x)
    at += MM_FIRST_BYTE(ends)
    length = at - start
    if at >= end or at[0] != c'"' or length == 0:
        return False
    first = kept(first, length)
    second = kept(second, length - 8) if length > 8 else 0
    cell[0] = find_name(names, start, length, first, second)
    cursor[0] = at + 1
    return True


cdef inline bint scan_integer(const unsigned char** cursor, const unsigned char* end, const unsigned char* limit, uint64_t most,
                              int64_t* out) noexcept nogil:
    """An integer from 0 to `most` as JSON writes it. Something must follow, or it is none."""
    cdef const unsigned char* at = cursor[0]
    cdef uint64_t value
    cdef int n
    if at >= end:
        return False
    n = scan_digits(cursor, limit, 19, &value)
    if n == 0 or value > most or (n > 1 and at[0] == c'0'):
        return False
    out[0] = <int64_t> value
    return cursor[0] < end


cdef inline bint scan_price(const unsigned char** cursor, const unsigned char* end, const unsigned char* limit,
                            int64_t* out) noexcept nogil:
    """A decimal in units of 10^-8, as text or a number; null and empty text are absent. False if it is not plain."""
    cdef const unsigned char* at = cursor[0]
    cdef bint text
    cdef bint negative
    if end - at < 2:
        return False
    text = at[0] == c'"'
    at += text
    if text and at[0] == c'"':
        out[0] = INT64_MIN
        cursor[0] = at + 1
        return True
    if at[0] == c'n' and not text:
        out[0] = INT64_MIN
        cursor[0] = at + 4
        return end - at > 4 and at[1] == c'u' and at[2] == c'l' and at[3] == c'l'
    negative = at[0] == c'-'
    at += negative
    if not scan_decimal(&at, limit, not text, out) or at >= end:
        return False
    if negative:
        out[0] = -out[0]
    if text:
        if at[0] != c'"':
            return False
        at += 1
    cursor[0] = at
    return True


# --- the table ---------------------------------------------------------------------------------

cdef void add_name(const Names* names, NameCell* cells, int64_t start, int64_t length, int32_t index, int32_t number) noexcept nogil:
    """A name that may be there already; a cell is free."""
    cdef const unsigned char* name = names.pool + start
    cdef uint64_t first = kept(eight(name, name + length), length)
    cdef uint64_t second = eight(name + 8, name + length) if length > 8 else 0
    cdef uint64_t h = name_hash(first, second, length)
    cdef NameCell* cell
    if find_name(names, name, length, first, second) != NULL:
        return
    if length > 16:
        h = long_hash(h, name, length)
    cell = cells + (h & names.mask)
    while cell.length >= 0:
        h += 1
        cell = cells + (h & names.mask)
    cell.first = first
    cell.second = second
    cell.start = <int32_t> start
    cell.length = <int32_t> length
    cell.index = index
    cell.number = number
