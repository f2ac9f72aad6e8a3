"""However fast records come, so many wait and no more: what is ahead is paused, and nothing is dropped."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.integration.inside import past, slots
from tests.integration.service import running, until
from tests.integration.venue import MS, SECOND, Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n'
MOST = 2_000
POLL = 50  # records that one poll takes in
EACH = 20  # quotes of a record
RECORDS = 600


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


async def _flood(venue: Venue, begin: int) -> int:
    """Twelve thousand quotes on C1 within three seconds of event time; when the last one was."""
    assert venue.producer is not None
    ts = begin
    for _ in range(RECORDS):
        values = []
        for _ in range(EACH):
            ts += 3 * SECOND // (RECORDS * EACH)
            values.append(quote(ts, "M0", "C1"))
        await venue.producer.send(venue.quotes_topic, json.dumps(values).encode(), partition=1)
    await venue.producer.flush()
    return ts


@pytest.mark.criterion("TAPE-05")
async def test_rows_that_wait_are_bounded_and_nothing_is_lost(venue: Venue) -> None:
    began = time.time_ns() - 10 * SECOND
    # Only the bound on rows is at work: three seconds are not far ahead, and no partition is idle so soon.
    text = venue.config(
        tape={"most_rows": MOST, "far_ahead": "1h", "idle_after": "60s", "silent_after": "10m"},
        kafka={"bootstrap": venue.kafka.bootstrap, "fetch": "getmany", "max_records": POLL},
    )
    async with venue.open():
        await venue.quotes("M0", ts=began)
        await venue.theo(ts=began + 9 * SECOND)  # holds nothing back
        last = await _flood(venue, began)
        async with running(text, venue.folder, time.time_ns) as app:
            most = 0

            def rested() -> None:
                nonlocal most
                most = max(most, app.merge.buffered)

            app.pump.rested = rested
            await until(lambda: bool(app.pump._paused))
            position = app.source.positions[venue.quotes_topic, 1]
            assert position < RECORDS
            polls = app.stats.loop_lag.count
            await until(lambda: app.stats.loop_lag.count > polls + 5)  # a while later
            assert app.source.positions[venue.quotes_topic, 1] - position <= POLL
            assert app.stats.buffer_rows <= MOST + POLL * EACH
            for i in range(1, 7):  # C0 goes on, half a second at a time
                await venue.quote("M0", "C0", ts=began + i * SECOND // 2)
                await asyncio.sleep(0)
            await venue.quote("M0", "C0", ts=last + SECOND)
            await venue.quote("M0", "C1", ts=last + SECOND)
            await past(app, last + 100 * MS, 30)
            assert app.stats.records["quote"] >= 2 + RECORDS * EACH + 6
            assert app.stats.late == 0
            assert sum(app.stats.dead_letters.values()) == 0
            assert most <= MOST + POLL * EACH
            assert slots(app)["M0", "C1"]["state"] == "quoted"
