"""What makes time unknown by itself: a clock that is set by hours, holes in a feed's numbers, theos that stop."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mm_monitor.sinks.feed_metrics import feed_samples
from mm_monitor.sources.clock import SteadyClock
from tests.integration.inside import applied, inside, past, slots
from tests.integration.service import running, until
from tests.integration.venue import MAKERS, SECOND, Quoting, Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'
HOUR = 3600 * SECOND


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


class Machine:
    """Our machine, whose clock is set by `shift`."""

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift
        self.clock = SteadyClock(lambda: time.time_ns() + self.shift)


@pytest.mark.criterion("TAPE-06")
@pytest.mark.parametrize("by", [3 * HOUR, -3 * HOUR])
async def test_a_clock_that_is_set_by_hours_moves_no_verdict(venue: Venue, by: int) -> None:
    machine = Machine()
    async with venue.open(), Quoting(venue, every=0.1), inside(venue, machine.clock) as app:
        await applied(app, 12)
        machine.shift = by
        await until(lambda: app.clock.steps == 1)
        stepped = time.time_ns()
        await past(app, stepped + 2 * SECOND)
        assert app.merge.watermark < time.time_ns() + SECOND
        found = slots(app).values()
        assert app.stats.late == 0
        assert sum(app.stats.dead_letters.values()) == 0
        assert {row["state"] for row in found} == {"quoted"}
        assert all(0 < row["unknown_ns"] < 2 * SECOND for row in found)
        assert app.source.scopes_down == frozenset()
        samples = {metric.name: found for metric, found in feed_samples(app.stats)}
        assert (("clock_step",), 1) in samples["mm_monitor_feed_outages_total"]
        [(_, off)] = samples["mm_monitor_clock_off_seconds"]
        assert round(off) == by // SECOND
    down = [e for e in venue.journal() if e.get("why") == "clock step"]
    assert {e["scope"] for e in down} == {"*"}


async def test_a_wrong_clock_that_is_mended_is_believed_once_records_agree(venue: Venue) -> None:
    machine = Machine(-2 * HOUR)
    tape = {"max_ahead": "2s"}
    text = venue.config(tape=tape)
    async with (
        venue.open(),
        Quoting(venue, every=0.1),
        running(text, venue.folder, machine.clock) as app,
    ):
        await until(lambda: sum(app.stats.dead_letters.values()) > 0)
        machine.shift = 0
        await applied(app, 6)
        await past(app, time.time_ns())
        assert abs(app.clock.off) < SECOND
        refused = sum(app.stats.dead_letters.values())
        await applied(app, 18)
        assert sum(app.stats.dead_letters.values()) == refused


@pytest.mark.criterion("TAPE-06")
async def test_a_hole_in_the_numbers_of_a_feed_makes_time_unknown_until_the_next_quote(
    venue: Venue,
) -> None:
    async def say(number: int, *makers: str) -> int:
        ts = time.time_ns()
        assert venue.producer is not None
        values = ",".join(str(quote(ts, maker)).replace("'", '"') for maker in makers)
        headers = [("seq", f"gateway:{number}".encode())]
        data = f"[{values}]".encode()
        await venue.producer.send_and_wait(venue.quotes_topic, data, partition=0, headers=headers)
        return ts

    async with venue.open():
        await say(7, *MAKERS)
        async with inside(venue, tape={"sequence_header": "seq"}) as app:
            assert not app.source.raw
            heard = await say(8, *MAKERS)
            again = await say(10, "M0")
            await applied(app, 7)
            await past(app, again + 1)
            found = slots(app)
            assert found["M0", "C0"]["state"] == "quoted"
            assert found["M0", "C0"]["unknown_ns"] == again - heard
            assert found["M1", "C0"]["state"] == "unknown"
            await venue.control("feed", scope="K0", maker="*", status="synced")
            await until(lambda: slots(app)["M1", "C0"]["state"] == "lapsed:absent")
            assert app.source.outages["sequence gap"] == 1
    feed = [e for e in venue.journal() if e.get("record") == "feed"]
    assert (feed[0]["status"], feed[0]["ts"], feed[0]["why"]) == ("down", heard, "sequence gap")


@pytest.mark.criterion("TAPE-06")
async def test_theos_that_stop_make_the_time_of_their_class_unknown(venue: Venue) -> None:
    tape = {"theo_silent_after": "700ms"}
    async with venue.open(), Quoting(venue, every=0.2), inside(venue, tape=tape) as app:
        theo = await venue.theo()
        await until(lambda: app.source.scopes_down == {"K0", "K1"})
        await until(lambda: slots(app)["M0", "C0"]["state"] == "unknown")
        back = await venue.theo()
        await past(app, back + SECOND)
        assert slots(app)["M0", "C0"]["state"] in ("quoted", "unknown")
        assert app.source.outages["theo silent"] >= 2
    first = next(e for e in venue.journal() if e.get("why") == "theo silent")
    assert (first["status"], first["ts"]) == ("down", theo)
