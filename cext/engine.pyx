"""The engine's loop: rows in, state and edges out; integers only.

Every entry point takes the state arrays as bytes-like rows of the layouts in `kernels/layout.py`, checks lengths and
ranges before it releases the GIL, and can stop early when the edge buffer might not hold what comes next: call it
again from where it stopped. Plain twin: mm_monitor/kernels/reference.py.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from layout cimport *
from judge cimport all_common, floor_div, reads_width
from rests cimport *
from rows cimport *
from checks cimport *
from reply cimport LATENCIES, end_turn, note
from scale cimport Scale

cdef extern from "<stdlib.h>":
    void* aligned_alloc(size_t alignment, size_t size) nogil


cdef class Arrays:
    """The arrays of one evaluator, checked once per call of `bind`.

    slots (n,) SLOT, past (n,) PAST, wide (n,) int64 or empty, win (n * widths,) WIN, widths int64, apart (n,) APART
    or empty, rests (n,) REST or empty, slot_con (n,) int32, cons (m,) CON, rank (classes * makers,) int32,
    param (1,) PARAM, terms (reliefs * 2 * terms,) TERM, cells (l,) CELL, edges (k,) EDGE.
    """

    cdef World w
    cdef object keep
    cdef int64_t con_count
    cdef int64_t most_slots
    cdef int64_t reliefs
    cdef const int32_t* rank
    cdef const int32_t* slot_con
    cdef Place* places

    def __init__(self, Slot[::1] slots, Past[::1] past, int64_t[::1] wide, Win[::1] win, const int64_t[::1] widths,
                 Apart[::1] apart, Rest[::1] rests, const int32_t[::1] slot_con, Con[::1] cons, const int32_t[::1] rank,
                 const Param[::1] param, const Term[::1] terms, const Cell[::1] cells, Edge[::1] edges,
                 int64_t reliefs):
        check_lengths(slots, past, wide, rests, slot_con, rank, param, terms, reliefs)
        check_beside(slots.shape[0], win, widths, apart, &param[0])
        self.most_slots = check_contracts(cons, rank, param[0], slots.shape[0])
        check_slots(slots, slot_con, cons.shape[0], reliefs)
        check_rests(rests, slots.shape[0])
        check_tables(terms, cells, param[0].buckets)
        if edges.shape[0] < self.most_slots * EDGES_PER_SLOT * 2:
            raise ValueError(f"edges: at least {self.most_slots * EDGES_PER_SLOT * 2}, got {edges.shape[0]}")
        self.keep = (slots, past, wide, win, widths, apart, rests, slot_con, cons, rank, param, terms, cells, edges)
        self.w.slots = &slots[0] if slots.shape[0] else NULL
        self.w.past = &past[0] if past.shape[0] else NULL
        self.w.wide = &wide[0] if param[0].grace >= 0 and wide.shape[0] else NULL
        self.w.win = &win[0] if win.shape[0] else NULL
        self.w.widths = &widths[0] if widths.shape[0] else NULL
        self.w.apart = &apart[0] if param[0].apart and apart.shape[0] else NULL
        self.w.beside = self.w.wide != NULL or self.w.win != NULL or self.w.apart != NULL
        self.w.rests = &rests[0] if rests.shape[0] else NULL
        self.w.cons = &cons[0] if cons.shape[0] else NULL
        self.w.p = &param[0]
        self.w.terms = &terms[0] if terms.shape[0] else NULL
        self.w.cells = &cells[0] if cells.shape[0] else NULL
        self.w.rejudged = 0
        self.w.edges = &edges[0]
        self.w.edge_count = 0
        self.w.edge_room = edges.shape[0]
        self.w.edge_stop = edges.shape[0] - self.most_slots * EDGES_PER_SLOT
        self.w.slot_count = slots.shape[0]
        self.w.by_width = reads_width(self.w.p, self.w.terms)
        self.w.common = self.w.by_width and all_common(self.w.p, self.w.terms, reliefs * 2)
        self.w.overrun = False
        self.make_room(cons, param[0].makers)
        self.w.replies = NULL
        self.w.latency = NULL
        self.con_count = cons.shape[0]
        self.reliefs = reliefs
        self.rank = &rank[0] if rank.shape[0] else NULL
        self.slot_con = &slot_con[0] if slot_con.shape[0] else NULL

    cdef int make_room(self, const Con[::1] cons, int64_t makers) except -1:
        """What is kept of each contract beside its state."""
        cdef int64_t i, n = max(1, cons.shape[0])
        free(self.w.scales)
        free(self.places)
        self.w.scales = <Scale*>aligned_alloc(64, n * sizeof(Scale))  # each in one line of the cache
        self.places = <Place*>calloc(n, sizeof(Place))
        if self.w.scales == NULL or self.places == NULL:
            raise MemoryError
        memset(self.w.scales, 0, n * sizeof(Scale))
        for i in range(cons.shape[0]):
            self.places[i].slot0, self.places[i].ranks = cons[i].slot0, <int32_t>(cons[i].cls * makers)
        return 0

    def __dealloc__(self):
        free(self.w.scales)
        free(self.places)

    def follow(self, Reply[::1] replies, int64_t[::1] latency):
        """Note how fast makers answer: replies (n,) REPLY, latency (classes * makers * 3 * LATENCIES,) int64."""
        cdef int64_t i
        if replies.shape[0] != self.w.slot_count:
            raise ValueError(f"replies: {self.w.slot_count} elements, got {replies.shape[0]}")
        for i in range(replies.shape[0]):
            if not 0 <= replies[i].cell < latency.shape[0] // (3 * LATENCIES) or replies[i].cause > 2:
                raise ValueError(f"replies {i}: cell {replies[i].cell}, cause {replies[i].cause}")
        self.keep = (self.keep, replies, latency)
        self.w.replies = &replies[0] if replies.shape[0] else NULL
        self.w.latency = &latency[0] if latency.shape[0] else NULL

    @property
    def edge_count(self):
        """Edges written since the last `clear_edges`."""
        return self.w.edge_count

    def clear_edges(self):
        """Forget the edges that were read."""
        self.w.edge_count = 0

    cdef int finish(self) except -1:
        if self.w.overrun:
            self.w.overrun = False
            raise IndexError("kernel index out of range")
        return 0


cdef enum:
    AHEAD = 16     # rows between finding a slot, and asking for its memory, and using it; a power of two
    LARGEST = 192  # bytes of the largest struct


cdef inline void take_row(World* w, const Row* r, int64_t slot, int64_t* counts) noexcept nogil:
    cdef Con* c = w.cons + r.contract
    if r.ts >= c.due:
        fall_due(w, c, r.ts)
    if slot == THEO:
        note_theo(w, c, r.ts)
        counts[1] += 1
        take_theo(w, c, r)
        return
    if not c.live:
        slot = NOBODY
    if slot != NOBODY:
        take_quote(w, slot_at(w, slot), c, r)
    if r.flags & ROW_QUOTE_BAD:
        counts[3] += 1
    else:
        counts[2 if slot == NOBODY or c.outside else 0] += 1


cdef int64_t take_rows(World* w, Finder f, const Row* rows, int64_t n, int64_t* counts) noexcept nogil:
    # how many were taken. Only a row that goes the long way can bring edges, so only then is their room looked at
    cdef int64_t i = 0, ahead = 0, slot
    cdef int64_t[AHEAD] slots  # of rows i to ahead - 1, as a ring
    cdef bint short_way = w.rests == NULL and not w.beside and w.replies != NULL
    cdef const Row* r
    cdef const Con* c
    cdef Slot* s
    if full(w):
        return 0
    while ahead < n and ahead < AHEAD:
        slots[ahead & (AHEAD - 1)] = fetch(w, &f, rows + ahead)
        ahead += 1
    while i < n:
        slot, r = slots[i & (AHEAD - 1)], rows + i
        if slot == STOP:
            break
        if ahead < n:
            slots[ahead & (AHEAD - 1)] = fetch(w, &f, rows + ahead)
            ahead += 1
        i += 1
        if short_way and slot >= 0:
            c, s = w.cons + r.contract, slot_at(w, slot)
            if s.by_at < r.ts < c.due and c.live and take_shortly(w, s, c, r):
                counts[2 if c.outside else 0] += 1
                continue
        take_row(w, r, slot, counts)
        if full(w):
            break
    return i


def apply_rows(Arrays a, const Row[::1] rows, int64_t start, int64_t[::1] counts):
    """Apply quote and theo rows from `start`, in order; returns the index of the first row not applied.

    It stops at a row of another kind, and before the edge buffer could overflow. `counts` (5,) int64 grows by quotes,
    theos, no_obligation, bad_quotes, rejudged (standing quotes, by a theo or by what fell due).
    ValueError for a contract outside the arrays.
    """
    cdef int64_t i, k, n = rows.shape[0]
    cdef int64_t[5] grown
    cdef Finder f
    if counts.shape[0] != 5:
        raise ValueError(f"counts: 5 elements, got {counts.shape[0]}")
    check_start(start, n)
    f.places, f.rank, f.contracts, f.makers = a.places, a.rank, a.con_count, a.w.p.makers
    grown[:] = [0, 0, 0, 0, 0]
    a.w.rejudged = 0
    with nogil:
        i = start + take_rows(&a.w, f, &rows[0] + start if start < n else NULL, n - start, grown)
    grown[4] = a.w.rejudged
    for k in range(5):
        counts[k] += grown[k]
    a.finish()
    if i < n and (rows[i].kind == K_QUOTE or rows[i].kind == K_THEO) and not 0 <= rows[i].contract < a.con_count:
        raise ValueError(f"row {i}: contract {rows[i].contract} of {a.con_count}")
    return i


def set_clocks(Arrays a, const int32_t[::1] which, int64_t start, int64_t t, const uint8_t[::1] e_run,
               const uint8_t[::1] n_run):
    """Run or stop the clocks of contracts `which` at `t`; O(1) each but for what falls due by then.

    Returns the position reached in `which`.
    """
    cdef int64_t i = start, n = which.shape[0]
    cdef Con* c
    if e_run.shape[0] != n or n_run.shape[0] != n:
        raise ValueError(f"e_run, n_run: {n} elements, got {e_run.shape[0]}, {n_run.shape[0]}")
    check_indices(which, a.con_count, "contract")
    check_switch(e_run, "e_run")
    check_switch(n_run, "n_run")
    check_start(start, n)
    with nogil:
        while i < n and not full(&a.w):
            c = a.w.cons + which[i]
            fall_due(&a.w, c, t)
            move_clocks(&a.w, c, t)
            c.e_run = e_run[i]
            c.n_run = n_run[i]
            i += 1
    a.finish()
    return i


cdef inline void accrue_all(World* w, Con* c, int64_t t) noexcept nogil:
    # what has been so far, of every slot of a contract
    cdef int32_t k
    fall_due(w, c, t)
    for k in range(c.slots):
        accrue(w, slot_at(w, c.slot0 + k), c, t)


cdef inline void rejudge_all(World* w, Con* c, int64_t t) noexcept nogil:
    # by what the contract is from `t` on
    cdef int32_t k
    for k in range(c.slots):
        rejudge(w, slot_at(w, c.slot0 + k), c, t)


def set_stress(Arrays a, const int32_t[::1] which, int64_t start, int64_t t, const uint8_t[::1] on):
    """Enter or leave stress on contracts `which` at `t`; re-judges their slots. Returns the position reached."""
    cdef int64_t i = start, n = which.shape[0]
    cdef Con* c
    if on.shape[0] != n:
        raise ValueError(f"on: {n} elements, got {on.shape[0]}")
    check_indices(which, a.con_count, "contract")
    check_switch(on, "on")
    check_start(start, n)
    with nogil:
        while i < n and not full(&a.w):
            c = a.w.cons + which[i]
            accrue_all(&a.w, c, t)
            c.stress = on[i]
            rejudge_all(&a.w, c, t)
            i += 1
    a.finish()
    return i


def set_underlying(Arrays a, const int32_t[::1] which, int64_t start, int64_t t, const int64_t[::1] spread):
    """The underlying of contracts `which` has another spread from `t` on, LONG_AGO = missing; re-judges their slots.

    Returns the position reached.
    """
    cdef int64_t i = start, n = which.shape[0]
    cdef Con* c
    if spread.shape[0] != n:
        raise ValueError(f"spread: {n} elements, got {spread.shape[0]}")
    check_indices(which, a.con_count, "contract")
    check_start(start, n)
    with nogil:
        while i < n and not full(&a.w):
            c = a.w.cons + which[i]
            accrue_all(&a.w, c, t)
            c.under = spread[i]
            rejudge_all(&a.w, c, t)
            i += 1
    a.finish()
    return i


def end_rests(Arrays a, int64_t start, int64_t t):
    """A period has ended at `t`: rests that are reached only after it count as reached from here on (VAL-09).

    From contract `start` on; returns the contract reached.
    """
    cdef int64_t i = start
    cdef int32_t k
    cdef Con* c
    check_start(start, a.con_count)
    with nogil:
        while i < a.con_count and not full(&a.w):
            c = a.w.cons + i
            fall_due(&a.w, c, t)
            for k in range(c.slots if a.w.rests != NULL else 0):
                if a.w.rests[c.slot0 + k].fresh == LATE:
                    clear_fresh(&a.w, slot_at(&a.w, c.slot0 + k), c, t)
            i += 1
    a.finish()
    return i


def restate(Arrays a, const int32_t[::1] which, int64_t start, int64_t t, const uint8_t[::1] unk,
            const uint8_t[::1] ex, const uint8_t[::1] relax, const uint8_t[::1] absent, int64_t reliefs):
    """Give slots `which` new conditions at `t`: feed bits, exemption bits, relief; withdraw the quote where `absent`.

    `ex` holds EXCLUDE | DEEM | ONE_SIDE only. Returns the position reached.
    """
    cdef int64_t i = start, n = which.shape[0]
    cdef Slot* s
    cdef Con* c
    if unk.shape[0] != n or ex.shape[0] != n or relax.shape[0] != n or absent.shape[0] != n:
        raise ValueError(f"unk, ex, relax, absent: {n} elements each")
    check_indices(which, a.w.slot_count, "slot")
    if reliefs != a.reliefs:
        raise ValueError(f"reliefs: {a.reliefs}, got {reliefs}")
    for i in range(n):
        if relax[i] >= reliefs:
            raise ValueError(f"relax: below {reliefs}, got {relax[i]}")
    check_start(start, n)
    i = start
    with nogil:
        while i < n and not full(&a.w):
            s = slot_at(&a.w, which[i])
            c = a.w.cons + a.slot_con[which[i]]
            fall_due(&a.w, c, t)
            accrue(&a.w, s, c, t)
            s.unk = unk[i]
            s.ex = (s.ex & (STALE | MAYBE | WIDE | FRESH)) | ex[i]
            s.relax = relax[i]
            if absent[i]:
                remember(&a.w, s, t)
                s.bid_size = 0
                s.ask_size = 0
                age_anew(&a.w, s, c)
                rest_anew(&a.w, s, c, t, 0, True)
            rejudge(&a.w, s, c, t)
            i += 1
    a.finish()
    return i


def shrink(Arrays a, const int32_t[::1] which, int64_t start, int64_t t, const int32_t[::1] bid,
           const int32_t[::1] ask, const uint8_t[::1] flags):
    """The quotes of slots `which` lose what was traded at `t`: so much of the bid and of the ask, down to nothing.

    Age and rest stay, but for a side that goes: that is a change, whose rest ends as `flags` say (those of a quote's
    row). Returns the position reached.
    """
    cdef int64_t i, n = which.shape[0]
    cdef Slot* s
    cdef Con* c
    cdef bint goes
    if bid.shape[0] != n or ask.shape[0] != n or flags.shape[0] != n:
        raise ValueError(f"bid, ask, flags: {n} elements, got {bid.shape[0]}, {ask.shape[0]}, {flags.shape[0]}")
    check_indices(which, a.w.slot_count, "slot")
    for i in range(n):
        if bid[i] < 0 or ask[i] < 0:
            raise ValueError(f"bid, ask: not negative, got {min(bid[i], ask[i])}")
    check_start(start, n)
    i = start
    with nogil:
        while i < n and not full(&a.w):
            s = slot_at(&a.w, which[i])
            c = a.w.cons + a.slot_con[which[i]]
            fall_due(&a.w, c, t)
            accrue(&a.w, s, c, t)
            remember(&a.w, s, t)
            goes = (0 < s.bid_size <= bid[i]) or (0 < s.ask_size <= ask[i])
            s.bid_size = max(0, s.bid_size - bid[i])
            s.ask_size = max(0, s.ask_size - ask[i])
            if not (s.bid_size or s.ask_size):
                age_anew(&a.w, s, c)
            if goes and a.w.rests != NULL:
                rest_anew(&a.w, s, c, t, flags[i], a.w.rests[which[i]].rest_ts != never())
            rejudge(&a.w, s, c, t)
            i += 1
    a.finish()
    return i


cdef inline void settle_slot(World* w, Slot* s, const Con* c, int64_t t) noexcept nogil:
    accrue(w, s, c, t)
    if w.replies != NULL and s.now != s.was and w.replies[s - w.slots].at < t:
        end_turn(w.replies + (s - w.slots), s, w.latency)


def settle(Arrays a, int64_t start, int64_t t, int64_t stop=-1):
    """Bring every contract and slot from contract `start` on to instant `t`; returns the contract reached.

    Only those before contract `stop`, if it is given. Meant for a copy of the arrays (TAPE-01): it is how `at(t)` reads.
    """
    cdef int64_t i = start, end = a.con_count if stop < 0 else stop
    cdef int32_t k
    cdef Con* c
    check_start(end, a.con_count)
    check_start(start, end)
    with nogil:
        while i < end and not full(&a.w):
            c = a.w.cons + i
            fall_due(&a.w, c, t)
            for k in range(c.slots):
                settle_slot(&a.w, slot_at(&a.w, c.slot0 + k), c, t)
            move_clocks(&a.w, c, t)
            i += 1
    a.finish()
    return i


def note_fill(Arrays a, int64_t slot, int64_t t):
    """A fill of `slot` at `t`: it may be why its quote turns at that instant (RESP-01).

    Returns 0 if edges must be read first.
    """
    if not 0 <= slot < a.w.slot_count:
        raise ValueError(f"slot {slot} of {a.w.slot_count}")
    if full(&a.w):
        return 0
    fall_due(&a.w, a.w.cons + a.slot_con[slot], t)
    if a.w.replies != NULL:
        note(a.w.replies + slot, a.w.latency, a.w.slots + slot, t, BY_FILL)
    a.finish()
    return 1


def compare(const int64_t[::1] have, const int64_t[::1] whole, int64_t num, int64_t den, uint8_t[::1] out):
    """out[i] = 1 where have[i] >= whole[i] * num / den, exactly. All non-negative, num and den below 2**34."""
    cdef int64_t i
    if whole.shape[0] != have.shape[0] or out.shape[0] != have.shape[0]:
        raise ValueError("have, whole, out: equal lengths")
    with nogil:
        for i in range(have.shape[0]):
            out[i] = <i128>have[i] * den >= <i128>whole[i] * num


def slacks(const int64_t[::1] have, const int64_t[::1] whole, int64_t num, int64_t den, int64_t[::1] out):
    """out[i] = floor(have[i] - whole[i] * num / den), exactly; whole non-negative, den > 0."""
    cdef int64_t i
    cdef i128 x
    if whole.shape[0] != have.shape[0] or out.shape[0] != have.shape[0]:
        raise ValueError("have, whole, out: equal lengths")
    with nogil:
        for i in range(have.shape[0]):
            x = <i128>whole[i] * num
            out[i] = have[i] - (floor_div(x + den - 1, den) if x > 0 else 0)


cdef int check_indices(const int32_t[::1] which, int64_t limit, str what) except -1:
    cdef int64_t i
    for i in range(which.shape[0]):
        if not 0 <= which[i] < limit:
            raise ValueError(f"{what} {which[i]} of {limit}")
    return 0


cdef int check_switch(const uint8_t[::1] values, str what) except -1:
    cdef int64_t i
    for i in range(values.shape[0]):
        if values[i] > 1:
            raise ValueError(f"{what}: 0 or 1, got {values[i]}")
    return 0


cdef int check_start(int64_t start, int64_t n) except -1:
    if not 0 <= start <= n:
        raise ValueError(f"start: 0 to {n}, got {start}")
    return 0


def as_structs(bytes data):
    """The first bytes of `data` read as each C struct, by field name, and the structs' sizes.

    At least as many bytes as the largest has. A test holds it against the dtypes of `kernels/layout.py`.
    """
    cdef Slot slot
    cdef Past past
    cdef Con con
    cdef Edge edge
    cdef Rest rest
    cdef Cell cell
    cdef Term term
    cdef Param param
    cdef Row row
    cdef Win win
    cdef Apart apart
    cdef Reply reply
    cdef const char* start = data
    if <size_t>len(data) < LARGEST:
        raise ValueError(f"data: at least {LARGEST} bytes, got {len(data)}")
    memcpy(&slot, start, sizeof(Slot))
    memcpy(&past, start, sizeof(Past))
    memcpy(&con, start, sizeof(Con))
    memcpy(&edge, start, sizeof(Edge))
    memcpy(&rest, start, sizeof(Rest))
    memcpy(&cell, start, sizeof(Cell))
    memcpy(&term, start, sizeof(Term))
    memcpy(&param, start, sizeof(Param))
    memcpy(&row, start, sizeof(Row))
    memcpy(&reply, start, sizeof(Reply))
    memcpy(&win, start, sizeof(Win))
    memcpy(&apart, start, sizeof(Apart))
    return {
        "rest": (sizeof(Rest), rest), "cell": (sizeof(Cell), cell),
        "slot": (sizeof(Slot), slot), "past": (sizeof(Past), past), "con": (sizeof(Con), con), "edge": (sizeof(Edge), edge),
        "term": (sizeof(Term), term), "param": (sizeof(Param), param), "row": (sizeof(Row), row),
        "win": (sizeof(Win), win), "apart": (sizeof(Apart), apart),
        "reply": (sizeof(Reply), reply),
    }
