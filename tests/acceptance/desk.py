"""An engine that a test feeds by hand: the tape of a small capture, to be applied in pieces and read at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, PeriodRecord
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.timetable import TIMETABLE_PART, decoded, trading_day
from mm_monitor.core.view import StatusView
from mm_monitor.rulebooks import load
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.sources.reference_files import load_reference
from tests.acceptance.captures import NINETY, ONE_SESSION, rulebook, write


@dataclass
class Desk:
    """One engine, the whole tape that it is to get, and how far it got."""

    book: Rulebook
    engine: Engine
    tape: Batch
    done: int = 0

    def play(self, until: int) -> None:
        """Apply every record before the instant `until`."""
        end = int(np.searchsorted(self.tape.rows["ts"], until, side="left"))
        self.engine.apply(Batch(self.tape.rows[self.done : end], self.tape.controls))
        self.done = end

    def view(self, t: int) -> StatusView:
        """The picture as of `t`."""
        return self.engine.at(t)[0]

    def transitions(self) -> list[tuple[str, str, int, int | None]]:
        """Action, kind, start and end of what happened to breaches since the last call."""
        return [
            (e.action, str(e.breach.kind), e.breach.start, e.breach.end)
            for e in self.engine.drain()
        ]


def desk(
    directory: Path, rules: str = "", *, presence: str = NINETY, **tables: Sequence[str]
) -> Desk:
    """A desk for a capture as `captures.judge` takes it; `phases` are of `*` unless the rules have a calendar."""
    given: dict[str, Sequence[str]] = {
        "contracts": ["C0,K0,0.0001"],
        "makers": ["M0,*"],
        "quotes": [],
    }
    if "[calendar]" not in rules:
        given["phases"] = ONE_SESSION
    for name, lines in (given | tables).items():
        write(directory, name, lines)
    book = load(rulebook(directory, rules, presence))
    reference = load_reference(directory)
    source = CaptureSource(directory, reference)
    merge = Merge()
    asyncio.run(source.start())
    engine = Engine([book], reference, source.part_names, calendar=source.star_phases is None)
    merge.push(Delivery(TIMETABLE_PART, decoded(_periods(source, book, engine), 0), 0))
    asyncio.run(_read(source, merge))
    return Desk(book, engine, merge.release(AFTER_ALL))


async def _read(source: CaptureSource, merge: Merge) -> None:
    while not source.finished:
        for delivery in await source.poll():
            merge.push(delivery)


def _periods(source: CaptureSource, book: Rulebook, engine: Engine) -> list[Control]:
    if source.star_phases is not None:
        start, end = source.star_phases
        return [PeriodRecord(start, "start"), PeriodRecord(end, "end")]
    schedule = engine.evaluators[0].schedule
    assert schedule is not None
    days = sorted(source.quote_dates(schedule.trading_date))
    return [r for day in days for r in trading_day(schedule, day, book.id, phases=True)]
