"""Programme-trading signals: messages in any one second, in calendar seconds and in all, and what was cancelled.

One pass over the quotes of the tape, O(1) amortised for each: a queue holds the last second of all makers together.
Plain twin: mm_monitor/kernels/reference_messages.py.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from layout cimport K_QUOTE, ROW_QUOTE_BAD, Row, i128, u128

cdef enum:
    SECOND = 1_000_000_000

cdef packed struct Party:
    int64_t messages
    int64_t sliding         # in the last second
    int64_t sliding_most
    int64_t second          # calendar second of the last message
    int64_t in_second
    int64_t second_most

cdef packed struct Standing:
    int64_t bid
    int64_t ask
    int32_t bid_size
    int32_t ask_size

cdef packed struct Heard:
    int64_t ts
    int64_t party

cdef packed struct Sums:
    uint64_t submitted_lo
    uint64_t submitted_hi
    uint64_t cancelled_lo
    uint64_t cancelled_hi


cdef class Messages:
    """The arrays of one count, checked once; m contracts, n slots.

    A party is a maker, or behind all makers an account by its number. parties (makers + accounts,) PARTY, standing
    (slots + accounts * m,) STANDING: of makers by slot, of accounts by contract; sums (parties * groups,) SUMS; queue
    (k,) HEARD, ring (2,) int64: head and length of what it holds; slot0, cls, group (m,) int32, rank (classes *
    makers,) int32.
    """

    cdef Party[::1] parties
    cdef Standing[::1] standing
    cdef Sums[::1] sums
    cdef Heard[::1] queue
    cdef int64_t[::1] ring
    cdef const int32_t[::1] slot0
    cdef const int32_t[::1] cls
    cdef const int32_t[::1] group
    cdef const int32_t[::1] rank
    cdef int64_t makers
    cdef int64_t groups
    cdef int64_t slots

    def __init__(self, Party[::1] parties, Standing[::1] standing, Sums[::1] sums, Heard[::1] queue,
                 int64_t[::1] ring, const int32_t[::1] slot0, const int32_t[::1] cls, const int32_t[::1] group,
                 const int32_t[::1] rank, int64_t makers, int64_t groups, int64_t slots):
        cdef int64_t i, m = slot0.shape[0]
        if cls.shape[0] != m or group.shape[0] != m:
            raise ValueError(f"cls, group: {m} elements, got {cls.shape[0]}, {group.shape[0]}")
        if groups < 1 or sums.shape[0] != parties.shape[0] * groups:
            raise ValueError(f"sums: {parties.shape[0]} parties x {groups}, got {sums.shape[0]}")
        if makers < 1 or rank.shape[0] % makers:
            raise ValueError(f"rank: a multiple of {makers} elements, got {rank.shape[0]}")
        if slots < 0 or parties.shape[0] < makers or standing.shape[0] != slots + (parties.shape[0] - makers) * m:
            raise ValueError(f"standing: {slots} slots and {parties.shape[0]} - {makers} accounts x {m}, "
                             f"got {standing.shape[0]}")
        if ring.shape[0] != 2 or queue.shape[0] < 1:
            raise ValueError(f"ring: 2 elements and a queue, got {ring.shape[0]}, {queue.shape[0]}")
        if not (0 <= ring[0] < queue.shape[0] and 0 <= ring[1] <= queue.shape[0]):
            raise ValueError(f"ring: within {queue.shape[0]}, got {ring[0]}, {ring[1]}")
        for i in range(queue.shape[0]):
            if not 0 <= queue[i].party < max(1, parties.shape[0]):
                raise ValueError(f"queue {i}: party {queue[i].party} of {parties.shape[0]}")
        for i in range(m):
            check_contract(i, slot0[i], cls[i], group[i], rank, makers, groups, slots)
        self.parties, self.standing, self.sums = parties, standing, sums
        self.queue, self.ring = queue, ring
        self.slot0, self.cls, self.group, self.rank = slot0, cls, group, rank
        self.makers, self.groups, self.slots = makers, groups, slots


cdef int check_contract(int64_t i, int32_t slot0, int32_t cls, int32_t group, const int32_t[::1] rank, int64_t makers,
                        int64_t groups, int64_t slots) except -1:
    cdef int64_t k
    if not 0 <= group < groups:
        raise ValueError(f"contract {i}: group {group} of {groups}")
    if cls < 0 or (cls + 1) * makers > rank.shape[0]:
        raise ValueError(f"contract {i}: class {cls} is outside the rank table")
    for k in range(cls * makers, (cls + 1) * makers):
        if rank[k] >= 0 and not 0 <= slot0 + <int64_t>rank[k] < slots:
            raise ValueError(f"contract {i}: slot {slot0 + <int64_t>rank[k]} of {slots}")
    return 0


cdef inline void forget_old(Party* parties, Heard* queue, int64_t capacity, int64_t* ring, int64_t t) noexcept nogil:
    # everything that is a second old leaves the queue
    while ring[1] and t - queue[ring[0]].ts >= SECOND:
        parties[queue[ring[0]].party].sliding -= 1
        ring[0] += 1
        if ring[0] == capacity:
            ring[0] = 0
        ring[1] -= 1


cdef inline void remember(Heard* queue, int64_t capacity, int64_t* ring, int64_t t, int64_t party) noexcept nogil:
    cdef int64_t tail = ring[0] + ring[1]
    if tail >= capacity:
        tail -= capacity
    queue[tail].ts = t
    queue[tail].party = party
    ring[1] += 1


cdef inline void count(Party* p, int64_t t) noexcept nogil:
    cdef int64_t second = t // SECOND
    p.messages += 1
    p.sliding += 1
    p.sliding_most = max(p.sliding_most, p.sliding)
    if second != p.second:
        p.second = second
        p.in_second = 0
    p.in_second += 1
    p.second_most = max(p.second_most, p.in_second)


cdef inline void add(uint64_t* lo, uint64_t* hi, int64_t price, int32_t size) noexcept nogil:
    cdef u128 total = ((<u128>hi[0]) << 64) + lo[0] + <u128>(<i128>price * size)
    lo[0] = <uint64_t>total
    hi[0] = <uint64_t>(total >> 64)


cdef inline void side(Sums* s, int64_t* price, int32_t* size, int64_t new_price, int32_t new_size) noexcept nogil:
    # a side that is as it was is neither cancelled nor submitted
    if new_size == size[0] and (new_price == price[0] or not new_size):
        return
    add(&s.cancelled_lo, &s.cancelled_hi, price[0], size[0])
    if new_size:
        add(&s.submitted_lo, &s.submitted_hi, new_price, new_size)
    price[0] = new_price
    size[0] = new_size


cdef inline void replace(Standing* q, Sums* s, const Row* r) noexcept nogil:
    if r.flags & ROW_QUOTE_BAD:  # replaced, not known by what: of neither an amount is known
        q.bid_size = 0
        q.ask_size = 0
        return
    side(s, &q.bid, &q.bid_size, r.a, r.a_size)
    side(s, &q.ask, &q.ask_size, r.b, r.b_size)


def count_messages(Messages w, const Row[::1] rows, int64_t start):
    """Count the quotes among `rows` from `start`; returns the first row not counted, where the queue is full.

    Times must not go back. A quote by nobody that is known is no message; one without an obligation is a message
    without an amount.
    """
    cdef int64_t i, n = rows.shape[0], contracts = w.slot0.shape[0], parties = w.parties.shape[0], m, at
    cdef int64_t capacity = w.queue.shape[0], party
    cdef int32_t rank
    cdef const Row* r
    if not 0 <= start <= n:
        raise ValueError(f"start: 0 to {n}, got {start}")
    i = start
    with nogil:
        while i < n:
            r = &rows[i]
            party = r.maker if r.account == 0 else w.makers + r.account - 1
            if r.kind == K_QUOTE and 0 <= r.maker < w.makers and party < parties:
                forget_old(&w.parties[0], &w.queue[0], capacity, &w.ring[0], r.ts)
                if w.ring[1] == capacity:
                    break
                remember(&w.queue[0], capacity, &w.ring[0], r.ts, party)
                count(&w.parties[party], r.ts)
                m = r.contract
                if 0 <= m < contracts:
                    rank = w.rank[w.cls[m] * w.makers + r.maker]
                    if rank >= 0:
                        at = w.slot0[m] + rank if r.account == 0 else w.slots + (r.account - 1) * contracts + m
                        replace(&w.standing[at], &w.sums[party * w.groups + w.group[m]], r)
            i += 1
    return i


def count_quotes(const Row[::1] rows, int64_t[::1] counts):
    """counts[maker] grows by the quotes of each maker, good or bad; makers outside `counts` are left out."""
    cdef int64_t i, n = counts.shape[0], some = 0
    cdef int32_t maker = -1     # of the quotes that are counted and not yet added: a maker's come in a row
    cdef int64_t* count = &counts[0] if n else NULL
    with nogil:
        for i in range(rows.shape[0]):
            if rows[i].kind != K_QUOTE:
                continue
            if rows[i].maker != maker:
                if 0 <= maker < n:
                    count[maker] += some
                maker, some = rows[i].maker, 0
            some += 1
        if 0 <= maker < n:
            count[maker] += some


def as_structs(bytes data):
    """The first bytes of `data` read as each C struct, by field name, and the structs' sizes; at least 48 bytes."""
    if len(data) < <int64_t>sizeof(Party):
        raise ValueError(f"data: at least {sizeof(Party)} bytes, got {len(data)}")
    cdef const char* start = data
    return {
        "party": (sizeof(Party), (<Party*>start)[0]),
        "standing": (sizeof(Standing), (<Standing*>start)[0]),
        "heard": (sizeof(Heard), (<Heard*>start)[0]),
        "sums": (sizeof(Sums), (<Sums*>start)[0]),
    }
