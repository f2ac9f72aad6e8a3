"""Every lapse of a date that is over, for the evidence log: what it was judged by, and where those records stand.

The service logs breaches as they happen; lapses that a rulebook permits are no breaches, and are found afterwards, in
the journal or a capture. Each maker has entries of its own, one without lapses too: then there was none.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mm_monitor import __version__
from mm_monitor.core.days import utc_date
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import InputError
from mm_monitor.evidence.inbox import Entry, waiting
from mm_monitor.evidence.log import logs_of
from mm_monitor.hashes import input_hashes
from mm_monitor.recording.day import read_day
from mm_monitor.recording.frames import ENDING
from mm_monitor.replay import Progress
from mm_monitor.studies.lapses import Lapse, Lapses, lapses_of

KIND = "lapses"
PER_ENTRY = 4_000  # an entry stays well below what the log takes


def lapse_entries(found: Lapses, about: Mapping[str, Any]) -> Iterator[Entry]:
    """Entries of `found`, which has the evidence; `about` says the same in each: date, rulebook, inputs."""
    of_maker: defaultdict[str, list[Lapse]] = defaultdict(list)
    for lapse in found.lapses:
        of_maker[lapse.maker].append(lapse)
    for maker in sorted(found.judged.reference.makers):
        mine = of_maker[maker]
        parts = max(1, -(-len(mine) // PER_ENTRY))
        for part in range(parts):
            rows = [_row(lapse) for lapse in mine[part * PER_ENTRY : (part + 1) * PER_ENTRY]]
            yield {
                "entry": KIND,
                "maker": maker,
                **about,
                "part": part + 1,
                "parts": parts,
                "lapses": rows,
            }


async def lapse_entries_of(
    source: Path, rulebook: Rulebook, progress: Progress | None = None
) -> list[Entry]:
    """Entries of a journal's day, or of a capture. InputError as `replay`, or if not over, or not whole."""
    if source.suffix == ENDING:
        _need_all(source)
    found = await lapses_of(source, rulebook, progress, whole=True)
    if found.judged.until is not None:
        what = "a date that is over; the journal has it until event time"
        raise InputError(what, file=str(source), value=found.judged.until)
    dates = [view.trading_date or utc_date(view.period_start or 0) for view in found.judged.days]
    about = {
        "dates": dates,
        "rulebook": {"id": rulebook.id, "version": rulebook.version, "sha256": rulebook.sha256},
        "engine": __version__,
        "inputs": input_hashes(source),
    }
    return list(lapse_entries(found, about))


def _need_all(tape: Path) -> None:
    """What is missing from a journal's day could have ended a lapse, or begun one."""
    day = read_day(tape)
    if day.gaps or day.midway:
        what = "begins in the middle of the date" if day.midway else f"lacks {day.gaps} records"
        raise InputError(
            f"its lapses are not known, it {what}; tell those of a capture", file=str(tape)
        )


def subject(entry: Mapping[str, Any]) -> str:
    """Of what an entry tells, whatever it tells: whose lapses, when, by which rulebook, and which part of them."""
    said = [entry.get(name) for name in ("dates", "rulebook", "maker", "part")]
    return json.dumps(said, sort_keys=True)


def told(directory: Path, day: str) -> set[str]:
    """Subjects of all lapses that wait for the log, or are in it, since the eve of `day`. InputError if unreadable."""
    eve = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    # What waits goes into the log before it is taken away: whoever looks in this order misses none.
    found = {subject(entry) for _, entry in waiting(directory) if entry["entry"] == KIND}
    for path in logs_of(directory):
        if path.stem >= f"evidence-{eve}":
            found |= set(_told_in(path))
    return found


def _told_in(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as lines:
            for line in lines:
                if b'"entry":"lapses"' in line and line.endswith(b"}\n"):
                    entry = json.loads(line[65:])
                    if entry.get("entry") == KIND:
                        yield subject(entry)
    except (OSError, ValueError) as error:
        raise InputError(f"a readable log ({error})", file=str(path)) from None


def _row(lapse: Lapse) -> dict[str, Any]:
    return {
        "contract": lapse.contract, "class": lapse.klass, "start": lapse.start, "end": lapse.end,
        "counted_ns": lapse.counted, "reason": lapse.reason, "evidence": dict(lapse.evidence),
    }  # fmt: skip
