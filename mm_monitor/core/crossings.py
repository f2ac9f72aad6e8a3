"""When a lapse, a spread or a hole may next cross its limit, contract by contract, so that looking for it is rare.

An edge belongs to an instant of event time: it is found by settling the contract at any later one, and means the same
whenever that is done. So nothing here decides anything; a contract is left alone while no look could find an edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.accrual import Accruals
from mm_monitor.core.view import Ints
from mm_monitor.kernels import layout

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
        self._limits = int(param["longest"]), int(param["grace"]), int(param["longest_hole"])
        self._limited = max(self._limits) >= 0
        self._doubtful = np.ones(m, dtype=np.uint8)
        self._found = np.empty(m, dtype=np.int64)
        self.due = np.full(m, NOT_YET, dtype=np.int64)
        self.looked, self.clock = self.due.copy(), self.due.copy()
        self._looks = self._bind(accruals)

    def _bind(self, a: Accruals) -> kernels.Looks:
        return kernels.Looks(a.slots, a.wide, a.cons, *self._limits, self.looked, self.due)

    def forget(self) -> None:
        """Clocks begin anew, or edges count that did not: whatever was seen is to be seen again."""
        self._doubtful[:] = 1
        self.looked[:] = self.clock[:] = NOT_YET

    def doubt(self, contracts: NDArray[np.int32] | None = None) -> None:
        """These contracts, or all, may have changed since they were looked at."""
        if self._limited:
            self._doubtful[slice(None) if contracts is None else contracts] = 1

    def find(self, t: int) -> Ints:
        """The contracts of which a look at `t` finds edges that were not found before, maybe a few more."""
        if not self._limited:
            return self._found[:0]
        return self._found[: self._looks.find(self._doubtful, t, self._found)].copy()

    def settled(self, settled: Accruals, t: int, which: Ints | None = None) -> None:
        """These contracts, or all, were settled at `t` and their edges were read."""
        chosen: Ints | slice = slice(None) if which is None else which
        clock = settled.cons["n_val"][chosen]
        self.looked[chosen] = np.maximum(self.looked[chosen], t)
        self.clock[chosen] = np.maximum(self.clock[chosen], clock)
        if which is not None:
            self._bind(settled).renew(which)

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
