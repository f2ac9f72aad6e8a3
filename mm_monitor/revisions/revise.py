"""One revision: judge what is known now, compare it with what was published last, and publish what is new.

Revision 0 is what the service judged. Every later one has what came too late, and the corrections of all before it.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mm_monitor import __version__
from mm_monitor.core.days import utc_date
from mm_monitor.core.model import Breach, BreachEvent
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.hashes import input_hashes
from mm_monitor.recording.day import RecordedDay, read_day
from mm_monitor.recording.frames import ENDING
from mm_monitor.replay import Opened, Progress, Replayed, open_capture, replay
from mm_monitor.reports.report import to_bytes
from mm_monitor.revisions.changes import Change, changes_of
from mm_monitor.revisions.corrections import CorrectedSource, Correction
from mm_monitor.revisions.difference import difference, is_empty
from mm_monitor.revisions.store import Revision, Revisions
from mm_monitor.sources.recorded import RecordedSource


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be revised, and by whom: `source` is a journal's DATE.tape, or a capture directory."""

    source: Path
    rulebook: Rulebook
    reports: Path
    reason: str
    author: str = ""
    correction: Correction = (None, None)
    progress: Progress | None = None  # is told how far each replay is


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `revision` is None where nothing that matters has changed."""

    date: str
    revision: Revision | None
    judged: Replayed
    events: list[BreachEvent]


async def revise(wanted: Wanted, now: int) -> Done:
    """Publish what has changed; `now` is our clock, ns. MonitorError for a source that cannot be judged."""
    day = read_day(wanted.source) if wanted.source.suffix == ENDING else None
    if day is not None and (day.gaps or day.midway):
        what = "begins in the middle of the date" if day.midway else f"lacks {day.gaps} records"
        raise InputError(
            f"the journal {what}; revise from Kafka or a capture", file=str(wanted.source)
        )
    date = day.date if day is not None else await _date_of(wanted)
    kept = Revisions(wanted.reports, date, wanted.rulebook.id)
    directories = [*kept.corrections(), wanted.correction]
    opened, source = _opened(wanted, day, directories)
    judged = await replay(wanted.source, wanted.rulebook, given=opened, progress=wanted.progress)
    if judged.until is not None:
        what = "needs a date that is over; the journal has it until event time"
        raise InputError(what, file=str(wanted.source), value=judged.until)
    before = kept.newest() or await _first(wanted, kept, now)
    changes = source.changes + _late(day)
    other_rules = before.report["rulebook"] != judged.report["rulebook"]
    found = difference(before.report, _plain(judged.report), changes, rulebook=other_rules)
    if is_empty(found) and not other_rules:
        return Done(date, None, judged, [])
    about = {
        **_about(wanted, date, now, wanted.reason),
        "changes": [change.as_dict() for change in changes],
        "difference": found,
    }
    revision = kept.publish(before.number + 1, judged.report, about, wanted.correction)
    return Done(date, revision, judged, events_of(revision, judged, now))


async def _first(wanted: Wanted, kept: Revisions, now: int) -> Revision:
    """Revision 0: as it was judged, without what came too late."""
    judged = await replay(wanted.source, wanted.rulebook, progress=wanted.progress)
    return kept.publish(0, judged.report, _about(wanted, kept.place.parent.name, now, "as judged"))


def _opened(
    wanted: Wanted, day: RecordedDay | None, directories: list[Correction]
) -> tuple[Opened, CorrectedSource]:
    if day is None:
        reference, base = open_capture(wanted.source)
    else:
        reference, base = day.reference, RecordedSource(day, late=True)
    source = CorrectedSource(base, reference, directories)
    return (reference, source), source


def _late(day: RecordedDay | None) -> list[Change]:
    if day is None:
        return []
    return changes_of("late", day.late.rows, day.late.controls, day.reference)


async def _date_of(wanted: Wanted) -> str:
    """The one trading date of a capture."""
    judged = await replay(wanted.source, wanted.rulebook, progress=wanted.progress)
    if len(judged.days) != 1:
        raise InputError(f"one trading date, got {len(judged.days)}", file=str(wanted.source))
    return judged.days[0].trading_date or utc_date(judged.days[0].period_start or 0)


def _about(wanted: Wanted, date: str, now: int, reason: str) -> dict[str, Any]:
    rulebook = wanted.rulebook
    return {
        "date": date,
        "rulebook": {"id": rulebook.id, "version": rulebook.version, "sha256": rulebook.sha256},
        "published_at": now,
        "reason": reason,
        "author": wanted.author or getpass.getuser(),
        "engine": __version__,
        "inputs": input_hashes(wanted.source),
    }


def _plain(report: Mapping[str, object]) -> dict[str, Any]:
    """A report as it reads from its file."""
    found: dict[str, Any] = json.loads(to_bytes(report))
    return found


# -- events -----------------------------------------------------------------------------------------


def events_of(revision: Revision, judged: Replayed, now: int) -> list[BreachEvent]:
    """BRCH-02: what sinks must hear of breaches that the revision withdraws, opens or changes."""
    known = {breach.id: breach for view in judged.days for breach in view.breaches}
    classes = {contract.name: contract.klass for contract in judged.reference.contracts}
    events = []
    for change in revision.about["difference"]["breaches"]:
        row = change["breach"]
        said: dict[str, Any] = {"revision": revision.number}
        if change["action"] == "withdrawn":
            said["successor"] = change["successor"]
            breach = _gone(row, revision.about["rulebook"], classes.get(row["contract"], ""))
        else:
            breach = known[row["id"]]
        breach = replace(breach, evidence={**breach.evidence, **said})
        events.append(BreachEvent(change["action"], breach, now))
        if change["action"] == "opened" and breach.end is not None:
            events.append(BreachEvent("closed", breach, now))
    return events


def _gone(row: Mapping[str, Any], rulebook: Mapping[str, Any], klass: str) -> Breach:
    return Breach(
        id=row["id"], rulebook=rulebook["id"], version=rulebook["version"], kind=row["kind"],
        maker=row["maker"], contract=row["contract"], klass=klass, start=row["start"],
        end=row["end"], reason=row["reason"],
    )  # fmt: skip


async def known(
    source: Path, rulebook: Rulebook, instant: int, progress: Progress | None = None
) -> dict[str, object]:
    """The report as the service had judged by `instant` of its clock (ns). MonitorError if that is nothing yet."""
    day = read_day(source)
    watermark = day.watermark_at(instant)
    if watermark is None:
        raise MonitorError(f"{source}: nothing had been judged by then")
    opened: Opened = day.reference, RecordedSource(day)
    done = await replay(source, rulebook, given=opened, until=watermark, progress=progress)
    return {**done.report, "as_of": {"instant": instant, "watermark": watermark}}
