"""The merge: deliveries of many partitions in, one tape in the order of `(ts, kind, part, offset, sub)` out.

A row leaves when the watermark has passed it; a row that comes after that is late, and is handed back instead of being
applied (TAPE-03). The watermark is the least, over the partitions that hold it back, of the greatest ts seen, less the
allowed lateness (TAPE-05).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mm_monitor import kernels
from mm_monitor.core.batch import ROW, Batch, Rows, empty_rows, is_control
from mm_monitor.core.model import Control
from mm_monitor.sources.protocol import Delivery

BEFORE_ALL = -(2**63)
AFTER_ALL = 2**63 - 1
MOST_RUNS = 1024  # that the kernel merges at once
UNSORTED, STRICT = 0, 2  # orders of rows that the kernel tells apart; 1 is sorted with repeats


class Run(NamedTuple):
    """Sorted rows of one part; none is before `least` or after `greatest`."""

    rows: Rows
    strict: bool  # surely none is a repeat of another
    least: int
    greatest: int


class Merge:
    """Buffer and watermark of one tape."""

    def __init__(self, lateness: int = 0) -> None:
        """`lateness` in ns."""
        self.lateness = lateness
        self.watermark = BEFORE_ALL  # every row before it has left
        self.greatest: dict[int, int] = {}  # part -> greatest ts seen
        self.duplicates = 0
        self.late = 0
        self._pending: dict[int, list[Run]] = {}
        self._controls: dict[int, Control] = {}
        self._next_control = 0
        self._times: dict[int, int] = {}  # of the rows that stand for the controls

    @property
    def buffered(self) -> int:
        """Rows that wait for the watermark."""
        return sum(len(run.rows) for runs in self._pending.values() for run in runs)

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint; lists and controls are its own, rows are shared and never written to."""
        return {
            "watermark": self.watermark,
            "greatest": sorted(self.greatest.items()),
            "duplicates": self.duplicates,
            "late": self.late,
            "runs": [(part, *run) for part in sorted(self._pending) for run in self._pending[part]],
            "controls": sorted(self._controls.items()),
            "next_control": self._next_control,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, on a fresh merge."""
        self.watermark, self.greatest = state["watermark"], dict(state["greatest"])
        self.duplicates, self.late = state["duplicates"], state["late"]
        for part, *run in state["runs"]:
            self._keep(part, Run(*run))
            self._note_times(run[0])
        self._controls = dict(state["controls"])
        self._next_control = state["next_control"]

    def push(self, delivery: Delivery) -> tuple[Rows, list[Control]]:
        """Take a delivery in; returns what came late: its rows, and the controls among them."""
        rows = delivery.decoded.rows
        self.duplicates += delivery.duplicates
        if not len(rows):
            return rows, []
        rows = self._shelve(rows, delivery.decoded.controls)
        order, least, greatest = delivery.survey or delivery.decoded.survey or kernels.survey(rows)
        part = delivery.part
        self.greatest[part] = max(self.greatest.get(part, BEFORE_ALL), greatest)
        if least < self.watermark:
            return self._refuse(part, rows, rows["ts"] < self.watermark)
        if order == UNSORTED:
            rows = _sorted(rows)
        self._keep(part, Run(rows, order == STRICT, least, greatest))
        return rows[:0], []

    def _keep(self, part: int, run: Run) -> None:
        self._pending.setdefault(part, []).append(run)

    def _refuse(self, part: int, rows: Rows, late: np.ndarray) -> tuple[Rows, list[Control]]:
        if not late.all():
            rest = _sorted(rows[~late])
            self._keep(part, Run(rest, False, int(rest["ts"][0]), int(rest["ts"][-1])))
        refused = rows[late]
        self.late += len(refused)
        return refused, list(self._take_controls(refused).values())

    def _shelve(self, rows: Rows, controls: Iterable[Control]) -> Rows:
        kept = list(controls)
        if not kept:
            return rows
        rows = rows.copy()
        rows["a"][is_control(rows)] += self._next_control
        self._controls.update(enumerate(kept, self._next_control))
        self._next_control += len(kept)
        self._note_times(rows)
        return rows

    def _note_times(self, rows: Rows) -> None:
        found = rows[is_control(rows)]
        self._times.update(zip(found["a"].tolist(), found["ts"].tolist(), strict=True))

    def _take_controls(self, rows: Rows) -> dict[int, Control]:
        """Those that rows which leave stand for; they wait no longer."""
        keys = rows["a"][is_control(rows)].tolist()
        for key in keys:
            del self._times[key]
        return {key: self._controls.pop(key) for key in keys}

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
        runs = [run for part in sorted(self._pending) for run in self._cut(part)]
        if not runs:
            return Batch(empty_rows(0))
        while len(runs) > 1 or not runs[0].strict:
            runs = [self._merged(runs[i : i + MOST_RUNS]) for i in range(0, len(runs), MOST_RUNS)]
        return self._batch(runs[0].rows)

    def _merged(self, runs: Sequence[Run]) -> Run:
        total = sum(len(run.rows) for run in runs)
        out = np.empty(total, dtype=ROW)
        written = kernels.merge_runs([run.rows for run in runs], out)
        self.duplicates += total - written
        return Run(out[:written], True, BEFORE_ALL, AFTER_ALL)

    def _batch(self, rows: Rows) -> Batch:
        # Most of the time all that wait are tomorrow's: then the rows need not be looked through.
        if not self._times or min(self._times.values()) >= self.watermark < AFTER_ALL:
            return Batch(rows)
        return Batch(rows, self._take_controls(rows))

    def _cut(self, part: int) -> list[Run]:
        """What a part has before the watermark; the rest stays."""
        leaving, staying = [], []
        for run in self._pending[part]:
            if run.greatest < self.watermark or self.watermark == AFTER_ALL:
                leaving.append(run)
            elif run.least >= self.watermark:
                staying.append(run)
            else:
                cut = kernels.count_before(run.rows, self.watermark)
                leaving.append(Run(run.rows[:cut], run.strict, run.least, self.watermark))
                staying.append(Run(run.rows[cut:], run.strict, self.watermark, run.greatest))
        if staying:
            self._pending[part] = staying
        else:
            del self._pending[part]
        return leaving


def _sorted(rows: Rows) -> Rows:
    """Rows of one part in the order of the tape."""
    order = np.lexsort((rows["sub"], rows["offset"], rows["kind"], rows["ts"]))
    return rows[order]
