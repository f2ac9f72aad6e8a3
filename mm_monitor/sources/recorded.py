"""A recorded day as a source: what a service judged, in its places on the tape, and where wanted what came late."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import PhaseRecord
from mm_monitor.core.reference import ALL
from mm_monitor.recording.day import RecordedDay, Tape
from mm_monitor.sources.preceded import kept
from mm_monitor.sources.protocol import Delivery, Refused

_UNREAD = -1


class RecordedSource:
    """Finite source of `day`."""

    def __init__(self, day: RecordedDay, *, late: bool = False) -> None:
        """With `late`, what came too late to be judged is on the tape as if it had come in time."""
        self._day = day
        tapes = [day.judged, day.late] if late else [day.judged]
        self._deliveries = deque(d for tape in tapes for d in _deliveries(tape))
        self._began = len(self._deliveries)
        self.judged_until = max((mark for _, mark in day.watermarks), default=None)
        self._star = _period(tapes, self.judged_until)
        self.refused = Refused(0 if late else len(day.late.rows), day.dead)

    @property
    def parts(self) -> Sequence[int]:
        """Parts that the service read, by their numbers then."""
        return list(self._day.part_names)

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """Topic and partition of each."""
        return self._day.part_names

    @property
    def live_parts(self) -> Sequence[int]:
        """Until all is delivered nothing may leave the merge."""
        return () if self.finished else (_UNREAD,)

    @property
    def idle_watermark(self) -> int | None:
        """The end of time, once all is delivered."""
        return 2**63 - 1 if self.finished else None

    @property
    def finished(self) -> bool:
        """True once everything was delivered."""
        return not self._deliveries

    @property
    def caught_up(self) -> bool:
        """A record of the past is all backlog."""
        return self.finished

    @property
    def progress(self) -> tuple[int, int]:
        """Deliveries made, of how many."""
        return self._began - len(self._deliveries), self._began

    @property
    def star_phases(self) -> tuple[int, int] | None:
        """First and last time of a phase of scope `*` that no calendar said; None without one."""
        return self._star

    @property
    def ignored_files(self) -> list[str]:
        """None: a recording is one file."""
        return []

    def quote_dates(self, date_of: Callable[[int], str]) -> set[str]:
        """The one date that was recorded, whether or not anybody quoted."""
        return {self._day.date}

    async def start(self) -> None:
        """Nothing: it has been read."""

    async def poll(self) -> Sequence[Delivery]:
        """The next part."""
        return [self._deliveries.popleft()] if self._deliveries else []

    def pause(self, parts: Sequence[int]) -> None:
        """Nothing."""

    def resume(self, parts: Sequence[int]) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Forget what was not delivered."""
        self._deliveries.clear()


def _period(tapes: Sequence[Tape], until: int | None) -> tuple[int, int] | None:
    """From the first to the last phase of `*`; a market that has not closed goes on for as long as it was watched."""
    said = [
        c for tape in tapes for c in tape.controls if isinstance(c, PhaseRecord) and c.scope == ALL
    ]
    if not said:
        return None
    last = max(said, key=lambda record: record.ts)
    end = last.ts if last.phase == "closed" or until is None else max(last.ts, until)
    return min(record.ts for record in said), end


def _deliveries(tape: Tape) -> list[Delivery]:
    """Of each part one, its rows in the order in which they were judged."""
    found, whole = [], Decoded(tape.rows, tape.controls)
    for part in np.unique(tape.rows["part"]).tolist():
        decoded = kept(whole, tape.rows["part"] == part)
        found.append(Delivery(part, decoded, len(decoded.rows)))
    return found
