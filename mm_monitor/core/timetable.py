"""What a calendar writes on the tape: when a trading date begins, when it is judged, and the phases of `*`."""

from __future__ import annotations

from collections.abc import Iterable

from mm_monitor.core.batch import Decoded, control_rows
from mm_monitor.core.model import Control, Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.schedule import Schedule

TIMETABLE_PART = 65_535  # the part number of all that is written here

_KINDS = {PeriodRecord: Kind.PERIOD, PhaseRecord: Kind.PHASE}


def trading_day(schedule: Schedule, day: str, rulebook: str, *, phases: bool) -> list[Control]:
    """A trading date for one rulebook's evaluator: its roll-over, and with `phases` all that the calendar says of `*`.

    Without `phases` records speak for `*`, and their first and last say what is judged.
    """
    period = schedule.period(day)
    roll = PeriodRecord(schedule.roll_over(day), "roll", day, rulebook)
    if period is None or not phases:
        return [roll]
    spoken = [PhaseRecord(t, "*", phase, None, rulebook) for t, phase in schedule.phases(day)]
    edges = [
        PeriodRecord(t, edge, day, rulebook)
        for t, edge in zip(period, ("start", "end"), strict=True)
    ]
    return [roll, *edges, *spoken]


def decoded(records: Iterable[Control], first_offset: int) -> Decoded:
    """Those records as rows of the timetable's part, offsets counted on from `first_offset`."""
    kept = list(records)
    kinds = [_KINDS.get(type(record), Kind.FEED) for record in kept]
    offsets = range(first_offset, first_offset + len(kept))
    return Decoded(control_rows(kept, kinds, TIMETABLE_PART, offsets), kept)
