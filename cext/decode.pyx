"""Packed records to tape rows, and the checks of TAPE-04 that every codec shares.

One call takes all records of a chunk, wherever they lie in one buffer. Row i gets a code: 0 is a good row, any
other is a reason of `Code`. The plain twin is mm_monitor/kernels/reference_decode.py; the layout of a
packed record is described in docs/formats.md.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from layout cimport K_QUOTE, K_THEO, Row
from tape_rows cimport *

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "packed records are little-endian and are read as they lie in memory"
    #endif
    """

cdef enum:
    HEADER_BYTES = 8
    SCHEMA = 77
    QUOTES = 1
    THEOS = 2

cdef packed struct Header:
    uint8_t block_length
    uint8_t template_id
    uint8_t schema_id
    uint8_t version
    uint16_t row_length
    uint16_t row_count

cdef packed struct PackedQuote:
    int64_t ts_event
    int64_t bid_price
    int64_t ask_price
    int32_t bid_size
    int32_t ask_size
    uint32_t maker
    uint32_t contract

cdef packed struct PackedTheo:
    int64_t ts_event
    int64_t theo
    uint32_t contract
    uint32_t reserved

# An open-addressing table from numeric ids to indices; see mm_monitor.codecs.directory.IdTable.
cdef struct Ids:
    const uint32_t* keys
    const int32_t* values
    uint32_t mask
    int limit

# What a call knows.
cdef struct Call:
    Ids makers
    Ids contracts
    const int64_t* ticks
    unsigned char* named
    int64_t contracts_named     # elements of `named`
    int64_t room                # for rows
    Divisors* known
    uint16_t part


def packed_layout():
    """Offset of every field of the packed structs, by struct and field, with `size`; for the tests."""
    cdef Header h
    cdef PackedQuote q
    cdef PackedTheo t
    return {
        "header": {
            "block_length": <size_t> &h.block_length - <size_t> &h,
            "template_id": <size_t> &h.template_id - <size_t> &h,
            "schema_id": <size_t> &h.schema_id - <size_t> &h,
            "version": <size_t> &h.version - <size_t> &h,
            "row_length": <size_t> &h.row_length - <size_t> &h,
            "row_count": <size_t> &h.row_count - <size_t> &h,
            "size": sizeof(Header),
        },
        "quote": {
            "ts_event": <size_t> &q.ts_event - <size_t> &q,
            "bid_price": <size_t> &q.bid_price - <size_t> &q,
            "ask_price": <size_t> &q.ask_price - <size_t> &q,
            "bid_size": <size_t> &q.bid_size - <size_t> &q,
            "ask_size": <size_t> &q.ask_size - <size_t> &q,
            "maker": <size_t> &q.maker - <size_t> &q,
            "contract": <size_t> &q.contract - <size_t> &q,
            "size": sizeof(PackedQuote),
        },
        "theo": {
            "ts_event": <size_t> &t.ts_event - <size_t> &t,
            "theo": <size_t> &t.theo - <size_t> &t,
            "contract": <size_t> &t.contract - <size_t> &t,
            "reserved": <size_t> &t.reserved - <size_t> &t,
            "size": sizeof(PackedTheo),
        },
    }


def decode_quotes(
    const unsigned char[::1] data,
    const int64_t[::1] starts,
    const int64_t[::1] lengths,
    const int64_t[::1] offsets,
    int part,
    const uint32_t[::1] maker_keys,
    const int32_t[::1] maker_values,
    const uint32_t[::1] contract_keys,
    const int32_t[::1] contract_values,
    const int64_t[::1] ticks,
    Row[::1] rows,
    unsigned char[::1] codes,
    int32_t[::1] counts,
    unsigned char[::1] named,
):
    """Quote rows of all readable records into `rows`, their codes into `codes`.

    Record i is `lengths[i]` bytes of `data` from `starts[i]` on, none if that is -1 (a null value). `counts[i]` is how
    many rows it has, -1 if it cannot be read; `rows` and `codes` have room for a row in every 40 bytes of each record;
    `named` (contracts,) is set to 1 for those that are named. A bad row is flagged QUOTE_BAD and carries no prices.
    `ticks` (10^-8) is indexed like the table's values; of a contract with tick 0 the caller knows better: its prices
    are not held against a tick, and those of withdrawn sides are left.

    Returns the number of rows, of bad ones and of records that cannot be read, and what `survey` says of the rows.
    """
    cdef Call call
    call.makers = _table(maker_keys, maker_values, 0x7FFFFFFF)
    call.contracts = _table(contract_keys, contract_values, ticks.shape[0])
    call.ticks = &ticks[0] if ticks.shape[0] else NULL
    return _decode(call, QUOTES, data, starts, lengths, offsets, part, rows, codes, counts, named)


def decode_theos(
    const unsigned char[::1] data,
    const int64_t[::1] starts,
    const int64_t[::1] lengths,
    const int64_t[::1] offsets,
    int part,
    const uint32_t[::1] contract_keys,
    const int32_t[::1] contract_values,
    Row[::1] rows,
    unsigned char[::1] codes,
    int32_t[::1] counts,
    unsigned char[::1] named,
):
    """Theo rows of all readable records, with room for one in every 24 bytes; as `decode_quotes`."""
    cdef Call call
    call.contracts = _table(contract_keys, contract_values, 0x7FFFFFFF)
    call.makers, call.ticks = call.contracts, NULL
    return _decode(call, THEOS, data, starts, lengths, offsets, part, rows, codes, counts, named)


cdef object _decode(
    Call call, int template_id, const unsigned char[::1] data, const int64_t[::1] starts, const int64_t[::1] lengths,
    const int64_t[::1] offsets, int part, Row[::1] rows, unsigned char[::1] codes, int32_t[::1] counts,
    unsigned char[::1] named,
):
    """All records of a call: their rows one behind the other."""
    cdef Py_ssize_t n = lengths.shape[0]
    cdef Py_ssize_t i = 0
    cdef int64_t size = data.shape[0]
    cdef int64_t k = 0, bad = 0, unread = 0
    cdef int32_t count, usual_count = -1
    cdef int64_t usual_length = -1
    cdef uint64_t header, usual = 0  # most records begin as the one before, and are as long
    cdef bint fits = True
    cdef Survey survey
    cdef Divisors known
    check_columns(n, starts, offsets, part)
    check_codes(rows.shape[0], codes)
    if counts.shape[0] != n:
        raise ValueError(f"counts: {n} elements wanted, got {counts.shape[0]}")
    cdef const unsigned char* base = &data[0] if size else NULL
    call.part, call.room, call.contracts_named = <uint16_t> part, rows.shape[0], named.shape[0]
    call.named = &named[0] if named.shape[0] else NULL
    no_divisors(&known)
    call.known = &known
    survey.order, survey.least, survey.greatest = STRICT, 0, 0
    with nogil:
        while i < n:
            if not lies_within(size, starts[i], lengths[i]):
                break
            count = -1
            if lengths[i] >= HEADER_BYTES:
                memcpy(&header, base + starts[i], HEADER_BYTES)
                if header != usual or lengths[i] != usual_length:
                    usual, usual_length = header, lengths[i]
                    usual_count = record_rows(base + starts[i], lengths[i], template_id)
                count = usual_count
            counts[i] = count
            if count > call.room - k:
                fits = False
                break
            if count > 0:
                if template_id == QUOTES:
                    bad += quote_record(&call, base + starts[i], offsets[i], count, &rows[k], &codes[k], &survey, k == 0)
                else:
                    bad += theo_record(&call, base + starts[i], offsets[i], count, &rows[k], &codes[k], &survey, k == 0)
                k += count
            unread += count < 0
            i += 1
    if not fits:
        raise ValueError(f"rows: {rows.shape[0]} elements have no room for the {count} rows of record {i}")
    if i < n:
        raise ValueError(f"record {i}: {lengths[i]} bytes from {starts[i]}, the buffer has {size} bytes")
    return k, bad, unread, survey.order, survey.least, survey.greatest


def check_quotes(Row[::1] rows, const int64_t[::1] ticks, unsigned char[::1] codes):
    """Check and settle quote rows that a text codec filled in; returns how many are bad.

    In: a bad time is -1, an unknown contract or maker -1 (a maker may be), an absent price NULL, a
    bad size -1; a code that is already set stays. Out: as `decode_quotes`.
    """
    cdef Py_ssize_t n = rows.shape[0]
    cdef Py_ssize_t i
    cdef int64_t bad = 0
    cdef int limit = <int> ticks.shape[0]
    cdef Divisors known
    check_codes(n, codes)
    no_divisors(&known)
    cdef const int64_t* tick = &ticks[0] if ticks.shape[0] else NULL
    with nogil:
        for i in range(n):
            if codes[i] == OK:
                codes[i] = quote_code(&rows[i], tick, limit, &known)
            bad += settle_quote(&rows[i], codes[i], tick)
    return bad


def check_theos(Row[::1] rows, unsigned char[::1] codes):
    """Check and settle theo rows that a text codec filled in; returns how many are bad."""
    cdef Py_ssize_t n = rows.shape[0]
    cdef Py_ssize_t i
    cdef int64_t bad = 0
    check_codes(n, codes)
    with nogil:
        for i in range(n):
            if codes[i] == OK:
                codes[i] = theo_code(&rows[i])
            bad += settle_theo(&rows[i], codes[i])
    return bad


# --- one record --------------------------------------------------------------------------------

cdef inline int32_t record_rows(const unsigned char* record, int64_t length, int template_id) noexcept nogil:
    """Rows of a record that has a header, -1 if it is none of this schema and template or its length is not theirs."""
    cdef Header h
    cdef int least = sizeof(PackedQuote) if template_id == QUOTES else sizeof(PackedTheo)
    memcpy(&h, record, HEADER_BYTES)
    if h.block_length != 0 or h.template_id != template_id or h.schema_id != SCHEMA or h.version < 1:
        return -1
    if h.row_length < least or length != HEADER_BYTES + <int64_t> h.row_length * h.row_count:
        return -1
    return h.row_count


cdef inline int64_t quote_record(
    const Call* call, const unsigned char* record, int64_t offset, int32_t count, Row* rows, unsigned char* codes,
    Survey* survey, bint is_first,
) noexcept nogil:
    """`count` quote rows of one record; returns how many are bad."""
    cdef PackedQuote q
    cdef Header h
    cdef const unsigned char* at = record + HEADER_BYTES
    cdef Row* row
    cdef int32_t j
    cdef int64_t bad = 0
    memcpy(&h, record, HEADER_BYTES)
    for j in range(count):
        memcpy(&q, at, sizeof(PackedQuote))
        row = rows + j
        place(row, q.ts_event, offset, call.part, <uint16_t> j, K_QUOTE)
        row.a = q.bid_price
        row.b = q.ask_price
        row.a_size = q.bid_size
        row.b_size = q.ask_size
        row.maker = find(call.makers, q.maker)
        row.contract = find(call.contracts, q.contract)
        codes[j] = quote_code(row, call.ticks, call.contracts.limit, call.known)
        if row.maker < 0 and codes[j] != BAD_TIME and codes[j] != UNKNOWN_CONTRACT:
            codes[j] = UNKNOWN_MAKER
        bad += settle_quote(row, codes[j], call.ticks)
        if 0 <= row.contract < call.contracts_named:
            call.named[row.contract] = 1
        look(survey, row, is_first and j == 0)
        at += h.row_length
    return bad


cdef inline int64_t theo_record(
    const Call* call, const unsigned char* record, int64_t offset, int32_t count, Row* rows, unsigned char* codes,
    Survey* survey, bint is_first,
) noexcept nogil:
    """`count` theo rows of one record; returns how many are bad."""
    cdef PackedTheo t
    cdef Header h
    cdef const unsigned char* at = record + HEADER_BYTES
    cdef Row* row
    cdef int32_t j
    cdef int64_t bad = 0
    memcpy(&h, record, HEADER_BYTES)
    for j in range(count):
        memcpy(&t, at, sizeof(PackedTheo))
        row = rows + j
        place(row, t.ts_event, offset, call.part, <uint16_t> j, K_THEO)
        row.a = t.theo
        row.contract = find(call.contracts, t.contract)
        codes[j] = theo_code(row)
        bad += settle_theo(row, codes[j])
        if 0 <= row.contract < call.contracts_named:
            call.named[row.contract] = 1
        look(survey, row, is_first and j == 0)
        at += h.row_length
    return bad


cdef inline int32_t find(Ids ids, uint32_t key) noexcept nogil:
    """Index of a numeric id, or -1. Tables come by value: nothing that is written can then be thought to change them."""
    cdef uint32_t at = (key * <uint32_t> 2654435769 >> 7) & ids.mask
    return max(ids.values[at], -1) if ids.keys[at] == key else find_further(ids, key, at)


cdef int32_t find_further(Ids ids, uint32_t key, uint32_t at) noexcept nogil:
    # an empty cell ends every run, and so does a table that has none
    cdef uint32_t tried
    for tried in range(ids.mask + 1):
        if ids.values[at] < 0 or ids.keys[at] == key:
            return max(ids.values[at], -1)
        at = (at + 1) & ids.mask
    return -1


# --- arguments ---------------------------------------------------------------------------------

cdef Ids _table(const uint32_t[::1] keys, const int32_t[::1] values, Py_ssize_t limit) except *:
    """A table; its values are checked against `limit` as they are used."""
    cdef Py_ssize_t n = keys.shape[0]
    cdef Ids ids
    if n < 1 or n & (n - 1) or values.shape[0] != n:
        raise ValueError(f"id table: a power of two of keys and values wanted, got {n}, {values.shape[0]}")
    ids.keys = &keys[0]
    ids.values = &values[0]
    ids.mask = <uint32_t> (n - 1)
    ids.limit = <int> limit
    return ids
