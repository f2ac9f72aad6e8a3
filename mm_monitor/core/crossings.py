"""When a lapse, a spread or a hole may next cross its limit, contract by contract, so that looking for it is rare.

An edge belongs to an instant of event time: it is found by settling the contract at any later one, and means the same
whenever that is done. So nothing here decides anything; a contract is left alone while no look could find an edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.view import Ints
from mm_monitor.kernels import layout

FAR = 2**62  # ns, from now on: never
NOT_YET = -(2**62)
_OF_HOLE, _HEARD = (np.zeros(256, dtype=np.bool_) for _ in range(2))  # by kind of edge
_OF_HOLE[[layout.HOLE_OPEN, layout.HOLE_CLOSE]] = True
_HEARD[[layout.WATCHED, layout.ANSWERED]] = True  # what requests for quotes wait for


class Crossings:
    """One layout's. `due` (m,): a look at a contract up to and including this instant finds no edge not found before.

    `looked` (m,): the latest instant as of which it was settled and its edges read; `clock`: its net clock then.
    """

    def __init__(self, accruals: Accruals) -> None:
        m, param = len(accruals.cons), accruals.params.param[0]
        self._limits = tuple(int(param[name]) for name in ("longest", "grace", "longest_hole"))
        self._doubtful = np.ones(m, dtype=np.bool_)
        self.due = np.full(m, NOT_YET, dtype=np.int64)
        self.looked, self.clock = self.due.copy(), self.due.copy()

    def forget(self) -> None:
        """Clocks begin anew, or edges count that did not: whatever was seen is to be seen again."""
        self._doubtful[:] = True
        self.looked[:] = self.clock[:] = NOT_YET

    def doubt(self, contracts: NDArray[np.int32] | None = None) -> None:
        """These contracts, or all, may have changed since they were looked at."""
        self._doubtful[slice(None) if contracts is None else contracts] = True

    def find(self, accruals: Accruals, t: int) -> Ints:
        """The contracts of which a look at `t` finds edges that were not found before, maybe a few more."""
        if max(self._limits) < 0:
            return np.empty(0, dtype=np.int64)
        asked = np.flatnonzero(self._doubtful | (self.due < t))
        if len(asked):
            self._doubtful[asked] = False
            self.due[asked] = self._bounds(accruals, asked)
        return asked[self.due[asked] < t]

    def settled(self, settled: Accruals, t: int, which: Ints | None = None) -> None:
        """These contracts, or all, were settled at `t` and their edges were read."""
        chosen: Ints | slice = slice(None) if which is None else which
        clock = settled.cons["n_val"][chosen]
        self.looked[chosen] = np.maximum(self.looked[chosen], t)
        self.clock[chosen] = np.maximum(self.clock[chosen], clock)
        if which is not None and len(which):
            self.due[which] = self._bounds(settled, which)

    def fresh(
        self, edges: Sequence[NDArray[np.void]], slot_con: NDArray[np.int32]
    ) -> list[NDArray[np.void]]:
        """The edges that were not read before, in their order."""
        found = []
        for chunk in edges:
            contract, kind = slot_con[chunk["slot"]], chunk["kind"]
            seen = np.where(_OF_HOLE[kind], self.looked[contract], self.clock[contract])
            left = chunk[(chunk["n"] >= seen) & ~_HEARD[kind]]
            if len(left):
                found.append(left)
        return found

    def _bounds(self, accruals: Accruals, which: Ints) -> Ints:
        """The instant up to which a look at each of these contracts finds nothing that was not found before."""
        cons = accruals.cons[which]
        seen = self.looked[which] - cons["t_last"]
        runs = (cons["n_run"] > 0) | (cons["e_run"] > 0)
        bound = np.where(runs, cons["due"], FAR)
        counts = cons["slots"].astype(np.int64)
        held = counts > 0
        if held.any() and max(self._limits[:2]) >= 0:
            left = self._slots_left(accruals, cons, counts, seen)
            starts = (np.cumsum(counts) - counts)[held]
            least = np.minimum.reduceat(left, starts)
            bound[held] = np.minimum(bound[held], cons["t_last"][held] + least)
        if self._limits[2] >= 0:
            bound = np.minimum(bound, cons["t_last"] + self._hole_left(cons, seen))
        return bound

    def _slots_left(
        self, accruals: Accruals, cons: NDArray[np.void], counts: Ints, seen: Ints
    ) -> Ints:
        """ns from the contract's `t_last` on until each of its slots writes its next edge; negative if it has to."""
        places = np.arange(int(counts.sum())) + np.repeat(
            cons["slot0"] - (np.cumsum(counts) - counts), counts
        )
        slots = accruals.slots
        state = slots["state"][places]
        lapsed = (state >= layout.LAPSED) & (state < layout.DEEMED)
        ends = ~lapsed & (state != layout.EXEMPT) & (state != layout.NONE)
        longest, grace = self._limits[:2]
        passed = np.repeat(cons["n_val"], counts) - slots["n_last"][places]
        runs, seen = np.repeat(cons["n_run"] > 0, counts), np.repeat(seen, counts)
        left = np.full(len(places), FAR, dtype=np.int64)
        if longest >= 0:
            left = _left(
                _room(slots["current"][places], longest, lapsed, ends) - passed, runs, seen
            )
        if grace >= 0:
            wide = lapsed & (slots["ex"][places] & layout.WIDE > 0)
            narrow = ~wide & (ends | lapsed)
            room = _room(accruals.wide[places], grace, wide, narrow)
            left = np.minimum(left, _left(room - passed, runs, seen))
        return left

    def _hole_left(self, cons: NDArray[np.void], seen: Ints) -> Ints:
        """The same of the contracts' holes."""
        open_ = (cons["cover"] == 0) & (cons["held"] > 0)
        room = _room(cons["hole_now"], self._limits[2], open_, ~open_)
        return _left(room - (cons["e_val"] - cons["hole_e"]), cons["e_run"] > 0, seen)


def _room(so_far: Ints, limit: int, grows: NDArray[np.bool_], ends: NDArray[np.bool_]) -> Ints:
    """Clock time until what has lasted `so_far` writes an edge: beyond its limit, or as it ends beyond it."""
    over = so_far > limit
    room = np.where(grows & ~over, limit - so_far, FAR)
    room[ends & over] = 0
    return room


def _left(left: Ints, runs: NDArray[np.bool_], seen: Ints) -> Ints:
    """`left`, or FAR for what was read before `seen`, and for what only a clock that stands would bring."""
    return np.where((left < seen) | (~runs & (left >= 0)) | (left > FAR // 2), FAR, left)
