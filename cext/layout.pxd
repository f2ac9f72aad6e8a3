# Structs that Python sees as numpy dtypes in mm_monitor/kernels/layout.py; a test compares the two.

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    typedef __int128 mm_i128;
    typedef unsigned __int128 mm_u128;
    #define MM_PREFETCH(p) __builtin_prefetch((p), 1, 3)
    #define MM_CTZ(x) __builtin_ctz(x)
    #define MM_MUL(a, b, out) __builtin_mul_overflow((a), (b), (out))
    """
    ctypedef long long i128 "mm_i128"
    ctypedef unsigned long long u128 "mm_u128"
    void MM_PREFETCH(void* p) noexcept nogil
    int MM_CTZ(unsigned int x) noexcept nogil
    bint MM_MUL(uint64_t a, uint64_t b, uint64_t* out) noexcept nogil

cdef packed struct Slot:
    int64_t bid
    int64_t ask
    int32_t bid_size
    int32_t ask_size
    int64_t quote_ts
    int64_t src
    int64_t theo_lo
    int64_t theo_hi
    int64_t n_last
    int64_t quoted
    int64_t last_valid
    int64_t current
    uint64_t use_lo
    uint32_t use_hi
    uint32_t rate
    uint32_t lapses
    uint8_t state
    uint8_t unk
    uint8_t ex
    uint8_t relax
    int64_t by_at
    uint8_t by
    uint8_t had
    uint8_t was
    uint8_t now
    uint8_t watched
    uint8_t pad1
    uint16_t pad2

cdef packed struct Past:
    int64_t longest
    int64_t[8] lapsed
    int64_t unknown
    int64_t exempt

cdef packed struct Rest:
    int64_t rest_ts
    int64_t was_at
    int64_t was_bid
    int64_t was_ask
    int64_t was_rest
    int32_t was_fresh
    int32_t fresh
    int32_t[2] prev
    int32_t[2] next
    int64_t flicker

cdef packed struct Con:
    int64_t due
    int64_t t_last
    int64_t n_val
    int64_t theo
    int64_t tick
    int32_t slot0
    int32_t slots
    int32_t cls
    int32_t min_size
    uint8_t theo_ok
    uint8_t e_run
    uint8_t n_run
    uint8_t stress
    uint8_t live
    uint8_t outside
    uint16_t bucket
    int64_t theo_until
    int64_t theo_src
    int64_t theo_ts
    int64_t theo_via
    int64_t theo_at
    int64_t turn_at
    int64_t n_at
    int64_t under
    int64_t e_val
    int64_t hole
    int64_t hole_e
    int64_t hole_now
    int32_t cover
    int32_t held
    int32_t[2] head
    int32_t[2] tail
    int64_t pad1

cdef packed struct Win:
    int64_t elapsed
    int64_t quoted
    int64_t exempt
    int64_t unknown
    int64_t passed
    int64_t failed
    int64_t hanging
    int64_t run
    int64_t longest

cdef packed struct Apart:
    int64_t quoted
    int64_t lapsed
    int64_t unknown

cdef packed struct Edge:
    int64_t n
    int64_t bid
    int64_t ask
    int64_t quote_ts
    int64_t src
    int64_t theo
    int64_t theo_src
    int64_t theo_ts
    int64_t theo_via
    int64_t under
    int32_t slot
    int32_t bid_size
    int32_t ask_size
    uint8_t kind
    uint8_t state
    uint8_t flags
    uint8_t relax

cdef packed struct Reply:
    int64_t at
    int64_t since
    int64_t n
    int64_t n_at
    int32_t cell
    uint8_t cause
    uint8_t lapsed
    uint8_t reads_theo
    uint8_t pad1

cdef packed struct Term:
    int64_t base
    int64_t num
    int64_t den
    int64_t value

cdef packed struct Cell:
    int64_t until
    int64_t base
    int64_t num
    int64_t den
    int64_t value

cdef packed struct Param:
    int64_t size_num
    int64_t size_den
    int64_t size_of
    int64_t max_age
    int64_t zero_bid
    int64_t band_abs
    int64_t band_num
    int64_t band_den
    int64_t theo_age
    int64_t missing
    int64_t reads_theo
    int64_t longest
    int64_t grace
    int64_t combine_min
    int64_t terms
    int64_t makers
    int64_t longest_hole
    int64_t widths
    int64_t req_num
    int64_t req_den
    int64_t apart
    int64_t min_rest
    int64_t rests
    int64_t buckets

cdef packed struct Row:
    int64_t ts
    int64_t offset
    int64_t a
    int64_t b
    int32_t a_size
    int32_t b_size
    int32_t maker
    int32_t contract
    uint16_t part
    uint16_t sub
    uint8_t kind
    uint8_t flags
    uint16_t account

cdef enum:
    VALID = 0
    UNKNOWN = 1
    EXEMPT = 2
    LAPSED = 3
    DEEMED = 12
    NONE = 13

cdef enum:
    DOWN = 1
    WAIT = 2
    BAD = 4

cdef enum:
    EXCLUDE = 1
    DEEM = 2
    ONE_SIDE = 4
    STALE = 8
    MAYBE = 16
    WIDE = 32
    FRESH = 64

cdef enum:
    RESTED = 0
    RESTING = 1
    LATE = 2

cdef enum:
    AGE = 0
    RESTS = 1
    END = -1
    OUT = -2

cdef enum:
    B_ABSENT = 1
    B_ONE_SIDED = 2
    B_CROSSED = 4
    B_SIZE = 8
    B_UNEQUAL = 16
    B_SPREAD = 32
    B_OFF_THEO = 64
    B_STALE = 128
    B_FLICKER = 256

cdef enum:
    LAPSE_OPEN = 0
    LAPSE_CLOSE = 1
    SPREAD_OPEN = 2
    SPREAD_CLOSE = 3
    WATCHED = 6
    ANSWERED = 7
    HOLE_OPEN = 8
    HOLE_CLOSE = 9
    REST_ENDS = 4
    REST_STANDS = 5

cdef enum:
    T_THEO = 0
    T_BID = 1
    T_ASK = 2
    T_MID = 3
    T_TICKS = 4
    T_ABSOLUTE = 5
    T_UNDERLYING = 6
    T_TABLE_BID = 7
    T_TABLE_THEO = 8

cdef enum:
    MISSING_UNKNOWN = 0
    MISSING_SKIP = 1
    MISSING_EXCLUDE = 2
    MISSING_HOLD = 3

cdef enum:
    RESTS_THEN = 0
    RESTS_FLAGGED = 1
    RESTS_SCOUT = 2

cdef enum:
    K_THEO = 8
    K_QUOTE = 9
    K_FILL = 11

cdef enum:
    V_FAILS = 0
    V_PASSES = 1
    V_UNKNOWN = 2
    V_HANGS = 3

cdef enum:
    BY_QUOTE = 1
    BY_WITHDRAWAL = 2
    BY_THEO = 4
    BY_FILL = 8

cdef enum:
    ROW_QUOTE_BAD = 1
    ROW_THEO_MISSING = 2
    ROW_THEO_DELTA = 4
    ROW_RESTLESS = 8
    ROW_LATE = 16

cdef enum:
    EDGES_PER_SLOT = 24

cdef inline int64_t never() noexcept nogil:
    return INT64_MAX

cdef inline int64_t long_ago() noexcept nogil:
    return INT64_MIN

cdef inline int64_t source(const Row* r) noexcept nogil:
    # where a record came from, in one number: part << 48 | offset
    return (<int64_t>r.part << 48) | (r.offset & ((<int64_t>1 << 48) - 1))
