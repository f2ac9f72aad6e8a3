"""The kernels' memory as plain objects: what the twins in `reference.py` read, change and write back.

The arrays stay the truth: a twin reads all rows into objects, works with exact Python integers, and writes all rows
back, so that every call leaves the same bytes as the compiled one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import ROW
from mm_monitor.core.model import Reason
from mm_monitor.kernels import layout

Rows = NDArray[np.void]
Ints = NDArray[np.int64]
Indices = NDArray[np.int32]
Bytes = NDArray[np.uint8]

STATES = frozenset(
    {layout.VALID, layout.UNKNOWN, layout.EXEMPT, layout.DEEMED, layout.NONE}
    | {layout.LAPSED + reason for reason in Reason}
)


@dataclass(slots=True)
class Slot:
    """One obligation; fields as in `layout.SLOT`."""

    bid: int
    ask: int
    bid_size: int
    ask_size: int
    quote_ts: int
    src: int
    theo_lo: int
    theo_hi: int
    n_last: int
    quoted: int
    last_valid: int
    current: int
    use_lo: int
    use_hi: int
    rate: int
    lapses: int
    state: int
    unk: int
    ex: int
    relax: int
    by_at: int
    by: int
    had: int
    was: int
    now: int
    watched: int
    pad1: int
    pad2: int

    @property
    def has_bid(self) -> bool:
        """A side of size 0 is absent."""
        return self.bid_size != 0

    @property
    def has_ask(self) -> bool:
        """A side of size 0 is absent."""
        return self.ask_size != 0


@dataclass(slots=True)
class Past:
    """What one obligation has been while it was not valid; fields as in `layout.PAST`."""

    longest: int
    lapsed: list[int]
    unknown: int
    exempt: int


@dataclass(slots=True)
class Rest:
    """What time alone will change of one obligation; fields as in `layout.REST`."""

    rest_ts: int
    was_at: int
    was_bid: int
    was_ask: int
    was_rest: int
    was_fresh: int
    fresh: int
    prev: list[int]
    next: list[int]
    flicker: int


@dataclass(slots=True)
class Con:
    """One contract; fields as in `layout.CON`."""

    due: int
    t_last: int
    n_val: int
    theo: int
    tick: int
    slot0: int
    slots: int
    cls: int
    min_size: int
    theo_ok: int
    e_run: int
    n_run: int
    stress: int
    live: int
    outside: int
    bucket: int
    theo_until: int
    theo_src: int
    theo_ts: int
    theo_via: int
    theo_at: int
    turn_at: int
    n_at: int
    under: int
    e_val: int
    hole: int
    hole_e: int
    hole_now: int
    cover: int
    held: int
    head: list[int]
    tail: list[int]
    pad1: int


@dataclass(slots=True)
class Win:
    """One width of one obligation; fields as in `layout.WIN`."""

    elapsed: int
    quoted: int
    exempt: int
    unknown: int
    passed: int
    failed: int
    hanging: int
    run: int
    longest: int


@dataclass(slots=True)
class Apart:
    """Time of one obligation inside stress; fields as in `layout.APART`."""

    quoted: int
    lapsed: int
    unknown: int


@dataclass(slots=True)
class Reply:
    """How fast a maker answers on one contract; fields as in `layout.REPLY`."""

    at: int
    since: int
    n: int
    n_at: int
    cell: int
    cause: int
    lapsed: int
    reads_theo: int
    pad1: int


@dataclass(frozen=True, slots=True)
class Term:
    """One spread term under one relief: limit = num * base / den."""

    base: int
    num: int
    den: int
    value: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One band of a table under one relief: limit = num * base / den while the price is below `until`."""

    until: int
    base: int
    num: int
    den: int
    value: int


@dataclass(frozen=True, slots=True)
class Param:
    """One rulebook; fields as in `layout.PARAM`."""

    size_num: int
    size_den: int
    size_of: int
    max_age: int
    zero_bid: int
    band_abs: int
    band_num: int
    band_den: int
    theo_age: int
    missing: int
    reads_theo: int
    longest: int
    grace: int
    combine_min: int
    terms: int
    makers: int
    longest_hole: int
    widths: int
    req_num: int
    req_den: int
    apart: int
    min_rest: int
    rests: int
    buckets: int


@dataclass(frozen=True, slots=True)
class Row:
    """One quote or theo; fields as in `core.batch.ROW`."""

    ts: int
    offset: int
    a: int
    b: int
    a_size: int
    b_size: int
    maker: int
    contract: int
    part: int
    sub: int
    kind: int
    flags: int
    account: int


def objects(cls: type[Any], array: Rows) -> list[Any]:
    """Rows of a structured array as objects of `cls`, whose fields have the same order."""
    columns = [array[name].tolist() for name in array.dtype.names or ()]
    return [cls(*row) for row in zip(*columns, strict=True)]


def write_back(items: list[Any], array: Rows) -> None:
    """Put objects back into the rows they came from."""
    for i, item in enumerate(items):
        array[i] = tuple(getattr(item, field.name) for field in fields(item))


def rows_of(rows: Rows) -> Iterator[Row]:
    """The rows of a tape as objects."""
    return (Row(*row) for row in rows.tolist())


class World:
    """All that one call may read and change."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.slots: list[Slot] = objects(Slot, arrays.slots)
        self.past: list[Past] = objects(Past, arrays.past)
        self.cons: list[Con] = objects(Con, arrays.cons)
        self.rests: list[Rest] = objects(Rest, arrays.rests)
        self.wide: list[int] = arrays.wide.tolist()
        self.win: list[Win] = objects(Win, arrays.win)
        self.widths: list[int] = arrays.widths.tolist()
        self.apart: list[Apart] = objects(Apart, arrays.apart)
        self.param: Param = objects(Param, arrays.param)[0]
        self.terms: list[Term] = objects(Term, arrays.terms)
        self.cells: list[Cell] = objects(Cell, arrays.cells)
        self.rejudged = 0
        self.replies: list[Reply] = objects(Reply, arrays.replies)
        self.latency: list[int] = arrays.latency.tolist()

    def slots_of(self, c: Con) -> range:
        """The slots of a contract follow each other."""
        return range(c.slot0, c.slot0 + c.slots)

    def terms_of(self, s: Slot, c: Con) -> list[Term]:
        """The spread terms under the slot's relief and the contract's stress."""
        first = (s.relax * 2 + c.stress) * self.param.terms
        return self.terms[first : first + self.param.terms]

    def emit(self, i: int, c: Con, kind: int, n: int) -> None:
        """Write an edge of slot `i` at net clock `n`, with the quote and theo that stood there."""
        s, a = self.slots[i], self.arrays
        flags = c.theo_ok | c.stress << 1
        flags |= bool(s.ex & layout.STALE) << 2 | bool(s.ex & layout.FRESH) << 3
        a.edges[a.edge_count] = (
            n, s.bid, s.ask, s.quote_ts, s.src, c.theo, c.theo_src, c.theo_ts, c.theo_via, c.under, i,
            s.bid_size, s.ask_size, kind, s.state, flags, s.relax,
        )  # fmt: skip
        a.edge_count += 1

    def tell(self, i: int, kind: int, t: int, answer: int) -> None:
        """Write an edge of the watched slot `i` at instant `t`."""
        a = self.arrays
        edge = np.zeros(1, layout.EDGE)
        for name, value in zip(("n", "slot", "kind", "state"), (t, i, kind, answer), strict=True):
            edge[name] = value
        a.edges[a.edge_count] = edge[0]
        a.edge_count += 1

    def close(self) -> None:
        """Write everything back."""
        write_back(self.replies, self.arrays.replies)
        self.arrays.latency[:] = self.latency
        write_back(self.slots, self.arrays.slots)
        write_back(self.past, self.arrays.past)
        write_back(self.rests, self.arrays.rests)
        write_back(self.cons, self.arrays.cons)
        self.arrays.wide[:] = self.wide
        write_back(self.win, self.arrays.win)
        write_back(self.apart, self.arrays.apart)


class Arrays:
    """The arrays of one evaluator, checked once.

    slots (n,) SLOT, past (n,) PAST, wide (n,) int64 or empty, win (n * widths,) WIN, widths int64, apart (n,) APART
    or empty, rests (n,) REST or empty, slot_con (n,) int32, cons (m,) CON, rank (classes * makers,) int32,
    param (1,) PARAM, terms (reliefs * 2 * terms,) TERM, cells (l,) CELL, edges (k,) EDGE. ValueError for lengths and
    indices that do not belong together.
    """

    def __init__(
        self,
        slots: Rows,
        past: Rows,
        wide: Ints,
        win: Rows,
        widths: Ints,
        apart: Rows,
        rests: Rows,
        slot_con: Indices,
        cons: Rows,
        rank: Indices,
        param: Rows,
        terms: Rows,
        cells: Rows,
        edges: Rows,
        reliefs: int,
    ) -> None:
        self.slots, self.past, self.wide, self.rests, self.cells = slots, past, wide, rests, cells
        self.win, self.widths, self.apart = win, widths, apart
        self.slot_con, self.cons = slot_con, cons
        self.rank, self.param, self.terms, self.edges = rank, param, terms, edges
        self.reliefs = reliefs
        self.replies, self.latency = np.zeros(0, layout.REPLY), np.zeros(0, np.int64)
        self.edge_count = 0
        _check_types(self)
        _check_lengths(self)
        _check_contracts(self)
        _check_slots(self)
        _check_rests(self)
        _check_tables(self)
        self.most_slots: int = max([1, *cons["slots"].tolist()])
        room = self.most_slots * layout.EDGES_PER_SLOT * 2
        if len(edges) < room:
            raise ValueError(f"edges: at least {room}, got {len(edges)}")

    def follow(self, replies: Rows, latency: Ints) -> None:
        """Note how fast makers answer: replies (n,) REPLY, latency (classes * makers * 3 * LATENCIES,) int64."""
        if len(replies) != len(self.slots):
            raise ValueError(f"replies: {len(self.slots)} elements, got {len(replies)}")
        for i, h in enumerate(objects(Reply, replies)):
            if not 0 <= h.cell < len(latency) // (3 * layout.LATENCIES) or h.cause > 2:
                raise ValueError(f"replies {i}: cell {h.cell}, cause {h.cause}")
        self.replies, self.latency = replies, latency

    def clear_edges(self) -> None:
        """Forget the edges that were read."""
        self.edge_count = 0

    def full(self) -> bool:
        """Might the next step write more edges than there is room for?"""
        return len(self.edges) - self.edge_count < self.most_slots * layout.EDGES_PER_SLOT


def _check_types(a: Arrays) -> None:
    expected = [
        ("slots", layout.SLOT),
        ("past", layout.PAST),
        ("wide", np.dtype(np.int64)),
        ("win", layout.WIN),
        ("widths", np.dtype(np.int64)),
        ("apart", layout.APART),
        ("rests", layout.REST),
        ("slot_con", np.dtype(np.int32)),
        ("cons", layout.CON),
        ("rank", np.dtype(np.int32)),
        ("param", layout.PARAM),
        ("terms", layout.TERM),
        ("cells", layout.CELL),
        ("edges", layout.EDGE),
    ]
    for name, dtype in expected:
        if getattr(a, name).dtype != dtype:
            raise ValueError(f"{name}: {dtype}, got {getattr(a, name).dtype}")


def _check_lengths(a: Arrays) -> None:
    n = len(a.slots)
    if a.reliefs < 1 or len(a.param) != 1:
        raise ValueError(f"param: 1 row and at least 1 relief, got {len(a.param)}, {a.reliefs}")
    per_relief, makers = int(a.param["terms"][0]), int(a.param["makers"][0])
    if per_relief < 0 or len(a.terms) != a.reliefs * 2 * per_relief:
        raise ValueError(f"terms: {a.reliefs} reliefs x 2 x {per_relief}, got {len(a.terms)}")
    if not 0 <= makers <= len(a.rank):
        raise ValueError(f"rank: at least {makers} elements, got {len(a.rank)}")
    if len(a.past) != n:
        raise ValueError(f"past: {n} elements, got {len(a.past)}")
    if len(a.slot_con) != n:
        raise ValueError(f"slot_con: {n} elements, got {len(a.slot_con)}")
    if a.param["grace"][0] >= 0 and len(a.wide) != n:
        raise ValueError(f"wide: {n} elements, got {len(a.wide)}")
    if len(a.widths) != a.param["widths"][0] or (len(a.widths) and a.widths.min() < 1):
        raise ValueError(
            f"widths: {a.param['widths'][0]} of at least 1 ns, got {a.widths.tolist()}"
        )
    if len(a.win) != n * len(a.widths):
        raise ValueError(f"win: {n} x {len(a.widths)} rows, got {len(a.win)}")
    if a.param["apart"][0] and len(a.apart) != n:
        raise ValueError(f"apart: {n} rows, got {len(a.apart)}")
    timed = a.param["max_age"][0] >= 0 or a.param["min_rest"][0] >= 0
    if timed and len(a.rests) != n:
        raise ValueError(f"rests: {n} elements, got {len(a.rests)}")
    if a.param["buckets"][0] < 1:
        raise ValueError(f"buckets: at least 1, got {a.param['buckets'][0]}")


def _check_contracts(a: Arrays) -> None:
    total, makers = 0, int(a.param["makers"][0])
    for i, c in enumerate(objects(Con, a.cons)):
        if c.slots < 0 or c.slot0 != total:
            raise ValueError(f"contract {i}: slots must follow each other, slot0 {c.slot0}")
        total += c.slots
        if c.cls < 0 or (c.cls + 1) * makers > len(a.rank):
            raise ValueError(f"contract {i}: class {c.cls} is outside the rank table")
        if max(c.theo_ok, c.e_run, c.n_run, c.stress) > 1:
            raise ValueError(f"contract {i}: theo_ok, e_run, n_run and stress are 0 or 1")
        if not 0 <= c.held <= c.slots or (c.hole_now and not c.slots):
            raise ValueError(f"contract {i}: {c.held} held of {c.slots} slots, hole {c.hole_now}")
        if c.bucket >= a.param["buckets"][0]:
            raise ValueError(f"contract {i}: bucket {c.bucket} of {a.param['buckets'][0]}")
        if c.min_size < 1:
            raise ValueError(f"contract {i}: min_size of at least 1, got {c.min_size}")
        if not all(layout.END <= x < len(a.slots) for x in (*c.head, *c.tail)):
            raise ValueError(f"contract {i}: head or tail is no slot")
        ranks = a.rank[c.cls * makers : (c.cls + 1) * makers]
        if len(ranks) and ranks.max() >= c.slots:
            raise ValueError(f"contract {i}: rank {ranks.max()} of {c.slots} slots")
    if total != len(a.slots):
        raise ValueError(f"slots: contracts hold {total}, got {len(a.slots)}")


def _check_slots(a: Arrays) -> None:
    for i, (s, con) in enumerate(zip(objects(Slot, a.slots), a.slot_con.tolist(), strict=True)):
        if s.relax >= a.reliefs:
            raise ValueError(f"slot {i}: relief {s.relax} of {a.reliefs}")
        if s.state not in STATES:
            raise ValueError(f"slot {i}: state {s.state}")
        if not 0 <= con < len(a.cons):
            raise ValueError(f"slot {i}: contract {con} of {len(a.cons)}")


def _check_rests(a: Arrays) -> None:
    for i, rest in enumerate(objects(Rest, a.rests)):
        if not all(layout.OUT <= x < len(a.slots) for x in (*rest.prev, *rest.next)):
            raise ValueError(f"slot {i}: prev or next is no slot")
        if not 0 <= rest.fresh <= layout.LATE:
            raise ValueError(f"slot {i}: fresh {rest.fresh}")


def _check_tables(a: Arrays) -> None:
    buckets, cells = int(a.param["buckets"][0]), objects(Cell, a.cells)
    for i, term in enumerate(objects(Term, a.terms)):
        if term.base not in (layout.TABLE_BID, layout.TABLE_THEO):
            continue
        if (
            term.num < 1
            or term.den != buckets
            or not 0 <= term.value <= len(cells) - term.num * buckets
        ):
            raise ValueError(
                f"terms[{i}]: cells of {buckets} buckets, got {term.num} from {term.value}"
            )
        for bucket in range(buckets):
            if cells[term.value + (bucket + 1) * term.num - 1].until != layout.NEVER:
                raise ValueError(f"terms[{i}]: the last band of bucket {bucket} must be open")


def check_rows(rows: Rows, name: str = "rows") -> None:
    """ValueError unless these are rows of the tape."""
    if rows.dtype != ROW:
        raise ValueError(f"{name}: {ROW}, got {rows.dtype}")
