"""The separate stretches of continuous trading of a date, such as morning and afternoon, and what each adds (PRES-06).

A stretch is one of scope `*`. Outside of them nobody is obliged, so the totals at the start of one are all that has to
be kept; what lasts no time, a stretch or the break between two, leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mm_monitor.core.relayout import Moved
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import Ints

PARTS = ("quoted", "lapsed", "exempt", "unknown")


@dataclass(slots=True)
class Stretches:
    """Start and end of each stretch, and for each but the first (n, 4) totals of the slots at its start."""

    spans: list[tuple[int, int | None]] = field(default_factory=list)
    before: list[Ints] = field(default_factory=list)

    def begin(self, t: int, totals: Callable[[], Totals]) -> None:
        """Continuous trading begins at `t`."""
        if self.spans and self.spans[-1][1] is None:
            return
        if self.spans and self.spans[-1][1] == t:  # a break that lasted no time
            self.spans[-1] = (self.spans[-1][0], None)
            return
        if self.spans:
            self.before.append(columns(totals()))
        self.spans.append((t, None))

    def end(self, t: int) -> None:
        """It ends at `t`."""
        if not self.spans or self.spans[-1][1] is not None:
            return
        if self.spans[-1][0] < t:
            self.spans[-1] = (self.spans[-1][0], t)
            return
        self.spans.pop()
        if self.spans:
            self.before.pop()

    def copy(self) -> Stretches:
        """As they are now."""
        return Stretches(list(self.spans), list(self.before))

    def clear(self) -> None:
        """Another date."""
        self.spans.clear()
        self.before.clear()

    def move(self, moved: Moved, slots: int) -> None:
        """Follow the slots to another layout of so many."""
        for i, old in enumerate(self.before):
            self.before[i] = np.zeros((slots, len(PARTS)), dtype=np.int64)
            self.before[i][moved[1]] = old[moved[0]]

    def sums(self, now: Totals) -> list[tuple[int, int | None, Ints]]:
        """Start, end and (n, 4) sums of each stretch, `now` being the totals so far."""
        marks = [*self.before, columns(now)]
        first = np.zeros_like(marks[0])
        found = []
        for (start, end), low, high in zip(self.spans, [first, *marks], marks, strict=False):
            found.append((start, end, high - low))
        return found


def columns(totals: Totals) -> Ints:
    """(n, 4) PARTS of the totals."""
    return np.stack([getattr(totals, name) for name in PARTS], axis=1)
