"""Closes one date that is over. Killed at any point and begun again, it does each thing once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_monitor.closing.marks import alone, is_closed, mark_closed, sync_directory
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.errors import InputError, MonitorError, unwritable
from mm_monitor.evidence.inbox import INBOX, post
from mm_monitor.evidence.lapses import lapse_entries_of, subject, told
from mm_monitor.exporting import export
from mm_monitor.recording.day import RecordedDay, read_day
from mm_monitor.recording.frames import frames
from mm_monitor.replay import Progress, appoints, timetable_of
from mm_monitor.sources.recorded import RecordedSource


class NotOver(MonitorError):
    """The tape does not reach the end of its date, or nothing of it was judged: there is nothing to close."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done; `evidence` and `captures` are directories, None for what is not wanted."""

    tape: Path
    rulebooks: Sequence[Rulebook]
    evidence: Path | None
    captures: Path | None


@dataclass(frozen=True, slots=True)
class Closed:
    """What was done now: what an earlier attempt had done is not in it."""

    entries: int
    lapses: int
    capture: Path | None


async def close_date(wanted: Wanted, progress: Progress | None = None) -> Closed | None:
    """Do all of it, then mark the date; None for one that was closed before.

    NotOver leaves it for later; InputError for a tape that cannot be read, MonitorError for what cannot be written.
    """
    tape = wanted.tape
    if wanted.evidence is not None and not wanted.evidence.is_dir():
        raise InputError("the directory of an evidence log", file=str(wanted.evidence))
    try:
        with alone(tape.parent):
            if is_closed(tape):
                return None
            done = await _close(wanted, progress)
            mark_closed(tape)
    except OSError as error:
        raise MonitorError(f"{tape}: cannot be closed: {unwritable(error)}") from None
    return done


async def _close(wanted: Wanted, progress: Progress | None) -> Closed:
    tape = wanted.tape
    if not any(frame["frame"] == "life" for frame in frames(tape)):
        raise NotOver(f"{tape}: nothing was judged on that date")
    books = list(_judging(wanted, read_day(tape)))
    entries = lapses = 0
    for book in books if wanted.evidence is not None else ():
        assert wanted.evidence is not None
        more, of_these = await _tell(tape, book, wanted.evidence, progress)
        entries, lapses = entries + more, lapses + of_these
    capture = None
    if wanted.captures is not None and books and not (wanted.captures / tape.stem).exists():
        capture = (await export(tape, wanted.captures / tape.stem, "parquet", progress)).out
        sync_directory(wanted.captures)
    return Closed(entries, lapses, capture)


def _judging(wanted: Wanted, day: RecordedDay) -> Iterator[Rulebook]:
    """The rulebooks by which somebody was judged on that date. NotOver if one would go on beyond the tape."""
    source, tape = RecordedSource(day), wanted.tape
    for book in wanted.rulebooks:
        trades = book.calendar is not None and Schedule(book.calendar).period(day.date) is not None
        if not (appoints(day.reference, book) and (trades or source.star_phases)):
            continue
        _, (_, end) = timetable_of(source, book, tape)
        if source.judged_until is None or source.judged_until < end:
            raise NotOver(f"{tape}: is not over by {book.id}; judged until {source.judged_until}")
        yield book


async def _tell(
    tape: Path, book: Rulebook, evidence: Path, progress: Progress | None
) -> tuple[int, int]:
    """Leave what the log has not been told; the number of entries, and of lapses in them."""
    entries = await lapse_entries_of(tape, book, progress)
    known = told(evidence, tape.stem)
    new = [entry for entry in entries if subject(entry) not in known]
    for entry in new:
        post(evidence, entry)
    if new:
        sync_directory(evidence / INBOX)
    return len(new), sum(len(entry["lapses"]) for entry in new)
