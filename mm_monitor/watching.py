"""The recent past of the obligations that somebody looks at: quotes, theos, limits, and what the time counted as.

Nothing is kept of what nobody looks at. While somebody does, the tape is cut after each record that concerns the
obligation, and the slot is read there: any cut gives the same state (TAPE-02), and what an interval counted as is the
difference of exact totals, so that the picture and the verdict cannot disagree.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.batch import Batch, Rows, is_control
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.explain import Standing, spread_limit
from mm_monitor.core.model import REASONS, DeadLetter, Kind
from mm_monitor.slot_look import standing_of, state_of

UNSEEN_AFTER = 30.0  # seconds without a look, then a ring is let go
CUTS = 200  # a second, over all rings: beyond them quotes are left out of the picture, not out of the sums
OF_ONE_MAKER = 4  # a maker's own token may take every fourth ring

Key = tuple[str, str, str]  # rulebook, maker, contract
Point = tuple[
    int, int | None, int | None, int | None, int | None
]  # ts, bid, ask, theo, limit; 10^-8
Span = tuple[int, int, str, str]  # start, end, state, reason of a lapse

# Between two looks only time can change what a quote counts as: it comes to rest, it passes, it grows stale.
_ORDER = ("exempt", "unknown", "lapsed:flicker", "quoted", "lapsed:stale")


@dataclass(frozen=True, slots=True)
class Seen:
    """One obligation at `at` (ns), and what is remembered of it since `since`."""

    evaluator: Evaluator
    contract: int  # index in the reference
    at: int
    state: str
    reason: str
    quote: Standing
    quote_ts: int
    source: int  # part and offset of the quote
    theo_ts: int
    theo_source: int
    theo_via: int
    since: int
    points: Sequence[Point]
    spans: Sequence[Span]
    thinned: int  # records left out of `points`, for there were too many
    remembers: bool  # False: as many others are watched as may be


@dataclass(slots=True)
class _Ring:
    """What is remembered of one obligation; totals are of the last look."""

    points: deque[Point]
    spans: deque[Span]
    asked: float
    since: int = 0
    at: int = -1
    state: str = ""
    reason: str = ""
    totals: list[int] = field(default_factory=list)
    thinned: int = 0


class Watching:
    """Stands between the pump and the engine. `most` rings at a time, each of `length` points and spans."""

    def __init__(
        self, engine: Engine, most: int, length: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._most, self._length, self._clock = engine, most, length, clock
        self._rings: dict[Key, _Ring] = {}
        self._allowed, self._refilled = float(CUTS), clock()

    # -- the tape -------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> list[DeadLetter]:
        """`Engine.apply`, with looks on the way where somebody watches."""
        if not self._rings:
            return self._engine.apply(batch)
        self._let_go()
        dead: list[DeadLetter] = []
        start, rows = 0, batch.rows
        for stop, t, contract in self._stops(rows):
            if stop > start:
                dead += self._engine.apply(Batch(rows[start:stop], batch.controls))
            start = stop
            for key, ring in self._rings.items():
                if contract in (-1, self._engine.reference.contract_index.get(key[2])):
                    self._look(key, ring, t)
        if start < len(rows):
            dead += self._engine.apply(Batch(rows[start:], batch.controls))
        return dead

    def _stops(self, rows: Rows) -> list[tuple[int, int, int]]:
        """Where to look: after how many rows, as of which instant, at which contract (-1: at all)."""
        found: list[tuple[int, int, int]] = []
        for i in np.flatnonzero(is_control(rows)).tolist():
            t = int(rows["ts"][i])
            found += [(i, t, -1), (i + 1, t, -1)]
        wanted = self._concerned(rows)
        step = max(1, -(-len(wanted) // max(1, self._may_cut(len(wanted)))))
        for ring in self._rings.values() if step > 1 else ():
            ring.thinned += len(wanted) - len(wanted[::step])
        for i in wanted[::step]:
            found.append((i + 1, int(rows["ts"][i]), int(rows["contract"][i])))
        return sorted(found)

    def _concerned(self, rows: Rows) -> list[int]:
        """Theos of watched contracts, and quotes of the makers that are watched on them."""
        reference = self._engine.reference
        pairs = {
            (reference.contract_index.get(c, -1), reference.maker_index.get(m, -1))
            for _, m, c in self._rings
        }
        contracts = {c for c, _ in pairs}
        flags = np.zeros(len(reference.contracts) + 1, np.bool_)
        flags[[c for c in contracts if c >= 0]] = True
        hits = np.flatnonzero(flags[rows["contract"]] & ~is_control(rows))
        near = rows[hits]
        columns = (near["kind"].tolist(), near["contract"].tolist(), near["maker"].tolist())
        return [
            i
            for i, kind, c, m in zip(hits.tolist(), *columns, strict=True)
            if kind == Kind.THEO or (c, m) in pairs
        ]

    def _may_cut(self, wanted: int) -> int:
        now = self._clock()
        self._allowed = min(CUTS, self._allowed + (now - self._refilled) * CUTS)
        self._refilled = now
        granted = min(wanted, int(self._allowed))
        self._allowed -= granted
        return granted

    # -- who looks ------------------------------------------------------------------------------

    def seen(self, key: Key, watermark: int, since: int = -1, *, own: bool = False) -> Seen | None:
        """The obligation now, which is watched from here on; None if there is none. `own`: its maker asks."""
        evaluator = next((e for e in self._engine.evaluators if e.rulebook.id == key[0]), None)
        reference = self._engine.reference
        contract, maker = reference.contract_index.get(key[2], -1), reference.find_maker(key[1])
        if evaluator is None or contract < 0 or evaluator.book.find(maker, contract) < 0:
            return None
        self._let_go()
        ring = self._rings.get(key)
        remembers = ring is not None or self._has_room(own)
        if ring is None:
            ring = _Ring(deque(maxlen=self._length), deque(maxlen=self._length), 0.0)
            if remembers:
                self._rings[key] = ring
        ring.asked = self._clock()
        slot = self._look(key, ring, watermark)
        return (
            None if slot is None else self._told(evaluator, contract, slot, ring, since, remembers)
        )

    def _told(
        self, evaluator: Evaluator, contract: int, slot: int, ring: _Ring, since: int, remembers: bool
    ) -> Seen:  # fmt: skip
        row, con = evaluator.scratch.slots[slot], evaluator.scratch.cons[contract]
        return Seen(
            evaluator, contract, ring.at, ring.state, ring.reason, standing_of(evaluator, contract, row, con),
            int(row["quote_ts"]), int(row["src"]), int(con["theo_ts"]), int(con["theo_src"]),
            int(con["theo_via"]), ring.since, [p for p in ring.points if p[0] > since],
            [s for s in ring.spans if s[1] > since], ring.thinned, remembers,
        )  # fmt: skip

    def _has_room(self, own: bool) -> bool:
        return len(self._rings) < (self._most // OF_ONE_MAKER if own else self._most)

    def _let_go(self) -> None:
        late = self._clock() - UNSEEN_AFTER
        for key in [key for key, ring in self._rings.items() if ring.asked < late]:
            del self._rings[key]

    # -- one look -------------------------------------------------------------------------------

    def _look(self, key: Key, ring: _Ring, t: int) -> int | None:
        """Bring a ring to `t`; its slot, which `scratch` then shows as of `t`. None if it is gone."""
        evaluator = next(e for e in self._engine.evaluators if e.rulebook.id == key[0])
        reference = self._engine.reference
        contract = reference.contract_index[key[2]]
        slot = evaluator.book.find(reference.find_maker(key[1]), contract)
        if slot < 0:
            return None
        rests = (
            self._engine.rests
        )  # where rests count back nothing is decided beyond the last record
        t = evaluator.last if rests is not None and not rests.over else max(t, evaluator.last)
        scratch = evaluator.scratch
        scratch.settle_like(evaluator.accruals, np.array([contract]), t)
        row, con = scratch.slots[slot], scratch.cons[contract]
        state, reason = state_of(row, con)
        totals = _totals(scratch, slot, contract)
        if ring.at < 0:
            ring.since = t
        elif t > ring.at:
            ring.spans.extend(_spans(ring, totals, state, t))
            _join(ring.spans)
        ring.at, ring.state, ring.reason, ring.totals = t, state, reason, totals
        point = _point(evaluator, standing_of(evaluator, contract, row, con), t)
        if not ring.points or ring.points[-1][1:] != point[1:]:
            if ring.points and ring.points[-1][0] == t:
                ring.points.pop()  # what lasted no time
            ring.points.append(point)
        return slot


def _point(evaluator: Evaluator, quote: Standing, t: int) -> Point:
    limit = spread_limit(quote, evaluator.rulebook)
    return (
        t,
        quote.bid if quote.bid_size else None,
        quote.ask if quote.ask_size else None,
        quote.theo,
        None if limit is None else limit.numerator // limit.denominator,
    )


def _totals(settled: Accruals, slot: int, contract: int) -> list[int]:
    """ns quoted, exempt, unknown, and lapsed by reason."""
    row, past, con = settled.slots[slot], settled.past[slot], settled.cons[contract]
    exempt = int(past["exempt"]) + int(con["e_val"]) - int(con["n_val"])
    flicker = int(settled.rests["flicker"][slot]) if len(settled.rests) else 0
    return [int(row["quoted"]), exempt, int(past["unknown"]), *past["lapsed"].tolist(), flicker]


_NAMES = ("quoted", "exempt", "unknown", *(f"lapsed:{reason}" for reason in REASONS))


def _spans(ring: _Ring, totals: list[int], state: str, t: int) -> Iterator[Span]:
    """What the time since the last look was: the differences of its totals, in the order in which time brings them."""
    grown = [now - before for now, before in zip(totals, ring.totals, strict=True)]
    if min(grown) < 0:  # a new trading date
        return
    parts = {name: ns for name, ns in zip(_NAMES, grown, strict=True) if ns}
    idle = t - ring.at - sum(parts.values())
    if idle > 0:
        parts["not_obliged"] = idle
    first = f"lapsed:{ring.reason}" if ring.state == "lapsed" else ring.state
    first = "quoted" if first == "deemed" else first
    last = "not_obliged" if state == "not_obliged" else ""
    order = sorted(
        parts, key=lambda name: (name == last, name != first, _ORDER.index(name) if name in _ORDER else 9)
    )  # fmt: skip
    at = ring.at
    for name in order:
        shown, _, reason = name.partition(":")
        deemed = shown == "quoted" and ring.state == "deemed"
        end = min(t, at + parts[name])
        yield at, end, "deemed" if deemed else shown, reason
        at = end


def _join(spans: deque[Span]) -> None:
    """Neighbours that are the same become one, the newest few only: the others have been joined."""
    newest: list[Span] = []
    while spans and len(newest) < 8:
        newest.append(spans.pop())
    for span in reversed(newest):
        if spans and spans[-1][1:] == (span[0], *span[2:]):
            before = spans.pop()
            spans.append((before[0], *span[1:]))
        else:
            spans.append(span)
