# PRES-06: tumbling windows over a slot's own obliged time; pure functions of one width's row.
#
# The windows that a stretch of one state fills are alike, so they are counted by one division, at any width. Plain twin:
# mm_monitor/kernels/reference_windows.py.

from libc.stdint cimport int64_t, uint64_t
from layout cimport *

cdef inline void put_time(Win* v, int state, int64_t d) noexcept nogil:
    # what is none of the three is lapsed
    v.elapsed += d
    if state == VALID or state == DEEMED:
        v.quoted += d
    elif state == EXEMPT:
        v.exempt += d
    elif state == UNKNOWN:
        v.unknown += d

cdef inline void close_windows(Win* v, const Param* p, int64_t width, int64_t n) noexcept nogil:
    # count n windows like the one that is full now, and open the next
    cdef i128 need = <i128>(width - v.exempt) * p.req_num
    if v.exempt == width:  # empty: neither ends a run of failed windows nor adds to it
        pass
    elif <i128>v.quoted * p.req_den >= need:
        v.passed += n
        v.run = 0
    elif <i128>(v.quoted + v.unknown) * p.req_den < need:
        v.failed += n
        v.run += n
        if v.run > v.longest:
            v.longest = v.run
    else:
        v.hanging += n
        v.run = 0
    v.elapsed = 0
    v.quoted = 0
    v.exempt = 0
    v.unknown = 0

cdef inline void add_time(Win* v, const Param* p, int64_t width, int state, int64_t d) noexcept nogil:
    cdef int64_t room = width - v.elapsed, whole
    if d < room:
        put_time(v, state, d)
        return
    put_time(v, state, room)
    close_windows(v, p, width, 1)
    d -= room
    if d >= width:
        whole = <int64_t>(<uint64_t>d // <uint64_t>width)
        put_time(v, state, width)
        close_windows(v, p, width, whole)
        d -= whole * width
    put_time(v, state, d)

cdef inline void add_apart(Apart* x, int state, int64_t d) noexcept nogil:
    # PRES-09: time inside stress; exempt time is no part of it
    if state == VALID or state == DEEMED:
        x.quoted += d
    elif state == UNKNOWN:
        x.unknown += d
    elif state != EXEMPT:
        x.lapsed += d
