"""What a calendar writes on the tape: when a trading date begins, when it is judged, and the phases of `*`."""

from __future__ import annotations

from collections.abc import Iterable

from mm_monitor.core.batch import Decoded, control_rows
from mm_monitor.core.model import Control, Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.schedule import Schedule

TIMETABLE_PART = 65_535  # the part number of all that is written here

_KINDS = {PeriodRecord: Kind.PERIOD, PhaseRecord: Kind.PHASE}


def trading_day(schedule: Schedule, day: str, rulebook: str, *, phases: bool) -> list[Control]:
    """Roll-over, start, end and (with `phases`) the phases of one trading date, for one rulebook's evaluator."""
    period = schedule.period(day)
    if period is None:
        return [PeriodRecord(schedule.roll_over(day), "roll", day, rulebook)]
    records: list[Control] = [
        PeriodRecord(schedule.roll_over(day), "roll", day, rulebook),
        PeriodRecord(period[0], "start", day, rulebook),
        PeriodRecord(period[1], "end", day, rulebook),
    ]
    if phases:
        records += [PhaseRecord(t, "*", phase, None, rulebook) for t, phase in schedule.phases(day)]
    return records


def decoded(records: Iterable[Control], first_offset: int) -> Decoded:
    """Those records as rows of the timetable's part, offsets counted on from `first_offset`."""
    kept = list(records)
    kinds = [_KINDS.get(type(record), Kind.FEED) for record in kept]
    offsets = range(first_offset, first_offset + len(kept))
    return Decoded(control_rows(kept, kinds, TIMETABLE_PART, offsets), kept)
