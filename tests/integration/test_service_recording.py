"""What the service judged is judged again from its journal alone, to the same bytes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.app import App
from mm_monitor.core.rules.judging import Judging
from mm_monitor.exporting import export
from mm_monitor.recording.day import read_day
from mm_monitor.replay import replay
from mm_monitor.reports.report import RecordCounts, build_report, to_bytes
from mm_monitor.rulebooks import load
from mm_monitor.sources.recorded import RecordedSource
from tests.integration.inside import past
from tests.integration.service import running, until
from tests.integration.venue import SECOND, Quoting, Venue, rulebook
from tests.services.kafka import Kafka

RULES = """
[presence]
required = "90%"
[lapse]
longest_permitted = "300ms"
[exemptions]
technical = "exclude"
"""
KEPT: Any = {
    "checkpoint": {"directory": "kept", "every": "50ms"},
    "tape": {"lateness": "100ms", "idle_after": "100ms"},
    "publish": {"every": "50ms"},
}


def report_of(app: App, at: int) -> dict[str, Any]:
    """What the service has to say as of `at`, as a report."""
    (view,) = app.engine.at(at)
    evaluator = app.engine.evaluators[0]
    judging = replace(Judging.of(evaluator.rulebook, evaluator.reference.contracts))
    assert view.period_start is not None
    period = (view.period_start, at)
    return {**build_report([view], judging, period, RecordCounts()), "records": None}


@pytest.mark.criterion("TAPE-01")
async def test_the_journal_alone_gives_the_same_report_over_a_restart(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT)
    async with venue.open(), Quoting(venue, every=0.05) as quoting:
        async with running(text, tmp_path, time.time_ns) as app:
            await until(lambda: app.is_ready()[0])
            await venue.control(
                "exemption", scope="C1", maker="M1", kind="technical", action="start"
            )
            quoting.silent.add("M2")
            await venue.quote("M2", "C0", bid=None, ask=None)
            await past(app, time.time_ns())
        async with running(text, tmp_path, time.time_ns) as app:
            assert app.checkpoints.kept is not None
            await until(lambda: app.is_ready()[0])
            late = time.time_ns() - SECOND
            await venue.quote("M2", "C0", ts=late)
            await until(lambda: app.stats.late == 1)
            await past(app, time.time_ns())
    at = app.engine.position
    (path,) = (tmp_path / "journal").glob("*.tape")
    day = read_day(path)
    assert (day.gaps, day.midway, len(day.late.rows)) == (0, False, 1)
    again = await replay(path, load(str(tmp_path / "live.toml")), until=at)
    assert to_bytes({**again.report, "records": None}) == to_bytes(report_of(app, at))
    counts: Any = again.report["records"]
    assert counts["late"] == 1
    assert again.report["breaches"]
    exported = await export(path, tmp_path / "capture")
    assert (exported.late, exported.gaps, exported.midway) == (1, 0, False)
    captured = await replay(exported.out, load(str(tmp_path / "live.toml")), until=at)
    assert to_bytes({**captured.report, "records": None}) == to_bytes(report_of(app, at))
    (tmp_path / "monitor.toml").write_text(text)
    await _rebuilt_from_kafka(tmp_path, path, at)


async def test_a_record_that_is_refused_is_counted_once_by_whoever_judges_the_tape(
    kafka: Kafka, tmp_path: Path
) -> None:
    """One that cannot be read, and one that is read and refused as it is judged: the tape has the second."""
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    text = venue.config(**KEPT)
    (tmp_path / "monitor.toml").write_text(text)
    async with (
        venue.open(),
        Quoting(venue, every=0.05),
        running(text, tmp_path, time.time_ns) as app,
    ):
        await until(lambda: app.is_ready()[0])
        await venue.send(venue.quotes_topic, b"no quote")
        await venue.control("fill", maker="M0", contract="C9", side="buy", price="1", size=1)
        await until(lambda: sum(app.stats.dead_letters.values()) == 2)
        await past(app, time.time_ns())
    at, book = app.engine.position, load(str(tmp_path / "live.toml"))
    (path,) = (tmp_path / "journal").glob("*.tape")
    exported = await export(path, tmp_path / "capture")
    again = tmp_path / "again"
    words = ("rebuild", tmp_path / "monitor.toml", "--date", path.stem, "--directory", again)
    command = (sys.executable, "-m", "mm_monitor", "journal", *words, "--json")
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    assert json.loads(done.stdout)["dead"] == 2
    for source in (path, exported.out, again / path.name):
        counts: Any = (await replay(source, book, until=at)).report["records"]
        assert (source.name, counts["dead_letter"]) == (source.name, 2)


async def _rebuilt_from_kafka(folder: Path, journal: Path, at: int) -> None:
    """What Kafka still has gives a file by which the date is judged as by the journal with what came too late."""
    again, book = folder / "again", load(str(folder / "live.toml"))
    words = ("rebuild", folder / "monitor.toml", "--date", journal.stem, "--directory", again)
    command = (sys.executable, "-m", "mm_monitor", "journal", *words, "--json")
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    path = again / journal.name
    assert json.loads(done.stdout) == {"file": str(path), "late": 0, "dead": 0}
    day = read_day(journal)
    opened = day.reference, RecordedSource(day, late=True)
    revised = await replay(journal, book, given=opened, until=at)
    anew = await replay(path, book, until=at)
    assert to_bytes({**anew.report, "records": None}) == to_bytes(
        {**revised.report, "records": None}
    )
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    assert (done.returncode, b"there is one already" in done.stderr) == (2, True)
