"""Kafka's record batches (format v2) as a broker sends them, to columns: no Python object per record.

`find_batches` walks over the batches of one partition: lengths, checksums, control batches, what a transaction took back.
`read_records` walks over the records of those found; between the two the caller unpacks what is compressed. Both stop
before the first byte they cannot use and say why; nothing they are given makes them read or write outside their arguments.
The plain twin, with the layout of `Batch`, is mm_monitor/kernels/reference_records.py.
"""

from libc.stdint cimport INT32_MAX, INT64_MAX, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

cdef extern from "crc32c.h":
    void mm_crc_init()
    uint32_t mm_crc32c(const uint8_t* at, size_t length) nogil
    uint32_t mm_crc_soft(const uint8_t* at, size_t length) nogil

cdef extern from *:
    """
    static inline int16_t mm_be16(const uint8_t *p) { uint16_t x; memcpy(&x, p, 2); return (int16_t)__builtin_bswap16(x); }
    static inline int32_t mm_be32(const uint8_t *p) { uint32_t x; memcpy(&x, p, 4); return (int32_t)__builtin_bswap32(x); }
    static inline int64_t mm_be64(const uint8_t *p) { uint64_t x; memcpy(&x, p, 8); return (int64_t)__builtin_bswap64(x); }
    """
    int16_t mm_be16(const uint8_t* p) nogil
    int32_t mm_be32(const uint8_t* p) nogil
    int64_t mm_be64(const uint8_t* p) nogil

mm_crc_init()

# Status: the same numbers as mm_monitor.kernels.reference_records.Status.
cdef enum:
    END = 0
    FULL = 1
    OLD = 2
    BAD_LENGTH = 3
    BAD_CRC = 4
    BAD_HEADER = 5
    BAD_RECORD = 6
    BAD_CONTROL = 7
    SKIP = -1  # only in here: a batch with nothing in it for a reader

# Where the numbers of a batch lie, from its first byte.
cdef enum:
    AT_LENGTH = 8
    AT_MAGIC = 16
    AT_CRC = 17
    AT_ATTRIBUTES = 21
    AT_LAST_DELTA = 23
    AT_FIRST_STAMP = 27
    AT_MAX_STAMP = 35
    AT_PRODUCER = 43
    AT_COUNT = 57
    PAYLOAD = 61
    BEFORE_LENGTH = 12  # bytes that the length does not count
    LEAST_RECORD = 7  # bytes of the smallest record
    PLAIN_HEAD = 12   # bytes of a record that come before its value at most, if it is plain and has no key, and one more
    NO_KEY = 1

# Bits of the attributes.
cdef enum:
    CODEC = 7
    LOG_APPEND = 8
    TRANSACTIONAL = 16
    CONTROL = 32

# Elements of the cursor.
cdef enum:
    AT = 0
    NEXT = 1
    HEAD = 2
    ACTIVE = 3
    CURSOR = 4

cdef packed struct Batch:
    int64_t start
    int64_t stop
    int64_t base
    int64_t first_stamp
    int64_t max_stamp
    int32_t last_delta
    int32_t count
    int32_t codec
    int32_t log_append

# Bytes of one batch while they are read.
cdef struct Reader:
    const uint8_t* at
    const uint8_t* stop
    bint bad

cdef struct Record:
    const uint8_t* value
    int64_t length  # -1: null
    int64_t stamp   # after the batch's first
    int64_t delta   # of its offset, not negative
    const uint8_t* end

cdef struct Columns:
    int64_t* starts
    int64_t* lengths
    int64_t* offsets
    int64_t* stamps


def as_structs(bytes data):
    """The first bytes of `data` read as each C struct, by field name, and the structs' sizes; at least 56 bytes."""
    if len(data) < <int64_t> sizeof(Batch):
        raise ValueError(f"data: at least {sizeof(Batch)} bytes, got {len(data)}")
    cdef const char* start = data
    return {"batch": (sizeof(Batch), (<Batch*> start)[0])}


def crc32c(const unsigned char[::1] data, bint hardware=True):
    """CRC-32C of `data`; by tables if not `hardware`, or if the processor has no instruction for it."""
    if data.shape[0] == 0:
        return 0
    cdef size_t length = data.shape[0]
    cdef uint32_t crc
    with nogil:
        crc = mm_crc32c(&data[0], length) if hardware else mm_crc_soft(&data[0], length)
    return crc


def find_batches(
    const unsigned char[::1] data,
    int64_t[::1] cursor,
    const int64_t[:, ::1] aborted,
    int64_t[::1] active,
    int64_t most,
    Batch[::1] batches,
):
    """Batches of records from the cursor on into `batches`, until it is full or they hold `most` bytes or more.

    `cursor` has the byte to go on at, the next offset to fetch, and how many of `aborted` and `active` are in use; all 0
    but the offset at first, and moved over everything that is done with. `aborted` has (producer, first offset) of each
    transaction that was taken back, by offset, and `active` (of the same length) whose are being skipped; no rows read
    everything. Returns how many were found and a Status: END at the end of `data` or before a batch that is cut off,
    FULL, OLD before a batch of an older format, else what is wrong with the batch at the cursor.
    """
    cdef int64_t n = data.shape[0]
    cdef int64_t room = batches.shape[0]
    cdef int64_t found = 0
    cdef int64_t taken = 0
    cdef int64_t start
    cdef int status = END
    _check_cursor(n, cursor, aborted, active)
    cdef const uint8_t* base = &data[0] if n else NULL
    cdef const int64_t* ranges = &aborted[0, 0] if aborted.shape[0] else NULL
    cdef int64_t* skipped = &active[0] if active.shape[0] else NULL
    with nogil:
        while True:
            if found == room or taken >= most:
                status = FULL
                break
            start = cursor[AT]
            status = next_batch(base, n, &cursor[0], ranges, aborted.shape[0], skipped, &batches[found])
            if status == FULL:
                found += 1
                taken += cursor[AT] - start
            elif status != SKIP:
                break
    return found, status


def read_records(
    const unsigned char[::1] data,
    const Batch[::1] batches,
    int64_t next_offset,
    int64_t[::1] starts,
    int64_t[::1] lengths,
    int64_t[::1] offsets,
    int64_t[::1] stamps,
):
    """Records of `batches` from `next_offset` on: where each value lies in `data`, its length (-1: null), offset and time.

    `batches` point into `data` and are not compressed; each column has room for all records that they say they hold.
    Times are in ms. Returns how many records were written, and how many batches were read: fewer than given if the next
    one holds something that is no record.
    """
    cdef Columns columns
    cdef const uint8_t* base = NULL
    cdef int64_t written = 0
    cdef int64_t count
    cdef int64_t done = 0
    _check_batches(data.shape[0], batches, starts, lengths, offsets, stamps)
    memset(&columns, 0, sizeof(Columns))
    if data.shape[0]:
        base = &data[0]
    if starts.shape[0]:
        columns.starts = &starts[0]
        columns.lengths = &lengths[0]
        columns.offsets = &offsets[0]
        columns.stamps = &stamps[0]
    with nogil:
        while done < batches.shape[0]:
            count = batch_records(base, &batches[done], &next_offset, columns, written)
            if count < 0:
                break
            written += count
            done += 1
    return written, done


# --- batches -----------------------------------------------------------------------------------

cdef int next_batch(
    const uint8_t* data, int64_t n, int64_t* cursor, const int64_t* aborted, int64_t ranges,
    int64_t* active, Batch* batch,
) noexcept nogil:
    """One batch: FULL if `batch` is one to read; the cursor is moved over it then, and over one to SKIP."""
    cdef int64_t at = cursor[AT]
    cdef int64_t stop
    cdef int64_t last
    cdef int attributes
    cdef int status
    cdef const uint8_t* head = data + at
    if n - at < BEFORE_LENGTH:
        return END
    stop = at + BEFORE_LENGTH + <int64_t> mm_be32(head + AT_LENGTH)
    if stop < at + BEFORE_LENGTH:
        return BAD_LENGTH
    if stop > n:
        return END
    if stop <= at + AT_MAGIC:
        return BAD_LENGTH
    if head[AT_MAGIC] < 2:
        return OLD
    if stop - at < PAYLOAD:
        return BAD_LENGTH
    if head[AT_MAGIC] != 2:
        return BAD_HEADER
    if <uint32_t> mm_be32(head + AT_CRC) != mm_crc32c(head + AT_ATTRIBUTES, stop - at - AT_ATTRIBUTES):
        return BAD_CRC
    attributes = mm_be16(head + AT_ATTRIBUTES)
    fill_batch(head, at, stop, attributes, batch)
    if not sound(batch):
        return BAD_HEADER
    activate(cursor, aborted, ranges, active, batch.base)
    if attributes & CONTROL and cursor[ACTIVE]:
        status = control_batch(data, batch, mm_be64(head + AT_PRODUCER), cursor, active)
        if status != END:
            return status
    last = batch.base + batch.last_delta
    cursor[AT] = stop
    if last >= cursor[NEXT]:
        cursor[NEXT] = last + 1
    if attributes & CONTROL:
        return SKIP
    if attributes & TRANSACTIONAL and is_active(mm_be64(head + AT_PRODUCER), cursor, active):
        return SKIP
    return FULL


cdef inline void fill_batch(
    const uint8_t* head, int64_t at, int64_t stop, int attributes, Batch* batch
) noexcept nogil:
    """What a header says."""
    batch.start = at + PAYLOAD
    batch.stop = stop
    batch.base = mm_be64(head)
    batch.first_stamp = mm_be64(head + AT_FIRST_STAMP)
    batch.max_stamp = mm_be64(head + AT_MAX_STAMP)
    batch.last_delta = mm_be32(head + AT_LAST_DELTA)
    batch.count = mm_be32(head + AT_COUNT)
    batch.codec = attributes & CODEC
    batch.log_append = (attributes & LOG_APPEND) != 0


cdef inline bint sound(const Batch* batch) noexcept nogil:
    """Can a log hold such a batch? Its records take some bytes each, and one offset each at most."""
    if batch.base < 0 or batch.last_delta < 0 or batch.base > INT64_MAX - INT32_MAX - 1:
        return False
    if batch.count < 0 or batch.count > <int64_t> batch.last_delta + 1:
        return False
    return batch.codec != 0 or LEAST_RECORD * <int64_t> batch.count <= batch.stop - batch.start


cdef inline void activate(
    int64_t* cursor, const int64_t* aborted, int64_t ranges, int64_t* active, int64_t base
) noexcept nogil:
    """From here on, producers whose transaction began at or before `base` are skipped."""
    while cursor[HEAD] < ranges and aborted[2 * cursor[HEAD] + 1] <= base:
        if not is_active(aborted[2 * cursor[HEAD]], cursor, active):
            active[cursor[ACTIVE]] = aborted[2 * cursor[HEAD]]
            cursor[ACTIVE] += 1
        cursor[HEAD] += 1


cdef inline bint is_active(int64_t producer, const int64_t* cursor, const int64_t* active) noexcept nogil:
    cdef int64_t i
    for i in range(cursor[ACTIVE]):
        if active[i] == producer:
            return True
    return False


cdef int control_batch(
    const uint8_t* data, const Batch* batch, int64_t producer, int64_t* cursor, int64_t* active
) noexcept nogil:
    """The mark at the end of a transaction: one that took it back ends the skipping. END if it can be read."""
    cdef Reader r
    cdef int64_t i
    cdef int64_t length
    if batch.count == 0:  # compaction leaves such
        return END
    if batch.codec:
        return BAD_CONTROL
    r.at = data + batch.start
    r.stop = data + batch.stop
    r.bad = False
    skip_prelude(&r)
    length = varint(&r)
    if r.bad or length < 4 or r.stop - r.at < length:
        return BAD_CONTROL
    if mm_be16(r.at) != 0 or mm_be16(r.at + 2) != 0:
        return END
    for i in range(cursor[ACTIVE]):
        if active[i] == producer:
            cursor[ACTIVE] -= 1
            active[i] = active[cursor[ACTIVE]]
            break
    return END


cdef inline void skip_prelude(Reader* r) noexcept nogil:
    """Length, attributes, time and offset of a control record."""
    varint(r)
    if r.at >= r.stop:
        r.bad = True
        return
    r.at += 1
    varint(r)
    varint(r)


# --- records -----------------------------------------------------------------------------------

cdef int64_t batch_records(
    const uint8_t* data, const Batch* batch, int64_t* next_offset, Columns out, int64_t first
) noexcept nogil:
    """Records of one batch into the columns from `first` on; their number, or -1 with nothing moved."""
    cdef Record record
    cdef const uint8_t* at = data + batch.start
    cdef const uint8_t* stop = data + batch.stop
    cdef int64_t expected = next_offset[0]
    cdef int64_t k = first
    cdef int32_t i
    for i in range(batch.count):
        if not plain_record(at, stop, &record) and not any_record(at, stop, &record):
            return -1
        if record.delta > batch.last_delta:
            return -1
        if batch.base + record.delta >= expected:
            out.starts[k] = record.value - data
            out.lengths[k] = record.length
            out.offsets[k] = batch.base + record.delta
            out.stamps[k] = batch.max_stamp if batch.log_append else added(batch.first_stamp, record.stamp)
            expected = batch.base + record.delta + 1
            k += 1
        at = record.end
    if at != stop:
        return -1
    if batch.base + batch.last_delta >= next_offset[0]:
        next_offset[0] = batch.base + batch.last_delta + 1
    return k - first


cdef inline bint plain_record(const uint8_t* at, const uint8_t* stop, Record* record) noexcept nogil:
    """Read a record like nearly all: a value, no headers, no number of more than two bytes. False if it is another."""
    cdef uint64_t length, stamp, delta, key, value
    if stop - at < PLAIN_HEAD:
        return False
    length = short_number(&at)
    record.end = at + (length >> 1)
    at += 1  # attributes, which nobody uses
    stamp = short_number(&at)
    delta = short_number(&at)
    key = short_number(&at)
    if key != NO_KEY:
        at += key >> 1
        if key & 1 or stop - at < 2:
            return False
    value = short_number(&at)
    record.value = at
    record.length = value >> 1
    record.stamp = unzigzag(stamp)
    record.delta = delta >> 1
    if (length | stamp | delta | value) >> 14 or (length | delta | value) & 1:
        return False
    return record.end <= stop and at + record.length + 1 == record.end and (record.end - 1)[0] == 0


cdef bint any_record(const uint8_t* at, const uint8_t* stop, Record* record) noexcept nogil:
    """Read any record; False if this is none."""
    cdef Reader r
    cdef int64_t length
    r.at = at
    r.stop = stop
    r.bad = False
    length = varint(&r)
    if r.bad or length <= 0 or length > r.stop - r.at:
        return False
    record.end = r.at + length
    r.at += 1  # attributes
    record.stamp = varint(&r)
    record.delta = varint(&r)
    length = varint(&r)  # of the key
    if r.bad or record.delta < 0 or length > r.stop - r.at:
        return False
    if length > 0:
        r.at += length
    length = varint(&r)
    if r.bad or length > r.stop - r.at:
        return False
    record.value = r.at
    record.length = length if length >= 0 else -1
    if length > 0:
        r.at += length
    skip_headers(&r)
    return not r.bad and r.at == record.end


cdef inline uint64_t short_number(const uint8_t** at) noexcept nogil:
    """What one byte or two hold, not unfolded; over 14 bits if there are more."""
    cdef uint64_t one = at[0][0]
    if one < 128:
        at[0] += 1
        return one
    at[0] += 2
    return one & 127 | <uint64_t> (at[0] - 1)[0] << 7


cdef inline int64_t added(int64_t one, int64_t other) noexcept nogil:
    """Their sum, around the end if it must be."""
    return <int64_t> (<uint64_t> one + <uint64_t> other)


cdef inline int64_t varint(Reader* r) noexcept nogil:
    """A zigzag number of up to 64 bits; `bad` if it is cut off or longer."""
    cdef uint64_t value = 0
    cdef uint64_t byte
    cdef int shift = 0
    while r.at < r.stop and shift < 64:
        byte = r.at[0]
        r.at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return unzigzag(value)
        shift += 7
    r.bad = True
    return 0


cdef inline int64_t unzigzag(uint64_t value) noexcept nogil:
    return <int64_t> (value >> 1) ^ -<int64_t> (value & 1)


cdef void skip_headers(Reader* r) noexcept nogil:
    """Step over a record's headers."""
    cdef int64_t count = varint(r)
    cdef int64_t length
    if count < 0:
        r.bad = True
    while count > 0 and not r.bad:
        length = varint(r)  # of the key, which must be there
        if r.bad or length < 0 or length > r.stop - r.at:
            r.bad = True
            return
        r.at += length
        length = varint(r)
        if r.bad or length > r.stop - r.at:
            r.bad = True
            return
        if length > 0:
            r.at += length
        count -= 1


# --- arguments ---------------------------------------------------------------------------------

cdef int _check_cursor(
    int64_t n, const int64_t[::1] cursor, const int64_t[:, ::1] aborted, const int64_t[::1] active
) except -1:
    """A cursor that stands within its arguments."""
    if cursor.shape[0] != CURSOR:
        raise ValueError(f"cursor: {CURSOR} elements wanted, got {cursor.shape[0]}")
    if aborted.shape[1] != 2:
        raise ValueError(f"aborted: 2 columns wanted, got {aborted.shape[1]}")
    if active.shape[0] != aborted.shape[0]:
        raise ValueError(f"active: {aborted.shape[0]} elements wanted, got {active.shape[0]}")
    if not 0 <= cursor[AT] <= n:
        raise ValueError(f"cursor: byte 0 to {n} wanted, got {cursor[AT]}")
    if not 0 <= cursor[ACTIVE] <= cursor[HEAD] <= aborted.shape[0]:
        raise ValueError(f"cursor: {cursor[ACTIVE]} of {cursor[HEAD]} of {aborted.shape[0]} transactions")
    return 0


cdef int _check_batches(
    int64_t n, const Batch[::1] batches, const int64_t[::1] starts, const int64_t[::1] lengths,
    const int64_t[::1] offsets, const int64_t[::1] stamps,
) except -1:
    """Batches within `data`, and columns with room for all that they hold."""
    cdef int64_t total = 0
    cdef int64_t i
    for i in range(batches.shape[0]):
        if not 0 <= batches[i].start <= batches[i].stop <= n:
            raise ValueError(f"batches[{i}]: bytes {batches[i].start} to {batches[i].stop} of {n}")
        if batches[i].count < 0 or batches[i].base < 0 or batches[i].last_delta < 0:
            raise ValueError(f"batches[{i}]: a count or offset is negative")
        if batches[i].base > INT64_MAX - INT32_MAX - 1:
            raise ValueError(f"batches[{i}]: no offset is {batches[i].base}")
        total += batches[i].count
    if starts.shape[0] < total:
        raise ValueError(f"starts: {total} elements wanted, got {starts.shape[0]}")
    n = starts.shape[0]
    if lengths.shape[0] != n or offsets.shape[0] != n or stamps.shape[0] != n:
        raise ValueError(f"lengths, offsets, stamps: {n} elements wanted, as many as starts")
    return 0
