"""Several accounts of one maker as one quote: each row in turn becomes what the accounts now amount to.

Every account has a place, a row of the table of standing quotes. Integers only; the arrays are checked before the GIL is
released. Plain twin: mm_monitor/kernels/reference_accounts.py.
"""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t
from layout cimport K_QUOTE, ROW_QUOTE_BAD, Row


cdef packed struct Held:
    int64_t bid
    int64_t ask
    int32_t bid_size
    int32_t ask_size


cdef struct Table:
    Held* quotes          # place * contracts + contract
    int64_t places
    int64_t contracts
    const int32_t* own    # place of a maker's own name, -1 = it has no accounts
    int64_t makers
    const int32_t* place  # by number of the account
    int64_t accounts
    const int32_t* first  # of each maker's places in `members`; one more at the end
    const int32_t* members


cdef inline int32_t add(int32_t a, int32_t b) noexcept nogil:
    return INT32_MAX if <int64_t>a + b > INT32_MAX else a + b


cdef inline Held union_of(const Table* t, int64_t maker, int64_t contract) noexcept nogil:
    cdef Held all, one
    cdef int32_t i
    all.bid = all.ask = 0
    all.bid_size = all.ask_size = 0
    for i in range(t.first[maker], t.first[maker + 1]):
        one = t.quotes[t.members[i] * t.contracts + contract]
        if one.bid_size:
            if not all.bid_size or one.bid > all.bid:
                all.bid = one.bid
                all.bid_size = one.bid_size
            elif one.bid == all.bid:
                all.bid_size = add(all.bid_size, one.bid_size)
        if one.ask_size:
            if not all.ask_size or one.ask < all.ask:
                all.ask = one.ask
                all.ask_size = one.ask_size
            elif one.ask == all.ask:
                all.ask_size = add(all.ask_size, one.ask_size)
    return all


cdef inline int sides(const Held* q) noexcept nogil:
    return (q.bid_size != 0) + (q.ask_size != 0)


cdef inline bint better(const Held* a, const Held* b) noexcept nogil:
    # a stands for the maker rather than b: it has more sides, is narrower, has the larger least size
    if sides(a) != sides(b) or sides(a) < 2:
        return sides(a) > sides(b)
    if a.ask - a.bid != b.ask - b.bid:
        return a.ask - a.bid < b.ask - b.bid
    return min(a.bid_size, a.ask_size) > min(b.bid_size, b.ask_size)


cdef inline Held best_of(const Table* t, int64_t maker, int64_t contract) noexcept nogil:
    cdef const Held* best = t.quotes + t.members[t.first[maker]] * t.contracts + contract
    cdef const Held* one
    cdef int32_t i
    for i in range(t.first[maker] + 1, t.first[maker + 1]):
        one = t.quotes + t.members[i] * t.contracts + contract
        if better(one, best):
            best = one
    return best[0]


cdef inline void fold_row(Table* t, Row* r, bint best) noexcept nogil:
    cdef int32_t place = t.place[r.account] if r.account else t.own[r.maker]
    cdef Held* held = t.quotes + place * t.contracts + r.contract
    cdef Held q
    held.bid = r.a
    held.ask = r.b
    held.bid_size = r.a_size
    held.ask_size = r.b_size
    q = best_of(t, r.maker, r.contract) if best else union_of(t, r.maker, r.contract)
    r.a = q.bid
    r.b = q.ask
    r.a_size = q.bid_size
    r.b_size = q.ask_size


def fold_accounts(Row[::1] rows, const uint8_t[::1] wanted, Held[:, ::1] quotes, const int32_t[::1] own,
                  const int32_t[::1] place, const int32_t[::1] first, const int32_t[::1] members, bint best):
    """Take every good quote that is `wanted` into its account's place and make it the maker's effective quote, in order.

    quotes (places, contracts) HELD; own (makers,); place by account number, [0] unused; first (makers + 1,) into
    members. Other rows, and those of makers without accounts, stay as they are. ValueError for what is out of range.
    """
    cdef Table t
    cdef int64_t i
    if wanted.shape[0] != rows.shape[0]:
        raise ValueError(f"wanted: {rows.shape[0]} elements, got {wanted.shape[0]}")
    check_places(own, place, first, members, quotes.shape[0])
    t.quotes = &quotes[0, 0] if quotes.shape[0] and quotes.shape[1] else NULL
    t.places, t.contracts = quotes.shape[0], quotes.shape[1]
    t.own = &own[0] if own.shape[0] else NULL
    t.makers = own.shape[0]
    t.place = &place[0] if place.shape[0] else NULL
    t.accounts = place.shape[0]
    t.first = &first[0]
    t.members = &members[0] if members.shape[0] else NULL
    for i in range(rows.shape[0]):
        check_row(&t, &rows[i], i)
    with nogil:
        for i in range(rows.shape[0]):
            if (wanted[i] and rows[i].kind == K_QUOTE and not rows[i].flags & ROW_QUOTE_BAD and rows[i].maker >= 0
                    and t.own[rows[i].maker] >= 0):
                fold_row(&t, &rows[i], best)


cdef int check_places(const int32_t[::1] own, const int32_t[::1] place, const int32_t[::1] first,
                      const int32_t[::1] members, int64_t places) except -1:
    cdef int64_t i
    if first.shape[0] != own.shape[0] + 1 or first[0] != 0 or first[own.shape[0]] != members.shape[0]:
        raise ValueError(f"first: {own.shape[0] + 1} elements from 0 to {members.shape[0]}")
    for i in range(own.shape[0]):
        if first[i] > first[i + 1] or (own[i] >= 0 and first[i] == first[i + 1]) or own[i] >= places:
            raise ValueError(f"maker {i}: place {own[i]} of {places}, members {first[i]} to {first[i + 1]}")
    for i in range(members.shape[0]):
        if not 0 <= members[i] < places:
            raise ValueError(f"member {members[i]} of {places} places")
    for i in range(1, place.shape[0]):
        if not -1 <= place[i] < places:
            raise ValueError(f"account {i}: place {place[i]} of {places}")
    return 0


cdef int check_row(const Table* t, const Row* r, int64_t i) except -1:
    if r.kind != K_QUOTE or r.maker < 0:
        return 0
    if r.maker >= t.makers or not 0 <= r.contract < t.contracts:
        raise ValueError(f"row {i}: maker {r.maker} of {t.makers}, contract {r.contract} of {t.contracts}")
    if t.own[r.maker] >= 0 and r.account and (r.account >= t.accounts or t.place[r.account] < 0):
        raise ValueError(f"row {i}: account {r.account} has no place")
    return 0
