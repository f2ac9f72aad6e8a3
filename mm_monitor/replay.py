"""A capture directory, or a recorded day, judged by one rulebook: the offline door, through the same pump as live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from mm_monitor.core.batch import COMPUTED_PART, Decoded, Rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import Control, DeadLetter, PeriodRecord
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.judging import Judging
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.share import Share
from mm_monitor.core.timetable import TIMETABLE_PART, decoded, trading_day
from mm_monitor.core.view import StatusView
from mm_monitor.core.watch.watched import WatchedEngine
from mm_monitor.errors import InputError
from mm_monitor.journal import kept_looks
from mm_monitor.pump import Pump
from mm_monitor.recording.day import read_day
from mm_monitor.recording.frames import ENDING
from mm_monitor.reports.details import build_details
from mm_monitor.reports.report import RecordCounts, build_report
from mm_monitor.sinks.dead_letter import letter_line
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.preceded import Before, Preceded
from mm_monitor.sources.protocol import Delivery, FiniteSource, Refused, Source
from mm_monitor.sources.recorded import RecordedSource
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.theo.pricer import rows_of

DAY = 86_400_000_000_000
Progress = Callable[[str, int, int], None]  # stage, done, of
Opened = tuple[Reference, FiniteSource]
Timetable = tuple[
    list[Control], tuple[int, int]
]  # records, and the period from its start to its end


@dataclass(slots=True)
class DeadLetterCount:
    """Counts dead letters by reason, and writes each as a line of JSON where a file is given."""

    file: IO[str] | None = None
    total: int = 0

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        """Pump listener."""
        self.total += len(letters)
        if self.file is None:
            return
        for letter in letters:
            self.file.write(letter_line(letter) + "\n")

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        """A replay sorts its files and has no late records."""

    def advanced(self, watermark: int) -> None:
        """Nobody watches a replay."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gives."""

    report: dict[str, object]
    details: dict[str, object]
    days: Sequence[StatusView]  # the final picture of each trading date
    judging: Judging  # of one date
    reference: Reference
    rows: int
    ignored_files: list[str]
    until: int | None = None  # where it was cut, before the period's end


async def replay(
    capture: Path,
    rulebook: Rulebook,
    *,
    dead_letters: IO[str] | None = None,
    progress: Progress | None = None,
    wrap: Callable[[Source], Source] | None = None,
    watch: bool = False,
    resolution: int = 1,
    journal: Path | None = None,
    share: Share | None = None,
    prepare: Callable[[Evaluator], None] | None = None,
    given: Opened | None = None,
    until: int | None = None,
) -> Replayed:
    """Judge `capture`. InputError for a directory that cannot be judged; bad lines are counted, not fatal.

    `wrap` puts something between the files and the judge. With `watch` the details have signals. `resolution` is
    that of the clock of `ts_event`, ns. From a `journal` come the theos that a service computed on that day. With a
    `share` only its classes are judged, and no maker. What is `given` is judged in the place of what `open_capture`
    makes of the path; with `until` it is the picture as of that instant (ns), of the records before it alone. `prepare`
    may change the judge before its first record.
    """
    tell = progress or (lambda stage, done, of: None)
    reference, source = given or open_capture(capture)
    if share is not None:
        reference.share = share
    await source.start()
    timetable, period, until = _cut(timetable_of(source, rulebook, capture), source, until)
    _need_makers(reference, rulebook, capture)
    engine = (WatchedEngine if watch else Engine)(
        [rulebook], reference, source.part_names, calendar=source.star_phases is None
    )
    if prepare is not None:
        prepare(engine.evaluators[0])
    watched = engine if isinstance(engine, WatchedEngine) else None
    dead, merge = DeadLetterCount(dead_letters), Merge()
    kept = [] if journal is None else [_journalled(journal, reference, period)]
    whole = Before(Preceded(source, kept), until)
    pump = Pump(wrap(whole) if wrap else whole, merge, engine, dead)
    if watched is not None:
        pump.arrived = lambda delivery: watched.arrive(delivery.decoded, delivery.part)
    pump.taken = lambda: tell("reading", *source.progress)
    pump.applied = lambda rows: tell("judging", rows, rows + merge.buffered)
    await _run(pump, timetable)
    days, counts = _days(engine, until), _counts(engine, merge, dead, source.refused)
    of_date = Judging.of(rulebook, reference.contracts)
    judging = replace(of_date, required_time=of_date.required_time * len(days))
    watch_of = watched.watches[0] if watched else None
    return Replayed(
        report=build_report(days, judging, period, counts),
        details=build_details(days, judging, period, watch_of, resolution),
        days=days,
        judging=of_date,
        reference=reference,
        rows=pump.stats.apply_rows,
        ignored_files=source.ignored_files,
        until=until,
    )


def _cut(
    asked: Timetable, source: FiniteSource, until: int | None
) -> tuple[list[Control], tuple[int, int], int | None]:
    """What is judged, as far as it lies before `until`, or before what the source has; and which of them cuts it."""
    records, (start, end) = asked
    if until is None and source.judged_until is not None and source.judged_until < end:
        until = source.judged_until
    if until is None:
        return records, (start, end), None
    return [record for record in records if record.ts < until], (start, min(end, until)), until


async def _run(pump: Pump, timetable: list[Control]) -> None:
    pump.take(Delivery(TIMETABLE_PART, decoded(timetable, 0), 0))
    await pump.run()
    await pump.source.stop()


def open_capture(path: Path, *, late: bool = False) -> Opened:
    """Names and records of a capture directory, or of the file of a recorded day; InputError.

    With `late` a recorded day has the records that came too late to be judged then.
    """
    if path.suffix == ENDING:
        day = read_day(path)
        return day.reference, RecordedSource(day, late=late)
    reference = load_reference(path)
    return reference, CaptureSource(path, reference)


def _days(engine: Engine, until: int | None) -> list[StatusView]:
    """The final picture of each trading date, or the one as of `until`."""
    evaluator = engine.evaluators[0]
    days = [*evaluator.ledger, *([evaluator.final] if evaluator.final else [])]
    if until is None or evaluator.final:
        return days
    engine.advance(until)
    return [*days, *engine.at(until)]


def _counts(engine: Engine, merge: Merge, dead: DeadLetterCount, before: Refused) -> RecordCounts:
    return RecordCounts(
        applied=engine.records.applied,
        late=merge.late + before.late,
        dead_letter=dead.total + before.dead,
        duplicate=merge.duplicates,
        no_obligation=engine.records.no_obligation,
    )


def _journalled(journal: Path, reference: Reference, period: tuple[int, int]) -> Delivery:
    """The theos that a service computed from a day before the period until its end, as it wrote them down."""
    pieces = [
        rows_of(look.read(reference), reference)
        for look in kept_looks(journal, period[0] - DAY)
        if period[0] - DAY <= look.ts <= period[1]
    ]
    rows = np.concatenate([empty_rows(0), *pieces])
    return Delivery(COMPUTED_PART, Decoded(rows), len(rows))


def _need_makers(reference: Reference, rulebook: Rulebook, capture: Path) -> None:
    """Somebody is to be judged: InputError unless a maker is appointed under the rulebook, or by a record to come."""
    if not appoints(reference, rulebook):
        requirement = f"needs a maker that is appointed under rulebook {rulebook.id!r}"
        raise InputError(requirement, file=str(capture / "makers.csv"))


def appoints(reference: Reference, rulebook: Rulebook) -> bool:
    """Is a maker appointed under the rulebook, or may a record to come appoint one?"""
    judged = any(a.rulebook in ("", rulebook.id) for a in reference.appointments)
    return judged or bool(set(reference.makers) - {a.maker for a in reference.appointments})


def timetable_of(source: FiniteSource, rulebook: Rulebook, capture: Path) -> Timetable:
    """What is judged: period records, and the calendar's phases where no line of the capture speaks for the market."""
    if source.star_phases is not None:
        start, end = source.star_phases
        return [PeriodRecord(start, "start"), PeriodRecord(end, "end")], (start, end)
    if rulebook.calendar is None:
        requirement = f"needs a line of scope '*', for rulebook {rulebook.id!r} has no calendar"
        raise InputError(requirement, file=str(capture / "phases.csv"))
    schedule = Schedule(rulebook.calendar)
    days = sorted(day for day in source.quote_dates(schedule.trading_date) if schedule.period(day))
    if not days:
        requirement = f"needs a quote on a trading date of rulebook {rulebook.id!r}"
        raise InputError(requirement, file=str(capture / "quotes.csv"))
    records = [r for day in days for r in trading_day(schedule, day, rulebook.id, phases=True)]
    first, last = schedule.period(days[0]), schedule.period(days[-1])
    assert first is not None
    assert last is not None
    return records, (first[0], last[1])
