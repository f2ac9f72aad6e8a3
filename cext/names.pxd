# Names to indices by open addressing, looked up as the bytes that lie in a record: no Python object is made.

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

# As mm_monitor.kernels.layout.NAME; a free cell has length -1.
cdef packed struct NameCell:
    uint64_t first      # bytes 0 to 7 and 8 to 15 of the name, zeros behind its end
    uint64_t second
    int32_t start       # in the pool of all names
    int32_t length
    int32_t index
    int32_t number

cdef struct Names:
    const NameCell* cells
    const unsigned char* pool
    uint64_t mask
    int64_t pooled


cdef inline uint64_t eight(const unsigned char* at, const unsigned char* limit) noexcept nogil:
    # 8 bytes, the first one lowest; zeros for what lies at or beyond `limit`
    cdef uint64_t word = 0
    if limit - at >= 8:
        memcpy(&word, at, 8)
    elif limit > at:
        memcpy(&word, at, limit - at)
    return word


cdef inline uint64_t kept(uint64_t word, int64_t length) noexcept nogil:
    # the first `length` bytes, at least 1, of a word; zeros behind
    return word if length >= 8 else word & ((<uint64_t> 1 << (8 * length)) - 1)


cdef inline uint64_t name_hash(uint64_t first, uint64_t second, int64_t length) noexcept nogil:
    cdef uint64_t h = (first ^ <uint64_t> length) * <uint64_t> 0x9E3779B97F4A7C15
    h = (h ^ (h >> 29) ^ second) * <uint64_t> 0xBF58476D1CE4E5B9
    return h ^ (h >> 32)


cdef inline uint64_t long_hash(uint64_t h, const unsigned char* name, int64_t length) noexcept nogil:
    # of a name of over 16 bytes: the words behind the second too
    cdef int64_t at = 16
    while at < length:
        h = (h ^ (h >> 29) ^ eight(name + at, name + length)) * <uint64_t> 0xBF58476D1CE4E5B9
        at += 8
    return h ^ (h >> 32)


cdef inline const NameCell* find_name(const Names* names, const unsigned char* name, int64_t length,
                                      uint64_t first, uint64_t second) noexcept nogil:
    """The cell of a name of at least 1 byte, NULL if it is not there; `first` and `second` are its words."""
    cdef uint64_t h = name_hash(first, second, length)
    cdef uint64_t k
    cdef const NameCell* cell
    if length > 16:
        h = long_hash(h, name, length)
    for k in range(names.mask + 1):  # a full table ends too
        cell = names.cells + ((h + k) & names.mask)
        if cell.length < 0:
            return NULL
        if cell.first == first and cell.second == second and cell.length == length and (
            length <= 16 or same_tail(names, cell, name, length)
        ):
            return cell
    return NULL


cdef inline bint same_tail(const Names* names, const NameCell* cell, const unsigned char* name, int64_t length) noexcept nogil:
    if cell.start < 0 or cell.start > names.pooled - length:
        return False
    return memcmp(names.pool + cell.start + 16, name + 16, length - 16) == 0


cdef inline Names names_of(const NameCell[::1] cells, const unsigned char[::1] pool) except *:
    cdef Names names
    cdef Py_ssize_t n = cells.shape[0]
    if n < 1 or n & (n - 1):
        raise ValueError(f"names: a power of two of cells wanted, got {n}")
    names.cells = &cells[0]
    names.pool = &pool[0] if pool.shape[0] else NULL
    names.mask = <uint64_t> (n - 1)
    names.pooled = pool.shape[0]
    return names
