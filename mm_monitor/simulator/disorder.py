"""Makes a tidy session arrive untidily, without changing what it means.

Rows are delayed by a bounded amount that depends on their instant alone, so that rows of one
instant keep their order (the later one still wins), and some rows come twice in a row, which
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.simulator.rows import Ints, Rows


@dataclass(frozen=True, slots=True)
class Disorder:
    """How untidy: no row comes after one more than `lateness_ns` newer; `repeats` is the share
    of rows that come twice.
    """

    seed: int = 1
    lateness_ns: int = 0
    repeats: float = 0.0


class Shuffler:
    """Delays the rows of one table; feed it windows in time order."""

    def __init__(self, disorder: Disorder, dtype: np.dtype[np.void]) -> None:
        self._disorder = disorder
        self._rng = np.random.default_rng([disorder.seed, dtype.itemsize])
        self._rows: Rows = np.empty(0, dtype=dtype)
        self._due: Ints = np.empty(0, dtype=np.int64)

    def push(self, rows: Rows, until: int) -> Rows:
        """Take rows older than `until`; return those due before `until`, in order of arrival."""
        rows = self._repeat(rows)
        due = rows["ts_event"] + delays(rows["ts_event"], self._disorder)
        self._rows, self._due = np.concatenate([self._rows, rows]), np.concatenate([self._due, due])
        order = np.argsort(self._due, kind="stable")
        self._rows, self._due = self._rows[order], self._due[order]
        ready = int(np.searchsorted(self._due, until))
        out, self._rows, self._due = self._rows[:ready], self._rows[ready:], self._due[ready:]
        return out

    def flush(self) -> Rows:
        """All that is still held back."""
        return self.push(self._rows[:0], 2**63 - 1)

    def _repeat(self, rows: Rows) -> Rows:
        times = 1 + (self._rng.random(len(rows)) < self._disorder.repeats)
        return np.repeat(rows, times)


def delays(times: Ints, disorder: Disorder) -> Ints:
    """A delay in [0, lateness_ns] for each instant, the same for equal instants (splitmix64)."""
    mixed: NDArray[np.uint64] = times.astype(np.uint64) + np.uint64(disorder.seed * 2 + 1)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(disorder.lateness_ns + 1)).astype(np.int64)
