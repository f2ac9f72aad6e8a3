"""The state arrays of one evaluator and the only calls that move them.

Reading at an instant copies the arrays and settles the copy (TAPE-01), so what is shown is what will be applied. The
clock's history turns a value of a contract's obligation clock back into an instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.batch import Rows
from mm_monitor.core.book import Book
from mm_monitor.core.params import Params
from mm_monitor.core.view import Ints
from mm_monitor.kernels import layout

ClockHistory = list[
    tuple[int, int]
]  # (instant, net clock then) whenever it began to run, ascending


LINE, HUGE_PAGE = 64, 1 << 21  # bytes
BESIDE = (
    "past",
    "wide",
    "win",
    "apart",
    "rests",
)  # arrays of Accruals that have a row for each slot, or no row at all
OF_SLOTS = (*BESIDE, "slots", "replies")
WHOLE = 8  # copying all contracts takes as long as copying one in so many by themselves


class Accruals:
    """Slots (n,) SLOT, `past` (n,) PAST, contracts (m,) CON, and beside them what only some rulebooks ask for.

    `wide` (n,) int64 with a grace, `win` (n, k) WIN with k window widths, `apart` (n,) APART with rules for stress,
    `rests` (n,) REST with a max age or a min rest.
    `replies` (n,) REPLY, and `latency` (classes, makers, causes, LATENCIES) int64: how fast makers answer (RESP-01).
    """

    def __init__(self, book: Book, params: Params) -> None:
        self.book, self.params = book, params
        n, m = len(book.slot_con), len(book.slots)
        self.slots = lined(n, layout.SLOT)
        self.past = np.zeros(n, dtype=layout.PAST)
        self.wide = np.zeros(n if params.param["grace"][0] >= 0 else 0, dtype=np.int64)
        self.win = np.zeros((n if len(params.widths) else 0, len(params.widths)), dtype=layout.WIN)
        self.apart = np.zeros(n if params.param["apart"][0] else 0, dtype=layout.APART)
        timed = max(params.param["max_age"][0], params.param["min_rest"][0]) >= 0
        self.rests = np.zeros(n if timed else 0, dtype=layout.REST)
        self.replies = np.zeros(n, dtype=layout.REPLY)
        cells = book.cls[book.slot_con] * book.makers + book.slot_maker
        self.replies["at"] = layout.LONG_AGO
        self.replies["since"], self.replies["cell"] = -1, cells
        classes = len(book.rank) // book.makers
        self.latency = np.zeros((classes, book.makers, 3, layout.LATENCIES), dtype=np.int64)
        self.cons = lined(m, layout.CON)
        self.histories: list[ClockHistory] = [[] for _ in range(m)]
        self._reset_rows()
        most = int(book.slots.max(initial=1))
        self.edges = np.empty(most * layout.EDGES_PER_SLOT * 2 + 4096, dtype=layout.EDGE)
        self._bind()

    def _reset_rows(self) -> None:
        self.slots["quote_ts"] = self.slots["by_at"] = layout.LONG_AGO
        self.slots["last_valid"] = -1
        self.slots["state"] = layout.LAPSED
        self.slots["theo_lo"], self.slots["theo_hi"] = 1, 0
        self.rests["rest_ts"] = self.rests["was_rest"] = layout.NEVER
        self.rests["was_at"] = layout.LONG_AGO
        self.rests["prev"] = self.rests["next"] = layout.OUT
        self.cons["head"] = self.cons["tail"] = layout.END
        self.cons["under"] = layout.LONG_AGO
        self.cons["slot0"], self.cons["slots"] = self.book.slot0, self.book.slots
        self.cons["cls"] = self.book.cls
        self.cons["due"] = layout.NEVER
        self.cons["theo_until"] = layout.NEVER
        self.cons["live"] = self.cons["min_size"] = 1
        self.cons["theo_at"] = self.cons["turn_at"] = layout.LONG_AGO

    def _bind(self) -> None:
        book, params = self.book, self.params
        self.kernel = kernels.Arrays(
            self.slots, self.past, self.wide, self.win.reshape(-1), params.widths, self.apart, self.rests,
            book.slot_con, self.cons, book.rank, params.param, params.terms, params.cells,
            self.edges, len(params.reliefs),
        )  # fmt: skip
        self.kernel.follow(self.replies, self.latency.reshape(-1))

    def use(self, params: Params, buckets: NDArray[np.uint16], sizes: NDArray[np.int32]) -> None:
        """Judge by other limits from here on: of another date, with other days to expiry. Slots must be judged anew."""
        self.params, self.cons["bucket"], self.cons["min_size"] = params, buckets, sizes
        self._bind()

    def copy(self) -> Accruals:
        """An independent copy that shares the layout; histories are shared too, for reading."""
        twin = object.__new__(Accruals)
        twin.book, twin.params, twin.histories = self.book, self.params, self.histories
        twin.slots, twin.cons = self.slots.copy(), self.cons.copy()
        for name in BESIDE:
            setattr(twin, name, getattr(self, name).copy())
        twin.replies, twin.latency = self.replies.copy(), self.latency.copy()
        twin.edges = np.empty_like(self.edges)
        twin._bind()
        return twin

    def load(self, other: Accruals) -> None:
        """Take over the state of another copy of the same layout."""
        _octets(self.slots)[:] = _octets(other.slots)
        for name in BESIDE:
            _octets(getattr(self, name))[:] = _octets(getattr(other, name))
        self.latency[:] = other.latency
        _octets(self.replies)[:] = _octets(other.replies)
        _octets(self.cons)[:] = _octets(other.cons)

    def apply(self, rows: Rows, counts: NDArray[np.int64]) -> list[NDArray[np.void]]:
        """Apply quote and theo rows, all of them; returns the edges in the order in which they came."""
        return self._run(
            lambda start: kernels.apply_rows(self.kernel, rows, start, counts), len(rows)
        )

    def set_clocks(
        self, which: NDArray[np.int32], t: int, e_run: NDArray[np.uint8], n_run: NDArray[np.uint8]
    ) -> list[NDArray[np.void]]:
        """Run or stop the obliged (e) and net (n) clocks of contracts at `t`."""
        edges = self._run(
            lambda start: kernels.set_clocks(self.kernel, which, start, t, e_run, n_run), len(which)
        )
        values, runs = self.cons["n_val"][which].tolist(), self.cons["n_run"][which].tolist()
        for c, n, run in zip(which.tolist(), values, runs, strict=True):
            _note(self.histories[c], t, n, run)
        return edges

    def set_stress(
        self, which: NDArray[np.int32], t: int, on: NDArray[np.uint8]
    ) -> list[NDArray[np.void]]:
        """Enter or leave stress on contracts at `t`."""
        return self._run(
            lambda start: kernels.set_stress(self.kernel, which, start, t, on), len(which)
        )

    def restate(
        self,
        which: NDArray[np.int32],
        t: int,
        unk: NDArray[np.uint8],
        ex: NDArray[np.uint8],
        relax: NDArray[np.uint8],
        absent: NDArray[np.uint8],
    ) -> list[NDArray[np.void]]:
        """Give slots new feed bits, exemption bits and relief at `t`; withdraw the quote where `absent`."""
        reliefs = len(self.params.reliefs)
        return self._run(
            lambda start: kernels.restate(
                self.kernel, which, start, t, unk, ex, relax, absent, reliefs
            ),
            len(which),
        )

    def shrink(
        self, which: NDArray[np.int32], t: int, bid: NDArray[np.int32], ask: NDArray[np.int32],
        flags: NDArray[np.uint8],
    ) -> list[NDArray[np.void]]:  # fmt: skip
        """The quotes of slots lose so much of bid and ask at `t`; `flags` say how a rest that this begins ends."""
        return self._run(
            lambda start: kernels.shrink(self.kernel, which, start, t, bid, ask, flags), len(which)
        )

    def set_underlying(
        self, which: NDArray[np.int32], t: int, spread: NDArray[np.int64]
    ) -> list[NDArray[np.void]]:
        """The underlying of contracts has this spread (10^-8, LONG_AGO = missing) from `t` on."""
        return self._run(
            lambda start: kernels.set_underlying(self.kernel, which, start, t, spread), len(which)
        )

    def end_rests(self, t: int) -> list[NDArray[np.void]]:
        """VAL-09: rests that are reached only after the period that ends at `t` count from there on."""
        return self._run(lambda start: kernels.end_rests(self.kernel, start, t), len(self.cons))

    def note_fill(self, slot: int, t: int) -> list[NDArray[np.void]]:
        """A fill of `slot` at `t` (RESP-01)."""
        return self._run(lambda _: kernels.note_fill(self.kernel, slot, t), 1)

    def settle_contract(self, contract: int, t: int) -> list[NDArray[np.void]]:
        """Bring one contract and its slots to `t`."""
        stop = contract + 1
        return self._run(
            lambda start: kernels.settle(self.kernel, max(start, contract), t, stop), stop
        )

    def settle_like(self, other: Accruals, which: Ints, t: int) -> list[NDArray[np.void]]:
        """Contracts `which` as `other`, a copy of the same layout, has them, brought to `t`; of `latency` nothing."""
        if len(which) * WHOLE > len(self.cons):
            self.load(other)
            return self.settle(t)
        edges: list[NDArray[np.void]] = []
        for contract in which.tolist():
            first = int(self.book.slot0[contract])
            held = slice(first, first + int(self.book.slots[contract]))
            self.cons[contract] = other.cons[contract]
            for name in OF_SLOTS:
                _octets(getattr(self, name)[held])[:] = _octets(getattr(other, name)[held])
            edges += self.settle_contract(contract, t)
        return edges

    def settle(self, t: int) -> list[NDArray[np.void]]:
        """Bring everything to `t`. For copies, and for the edges of a period."""
        return self._run(lambda start: kernels.settle(self.kernel, start, t), len(self.cons))

    def _run(self, step: Callable[[int], int], n: int) -> list[NDArray[np.void]]:
        chunks: list[NDArray[np.void]] = []
        at = 0
        while True:
            at = step(at)
            count = self.kernel.edge_count
            if count:
                chunks.append(self.edges[:count].copy())
                self.kernel.clear_edges()
            if at >= n:
                return chunks

    @property
    def flicker(self) -> NDArray[np.int64]:
        """Obliged ns by slot that lapsed because the quote had not stood long enough (VAL-09)."""
        return self.rests["flicker"] if len(self.rests) else np.zeros(len(self.slots), np.int64)

    def wait_to_rest(self, t: int) -> None:
        """Which prices have not stood long enough at `t`, and in what order they will have (VAL-09)."""
        since, span = self.rests["rest_ts"], int(self.params.param["min_rest"][0])
        resting = [i for i, ts in enumerate(since.tolist()) if ts != layout.NEVER and t - ts < span]
        self.rests["fresh"][resting] = layout.RESTING
        self.slots["ex"][resting] |= np.uint8(layout.FRESH)
        prev, next_ = self.rests["prev"][:, layout.RESTS], self.rests["next"][:, layout.RESTS]
        head, tail = self.cons["head"][:, layout.RESTS], self.cons["tail"][:, layout.RESTS]
        for i in sorted(resting, key=since.__getitem__):
            c = self.book.slot_con[i]
            prev[i], next_[i] = tail[c], layout.END
            if tail[c] == layout.END:
                head[c] = i
            else:
                next_[tail[c]] = i
            tail[c] = i
        self.cons["due"] = layout.LONG_AGO  # to be looked for afresh

    def forget_prices(self) -> None:
        """A new day: what stood before this instant was another day's, and does not rest on."""
        self.rests["was_rest"] = layout.NEVER

    def instant(self, contract: int, n: int) -> int:
        """The last instant at which the net clock of a contract stood at `n`: when it ran on from there."""
        history = self.histories[contract]
        i = bisect_right(history, n, key=lambda entry: entry[1]) - 1
        if i < 0:  # before the first change nothing ran
            return history[0][0] if history else int(self.cons["t_last"][contract])
        t, value = history[i]
        return t + (n - value)

    def count_held(self) -> None:
        """Tell each contract how many of its slots have a maker who is appointed now."""
        held = self.book.slot_con[self.slots["state"] != layout.NONE]
        self.cons["held"] = np.bincount(held, minlength=len(self.cons))

    def zero(self, t: int) -> None:
        """Totals and clocks start at zero at `t`; quotes, theo and conditions stay."""
        self.settle(t)
        self.kernel.clear_edges()
        for name in ("n_last", "quoted", "current", "use_lo", "use_hi", "lapses"):
            self.slots[name] = 0
        self.slots["last_valid"] = -1
        self.replies["since"], self.latency[:] = -1, 0
        for name in BESIDE:
            if name != "rests":
                _octets(getattr(self, name))[:] = 0
        self.rests["flicker"] = 0
        for name in ("e_val", "n_val", "hole", "hole_e", "hole_now"):
            self.cons[name] = 0
        for c, history in enumerate(self.histories):
            history.clear()
            if self.cons["n_run"][c]:
                history.append((t, 0))


def _note(history: ClockHistory, t: int, n: int, run: int) -> None:
    """A clock runs or stands from `t` on; what lasted no time leaves nothing, however the tape was cut."""
    if history and history[-1][0] == t:
        history.pop()
    if run and not (history and t - history[-1][0] == n - history[-1][1]):
        history.append((t, n))


def lined(n: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """`n` rows of zeros, the first of which begins a line of the cache; of many, a page of the largest size."""
    size = n * dtype.itemsize
    start = LINE if size < 2 * HUGE_PAGE else HUGE_PAGE
    memory = np.zeros(size + start, np.uint8)
    skip = -memory.ctypes.data % start
    return memory[skip : skip + size].view(dtype)


def _octets(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """The memory of some rows: copied as such it takes half as long as field by field."""
    return rows.view(np.uint8)
