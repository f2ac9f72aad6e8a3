"""The merge: deliveries of many partitions in, one tape in the order of `(ts, kind, part, offset, sub)` out.

A row leaves when the watermark has passed it; a row that comes after that is late, and is handed back instead of being
applied (TAPE-03). The watermark is the least, over the partitions that hold it back, of the greatest ts seen, less the
allowed lateness (TAPE-05).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from mm_monitor import kernels
from mm_monitor.core.batch import ROW, Batch, Rows, empty_rows
from mm_monitor.core.model import Control, Kind
from mm_monitor.sources.protocol import Delivery

BEFORE_ALL = -(2**63)
AFTER_ALL = 2**63 - 1


class Merge:
    """Buffer and watermark of one tape."""

    def __init__(self, lateness: int = 0) -> None:
        """`lateness` in ns."""
        self.lateness = lateness
        self.watermark = BEFORE_ALL  # every row before it has left
        self.greatest: dict[int, int] = {}  # part -> greatest ts seen
        self.duplicates = 0
        self.late = 0
        self._pending: dict[int, list[Rows]] = {}
        self._controls: dict[int, Control] = {}
        self._next_control = 0

    @property
    def buffered(self) -> int:
        """Rows that wait for the watermark."""
        return sum(len(rows) for runs in self._pending.values() for rows in runs)

    def push(self, delivery: Delivery) -> tuple[Rows, list[Control]]:
        """Take a delivery in; returns what came late: its rows, and the controls among them."""
        rows = delivery.decoded.rows
        self.duplicates += delivery.duplicates
        if not len(rows):
            return rows, []
        rows = self._shelve(rows, delivery.decoded.controls)
        self.greatest[delivery.part] = max(
            self.greatest.get(delivery.part, BEFORE_ALL), int(rows["ts"].max())
        )
        late = rows["ts"] < self.watermark
        if late.any():
            return self._refuse(delivery.part, rows, late)
        self._pending.setdefault(delivery.part, []).append(rows)
        return rows[:0], []

    def _refuse(self, part: int, rows: Rows, late: np.ndarray) -> tuple[Rows, list[Control]]:
        if not late.all():
            self._pending.setdefault(part, []).append(rows[~late])
        refused = rows[late]
        self.late += len(refused)
        keys = refused["a"][refused["kind"] < Kind.UNDERLYING].tolist()
        return refused, [self._controls.pop(key) for key in keys]

    def _shelve(self, rows: Rows, controls: Iterable[Control]) -> Rows:
        kept = list(controls)
        if not kept:
            return rows
        rows = rows.copy()
        rows["a"][rows["kind"] < Kind.UNDERLYING] += self._next_control
        self._controls.update(enumerate(kept, self._next_control))
        self._next_control += len(kept)
        return rows

    def mark(self, live: Iterable[int], idle: int | None = None) -> int:
        """The watermark that these live parts allow; `idle` is what the source vouches for when none is live."""
        held = [self.greatest.get(part) for part in live]
        if held:
            least = min(BEFORE_ALL if ts is None else ts for ts in held)
            allowed = least - self.lateness if least > BEFORE_ALL + self.lateness else BEFORE_ALL
        else:
            allowed = BEFORE_ALL if idle is None else idle
        return max(self.watermark, allowed)

    def release(self, watermark: int) -> Batch:
        """Advance to `watermark` and hand out every row before it, in order, each once."""
        self.watermark = max(self.watermark, watermark)
        runs = [run for part in sorted(self._pending) if len(run := self._cut(part))]
        if not runs:
            return Batch(empty_rows(0))
        total = sum(len(run) for run in runs)
        if len(runs) == 1 and _strictly(runs[0]):
            return self._batch(runs[0])
        out = np.empty(total, dtype=ROW)
        written = kernels.merge_runs(runs, out)
        self.duplicates += total - written
        return self._batch(out[:written])

    def _batch(self, rows: Rows) -> Batch:
        keys = rows["a"][rows["kind"] < Kind.UNDERLYING].tolist()
        return Batch(rows, {key: self._controls.pop(key) for key in keys})

    def _cut(self, part: int) -> Rows:
        """The sorted rows of a part before the watermark; the others stay."""
        pieces = self._pending[part]
        rows = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        if kernels.first_unsorted(rows) < len(rows):
            rows = rows[np.lexsort((rows["sub"], rows["offset"], rows["kind"], rows["ts"]))]
        side: Literal["left", "right"] = "right" if self.watermark == AFTER_ALL else "left"
        cut = int(np.searchsorted(rows["ts"], self.watermark, side=side))
        if cut < len(rows):
            self._pending[part] = [rows[cut:]]
        else:
            del self._pending[part]
        return rows[:cut]


def _strictly(rows: Rows) -> bool:
    """Is no row of this sorted run a repeat of the one before?"""
    same = (rows["ts"][1:] == rows["ts"][:-1]) & (rows["offset"][1:] == rows["offset"][:-1])
    return not bool((same & (rows["sub"][1:] == rows["sub"][:-1])).any())
