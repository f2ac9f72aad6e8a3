"""A trading date's journal made anew from what Kafka still has: read by time, merged as a service would, written down.

For a date whose journal is lost or has a gap. What comes too late to a service need not come too late to this, which
finds it already there; so a revision by it has everything. Verdicts are those of whoever judges the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from mm_monitor.assembly import make_source, starting_reference
from mm_monitor.config import Config
from mm_monitor.core.batch import Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, DeadLetter
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.errors import ConfigError, InputError, MonitorError
from mm_monitor.pump import Pump
from mm_monitor.recording.frames import ENDING
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.sources.clock import SteadyClock
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.preceded import Before

NS = 1_000_000_000
PATIENCE = 30  # seconds without an answer of the brokers
Progress = Callable[[int, int], None]  # seconds of the date, of so many


@dataclass(slots=True)
class Rebuilt:
    """The date's file, and how many records came too late to it and could not be used."""

    path: Path
    late: int = 0
    dead: int = 0


@dataclass(slots=True)
class _Listener:
    tape: TapeWriter
    found: Rebuilt

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        """Pump listener."""
        self.found.dead += len(letters)

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        """Pump listener."""
        self.tape.late(rows, controls)
        self.found.late += len(rows)

    def advanced(self, watermark: int) -> None:
        """Pump listener."""
        self.tape.flush(watermark)


async def rebuild(
    config: Config,
    rulebooks: Sequence[Rulebook],
    day: str,
    directory: Path,
    progress: Progress | None = None,
) -> Rebuilt:
    """Write `directory`/DATE.tape. MonitorError without a calendar, brokers or the whole date, or if it is there."""
    begins, ends, schedule = _bounds(config, rulebooks, day)
    path = _place(directory, day)
    # All of the date: of whatever worker, and without taking a group's partitions away from it.
    alone = replace(config, kafka=replace(config.kafka, group="", partitions=(), worker=None))
    reference = starting_reference(alone, day)
    source = make_source(
        alone, reference, now=time.time_ns, clock=SteadyClock(), expect=lambda: False
    )
    try:
        with TemporaryDirectory(dir=directory, prefix=".rebuild-") as scratch:
            by_feed = config.rulebooks.phases == "feed"
            engine = Engine(rulebooks, reference, source.part_names, phases_judge=by_feed)
            tape = TapeWriter(Path(scratch), engine, schedule, now=time.time_ns)
            found = Rebuilt(path)
            pump = Pump(
                Before(source, ends), Merge(config.tape.lateness), engine, _Listener(tape, found),
                far_ahead=config.tape.far_ahead, most_rows=config.tape.most_rows, judging=tape.judged,
                arrived=lambda delivery: tape.refused(len(delivery.decoded.dead)),
            )  # fmt: skip
            await source.start(begins)
            await _read(source, pump, (begins, ends), progress)
            tape.close()
            _take(Path(scratch) / path.name, found)
    except OSError as error:
        raise MonitorError(f"{directory}: cannot be written: {error.strerror}") from None
    finally:
        await source.stop()
    return found


def _place(directory: Path, day: str) -> Path:
    """Where the file is to be, in a directory that is there then. MonitorError if the file is."""
    path = directory / f"{day}{ENDING}"
    if path.exists():
        raise MonitorError(f"{path}: there is one already, and it is kept")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{directory}: cannot be written: {error.strerror}") from None
    return path


def _bounds(config: Config, rulebooks: Sequence[Rulebook], day: str) -> tuple[int, int, Schedule]:
    """When the date begins and ends, by the first calendar that there is."""
    if config.theo.sources:
        raise ConfigError("theo.sources", "none: theos that were computed are in the journal alone, and no date is"
                          " judged by others", ", ".join(config.theo.sources))  # fmt: skip
    calendars = [book.calendar for book in rulebooks if book.calendar]
    if not calendars:
        raise ConfigError("rulebooks.names", "one with a calendar, which says when a date begins",
                          ", ".join(book.id for book in rulebooks))  # fmt: skip
    schedule = Schedule(calendars[0])
    try:
        following = date.fromisoformat(day) + timedelta(days=1)
    except ValueError:
        raise MonitorError(f"date: YYYY-MM-DD, got {day!r}") from None
    return schedule.roll_over(day), schedule.roll_over(following.isoformat()), schedule


async def _read(
    source: KafkaSource, pump: Pump, bounds: tuple[int, int], progress: Progress | None
) -> None:
    """Until all of the date has been judged that there is."""
    begins, ends = bounds
    heard = time.monotonic()
    while pump.merge.watermark < ends and not (source.caught_up and not pump.merge.buffered):
        for delivery in await pump.source.poll():
            pump.take(delivery)
        await pump.step()
        lost = source.history_begins
        if lost is not None and lost > begins:
            said = datetime.fromtimestamp(lost // NS, UTC).isoformat()
            raise InputError(f"the whole date in Kafka, which has nothing before {said} any more")
        heard = heard if source.problem else time.monotonic()
        if time.monotonic() - heard > PATIENCE:
            raise MonitorError(source.problem)
        if progress is not None:
            done = min(max(pump.merge.watermark - begins, 0), ends - begins)
            progress(done // NS, (ends - begins) // NS)


def _take(written: Path, found: Rebuilt) -> None:
    """Put the date's file where it belongs. InputError if there is none."""
    if not written.exists():
        raise InputError(f"records of {found.path.stem} in Kafka, found none")
    written.rename(found.path)
