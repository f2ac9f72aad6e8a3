# What is refused before any array is touched: lengths that do not fit, indices that lead out of the arrays.

from libc.stdint cimport int32_t, int64_t
from layout cimport *

cdef inline int check_lengths(Slot[::1] slots, Past[::1] past, int64_t[::1] wide, Rest[::1] rests,
                              const int32_t[::1] slot_con, const int32_t[::1] rank, const Param[::1] param,
                              const Term[::1] terms, int64_t reliefs) except -1:
    if reliefs < 1 or param.shape[0] != 1:
        raise ValueError(f"param: 1 row and at least 1 relief, got {param.shape[0]}, {reliefs}")
    if param[0].terms < 0 or terms.shape[0] != reliefs * 2 * param[0].terms:
        raise ValueError(f"terms: {reliefs} reliefs x 2 x {param[0].terms}, got {terms.shape[0]}")
    if not 0 <= param[0].makers <= rank.shape[0]:
        raise ValueError(f"rank: at least {param[0].makers} elements, got {rank.shape[0]}")
    if past.shape[0] != slots.shape[0]:
        raise ValueError(f"past: {slots.shape[0]} elements, got {past.shape[0]}")
    if slot_con.shape[0] != slots.shape[0]:
        raise ValueError(f"slot_con: {slots.shape[0]} elements, got {slot_con.shape[0]}")
    if param[0].grace >= 0 and wide.shape[0] != slots.shape[0]:
        raise ValueError(f"wide: {slots.shape[0]} elements, got {wide.shape[0]}")
    if (param[0].max_age >= 0 or param[0].min_rest >= 0) and rests.shape[0] != slots.shape[0]:
        raise ValueError(f"rests: {slots.shape[0]} elements, got {rests.shape[0]}")
    if param[0].buckets < 1:
        raise ValueError(f"buckets: at least 1, got {param[0].buckets}")
    return 0

cdef inline int check_beside(int64_t slots, Win[::1] win, const int64_t[::1] widths, Apart[::1] apart,
                             const Param* p) except -1:
    cdef int64_t k
    for k in range(widths.shape[0]):
        if widths[k] < 1:
            raise ValueError(f"widths: of at least 1 ns, got {widths[k]}")
    if widths.shape[0] != p.widths:
        raise ValueError(f"widths: {p.widths}, got {widths.shape[0]}")
    if win.shape[0] != slots * p.widths:
        raise ValueError(f"win: {slots} x {p.widths} rows, got {win.shape[0]}")
    if p.apart and apart.shape[0] != slots:
        raise ValueError(f"apart: {slots} rows, got {apart.shape[0]}")
    return 0

cdef inline int64_t check_contracts(Con[::1] cons, const int32_t[::1] rank, Param param, int64_t slots) except -1:
    # returns the most slots that one contract has, at least 1
    cdef int64_t i, k, total = 0, most = 1, makers = param.makers
    for i in range(cons.shape[0]):
        if cons[i].slots < 0 or cons[i].slot0 != total:
            raise ValueError(f"contract {i}: slots must follow each other, slot0 {cons[i].slot0}")
        total += cons[i].slots
        most = max(most, cons[i].slots)
        if cons[i].cls < 0 or (cons[i].cls + 1) * makers > rank.shape[0]:
            raise ValueError(f"contract {i}: class {cons[i].cls} is outside the rank table")
        if cons[i].theo_ok > 1 or cons[i].e_run > 1 or cons[i].n_run > 1 or cons[i].stress > 1:
            raise ValueError(f"contract {i}: theo_ok, e_run, n_run and stress are 0 or 1")
        if not 0 <= cons[i].held <= cons[i].slots or (cons[i].hole_now and not cons[i].slots):
            raise ValueError(f"contract {i}: {cons[i].held} held of {cons[i].slots} slots, hole {cons[i].hole_now}")
        if cons[i].bucket >= param.buckets:
            raise ValueError(f"contract {i}: bucket {cons[i].bucket} of {param.buckets}")
        if cons[i].min_size < 1:
            raise ValueError(f"contract {i}: min_size of at least 1, got {cons[i].min_size}")
        for k in range(2):
            if not (END <= cons[i].head[k] < slots and END <= cons[i].tail[k] < slots):
                raise ValueError(f"contract {i}: head or tail is no slot")
        for k in range(cons[i].cls * makers, (cons[i].cls + 1) * makers):
            if rank[k] >= cons[i].slots:
                raise ValueError(f"contract {i}: rank {rank[k]} of {cons[i].slots} slots")
    if total != slots:
        raise ValueError(f"slots: contracts hold {total}, got {slots}")
    return most

cdef inline int check_slots(Slot[::1] slots, const int32_t[::1] slot_con, int64_t cons, int64_t reliefs) except -1:
    cdef int64_t i
    for i in range(slots.shape[0]):
        if slots[i].relax >= reliefs:
            raise ValueError(f"slot {i}: relief {slots[i].relax} of {reliefs}")
        if slots[i].state > NONE or LAPSED + 9 <= slots[i].state < DEEMED:
            raise ValueError(f"slot {i}: state {slots[i].state}")
        if not 0 <= slot_con[i] < cons:
            raise ValueError(f"slot {i}: contract {slot_con[i]} of {cons}")
    return 0

cdef inline int check_rests(Rest[::1] rests, int64_t slots) except -1:
    cdef int64_t i, k
    for i in range(rests.shape[0]):
        for k in range(2):
            if not (OUT <= rests[i].prev[k] < slots and OUT <= rests[i].next[k] < slots):
                raise ValueError(f"slot {i}: prev or next is no slot")
        if not 0 <= rests[i].fresh <= LATE:
            raise ValueError(f"slot {i}: fresh {rests[i].fresh}")
    return 0

cdef inline int check_tables(const Term[::1] terms, const Cell[::1] cells, int64_t buckets) except -1:
    cdef int64_t i, k, n = cells.shape[0]
    for i in range(terms.shape[0]):
        if terms[i].base != T_TABLE_BID and terms[i].base != T_TABLE_THEO:
            continue
        if not (1 <= terms[i].num <= n and terms[i].den == buckets and buckets <= n
                and 0 <= terms[i].value <= n - terms[i].num * buckets):
            raise ValueError(f"terms[{i}]: cells of {buckets} buckets, got {terms[i].num} from {terms[i].value}")
        for k in range(buckets):
            if cells[terms[i].value + (k + 1) * terms[i].num - 1].until != never():
                raise ValueError(f"terms[{i}]: the last band of bucket {k} must be open")
    return 0
