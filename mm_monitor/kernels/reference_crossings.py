"""The plain twin of `cext/crossings.pyx`: when contracts may next cross a limit. It only reads the arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_monitor.kernels import layout
from mm_monitor.kernels.reference_slots import is_lapsed
from mm_monitor.kernels.reference_state import Bytes, Con, Ints, Rows, Slot, objects

FAR = 2**62  # ns from now on: never


def time_left(
    so_far: int, limit: int, *, grows: bool, ends: bool, passed: int, runs: bool, seen: int
) -> int:
    """ns until what has lasted `so_far` of clock time writes an edge: beyond its limit, or as it ends beyond it.

    `passed`: clock time that is not in `so_far` yet. What was to be written before `seen` was found then; a clock that
    stands brings only what has to be written already.
    """
    left = FAR
    if so_far > limit and ends:
        left = -passed
    elif so_far <= limit and grows:
        left = limit - so_far - passed
    found_before, never = left < seen, not runs and left >= 0
    return FAR if found_before or never or left > FAR // 2 else left


class Looks:
    """Bound to arrays of one layout: slots (n,) SLOT, wide (n,) int64 or empty, cons (m,) CON; looked, due (m,) int64.

    `longest`, `grace`, `hole` are limits in ns, negative for none. ValueError for lengths that do not belong together.
    """

    def __init__(
        self, slots: Rows, wide: Ints, cons: Rows, longest: int, grace: int, hole: int, looked: Ints,
        due: Ints,
    ) -> None:  # fmt: skip
        n, m = len(slots), len(cons)
        if len(looked) != m or len(due) != m:
            raise ValueError(f"looked, due: {m} elements, got {len(looked)}, {len(due)}")
        if grace >= 0 and len(wide) != n:
            raise ValueError(f"wide: {n} elements, got {len(wide)}")
        for i, c in enumerate(objects(Con, cons)):
            if c.slot0 < 0 or c.slots < 0 or c.slot0 + c.slots > n:
                raise ValueError(f"contract {i}: slots outside of {n}")
        self._arrays = slots, wide, cons
        self._limits = longest, grace, hole
        self._looked, self._due = looked, due

    def _bounds(self) -> list[int]:
        """For each contract the instant up to which a look at it finds nothing that was not found before."""
        slots, wide, cons = self._arrays
        all_slots, all_wide = objects(Slot, slots), wide.tolist()
        found = []
        for c, looked in zip(objects(Con, cons), self._looked.tolist(), strict=True):
            seen = looked - c.t_last
            least = self._hole_left(c, seen)
            for k in range(c.slot0, c.slot0 + c.slots):
                stood = all_wide[k] if self._limits[1] >= 0 else 0
                least = min(least, self._slot_left(c, all_slots[k], stood, seen))
            bound = c.due if c.n_run or c.e_run else FAR
            found.append(min(bound, c.t_last + least))
        return found

    def _slot_left(self, c: Con, s: Slot, wide: int, seen: int) -> int:
        longest, grace, _ = self._limits
        lapsed, known = is_lapsed(s), s.state not in (layout.EXEMPT, layout.NONE)
        passed, runs, left = c.n_val - s.n_last, bool(c.n_run), FAR
        if longest >= 0:
            left = time_left(s.current, longest, grows=lapsed, ends=known and not lapsed,
                             passed=passed, runs=runs, seen=seen)  # fmt: skip
        if grace >= 0:
            is_wide = lapsed and bool(s.ex & layout.WIDE)
            other = time_left(wide, grace, grows=is_wide, ends=known and not is_wide,
                              passed=passed, runs=runs, seen=seen)  # fmt: skip
            left = min(left, other)
        return left

    def _hole_left(self, c: Con, seen: int) -> int:
        limit = self._limits[2]
        if limit < 0:
            return FAR
        is_open = c.cover == 0 and c.held > 0
        return time_left(c.hole_now, limit, grows=is_open, ends=not is_open,
                         passed=c.e_val - c.hole_e, runs=bool(c.e_run), seen=seen)  # fmt: skip

    def find(self, doubtful: Bytes, t: int, found: Ints) -> int:
        """Write the contracts of which a look at `t` finds something, in order; returns how many.

        `doubtful` (m,): 1 = may have changed since it was looked at, cleared here; found (m,).
        """
        m, bounds = len(self._due), self._bounds()
        if len(doubtful) != m or len(found) != m:
            raise ValueError(f"doubtful, found: {m} elements, got {len(doubtful)}, {len(found)}")
        asked: NDArray[np.int64] = np.flatnonzero((doubtful > 0) | (self._due < t))
        doubtful[asked] = 0
        self._due[asked] = np.array(bounds, dtype=np.int64)[asked]
        due = asked[self._due[asked] < t]
        found[: len(due)] = due
        return len(due)

    def renew(self, which: Ints) -> None:
        """Work out `due` of these contracts."""
        bounds = self._bounds()
        for c in which.tolist():
            if not 0 <= c < len(bounds):
                raise ValueError(f"contract {c} of {len(bounds)}")
            self._due[c] = bounds[c]
