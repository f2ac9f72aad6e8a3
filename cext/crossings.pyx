"""When contracts may next cross a limit: which of them a look at an instant would find edges of.

Only reads the arrays of an evaluator. Plain twin: mm_monitor/kernels/reference_crossings.py.
"""

from libc.stdint cimport int64_t, uint8_t
from layout cimport DEEMED, EXEMPT, LAPSED, NONE, WIDE, Con, Slot

cdef int64_t FAR = <int64_t>1 << 62         # ns from now on: never


cdef inline int64_t time_left(int64_t so_far, int64_t limit, bint grows, bint ends, int64_t passed, bint runs,
                              int64_t seen) noexcept nogil:
    """ns until what has lasted `so_far` of clock time writes an edge: beyond its limit, or as it ends beyond it."""
    cdef int64_t left
    if so_far > limit:
        if not ends:
            return FAR
        left = -passed
    elif grows:
        left = limit - so_far - passed
    else:
        return FAR
    if left < seen or left > FAR // 2 or (not runs and left >= 0):
        return FAR
    return left


cdef class Looks:
    """Bound to arrays of one layout: slots (n,) SLOT, wide (n,) int64 or empty, cons (m,) CON; looked, due (m,) int64.

    `longest`, `grace`, `hole` are limits in ns, negative for none. ValueError for lengths that do not belong together.
    """

    cdef object keep
    cdef const Slot* slots
    cdef const int64_t* wide
    cdef const Con* cons
    cdef const int64_t* looked
    cdef int64_t* due
    cdef int64_t n, m, longest, grace, hole

    def __init__(self, const Slot[::1] slots, const int64_t[::1] wide, const Con[::1] cons, int64_t longest,
                 int64_t grace, int64_t hole, const int64_t[::1] looked, int64_t[::1] due):
        cdef int64_t c
        self.n, self.m = slots.shape[0], cons.shape[0]
        if looked.shape[0] != self.m or due.shape[0] != self.m:
            raise ValueError(f"looked, due: {self.m} elements, got {looked.shape[0]}, {due.shape[0]}")
        if grace >= 0 and wide.shape[0] != self.n:
            raise ValueError(f"wide: {self.n} elements, got {wide.shape[0]}")
        for c in range(self.m):
            if cons[c].slot0 < 0 or cons[c].slots < 0 or cons[c].slot0 + <int64_t>cons[c].slots > self.n:
                raise ValueError(f"contract {c}: slots outside of {self.n}")
        self.keep = (slots, wide, cons, looked, due)
        self.slots = &slots[0] if self.n else NULL
        self.wide = &wide[0] if grace >= 0 and self.n else NULL
        self.cons = &cons[0] if self.m else NULL
        self.looked = &looked[0] if self.m else NULL
        self.due = &due[0] if self.m else NULL
        self.longest, self.grace, self.hole = longest, grace, hole

    cdef int64_t bound(self, int64_t which) noexcept nogil:
        """The instant up to which a look at the contract finds nothing that was not found before."""
        cdef const Con* c = self.cons + which
        cdef const Slot* s
        cdef bint lapsed, known, opens, runs = c.n_run > 0
        cdef int64_t k, passed, left, least = FAR, seen = self.looked[which] - c.t_last
        cdef int64_t bound = c.due if c.n_run or c.e_run else FAR
        for k in range(c.slot0, c.slot0 + c.slots):
            s = self.slots + k
            lapsed = LAPSED <= s.state < DEEMED
            known = s.state != EXEMPT and s.state != NONE
            passed = c.n_val - s.n_last
            if self.longest >= 0:
                left = time_left(s.current, self.longest, lapsed, known and not lapsed, passed, runs, seen)
                least = min(least, left)
            if self.grace >= 0:
                opens = lapsed and s.ex & WIDE
                left = time_left(self.wide[k], self.grace, opens, known and not opens, passed, runs, seen)
                least = min(least, left)
        if self.hole >= 0:
            opens = c.cover == 0 and c.held > 0
            passed = c.e_val - c.hole_e
            left = time_left(c.hole_now, self.hole, opens, not opens, passed, c.e_run > 0, seen)
            least = min(least, left)
        return min(bound, c.t_last + least)

    def find(self, uint8_t[::1] doubtful, int64_t t, int64_t[::1] found):
        """Write the contracts of which a look at `t` finds something, in order; returns how many.

        `doubtful` (m,): 1 = may have changed since it was looked at, cleared here; found (m,).
        """
        cdef int64_t c, count = 0
        if doubtful.shape[0] != self.m or found.shape[0] != self.m:
            raise ValueError(f"doubtful, found: {self.m} elements, got {doubtful.shape[0]}, {found.shape[0]}")
        with nogil:
            for c in range(self.m):
                if not doubtful[c] and self.due[c] >= t:
                    continue
                doubtful[c] = 0
                self.due[c] = self.bound(c)
                if self.due[c] < t:
                    found[count] = c
                    count += 1
        return count

    def renew(self, const int64_t[::1] which):
        """Work out `due` of these contracts."""
        cdef int64_t i
        for i in range(which.shape[0]):
            if not 0 <= which[i] < self.m:
                raise ValueError(f"contract {which[i]} of {self.m}")
            self.due[which[i]] = self.bound(which[i])
