"""A date that ends while the service runs: its lapses are in the evidence log and its capture is there, each once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mm_monitor.app import App
from mm_monitor.closing.marks import alone, attempts, is_closed
from mm_monitor.evidence.inbox import entries, waiting
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.lapses import lapse_entries_of
from mm_monitor.replay import replay
from mm_monitor.reports.report import to_bytes
from mm_monitor.rulebooks import load
from tests.integration.service import running, until
from tests.integration.venue import SECOND, Venue, noon_zone, rulebook
from tests.services.kafka import Kafka

RULES = """
[presence]
required = "50%"
[lapse]
longest_permitted = "10s"
"""
KEPT: Any = {
    "checkpoint": {"directory": "kept", "every": "100ms"},
    "evidence": {"directory": "evidence", "key_file": "key.pem"},
    "journal": {"directory": "journal", "captures": "captures"},
    "log": {"level": "error"},
}


def midnight() -> tuple[int, str]:
    """The next one in the venue's zone, ns, and the date that it ends."""
    hours = -int(noon_zone().removeprefix("Etc/GMT"))
    today = datetime.now(UTC) + timedelta(hours=hours)
    end = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int((end - timedelta(hours=hours)).timestamp()) * SECOND, today.date().isoformat()


async def test_a_date_that_ends_is_closed_once_also_over_a_kill(
    kafka: Kafka, tmp_path: Path
) -> None:
    venue = Venue(kafka, tmp_path)
    phases = (("00:00", "continuous"), ("23:59:58", "closed"))
    venue.write_rulebook(rulebook(rules=RULES, phases=phases))
    SealingKey.create(tmp_path / "key.pem")
    end, date = midnight()
    shift = end - 7 * SECOND - time.time_ns()
    tape = tmp_path / "journal" / f"{date}.tape"

    def now() -> int:
        return time.time_ns() + shift

    async with venue.open():
        (tmp_path / "journal").mkdir()
        with alone(tmp_path / "journal"):  # so that it is killed before its end for certain
            async with running(venue.config(**KEPT), tmp_path, now) as app:
                await over_midnight(venue, app, now, end)
                await until(lambda: attempts(tape) == 1)
                await until(lambda: bool(children(tape)))
                for pid in children(tape):
                    os.kill(pid, signal.SIGKILL)
                await until(lambda: app.stats.sink_failures["journal"] == 1)
        assert not is_closed(tape)
        async with running(venue.config(**KEPT), tmp_path, now):
            await until(lambda: is_closed(tape))
            await until(lambda: not waiting(tmp_path / "evidence"))
    book = load(str(tmp_path / "live.toml"))
    expected = await lapse_entries_of(tape, book)
    assert any(entry["lapses"] for entry in expected)
    found = list(entries(tmp_path / "evidence", "lapses"))
    assert sorted(plain(e) for e in found) == sorted(plain(e) for e in expected)
    of_capture = await replay(tmp_path / "captures" / date, book)
    of_tape = await replay(tape, book)
    assert to_bytes({**of_capture.report, "records": None}) == to_bytes(
        {**of_tape.report, "records": None}
    )


async def over_midnight(venue: Venue, app: App, now: Any, end: int) -> None:
    """M1 is gone for a while before the date ends; everybody goes on into the next."""
    await venue.quotes(ts=now())
    await venue.quote("M1", "C0", bid=None, ask=None, ts=now())
    while now() < end + SECOND:
        await venue.quotes("M0", "M2", ts=now())
        await asyncio.sleep(0.1)
    await until(lambda: app.tape is not None and app.engine.position > end)


def plain(entry: dict[str, Any]) -> str:
    """What an entry says, but for what the log adds, and the tape's hash, for it may have grown."""
    said = {k: v for k, v in entry.items() if k not in ("salt", "id", "inputs")}
    return json.dumps(said, sort_keys=True)


def children(tape: Path) -> list[int]:
    """Processes that close this tape."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"close" in words and str(tape).encode() in words:
            found.append(int(place.parent.name))
    return found
