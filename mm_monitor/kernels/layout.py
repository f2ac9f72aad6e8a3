"""The memory that kernels and Python share: one packed row per slot, per contract, per window width, per edge.

The same layouts stand as C structs in `cext/layout.pxd`; a test compares sizes and offsets. A slot's row is the hot
state of one obligation: two lines of the cache, which are all that a quote touches while it stays valid, beside the
first line of its contract. What has lapsed is beside it, in PAST; what is measured of a maker's answers in REPLY.
"""

from __future__ import annotations

import numpy as np

SLOT = np.dtype(
    [
        ("bid", "<i8"),
        ("ask", "<i8"),
        ("bid_size", "<i4"),  # 0 = no bid
        ("ask_size", "<i4"),
        ("quote_ts", "<i8"),  # of the last good quote, withdrawals included
        ("src", "<i8"),  # part << 48 | offset of that quote
        ("theo_lo", "<i8"),  # the verdict stands while theo_lo <= theo <= theo_hi (VAL-11)
        ("theo_hi", "<i8"),
        ("n_last", "<i8"),  # net obligation clock up to which this slot is accrued
        ("quoted", "<i8"),
        ("last_valid", "<i8"),  # event time, -1 = never
        ("current", "<i8"),  # obliged ns of the lapse now open
        ("use_lo", "<u8"),  # limit use, 96 bits
        ("use_hi", "<u4"),
        ("rate", "<u4"),  # floor(1e9 * spread / limit) of the standing quote
        ("lapses", "<u4"),
        ("state", "u1"),
        ("unk", "u1"),  # DOWN | WAIT | BAD
        ("ex", "u1"),  # EXCLUDE | DEEM | ONE_SIDE | STALE | MAYBE | WIDE | FRESH
        ("relax", "u1"),  # index into the relief table
        ("by_at", "<i8"),  # instant of the records in `by`
        ("by", "u1"),  # BY_* of the records of that instant
        ("had", "u1"),  # sides that stood before it: 1 bid, 2 ask
        ("was", "u1"),  # V_* before the instant of the last turn (REPLY)
        ("now", "u1"),  # V_* since
        ("watched", "u1"),  # write an edge for each turn and each quote
        ("pad1", "u1"),
        ("pad2", "<u2"),
    ]
)
assert SLOT.itemsize == 128

# What a slot has been while it was not valid.
PAST = np.dtype(
    [
        ("longest", "<i8"),  # obliged ns of the longest lapse
        ("lapsed", "<i8", (8,)),  # by primary reason, absent to stale; flicker is in REST
        ("unknown", "<i8"),
        ("exempt", "<i8"),  # its own; what is excluded for all, the contract's clocks know
    ]
)
assert PAST.itemsize == 88

# What time alone will change of a slot: only where the rulebook has a max age or a min rest. A contract's quotes
# stand in two lists, each in the order in which they fall due; a link is a slot, END or OUT (not in the list).
REST = np.dtype(
    [
        ("rest_ts", "<i8"),  # since when the prices have stood; NEVER = none that are known
        ("was_at", "<i8"),  # instant of the last record; the four below are of the time before it
        ("was_bid", "<i8"),  # LONG_AGO = no such side
        ("was_ask", "<i8"),
        ("was_rest", "<i8"),
        ("was_fresh", "<i4"),
        ("fresh", "<i4"),  # RESTED | RESTING | LATE
        ("prev", "<i4", (2,)),  # by AGE and RESTS
        ("next", "<i4", (2,)),
        ("flicker", "<i8"),  # obliged ns that lapsed by this reason
    ]
)
assert REST.itemsize == 72

# Three lines of the cache: what a quote reads, what a theo writes, and what is counted of the contract.
CON = np.dtype(
    [
        ("due", "<i8"),  # nothing falls due by time alone on this contract before this instant
        ("t_last", "<i8"),  # instant of the clock values
        ("n_val", "<i8"),  # the net obligation clock: time obliged without exclusions for all
        ("theo", "<i8"),
        ("tick", "<i8"),
        ("slot0", "<i4"),  # its slots are slot0 .. slot0 + slots - 1
        ("slots", "<i4"),
        ("cls", "<i4"),
        ("min_size", "<i4"),  # of each side of a quote on it, at least 1
        ("theo_ok", "u1"),
        ("e_run", "u1"),
        ("n_run", "u1"),
        ("stress", "u1"),
        ("live", "u1"),
        ("outside", "u1"),  # of the required set: a quote is no_obligation, and stands
        ("bucket", "<u2"),  # of days to expiry, for the tables
        ("theo_until", "<i8"),  # instant at which the theo is too old
        ("theo_src", "<i8"),
        ("theo_ts", "<i8"),  # event time of the theo
        ("theo_via", "<i8"),  # index of where it came from (Reference.theo_vias), 0 = not said
        ("theo_at", "<i8"),  # instant of the last theo record, whatever it said
        (
            "turn_at",
            "<i8",
        ),  # instant at which a slot's quote last began or ceased to pass its tests
        ("n_at", "<i8"),  # instant up to which the net clock has run, while it stands
        ("under", "<i8"),  # spread of its underlying, LONG_AGO = missing
        ("e_val", "<i8"),  # time obliged, exclusions for all included
        ("hole", "<i8"),  # market hole so far
        ("hole_e", "<i8"),  # obliged clock up to which it is counted
        ("hole_now", "<i8"),  # obliged ns of the hole now open
        ("cover", "<i4"),  # slots that are, or may be, valid
        ("held", "<i4"),  # slots whose maker is appointed now: without any there is no hole
        ("head", "<i4", (2,)),  # of the lists AGE and RESTS, END = empty
        ("tail", "<i4", (2,)),
        ("pad1", "<i8"),
    ]
)
assert CON.itemsize == 192

WIN = np.dtype(
    [
        ("elapsed", "<i8"),  # obliged ns of the window that is open now
        ("quoted", "<i8"),  # thereof; the rest is lapsed
        ("exempt", "<i8"),
        ("unknown", "<i8"),
        ("passed", "<i8"),  # windows so far
        ("failed", "<i8"),
        ("hanging", "<i8"),  # undecided for unknown time
        ("run", "<i8"),  # failed windows in a row, up to now
        ("longest", "<i8"),
    ]
)
assert WIN.itemsize == 72

APART = np.dtype([("quoted", "<i8"), ("lapsed", "<i8"), ("unknown", "<i8")])  # ns inside stress

EDGE = np.dtype(
    [
        ("n", "<i8"),  # net clock of the contract at the edge; of a hole the instant
        ("bid", "<i8"),
        ("ask", "<i8"),
        ("quote_ts", "<i8"),
        ("src", "<i8"),
        ("theo", "<i8"),
        ("theo_src", "<i8"),
        ("theo_ts", "<i8"),
        ("theo_via", "<i8"),
        ("under", "<i8"),
        ("slot", "<i4"),
        ("bid_size", "<i4"),
        ("ask_size", "<i4"),
        ("kind", "u1"),  # LAPSE_OPEN ...
        ("state", "u1"),
        ("flags", "u1"),  # bit 0 theo known, 1 stress, 2 stale, 3 flicker
        ("relax", "u1"),
    ]
)
assert EDGE.itemsize == 96

# The standing quote of one account on one contract.
HELD = np.dtype([("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<i4"), ("ask_size", "<i4")])
assert HELD.itemsize == 24

# How fast a maker answers: the last turn, and what is measured. The records of an instant are in SLOT.
REPLY = np.dtype(
    [
        ("at", "<i8"),  # instant of the last turn: the quote passes its tests, or no longer does
        (
            "since",
            "<i8",
        ),  # RESP-01: instant of the record that made it lapse, -1 = none is measured
        ("n", "<i8"),  # net clock then
        ("n_at", "<i8"),  # the same at the last turn
        ("cell", "<i4"),  # class * makers + maker: whose latencies
        ("cause", "u1"),  # of `since`: 0 theo, 1 fill, 2 withdrawal
        ("lapsed", "u1"),  # did it count as lapsed at the last turn?
        ("reads_theo", "u1"),  # is a test that reads theo among those that fail?
        ("pad1", "u1"),
    ]
)
assert REPLY.itemsize == 40

TERM = np.dtype([("base", "<i8"), ("num", "<i8"), ("den", "<i8"), ("value", "<i8")])
# One band of a table: limit = num * base / den while the price is below `until`. Of a table term, `value` is its first
# cell and `num` the number of bands of each of `den` buckets of days; the last band of a bucket is until NEVER.
CELL = np.dtype([("until", "<i8"), *[(name, "<i8") for name in ("base", "num", "den", "value")]])
PARAM = np.dtype(
    [
        ("size_num", "<i8"),  # size difference, -1 = not tested
        ("size_den", "<i8"),
        ("size_of", "<i8"),  # 0 smaller, 1 larger, 2 mean
        ("max_age", "<i8"),  # -1 = none
        ("zero_bid", "<i8"),  # -1 = none
        ("band_abs", "<i8"),  # -1 = none
        ("band_num", "<i8"),  # -1 = none
        ("band_den", "<i8"),
        ("theo_age", "<i8"),  # -1 = none
        ("missing", "<i8"),  # MISSING_*
        ("reads_theo", "<i8"),
        ("longest", "<i8"),  # longest permitted lapse, -1 = none
        ("grace", "<i8"),  # -1 = none
        ("combine_min", "<i8"),
        ("terms", "<i8"),  # number of spread terms
        ("makers", "<i8"),  # columns of the rank table
        ("longest_hole", "<i8"),  # -1 = none
        ("widths", "<i8"),  # number of window widths
        ("req_num", "<i8"),  # presence that a window requires
        ("req_den", "<i8"),
        ("apart", "<i8"),  # does time inside stress accrue apart?
        ("min_rest", "<i8"),  # -1 = none
        ("rests", "<i8"),  # RESTS_*: how the rest counts
        ("buckets", "<i8"),  # of days to expiry, at least 1
    ]
)

# The message kernel: what one maker has sent, the quote that stands by it, a message of the last second, amounts.
PARTY = np.dtype(
    [
        ("messages", "<i8"),
        ("sliding", "<i8"),  # in the last second
        ("sliding_most", "<i8"),
        ("second", "<i8"),  # of the clock, of the last message
        ("in_second", "<i8"),
        ("second_most", "<i8"),
    ]
)
STANDING = np.dtype([("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<i4"), ("ask_size", "<i4")])
HEARD = np.dtype([("ts", "<i8"), ("party", "<i8")])
SUMS = np.dtype(
    [  # sums of size * price, 128 bits each
        ("submitted_lo", "<u8"),
        ("submitted_hi", "<u8"),
        ("cancelled_lo", "<u8"),
        ("cancelled_hi", "<u8"),
    ]
)
# A cell of a table of names.
NAME = np.dtype(
    [
        ("first", "<u8"),  # bytes 0 to 7 and 8 to 15 of the name
        ("second", "<u8"),
        ("start", "<i4"),  # in the pool of all names
        ("length", "<i4"),  # -1: a free cell
        ("index", "<i4"),
        ("number", "<i4"),
    ]
)

# Slot.state: reported states are model.State; two more live inside the engine.
VALID, UNKNOWN, EXEMPT, LAPSED, DEEMED, NONE = 0, 1, 2, 3, 12, 13
# Slot.unk
DOWN, WAIT, BAD = 1, 2, 4
# Slot.ex
EXCLUDE, DEEM, ONE_SIDE, STALE, MAYBE, WIDE, FRESH = 1, 2, 4, 8, 16, 32, 64
# Rest.fresh: it has stood long enough; it has not (yet); it will have, but only after the period ends
RESTED, RESTING, LATE = 0, 1, 2
AGE, RESTS = 0, 1
END, OUT = -1, -2
# Edge.kind
LAPSE_OPEN, LAPSE_CLOSE, SPREAD_OPEN, SPREAD_CLOSE = 0, 1, 2, 3
# Of a watched slot, a turn and a quote: `n` is the instant, `state` V_*
WATCHED, ANSWERED = 6, 7
# Slot.now: do the quote tests pass, whatever the phase?
V_FAILS, V_PASSES, V_UNKNOWN, V_HANGS = 0, 1, 2, 3
BY_QUOTE, BY_WITHDRAWAL, BY_THEO, BY_FILL = 1, 2, 4, 8
LATENCIES = 27  # 25 buckets from 1 us to 100 s, one beyond, and the sum of ns
HOLE_OPEN, HOLE_CLOSE = 8, 9
REST_ENDS, REST_STANDS = 4, 5  # of RESTS_SCOUT: `n` began a rest that is cut short, or is not
# Term.base: limit = num * base / den
THEO, BID, ASK, MID, TICKS, ABSOLUTE = 0, 1, 2, 3, 4, 5
UNDERLYING, TABLE_BID, TABLE_THEO = 6, 7, 8
# Param.missing
MISSING_UNKNOWN, MISSING_SKIP, MISSING_EXCLUDE, MISSING_HOLD = 0, 1, 2, 3
# Param.rests: from then on; as the row's flag says (back to its start); from then on, telling of rests cut short
RESTS_THEN, RESTS_FLAGGED, RESTS_SCOUT = 0, 1, 2

NEVER = 2**63 - 1
LONG_AGO = -(2**63)
SRC_OFFSET_BITS = 48
EDGES_PER_SLOT = 24  # an upper bound of what one pass over a slot can emit
COUNTS = ("quotes", "theos", "no_obligation", "bad_quotes", "rejudged")
