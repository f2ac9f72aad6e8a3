"""Merge of sorted runs of tape rows by (ts, kind, part, offset, sub): the one total order of the tape.

Rows move in stretches: as many of one run as come before the head of every other. Plain twin:
mm_monitor/kernels/reference.py.
"""

from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy
from layout cimport K_QUOTE, K_THEO, Row
from tape_rows cimport Survey, before, look

cdef enum:
    MAX_RUNS = 1024

cdef struct Run:
    const Row* start
    const Row* end
    bint goes_on            # the next run of the list follows this one without overlap

cdef struct Open:           # the runs that are open now, in no order
    const Row* head[MAX_RUNS]
    int64_t ts[MAX_RUNS]    # of the head
    const Run* run[MAX_RUNS]
    int n

cdef struct Out:
    Row* next
    const Row* last         # written last, NULL = none


def survey(const Row[::1] rows):
    """Order, least ts and greatest ts of some rows, at least one.

    Order is 2 if each row comes before the next, 1 if some are repeats of one (ts, kind, part, offset, sub), 0 if some
    come after the next.
    """
    cdef int64_t i, n = rows.shape[0]
    cdef Survey found
    if n == 0:
        raise ValueError("rows: at least 1, got 0")
    look(&found, &rows[0], True)
    with nogil:
        for i in range(1, n):
            look(&found, &rows[i], False)
    return found.order, found.least, found.greatest


def tell(const Row[::1] rows, int64_t[::1] kinds, unsigned char[::1] contracts):
    """Add how many rows are of each kind to `kinds`, and set `contracts` to 1 for those that are named.

    A kind or contract that has no element there is passed over.
    """
    cdef int64_t i, n = rows.shape[0], most = contracts.shape[0], last = kinds.shape[0]
    cdef int64_t quotes = 0, theos = 0  # in registers: nearly every row is one of these
    cdef int64_t* count = &kinds[0] if last else NULL
    cdef unsigned char* named = &contracts[0] if most else NULL
    with nogil:
        for i in range(n):
            if rows[i].kind == K_QUOTE:
                quotes += 1
            elif rows[i].kind == K_THEO:
                theos += 1
            elif rows[i].kind < last:
                count[rows[i].kind] += 1
            if 0 <= rows[i].contract < most:
                named[rows[i].contract] = 1
    if K_QUOTE < last:
        count[K_QUOTE] += quotes
    if K_THEO < last:
        count[K_THEO] += theos


def count_before(const Row[::1] rows, int64_t ts):
    """How many rows of a sorted run have a time before `ts`."""
    cdef int64_t low = 0, high = rows.shape[0], middle
    while low < high:
        middle = (low + high) // 2
        if rows[middle].ts < ts:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int earliest(const Open* h, int but) noexcept nogil:
    # the run whose head comes first, run `but` aside; -1 if there is no other
    cdef int j, k = -1
    for j in range(h.n):
        if j != but and (k < 0 or before(h.head[j], h.head[k])):
            k = j
    return k


cdef inline int least(const Open* h, int64_t* second) noexcept nogil:
    # a run whose head has the least time, without a branch; the least time of the others goes to `second`
    cdef int64_t x, best = h.ts[0], other = INT64_MAX
    cdef int j, k = 0
    for j in range(1, h.n):
        x = h.ts[j]
        other = min(other, max(best, x))
        k = j if x < best else k
        best = min(best, x)
    second[0] = other
    return k


cdef inline void open_run(Open* h, int k, const Run* run) noexcept nogil:
    h.head[k] = run.start
    h.ts[k] = run.start.ts
    h.run[k] = run


cdef inline void read_up_to(Open* h, int k, const Row* head) noexcept nogil:
    cdef const Run* run = h.run[k]
    if head < run.end:
        h.head[k] = head
        h.ts[k] = head.ts
    elif run.goes_on:
        open_run(h, k, run + 1)
    else:
        h.n -= 1
        h.head[k] = h.head[h.n]
        h.ts[k] = h.ts[h.n]
        h.run[k] = h.run[h.n]


cdef inline void put(Out* out, const Row* row) noexcept nogil:
    # a repeat of what was written last is dropped
    if out.last == NULL or before(out.last, row):
        memcpy(out.next, row, sizeof(Row))
        out.last = out.next
        out.next += 1


cdef inline const Row* copy_ascending(const Row* head, const Row* end, int64_t second, Out* out) noexcept nogil:
    # rows from `head` on, at once, while each is later than the one before and earlier than `second`; what follows them
    cdef int64_t last = out.last.ts
    cdef const Row* stop = head
    while stop < end and stop.ts < second and stop.ts > last:
        last = stop.ts
        stop += 1
    if stop > head:
        memcpy(out.next, head, (stop - head) * sizeof(Row))
        out.next += stop - head
        out.last = out.next - 1
    return stop


cdef inline const Row* copy_stretch(const Row* head, const Row* end, int64_t second, const Row* rival,
                                    Out* out) noexcept nogil:
    # `head`, and what comes before `second` and `rival`; what follows
    while True:
        put(out, head)
        head = copy_ascending(head + 1, end, second, out)
        if head == end or head.ts > second or head.ts == second and (rival == NULL or not before(head, rival)):
            return head


cdef void merge_all(Open* h, Out* out) noexcept nogil:
    cdef const Row* rival   # where times are equal, the head that comes next
    cdef int64_t second = INT64_MAX
    cdef int k
    while h.n > 1:
        k = least(h, &second)
        rival = NULL
        if h.ts[k] == second:
            k = earliest(h, -1)
            rival = h.head[earliest(h, k)]
        read_up_to(h, k, copy_stretch(h.head[k], h.run[k].end, second, rival, out))
    while h.n:
        read_up_to(h, 0, copy_stretch(h.head[0], h.run[0].end, INT64_MAX, NULL, out))


cdef int read_runs(list runs, list keep, Run* read) except -1:
    # the runs that hold rows; they live as long as `keep`
    cdef const Row[::1] rows
    cdef int n = 0
    for item in runs:
        rows = item
        if rows.shape[0]:
            keep.append(rows)
            read[n].start = &rows[0]
            read[n].end = &rows[0] + rows.shape[0]
            read[n].goes_on = False
            if n:
                read[n - 1].goes_on = not before(read[n].start, read[n - 1].end - 1)
            n += 1
    return n


def merge_runs(list runs, Row[::1] out):
    """Merge sorted runs into `out`, dropping repeats of one (ts, kind, part, offset, sub); returns rows written.

    `out` must hold the sum of the lengths. At most 1024 runs.
    """
    cdef Run[MAX_RUNS] read
    cdef Open opened
    cdef Out written
    cdef int64_t total = 0
    cdef int i, n
    if len(runs) > MAX_RUNS:
        raise ValueError(f"runs: at most {MAX_RUNS}, got {len(runs)}")
    keep = []
    n = read_runs(runs, keep, read)
    opened.n = 0
    for i in range(n):
        total += read[i].end - read[i].start
        if i == 0 or not read[i - 1].goes_on:
            open_run(&opened, opened.n, &read[i])
            opened.n += 1
    if out.shape[0] < total:
        raise ValueError(f"out: at least {total} rows, got {out.shape[0]}")
    if total == 0:
        return 0
    written.next = &out[0]
    written.last = NULL
    with nogil:
        merge_all(&opened, &written)
    return written.next - &out[0]
