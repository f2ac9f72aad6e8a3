"""The service over its days: no trading today, a roll-over while it runs, phases from the feed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.inside import Slots, inside, past, slots, view_of
from tests.integration.service import until
from tests.integration.venue import SECOND, Quoting, Venue, noon_zone, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'
# With no lateness a phase may lose the race against quotes that are read from other partitions.
FEED: dict[str, Any] = {
    "rulebooks": {"names": ["live.toml"], "phases": "feed"},
    "tape": {"lateness": "300ms"},
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


def weekday(days: int = 0) -> str:
    """The day of the week that it is in the venue's zone, so many days from now."""
    hours = -int(noon_zone().removeprefix("Etc/GMT"))
    return WEEKDAYS[(datetime.now(UTC) + timedelta(hours=hours, days=days)).weekday()]


async def test_on_a_date_without_trading_it_is_up_and_nobody_owes_anything(venue: Venue) -> None:
    venue.write_rulebook(rulebook(rules=RULES, days=f'["{weekday(1)}"]'))
    async with venue.open(), inside(venue, tape={"silent_after": "300ms"}) as app:
        now = await venue.quotes()
        await past(app, now + SECOND)
        view, found = view_of(app), slots(app)
        assert app.is_ready() == (True, "ready")
        assert (view.period_start, view.period_end) == (None, None)
        assert not any(row["obliged"] for row in found.values())
        assert {
            row["quoted_ns"] + row["lapsed_ns"] + row["unknown_ns"] for row in found.values()
        } == {0}
        assert app.source.scopes_down == frozenset()
        assert not view.breaches


@pytest.mark.criterion("OBL-05")
async def test_the_next_date_is_judged_from_its_roll_over_on(venue: Venue) -> None:
    """By a clock of our own: just before midnight of a date without trading, the next has two seconds of it."""
    zone = noon_zone()
    hours = -int(zone.removeprefix("Etc/GMT"))
    today = datetime.now(UTC) + timedelta(hours=hours)
    tomorrow = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    midnight = int((tomorrow - timedelta(hours=hours)).timestamp()) * SECOND
    phases = (("00:00:01", "continuous"), ("00:00:03", "closed"))
    venue.write_rulebook(rulebook(rules=RULES, days=f'["{weekday(1)}"]', phases=phases))
    shift = midnight - 2 * SECOND - time.time_ns()

    def now() -> int:
        return time.time_ns() + shift

    async with venue.open(), inside(venue, now) as app:
        # M1 quotes the day before only, and the roll-over makes it absent; M2 never quotes.
        while now() < midnight + 4 * SECOND:
            makers = ("M0", "M1") if now() < midnight else ("M0",)
            await venue.quotes(*makers, ts=now())
            await asyncio.sleep(0.1)
        await until(lambda: view_of(app).period_end is not None)
        view, found = view_of(app), slots(app)
        assert view.trading_date == tomorrow.date().isoformat()
        assert (view.period_start, view.period_end) == (midnight + SECOND, midnight + 3 * SECOND)
        for (maker, _), row in found.items():
            told = (row["quoted_ns"], row["lapsed_ns"], row["unknown_ns"])
            assert told == ((2 * SECOND, 0, 0) if maker == "M0" else (0, 2 * SECOND, 0)), maker
        failed = {b.maker for b in view.breaches if b.kind == "presence"}
        assert failed == {"M1", "M2"}
        gone = [b.start for b in view.breaches if b.kind == "presence_unreachable"]
        assert gone == [midnight + SECOND + 200_000_001] * 2
        assert app.stats.late == 0


@pytest.mark.criterion("OBL-01")
async def test_phases_of_the_feed_halt_close_and_reopen_the_market(venue: Venue) -> None:
    async with venue.open(), Quoting(venue) as quoting, inside(venue, **FEED) as app:
        await until(lambda: len(quoting.sent) > 2)
        assert not any(row["obliged"] for row in slots(app).values())
        opened = await venue.control("phase", scope="*", phase="continuous")
        await asyncio.sleep(0.3)
        halted = await venue.control("phase", scope="C0", phase="halt")
        await asyncio.sleep(0.3)
        closed = await venue.control("phase", scope="*", phase="closed")
        await past(app, closed + 1)
        view = view_of(app)
        assert (view.period_start, view.period_end) == (opened, closed)
        before = closed - opened
        check(slots(app), {"C0": halted - opened, "C1": before})
        again = await venue.control("phase", scope="*", phase="continuous")
        await until(lambda: view_of(app).period_end is None)
        resumed = await venue.control("phase", scope="C0", phase="continuous")
        await asyncio.sleep(0.3)
        end = await venue.control("phase", scope="*", phase="closed")
        await past(app, end + 1)
        assert (view_of(app).period_start, view_of(app).period_end) == (opened, end)
        check(slots(app), {"C0": halted - opened + end - resumed, "C1": before + end - again})


def check(found: Slots, quoted: dict[str, int]) -> None:
    """Everybody quoted for so long on each contract, and nothing else."""
    for (_, contract), row in found.items():
        assert (row["quoted_ns"], row["lapsed_ns"], row["unknown_ns"]) == (quoted[contract], 0, 0)


@pytest.mark.criterion("TAPE-06")
async def test_topics_without_any_record_are_a_feed_that_is_down(venue: Venue) -> None:
    async with inside(venue, tape={"silent_after": "1s"}) as app:
        await until(lambda: app.source.scopes_down == {"*"})
        await past(app, time.time_ns())
        assert {row["state"] for row in slots(app).values()} == {"unknown"}
        async with venue.open():
            now = await venue.quotes()
            await past(app, now + 1)
        assert {row["state"] for row in slots(app).values()} == {"quoted"}
    feed = [e for e in venue.journal() if e.get("record") == "feed" and e["entry"] == "source"]
    assert (feed[0]["status"], feed[0]["why"]) == ("down", "silent")
    assert (feed[-1]["status"], feed[-1]["ts"]) == ("up", now)


@pytest.mark.criterion("TAPE-03")
async def test_quotes_of_another_date_change_nothing_and_time_goes_on(venue: Venue) -> None:
    day = 24 * 3600 * SECOND
    async with venue.open(), inside(venue) as app:
        now = await venue.quotes()
        await past(app, now + 1)
        await venue.quotes(ts=now - day)
        await venue.quotes(ts=0)
        await venue.quotes(ts=now + day)
        await until(lambda: app.stats.late == 12)
        await until(lambda: sum(app.stats.dead_letters.values()) == 6)
        await past(app, time.time_ns())
        assert {row["state"] for row in slots(app).values()} == {"quoted"}
        assert app.is_ready() == (True, "ready")
    assert {letter["reason"] for letter in venue.dead()} == {"too_far_ahead"}
