"""Our clock, which a step of the system's clock does not move.

Whoever sets the machine's clock by hours must not move the tape's time: we go on by the beat that runs beside it,
follow slow corrections, and take up the new time only once records show that it is the right one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from mm_monitor.formats import NS

_AT_ONCE = NS // 1000
_log = structlog.get_logger("mm_monitor.clock")


class SteadyClock:
    """Nanoseconds since the epoch, when called. `beat` runs as fast as `system` and is never set; `step` is in ns."""

    def __init__(
        self,
        system: Callable[[], int] = time.time_ns,
        beat: Callable[[], int] = time.monotonic_ns,
        step: int = NS,
    ) -> None:
        self._system, self._beat, self._step = system, beat, step
        self._ahead = system() - beat()  # of ours before the beat
        self._seen = self._ahead  # of the system's, when last asked
        self.steps = 0  # since the start

    def __call__(self) -> int:
        """What our clock says."""
        return self._look() + self._ahead

    @property
    def off(self) -> int:
        """By how much the system's clock is ahead of ours, ns; 0 unless it was stepped."""
        return self._seen - self._ahead

    def latest(self) -> int:
        """The later of ours and the system's: a record that is after both is wrong whoever is right."""
        return self() + max(0, self.off)

    def adopt(self) -> None:
        """Records show that the system's clock is right."""
        if self.off:
            _log.warning("clock_taken_up", by_seconds=self.off / NS)
            self._ahead = self._seen

    def _look(self) -> int:
        """The beat, once what the system's clock says has been looked at."""
        before = self._beat()
        said = self._system()
        beat = self._beat()
        if (
            beat - before <= _AT_ONCE
        ):  # else somebody else ran in between, and they cannot be compared
            self._compare(said - beat)
        return beat

    def _compare(self, found: int) -> None:
        moved, self._seen = found - self._seen, found
        if abs(moved) <= self._step:
            self._ahead += moved  # it is being corrected slowly, or stands where it did
            return
        self.steps += 1
        _log.error("clock_stepped", by_seconds=moved / NS, off_seconds=self.off / NS)
        if abs(self.off) <= self._step:  # back where it was
            self._ahead = found
