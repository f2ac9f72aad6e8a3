"""Watches whether makers can still meet the requirement of the day, and finds the instant at which they no longer can.

Nothing is judged between two records of one instant: what control records bring is looked at when it is over.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import BreachKind
from mm_monitor.core.remaining import unforeseen
from mm_monitor.core.rules.unreachable import first_instant, safe_for, unreachable
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator, Mark


class Reach:
    """`found` are the makers (positions in the views' makers) that are out of reach."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.found: frozenset[int] = frozenset()
        self.pending: int | None = None  # an instant of control records that may not be over
        self.unforeseen = False  # does the market trade where its calendar says that it does not?
        self.judged = layout.LONG_AGO  # the last such instant that was looked at
        self.safe_until = layout.LONG_AGO

    def state(self) -> tuple[list[int], int | None, bool, int]:
        """All that decides what will be found."""
        return sorted(self.found), self.pending, self.unforeseen, self.judged

    def restore(self, state: tuple[list[int], int | None, bool, int]) -> None:
        """Inverse of `state`."""
        found, self.pending, self.unforeseen, self.judged = state
        self.found = frozenset(found)

    def begin(self, t: int) -> None:
        """A period begins at `t`: nothing is known of it, and a requirement may be out of reach from its start."""
        self.safe_until = layout.LONG_AGO
        self.touch(t)

    def clear(self) -> None:
        """Another trading date: nobody is out of reach."""
        self.found, self.pending, self.unforeseen = frozenset(), None, False

    def touch(self, t: int) -> None:
        """Something other than quotes changed at `t`: look once that instant is over."""
        self.pending = t

    @property
    def watched(self) -> bool:
        """Can presence go out of reach now: a requirement, a calendar that knows this date, trading that it foresaw?"""
        e = self.evaluator
        known = e.schedule is not None and e.trading_date != "" and not self.unforeseen
        known = known and e.breaches.of_makers
        return known and e.rulebook.required is not None and e.in_period

    def apply(self, rows: Rows) -> None:
        """Apply rows, at least one, and find what went out of reach on the way, at its own instant."""
        if self.pending is not None and int(rows["ts"][-1]) > self.pending:
            over = int(np.searchsorted(rows["ts"], self.pending, side="right"))
            if over:
                self.evaluator.take(rows[:over])
            self._judge_pending()
            rows = rows[over:]
        if self.pending is not None or not self._may_cross(rows):
            self.evaluator.take(rows)
            return
        before = self.evaluator.mark()
        self.evaluator.take(rows)
        if self._check(self.evaluator.last) - self.found:
            self._locate(rows, before)

    def _may_cross(self, rows: Rows) -> bool:
        return self.watched and int(rows["ts"][-1]) > self.safe_until

    def look(self, t: int) -> None:
        """Notice what time alone has brought by `t`: every record up to `t` must have been applied."""
        if self.pending is not None and self.pending <= t:
            self._judge_pending()
        e = self.evaluator
        if not self.watched or t <= max(self.safe_until, e.last, e.period[0] or 0):
            return
        found = self._check(t)
        since = max(e.last, self.judged, e.period[0] or 0)
        while found - self.found:
            since = first_instant(since, t, partial(self._exceeds, self.found))
            self._open(self._found_at(since), since, t)

    def _judge_pending(self) -> None:
        t, self.pending = self.pending, None
        assert t is not None
        self.judged = t
        self.unforeseen = unforeseen(self.evaluator, t)
        if not self.watched:
            return
        e, found = self.evaluator, self._check(t)
        for k in sorted(self.found - found):
            e.breaches.close(BreachKind.PRESENCE_UNREACHABLE, e.views.makers[k], "", t, t)
        self.found &= found
        self._open(found, t, t)

    def _check(self, t: int) -> frozenset[int]:
        e = self.evaluator
        totals = e.totals_at(t)
        found = unreachable(totals, e.views.held, e.rulebook)
        self.safe_until = t + safe_for(totals, e.views.held, e.rulebook, found)
        return found

    def _locate(self, rows: Rows, before: Mark) -> None:
        """Halve the rows, then the time, until the first nanosecond of each new crossing is known."""
        e = self.evaluator
        while True:
            low, high = 0, len(rows)  # rows[:low] bring nothing new, rows[:high] something
            while high - low > 1:
                middle = (low + high) // 2
                e.rewind(before, rows[:middle])
                if self._check(e.last) - self.found:
                    high = middle
                else:
                    low = middle
            e.rewind(before, rows[:low])
            self.safe_until = e.last
            self.look(int(rows["ts"][low]))
            rows, before = rows[low:], e.mark()
            e.take(rows)
            if not self._check(e.last) - self.found:
                return

    def _exceeds(self, known: frozenset[int], t: int) -> bool:
        return bool(self._found_at(t) - known)

    def _found_at(self, t: int) -> frozenset[int]:
        e = self.evaluator
        return unreachable(e.totals_at(t), e.views.held, e.rulebook)

    def _open(self, found: frozenset[int], start: int, noticed_at: int) -> None:
        e = self.evaluator
        totals = e.totals_at(start)
        for k in sorted(found - self.found):
            e.open_maker(BreachKind.PRESENCE_UNREACHABLE, k, start, totals, noticed_at)
        self.found |= found
