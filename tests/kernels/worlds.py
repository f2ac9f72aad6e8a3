"""Small random books and sequences of kernel calls, made to collide: instants coincide, numbers touch their limits.

A sequence is plain data, so that the same one can be fed to the compiled kernel and to its plain twin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mm_monitor.core.batch import LATE, QUOTE_BAD, RESTLESS, ROW, THEO_MISSING
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, Kind
from mm_monitor.kernels import layout

LAST = 2**63 - 1
PART = 2**34  # of a ratio with its relief: MAX_RATIO_PART twice over

prices = st.one_of(st.integers(1, 24), st.sampled_from([MAX_PRICE, MAX_PRICE - 1, MAX_PRICE // 2]))
theos = st.one_of(st.integers(0, 30), st.sampled_from([MAX_PRICE, MAX_PRICE - 3, MAX_PRICE // 2]))
sizes = st.sampled_from([0, 1, 4, 5, 6, 10, MAX_SIZE])
parts = st.one_of(st.integers(1, 12), st.sampled_from([PART, PART - 1, PART // 2 + 1]))
half_parts = st.one_of(st.integers(1, 12), st.sampled_from([PART // 2, PART // 2 - 1]))
# Few of a kind, so that a quote often comes again: the same, or as wide at another place.
repeated = st.sampled_from(
    [(bid, bid + width, 5, 5) for bid in (3, 4, MAX_PRICE // 2 - 2) for width in (-1, 0, 1, 3, 6)]
    + [(3, 0, 5, 0), (0, 4, 0, 5), (0, 0, 0, 0)]
)
spans = st.one_of(st.integers(0, 12), st.sampled_from([2**40, LAST, LAST - 5]))
optional = st.sampled_from([-1, 0, 1, 2, 3, 5, 12])
flags = st.sampled_from([0, 1])


@dataclass(frozen=True)
class Setup:
    """What the arrays of one evaluator are made of."""

    cls: list[int]  # class of each contract
    rank: list[list[int]]  # by class, by maker
    ticks: list[int]
    dead: list[bool]  # contracts that are not live
    outside: list[bool]  # contracts that are not in the required set
    idle: list[bool]  # slots whose obligation has ended
    watched: list[bool]  # slots of which every turn is told
    param: dict[str, int]
    widths: list[int]  # of windows
    terms: list[tuple[int, ...]]
    cells: list[tuple[int, ...]]
    buckets: list[int]  # of days, by contract
    sizes: list[int]  # least sizes, by contract
    reliefs: int
    start: int  # instant of the first call
    spare_edges: int
    shift: int  # bytes by which every array is out of line

    @property
    def makers(self) -> int:
        return len(self.rank[0])

    @property
    def slots(self) -> list[int]:
        """Slots of each contract."""
        return [sum(rank >= 0 for rank in self.rank[k]) for k in self.cls]


@dataclass(frozen=True)
class Call:
    """One call: `name` of the kernel function, its instant, and its columns."""

    name: str
    t: int
    columns: tuple[tuple[int, ...], ...] = ()


# The rulebook of most venues, for which the kernel has a shorter way: theo terms or ticks, two sides, no band.
COMMON = {"size_num": -1, "band_abs": -1, "band_num": -1, "combine_min": 0}
COMMON_TERMS = [layout.THEO, layout.TICKS]
# Nothing is kept beside a slot, and no quote ages or must rest: quotes alike go a shorter way still.
BARE = {"max_age": -1, "min_rest": -1, "grace": -1, "apart": 0}


WHOLE = ("settle", "end_rests")  # calls on all contracts


@st.composite
def params(draw: st.DrawFn) -> dict[str, int]:
    theo_age, band = (
        draw(st.one_of(st.just(-1), spans)),
        draw(st.sampled_from(["no", "abs", "rel"])),
    )
    return {
        "size_num": draw(st.one_of(st.just(-1), half_parts)),
        "size_den": draw(half_parts),
        "size_of": draw(st.integers(0, 2)),
        "max_age": draw(st.one_of(st.just(-1), spans)),
        "zero_bid": draw(optional),
        "band_abs": draw(st.one_of(st.integers(0, 12), st.just(LAST))) if band == "abs" else -1,
        "band_num": draw(half_parts) if band == "rel" else -1,
        "band_den": draw(half_parts),
        "theo_age": theo_age,
        "missing": draw(st.integers(0, 3)),
        "reads_theo": draw(flags),
        "longest": draw(st.sampled_from([-1, 0, 1, 2, 3, 5, LAST])),
        "grace": draw(optional),
        "combine_min": draw(flags),
        "longest_hole": draw(st.sampled_from([-1, 0, 1, 2, 5, LAST])),
        "req_num": draw(st.sampled_from([0, 1, 2, 9, 10, PART, 2 * PART])),
        "req_den": draw(st.sampled_from([1, 3, 10, PART, PART - 1])),
        "apart": draw(flags),
        "min_rest": draw(st.one_of(st.just(-1), spans)),
        "rests": draw(st.integers(0, 2)),
        "buckets": draw(st.integers(1, 3)),
    }


Numbers = tuple[int, ...]


@st.composite
def tables(draw: st.DrawFn, base: int, buckets: int, first: int) -> tuple[Numbers, list[Numbers]]:
    """A term that is a table, and its cells from `first` on."""
    bands = draw(st.integers(1, 3))
    price = layout.BID if base == layout.TABLE_BID else layout.THEO
    cells = list[Numbers]()
    for _ in range(buckets):
        untils = sorted(draw(st.lists(prices, min_size=bands - 1, max_size=bands - 1)))
        for until in [*untils, layout.NEVER]:
            kind, num = draw(st.sampled_from([price, layout.ABSOLUTE])), draw(parts)
            cells.append((until, kind, num * draw(flags), draw(parts), draw(prices)))
    return (base, bands, buckets, first), cells


@st.composite
def limits(
    draw: st.DrawFn, bases: list[int], buckets: int, reliefs: int
) -> tuple[list[Numbers], list[Numbers]]:
    """Terms for every relief, and the cells of those that are tables."""
    terms, cells = list[Numbers](), list[Numbers]()
    for base in bases * reliefs * 2:
        if base < layout.TABLE_BID:
            terms.append((base, draw(parts), draw(parts), draw(prices)))
        else:
            term, more = draw(tables(base, buckets, len(cells)))
            terms.append(term)
            cells += more
    return terms, cells


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    makers, classes = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    rank = [[-1] * makers for _ in range(classes)]
    for row in rank:
        absent = draw(st.sampled_from([None, None, *range(makers)]))
        for position, maker in enumerate(m for m in range(makers) if m != absent):
            row[maker] = position
    few = draw(st.sampled_from([1, 1, 1, 1, 0]))
    cls = draw(st.lists(st.integers(0, classes - 1), min_size=few, max_size=3))
    slots = sum(sum(position >= 0 for position in rank[k]) for k in cls)
    reliefs, common = draw(st.integers(1, 3)), draw(st.booleans())
    bases = COMMON_TERMS if common else draw(st.lists(st.integers(0, 8), max_size=3))
    bare = draw(st.booleans())
    param = draw(params()) | (COMMON if common else {}) | (BARE if bare else {})
    terms, cells = draw(limits(bases, param["buckets"], reliefs))
    widths = [] if bare else draw(st.sampled_from([[], [1], [3, 2**40], [LAST, 2, 7]]))
    return Setup(
        cls=cls,
        rank=rank,
        ticks=[draw(st.integers(1, 5)) for _ in cls],
        dead=[draw(st.integers(0, 9)) == 9 for _ in cls],
        outside=[draw(st.integers(0, 4)) == 4 for _ in cls],
        idle=[draw(st.integers(0, 9)) == 9 for _ in range(slots)],
        watched=[draw(st.integers(0, 2)) == 2 for _ in range(slots)],
        param=param | {"terms": len(bases), "makers": makers, "widths": len(widths)},
        widths=widths,
        terms=terms,
        cells=cells,
        buckets=[draw(st.integers(0, param["buckets"] - 1)) for _ in cls],
        sizes=[draw(st.sampled_from([1, 5, MAX_SIZE])) for _ in cls],
        reliefs=reliefs,
        start=draw(st.sampled_from([0, 0, 7, LAST - 60])),
        spare_edges=draw(st.sampled_from([0, 0, 1000])),
        shift=draw(st.sampled_from([0, 0, 1, 4])),
    )


@st.composite
def rows(draw: st.DrawFn, setup: Setup, t: int) -> tuple[int, ...]:
    contract = draw(st.integers(0, len(setup.cls) - 1))
    number = draw(st.one_of(st.integers(0, 99), st.sampled_from([LAST, -LAST - 1])))
    where = (draw(st.sampled_from([0, 3, 65_535])), draw(st.integers(0, 3)))
    if draw(st.integers(0, 2)) == 0:
        gone = draw(st.integers(0, 4)) == 0
        theo, flag = (0, THEO_MISSING) if gone else (draw(theos), 0)
        via = draw(st.sampled_from([0, 1, 2**31 - 1]))
        return (t, number, theo, 0, via, 0, -1, contract, *where, Kind.THEO, flag, 0)
    maker = draw(st.integers(-1, setup.makers))
    if draw(st.integers(0, 9)) == 0:
        return (t, number, 0, 0, 0, 0, maker, contract, *where, Kind.QUOTE, QUOTE_BAD, 0)
    bid, ask, bid_size, ask_size = draw(st.tuples(prices, prices, sizes, sizes))
    if draw(st.integers(0, 3)):
        bid, ask, bid_size, ask_size = draw(repeated)
    return (
        t, number, bid if bid_size else 0, ask if ask_size else 0, bid_size, ask_size, maker, contract,
        *where, Kind.QUOTE, draw(st.sampled_from([0, 0, RESTLESS, LATE])), 0,
    )  # fmt: skip


@st.composite
def calls(draw: st.DrawFn, setup: Setup, t: int) -> Call:
    n, m = sum(setup.slots), len(setup.cls)
    names = ["settle", "end_rests"]
    if m:
        names += ["apply_rows"] * 5 + ["set_clocks"] * 2 + ["set_stress", "set_underlying"]
    if n:
        names += ["restate", "shrink", "note_fill"]
    name = draw(st.sampled_from(names))
    if name == "apply_rows":
        most = draw(st.sampled_from([3, 6, 40]))  # 40: the kernel looks some rows ahead
        steps = draw(st.lists(st.sampled_from([0, 0, 1, 2, 5]), max_size=most))
        times = np.minimum(t + np.cumsum([0, *steps], dtype=object), LAST)
        return Call(name, int(times[-1]), tuple(draw(rows(setup, int(x))) for x in times))
    if name in WHOLE:
        return Call(name, t)
    if name == "note_fill":
        return Call(name, t, ((draw(st.integers(0, n - 1)),),))
    limit = n if name in ("restate", "shrink") else m
    which = draw(st.lists(st.integers(0, limit - 1), max_size=4))
    kinds: dict[str, list[st.SearchStrategy[int]]] = {
        "set_clocks": [flags, flags],
        "set_stress": [flags],
        "set_underlying": [st.one_of(st.just(layout.LONG_AGO), prices, st.integers(-2, 0))],
        "shrink": [sizes, sizes, st.sampled_from([0, RESTLESS, LATE])],
        "restate": [
            st.integers(0, 7), st.integers(0, 7), st.integers(0, setup.reliefs - 1), flags,
        ],
    }  # fmt: skip
    columns = [tuple(which), *(tuple(draw(kind) for _ in which) for kind in kinds[name])]
    return Call(name, t, tuple(columns))


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Setup, list[Call]]:
    """A book, its clocks running, and up to nine calls at times that never go back."""
    setup = draw(setups())
    everyone = tuple(range(len(setup.cls)))
    made = [Call("set_clocks", setup.start, (everyone, *[tuple(1 for _ in everyone)] * 2))]
    for _ in range(draw(st.integers(1, 9))):
        step = draw(st.sampled_from([0, 1, 1, 1, 2, 2, 3, 5, 10, 2**33, 2**61]))
        made.append(draw(calls(setup, min(LAST, made[-1].t + step))))
    return setup, made


def shifted(array: np.ndarray[Any, Any], shift: int) -> np.ndarray[Any, Any]:
    """The same array, its first byte `shift` bytes past where numpy would put it."""
    buffer = bytearray(array.nbytes + shift)
    copy: np.ndarray[Any, Any] = np.ndarray(array.shape, array.dtype, buffer, shift)
    copy[...] = array
    return copy


class Machine:
    """One implementation with arrays of its own; `module` is the kernels or the plain twin."""

    def __init__(self, module: Any, setup: Setup) -> None:
        self.module, self.setup = module, setup
        param = np.zeros(1, layout.PARAM)
        for name, value in setup.param.items():
            param[name] = value
        self.slots, self.cons = self._state()
        self.past = shifted(np.zeros(len(self.slots), layout.PAST), setup.shift)
        graced = setup.param["grace"] >= 0
        self.wide = self._array([0] * (len(self.slots) if graced else 0), np.int64)
        count = len(self.slots)
        self.win = shifted(np.zeros(count * len(setup.widths), layout.WIN), setup.shift)
        apart = count if setup.param["apart"] else 0
        self.apart = shifted(np.zeros(apart, layout.APART), setup.shift)
        timed = max(setup.param["max_age"], setup.param["min_rest"]) >= 0
        self.rests = shifted(self._rests(len(self.slots) if timed else 0), setup.shift)
        room = max([1, *setup.slots]) * layout.EDGES_PER_SLOT * 2 + setup.spare_edges
        self.edges = shifted(np.zeros(room, layout.EDGE), setup.shift)
        self.counts = self._array([0] * len(layout.COUNTS), np.int64)
        self.kernel = module.Arrays(
            self.slots,
            self.past,
            self.wide,
            self.win,
            self._array(setup.widths, np.int64),
            self.apart,
            self.rests,
            self._array(np.repeat(np.arange(len(setup.cls)), setup.slots), np.int32),
            self.cons,
            self._array([x for row in setup.rank for x in row], np.int32),
            shifted(param, setup.shift),
            shifted(np.array(setup.terms, layout.TERM), setup.shift),
            shifted(np.array(setup.cells, layout.CELL), setup.shift),
            self.edges,
            setup.reliefs,
        )

        self.replies, self.latency = self._replies()
        self.kernel.follow(self.replies, self.latency)

    def _replies(self) -> tuple[Any, Any]:
        setup = self.setup
        cells = [
            k * setup.makers + maker
            for k in setup.cls
            for maker in sorted(range(setup.makers), key=setup.rank[k].__getitem__)
            if setup.rank[k][maker] >= 0
        ]
        replies = np.zeros(len(self.slots), layout.REPLY)
        replies["at"] = layout.LONG_AGO
        replies["since"], replies["cell"] = -1, cells
        room = len(setup.rank) * setup.makers * 3 * layout.LATENCIES
        return shifted(replies, setup.shift), self._array([0] * room, np.int64)

    def _array(self, values: Any, dtype: Any) -> Any:
        return shifted(np.array(values, dtype), self.setup.shift)

    def _state(self) -> tuple[Any, Any]:
        setup = self.setup
        cons = np.zeros(len(setup.cls), layout.CON)
        cons["tick"], cons["cls"], cons["slots"] = setup.ticks, setup.cls, setup.slots
        cons["slot0"] = np.cumsum([0, *setup.slots])[: len(setup.cls)]
        held = np.repeat(np.arange(len(setup.cls)), setup.slots)[~np.array(setup.idle, np.bool_)]
        cons["held"] = np.bincount(held, minlength=len(setup.cls))
        cons["live"] = ~np.array(setup.dead, np.bool_)
        cons["outside"] = setup.outside
        cons["t_last"] = setup.start
        cons["due"] = cons["theo_until"] = layout.NEVER
        cons["under"], cons["bucket"], cons["min_size"] = (
            layout.LONG_AGO,
            setup.buckets,
            setup.sizes,
        )
        cons["head"] = cons["tail"] = layout.END
        slots = np.zeros(sum(setup.slots), layout.SLOT)
        slots["quote_ts"], slots["last_valid"] = layout.LONG_AGO, -1
        slots["state"] = np.where(setup.idle, layout.NONE, layout.LAPSED)
        slots["theo_lo"] = 1
        slots["by_at"], slots["watched"] = layout.LONG_AGO, setup.watched
        return shifted(slots, setup.shift), shifted(cons, setup.shift)

    def _rests(self, n: int) -> Any:
        rests = np.zeros(n, layout.REST)
        rests["rest_ts"] = rests["was_rest"] = layout.NEVER
        rests["was_at"] = layout.LONG_AGO
        rests["prev"] = rests["next"] = layout.OUT
        return rests

    def step(self, call: Call, start: int) -> int:
        """One call from position `start`; returns the position reached."""
        if call.name in (
            "live",
            "tick",
        ):  # which Python writes, between two calls; then all is judged anew
            which = self._array(call.columns[0], np.int32)
            self.cons[call.name][which] = call.columns[1]
            stress = self._array(self.cons["stress"][which], np.uint8)
            return int(self.module.set_stress(self.kernel, which, start, call.t, stress))
        function = getattr(self.module, call.name)
        if call.name in WHOLE:
            return int(function(self.kernel, start, call.t))
        if call.name == "note_fill":
            return int(function(self.kernel, call.columns[0][0], call.t))
        if call.name == "apply_rows":
            tape = shifted(np.array(list(call.columns), ROW), self.setup.shift)
            tape.flags.writeable = False
            return int(function(self.kernel, tape, start, self.counts))
        which, *columns = call.columns
        dtypes: dict[str, list[Any]] = {
            "set_underlying": [np.int64],
            "shrink": [np.int32, np.int32, np.uint8],
        }
        own = dtypes.get(call.name) or [np.uint8] * len(columns)
        given = [self._array(*pair) for pair in zip(columns, own, strict=True)]
        more = [self.setup.reliefs] if call.name == "restate" else []
        return int(
            function(self.kernel, self._array(which, np.int32), start, call.t, *given, *more)
        )

    def image(self) -> dict[str, bytes]:
        """All that the implementation has written."""
        edges = self.edges[: self.kernel.edge_count]
        return {
            name: np.ascontiguousarray(array).tobytes()
            for name, array in (
                ("slots", self.slots),
                ("past", self.past),
                ("cons", self.cons),
                ("wide", self.wide),
                ("win", self.win),
                ("apart", self.apart),
                ("rests", self.rests),
                ("edges", edges),
                ("counts", self.counts),
                ("replies", self.replies),
                ("latency", self.latency),
            )
        }
