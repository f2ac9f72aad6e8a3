"""Instants at which something must be looked at though no record may come: a heap that cuts the tape.

Totals at an instant do not depend on the records of that instant, so a moment is met before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from mm_monitor.core.batch import Rows

Moment = tuple[int, str, Any]  # instant, what to look at, whatever that needs; orders by all three


class Moments:
    """The moments of one evaluator that are still to come."""

    def __init__(self, meet: Callable[[int, str, Any], None]) -> None:
        """`meet(instant, name, detail)` is called for each, in order, and may add others."""
        self._heap: list[Moment] = []
        self._meet = meet

    def add(self, t: int, name: str, detail: Any = None) -> None:
        """Meet `name` at `t`; a moment that is there already stays one."""
        if (t, name, detail) not in self._heap:
            heappush(self._heap, (t, name, detail))

    def forget(self, name: str) -> None:
        """Meet none of that name any more."""
        self._heap = [moment for moment in self._heap if moment[1] != name]
        heapify(self._heap)

    def reach(self, t: int) -> None:
        """Meet everything up to and including `t`: all records before `t` have been applied."""
        while self._heap and self._heap[0][0] <= t:
            self._meet(*heappop(self._heap))

    def cut(self, rows: Rows) -> Iterator[Rows]:
        """The rows in pieces, none empty; between them the moments are met."""
        while len(rows) and self._heap and self._heap[0][0] <= int(rows["ts"][-1]):
            t = self._heap[0][0]
            first = int(np.searchsorted(rows["ts"], t, side="left"))
            if first:
                yield rows[:first]
            rows = rows[first:]
            self.reach(t)
        if len(rows):
            yield rows

    def state(self) -> list[Moment]:
        """Those that are to come, in order."""
        return sorted(self._heap)

    def restore(self, state: list[Moment]) -> None:
        """Inverse of `state`."""
        self._heap = [(t, name, detail) for t, name, detail in state]
        heapify(self._heap)
