"""FIX quotes (MassQuote and Quote, tag=value) to tape rows; whatever is unusual in a message is left to others.

Plain is: a message that is framed right, with the tags that a quote needs, each once where it may be once; groups counted
right; times with 0, 3, 6 or 9 decimals; whole sizes; rows that no check refuses. Tags that say nothing of a quote are skipped.
The plain twin is mm_monitor/kernels/reference_scan_fix.py; what each tag means is in docs/fix.md.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint16_t, uint32_t, uint64_t

from layout cimport K_QUOTE, Row
from names cimport *
from numerals cimport *
from tape_rows cimport *

cdef enum:
    SOH = 1
    LEAST_ENTRY = 17     # bytes of the shortest entry, `299=1 55=C 134=0 `
    TRAILER = 7          # `10=ddd `
    MOST_ENTRIES = 65536
    PARTIES = 448        # where the maker is a party of some role
    # where in a message: its own fields, those of a set, those of an entry
    MESSAGE = 0
    SETS = 1             # behind 296: the first set must follow
    SET = 2
    ENTRIES = 3          # behind 295: the first entry must follow
    ENTRY = 4
    # what was seen of a quote
    HAS_TIME = 1
    HAS_CONTRACT = 2
    HAS_BID = 4
    HAS_ASK = 8
    HAS_BID_SIZE = 16
    HAS_ASK_SIZE = 32
    # and of a message
    HAS_SENT = 64
    HAS_MAKER = 128
    HAS_BID_DEFAULT = 256
    HAS_ASK_DEFAULT = 512

cdef struct Call:
    Names makers
    Names contracts
    const int64_t* ticks
    int contract_limit
    int maker_tag
    int contract_tag
    int role
    uint16_t part
    Divisors known

# A message as far as it was read.
cdef struct Message:
    const unsigned char* at
    const unsigned char* end    # of the body
    const unsigned char* limit  # of the buffer
    bint mass
    int where
    int seen                    # of the message
    int got                     # of the entry
    int64_t sets                # to come
    int64_t entries
    int64_t ts
    int64_t def_bid
    int64_t def_ask
    const NameCell* maker
    const unsigned char* party
    int64_t party_length
    int32_t rows


def scan_quotes(
    const unsigned char[::1] data, const int64_t[::1] starts, const int64_t[::1] lengths, const int64_t[::1] offsets,
    int part, const NameCell[::1] maker_cells, const unsigned char[::1] maker_pool, const NameCell[::1] contract_cells,
    const unsigned char[::1] contract_pool, const int64_t[::1] ticks, int maker_tag, int contract_tag, int role,
    Row[::1] rows, int32_t[::1] counts,
):
    """Rows of all plain messages; returns how many. `counts[i]` is how many record i has, -1 if it is not plain.

    As `scan_quotes` of json; `rows` has room for a row in every 17 bytes of each record. The maker is the value of
    `maker_tag`, or with tag 448 the party of `role`; the contract that of `contract_tag`.
    """
    cdef Py_ssize_t n = lengths.shape[0]
    cdef Py_ssize_t i
    cdef int64_t room = 0, k = 0
    cdef Call call
    check_call(data.shape[0], starts, lengths, offsets, part)
    if contract_tag < 10:
        raise ValueError(f"contract_tag: at least two digits wanted, got {contract_tag}")
    if counts.shape[0] != n:
        raise ValueError(f"counts: {n} elements wanted, got {counts.shape[0]}")
    for i in range(n):
        room += max(lengths[i], 0) // LEAST_ENTRY
    if rows.shape[0] < room:
        raise ValueError(f"rows: at least {room} elements wanted, got {rows.shape[0]}")
    call.makers = names_of(maker_cells, maker_pool)
    call.contracts = names_of(contract_cells, contract_pool)
    call.ticks = &ticks[0] if ticks.shape[0] else NULL
    call.contract_limit = <int> ticks.shape[0]
    call.maker_tag, call.contract_tag, call.role, call.part = maker_tag, contract_tag, role, <uint16_t> part
    no_divisors(&call.known)
    if room == 0:
        counts[:] = -1
        return 0
    cdef const unsigned char* base = &data[0]
    cdef const unsigned char* limit = base + data.shape[0]
    cdef Row* out = &rows[0]
    with nogil:
        for i in range(n):
            counts[i] = -1 if lengths[i] < LEAST_ENTRY else scan_message(
                &call, base + starts[i], base + starts[i] + lengths[i], limit, offsets[i], out + k
            )
            k += max(counts[i], 0)
    return k


cdef int32_t scan_message(Call* call, const unsigned char* start, const unsigned char* end, const unsigned char* limit,
                          int64_t offset, Row* rows) noexcept nogil:
    """Rows of a message, -1 if it is not plain."""
    cdef Message m
    cdef uint64_t tag
    if not framed(&m, start, end, limit):
        return -1
    m.where, m.seen, m.got, m.sets, m.entries, m.rows, m.maker, m.party = MESSAGE, 0, 0, 0, 0, 0, NULL, NULL
    m.def_bid, m.def_ask, m.ts = -1, -1, -1
    begin(call, &m, rows, offset)
    while m.at < m.end:
        if not scan_tag(&m, &tag):
            return -1
        if m.where == MESSAGE:
            if not message_field(call, &m, tag, rows):
                return -1
        elif not group_field(call, &m, tag, rows, offset):
            return -1
        if m.at >= m.end or m.at[0] != SOH:
            return -1
        m.at += 1
    if not m.mass:
        return 1 if finish(call, &m, rows) else -1
    if m.where != ENTRY or m.sets or m.entries or not finish(call, &m, rows):
        return -1
    return m.rows


cdef bint framed(Message* m, const unsigned char* start, const unsigned char* end, const unsigned char* limit) noexcept nogil:
    """Its version, length, type and checksum; the rest of the body is left. False if anything is unusual."""
    cdef const unsigned char* at = start + 5
    cdef const unsigned char* trailer = end - TRAILER
    cdef uint64_t length
    cdef uint32_t total = 0
    cdef int64_t i
    if end - start < 30 or start[0] != c'8' or start[1] != c'=' or start[2] != c'F' or start[3] != c'I' or start[4] != c'X':
        return False
    while at < trailer and at[0] != SOH:
        at += 1
    if trailer - at < 12 or at[1] != c'9' or at[2] != c'=':
        return False
    at += 3
    if scan_digits(&at, limit, 7, &length) == 0 or trailer - at < 6 or at[0] != SOH:
        return False
    at += 1
    if trailer - at != <int64_t> length or at[0] != c'3' or at[1] != c'5' or at[2] != c'=' or at[4] != SOH:
        return False
    if (trailer - 1)[0] != SOH or trailer[0] != c'1' or trailer[1] != c'0' or trailer[2] != c'=' or trailer[6] != SOH:
        return False
    for i in range(trailer - start):
        total += start[i]
    if (trailer[3] - 48) * 100 + (trailer[4] - 48) * 10 + trailer[5] - 48 != <int> (total & 255):
        return False
    if trailer[4] < 48 or trailer[4] > 57 or trailer[5] < 48 or trailer[5] > 57:
        return False
    m.mass = at[3] == c'i'
    m.at = at + 5
    m.end = trailer
    m.limit = limit
    return m.mass or at[3] == c'S'


cdef inline void begin(Call* call, Message* m, Row* rows, int64_t offset) noexcept nogil:
    """A row for the entry that starts."""
    place(rows + m.rows, -1, offset, call.part, <uint16_t> m.rows, K_QUOTE)
    rows[m.rows].a = INT64_MIN
    rows[m.rows].b = INT64_MIN
    m.got = 0
    m.rows += 1


cdef bint finish(Call* call, Message* m, Row* rows) noexcept nogil:
    """The row of the entry that ends: False if it is not plain."""
    cdef Row* row = rows + m.rows - 1
    if not m.got & HAS_CONTRACT or not m.got & (HAS_BID | HAS_ASK | HAS_BID_SIZE | HAS_ASK_SIZE) or not m.seen & HAS_MAKER:
        return False
    if not m.got & HAS_TIME:
        if not m.seen & (HAS_TIME | HAS_SENT):
            return False
        row.ts = m.ts
    if m.maker != NULL:
        row.maker = m.maker.index
        row.account = <uint16_t> m.maker.number
    if m.got & HAS_BID and not m.got & HAS_BID_SIZE:
        row.a_size = <int32_t> m.def_bid
    if m.got & HAS_ASK and not m.got & HAS_ASK_SIZE:
        row.b_size = <int32_t> m.def_ask
    if quote_code(row, call.ticks, call.contract_limit, &call.known) != OK:
        return False
    settle_quote(row, OK, call.ticks)
    return True


# --- fields ------------------------------------------------------------------------------------

cdef inline bint scan_tag(Message* m, uint64_t* tag) noexcept nogil:
    """A tag and its sign; something must follow."""
    cdef const unsigned char* at = m.at
    if at[0] < 49 or at[0] > 57:
        return False
    tag[0] = at[0] - 48
    at += 1
    while at < m.end and 48 <= at[0] <= 57 and at - m.at < 6:
        tag[0] = tag[0] * 10 + at[0] - 48
        at += 1
    if m.end - at < 3 or at[0] != c'=' or at[1] == SOH:
        return False
    m.at = at + 1
    return True


cdef inline int64_t to_end(Message* m) noexcept nogil:
    """Past the value: its length. The body ends with SOH."""
    cdef const unsigned char* start = m.at
    cdef uint64_t ones = <uint64_t> 0x0101010101010101
    cdef uint64_t x, ends
    while True:
        x = eight(m.at, m.limit) ^ ones
        ends = (x - ones) & ~x & (ones * 128)
        if ends:
            m.at += MM_FIRST_BYTE(ends)
            return m.at - start
        m.at += 8


cdef inline const NameCell* find(const Names* names, Message* m) noexcept nogil:
    """The cell of a name, past it; NULL for an unknown one."""
    cdef const unsigned char* name = m.at
    cdef int64_t length = to_end(m)
    cdef uint64_t second = kept(eight(name + 8, m.limit), length - 8) if length > 8 else 0
    return find_name(names, name, length, kept(eight(name, m.limit), length), second)


cdef inline bint once(int* seen, int bit) noexcept nogil:
    """Is it the first of its kind?"""
    if seen[0] & bit:
        return False
    seen[0] |= bit
    return True


cdef bint message_field(Call* call, Message* m, uint64_t tag, Row* rows) noexcept nogil:
    """A field of the message itself; False if it is not plain."""
    cdef uint64_t role
    if tag == <uint64_t> call.maker_tag and tag != PARTIES:
        m.maker = find(&call.makers, m)
        return once(&m.seen, HAS_MAKER)
    if tag == 52:
        if m.seen & HAS_TIME:
            to_end(m)
            return once(&m.seen, HAS_SENT)
        return once(&m.seen, HAS_SENT) and scan_time(m, &m.ts)
    if tag == 60:
        return once(&m.seen, HAS_TIME) and scan_time(m, &m.ts)
    if tag == 448 and call.maker_tag == PARTIES:
        m.party = m.at
        m.party_length = to_end(m)
        return True
    if tag == 452 and call.maker_tag == PARTIES:
        if scan_digits(&m.at, m.limit, 9, &role) == 0 or m.party == NULL:
            return False
        if role == <uint64_t> call.role:
            m.maker = party_cell(call, m)
            m.party = NULL
            return once(&m.seen, HAS_MAKER)
        m.party = NULL
        return True
    if m.mass:
        if tag == 293:
            return once(&m.seen, HAS_BID_DEFAULT) and scan_size(m, &m.def_bid)
        if tag == 294:
            return once(&m.seen, HAS_ASK_DEFAULT) and scan_size(m, &m.def_ask)
        if tag == 296:
            m.where = SETS
            m.rows = 0
            return scan_count(m, &m.sets)
        return skip_field(m, tag)
    return quote_field(call, m, tag, rows)


cdef bint group_field(Call* call, Message* m, uint64_t tag, Row* rows, int64_t offset) noexcept nogil:
    """A field behind the number of sets; False if it is not plain."""
    if tag == 299:
        if m.where < ENTRIES or m.entries == 0 or m.rows == MOST_ENTRIES or (m.where == ENTRY and not finish(call, m, rows)):
            return False
        m.entries -= 1
        m.where = ENTRY
        begin(call, m, rows, offset)
        to_end(m)
        return True
    if tag == 302:
        if m.sets == 0 or m.entries or (m.where != SETS and (m.where != ENTRY or not finish(call, m, rows))):
            return False
        m.sets -= 1
        m.where = SET
        to_end(m)
        return True
    if tag == 295:
        if m.where != SET:
            return False
        m.where = ENTRIES
        return scan_count(m, &m.entries)
    if m.where == ENTRY:
        return tag != 296 and quote_field(call, m, tag, rows)
    return m.where == SET and tag != 296 and not of_quote(call, tag) and skip_field(m, tag)


cdef inline bint of_quote(Call* call, uint64_t tag) noexcept nogil:
    return tag == <uint64_t> call.contract_tag or 132 <= tag <= 135 or tag == 60


cdef inline bint quote_field(Call* call, Message* m, uint64_t tag, Row* rows) noexcept nogil:
    """A field of an entry, or of a single quote; False if it is not plain."""
    cdef Row* row = rows + m.rows - 1
    cdef const NameCell* cell
    cdef int64_t size = 0
    if tag == <uint64_t> call.contract_tag:
        cell = find(&call.contracts, m)
        if cell != NULL:
            row.contract = cell.index
        return once(&m.got, HAS_CONTRACT)
    if tag == 132:
        return once(&m.got, HAS_BID) and scan_fix_price(m, &row.a)
    if tag == 133:
        return once(&m.got, HAS_ASK) and scan_fix_price(m, &row.b)
    if tag == 134:
        if not once(&m.got, HAS_BID_SIZE) or not scan_size(m, &size):
            return False
        row.a_size = <int32_t> size
        return True
    if tag == 135:
        if not once(&m.got, HAS_ASK_SIZE) or not scan_size(m, &size):
            return False
        row.b_size = <int32_t> size
        return True
    if tag == 60:
        return once(&m.got, HAS_TIME) and scan_time(m, &row.ts)
    return skip_field(m, tag)


cdef inline bint skip_field(Message* m, uint64_t tag) noexcept nogil:
    """Past a field that says nothing of a quote; False for one that may change how the message is read.

    Those are PossDupFlag, the tags of the frame, and the lengths of data in which SOH may stand.
    """
    if tag == 43 or 8 <= tag <= 10 or tag == 35 or tells_length(tag):
        return False
    to_end(m)
    return True


cdef inline bint tells_length(uint64_t tag) noexcept nogil:
    """Is its value the length of the data that follows?"""
    if tag < 348:
        return tag == 90 or tag == 93 or tag == 95 or tag == 212
    if tag < 446:
        return (tag <= 364 and tag % 2 == 0) or tag == 445
    return tag == 618 or tag == 621 or tag == 1184 or tag == 1401 or tag == 1403 or tag == 1664 or tag == 2351


cdef const NameCell* party_cell(Call* call, Message* m) noexcept nogil:
    """The cell of the party that was read last."""
    cdef int64_t length = m.party_length
    cdef uint64_t second = kept(eight(m.party + 8, m.limit), length - 8) if length > 8 else 0
    return find_name(&call.makers, m.party, length, kept(eight(m.party, m.limit), length), second)


# --- values ------------------------------------------------------------------------------------

cdef inline bint scan_size(Message* m, int64_t* out) noexcept nogil:
    cdef uint64_t value
    if scan_digits(&m.at, m.limit, 10, &value) == 0 or value > 0x7FFFFFFF:
        return False
    out[0] = <int64_t> value
    return True


cdef inline bint scan_count(Message* m, int64_t* out) noexcept nogil:
    return scan_size(m, out) and out[0] > 0


cdef inline bint scan_fix_price(Message* m, int64_t* out) noexcept nogil:
    cdef bint negative = m.at[0] == c'-'
    m.at += negative
    if not scan_decimal(&m.at, m.limit, False, out):
        return False
    if negative:
        out[0] = -out[0]
    return True


cdef inline int two(const unsigned char* at) noexcept nogil:
    """Two digits, -1 if they are none."""
    if at[0] < 48 or at[0] > 57 or at[1] < 48 or at[1] > 57:
        return -1
    return (at[0] - 48) * 10 + at[1] - 48


cdef bint scan_time(Message* m, int64_t* out) noexcept nogil:
    """`YYYYMMDD-HH:MM:SS`, then nothing or a point and 3, 6 or 9 digits; a leap second is the next one's start.

    Years 1970 to 2261, so that every instant is an int64 of nanoseconds.
    """
    cdef const unsigned char* at = m.at
    cdef uint64_t fraction
    cdef int64_t days, seconds, year
    cdef int century, month, day, hours, minutes, second
    if m.end - at < 18:
        return False
    century, year, month, day = two(at), two(at + 2), two(at + 4), two(at + 6)
    hours, minutes, second = two(at + 9), two(at + 12), two(at + 15)
    if at[8] != c'-' or at[11] != c':' or at[14] != c':' or century < 0 or year < 0:
        return False
    year += 100 * century
    if not (1970 <= year <= 2261 and 1 <= month <= 12 and 1 <= day <= days_of(year, month)):
        return False
    if not (0 <= hours <= 23 and 0 <= minutes <= 59 and 0 <= second <= 60):
        return False
    days = days_to(year, month) + day - 1
    seconds = days * 86400 + hours * 3600 + minutes * 60 + second
    out[0] = seconds * 1000000000
    m.at = at + 17
    if m.at[0] != c'.':
        return True
    m.at += 1
    month = scan_digits(&m.at, m.limit, 9, &fraction)
    if month != 3 and month != 6 and month != 9:
        return False
    out[0] += <int64_t> fraction * (1000000 if month == 3 else 1000 if month == 6 else 1)
    return True


cdef inline bint leap(int64_t year) noexcept nogil:
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


cdef inline int days_of(int64_t year, int month) noexcept nogil:
    """Days of a month."""
    if month == 2:
        return 29 if leap(year) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef inline int64_t days_to(int64_t year, int month) noexcept nogil:
    """Days from 1970 to the first of a month."""
    cdef int64_t y = year - (month <= 2)
    cdef int64_t shifted = (month + 9) % 12
    return 365 * y + y // 4 - y // 100 + y // 400 + (153 * shifted + 2) // 5 - 719468
