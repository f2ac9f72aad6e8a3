"""What the service knows of time: where history begins, what silence means, what came late or from the future."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from pathlib import Path

import pytest

from mm_monitor.app import App
from mm_monitor.recording.day import read_day
from tests.integration.inside import applied, inside, past, slots, view_of
from tests.integration.service import until
from tests.integration.test_kafka_source import delete_before
from tests.integration.venue import CONTRACTS, MAKERS, MS, SECOND, Quoting, Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'
SLOTS = [(maker, contract) for maker in MAKERS for contract in CONTRACTS]


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


def day_begins(app: App) -> int:
    """When the trading date of now began."""
    begins = app.agenda.begins(time.time_ns())
    assert begins is not None
    return begins


@pytest.mark.criterion("OBL-06")
async def test_a_start_in_the_middle_of_the_day_loads_standing_quotes(venue: Venue) -> None:
    now = time.time_ns()
    hour_ago = now - 3600 * SECOND
    async with venue.open():
        await venue.quotes("M2", ts=now - 24 * 3600 * SECOND, stamp=now - 24 * 3600 * SECOND)
        await venue.quotes("M0", "M1", ts=hour_ago, stamp=hour_ago)
        minute_ago = now - 60 * SECOND
        await venue.quote("M1", "C0", None, None, ts=minute_ago, stamp=minute_ago)
        async with inside(venue) as app:
            await past(app, now)
            begins, found, at = day_begins(app), slots(app), view_of(app).at
            for key in (("M0", "C0"), ("M0", "C1"), ("M1", "C1")):
                assert found[key]["lapsed_ns"] == hour_ago - begins
                assert found[key]["quoted_ns"] == at - hour_ago
            assert found["M1", "C0"]["quoted_ns"] == 3540 * SECOND
            assert found["M2", "C0"]["lapsed_ns"] == at - begins
            assert sum(row["unknown_ns"] for row in found.values()) == 0
            assert app.stats.records["quote"] == 5


@pytest.mark.criterion("OBL-06")
async def test_where_retention_cut_the_time_before_is_unknown(venue: Venue) -> None:
    now = time.time_ns()
    async with venue.open():
        for seconds in (60, 40, 20):
            await venue.quotes(ts=now - seconds * SECOND, stamp=now - seconds * SECOND)
        await delete_before(venue.kafka, venue.quotes_topic, 2)
        async with inside(venue) as app:
            await past(app, now)
            cut, begins, found = now - 20 * SECOND, day_begins(app), slots(app)
            first_left = cut // MS * MS  # the log's clock has milliseconds
            for key in SLOTS:
                assert found[key]["lapsed_ns"] == 0, key
                assert found[key]["unknown_ns"] in (first_left - begins, cut - begins), key
                assert found[key]["state"] == "quoted"


@pytest.mark.criterion("OBL-06")
async def test_a_start_at_the_latest_record_knows_nothing_of_before(venue: Venue) -> None:
    async with venue.open():
        await venue.quotes()
        async with inside(venue, tape={"start": "latest"}) as app:
            quoted = await venue.quotes("M0", "M1")
            await applied(app, 4)
            begins, found = day_begins(app), slots(app)
            for key in SLOTS:
                assert found[key]["lapsed_ns"] == 0, key
            assert found["M0", "C0"]["unknown_ns"] == quoted - begins
            assert found["M2", "C0"]["state"] == "unknown"
            assert app.stats.records["quote"] == 4


@pytest.mark.criterion("TAPE-06")
@pytest.mark.parametrize(("idle", "exact"), [("2s", True), ("300ms", False)])
async def test_silence_makes_time_unknown_from_the_last_event_heard(
    venue: Venue, idle: str, exact: bool
) -> None:
    tape = {"silent_after": "1s", "idle_after": idle}
    async with venue.open(), Quoting(venue, every=0.2) as quoting, inside(venue, tape=tape) as app:
        await until(lambda: len(quoting.sent) > 2)
        quoting.muted = {"C1"}
        await asyncio.sleep(0.3)
        heard = [ts for ts, contract in quoting.said if contract == "C1"][-1]
        await until(lambda: app.source.scopes_down == {"K1"})
        await until(lambda: slots(app)["M0", "C1"]["state"] == "unknown")
        assert slots(app)["M0", "C0"]["state"] == "quoted"
        quoting.muted = set()
        await until(lambda: app.source.scopes_down == frozenset())
        await until(lambda: slots(app)["M0", "C1"]["state"] == "quoted")
        back = next(ts for ts, c in quoting.said if c == "C1" and ts > heard)
        await past(app, back + 1)
        unknown = {slots(app)[maker, "C1"]["unknown_ns"] for maker in MAKERS}
        assert slots(app)["M0", "C0"]["unknown_ns"] == 0
    feed = [e for e in venue.journal() if e.get("record") == "feed" and e["entry"] == "source"]
    assert [e["scope"] for e in feed] == ["K1"] * len(feed)
    assert (feed[0]["status"], feed[0]["ts"], feed[0]["why"]) == ("down", heard, "silent")
    assert (feed[-1]["status"], feed[-1]["ts"], feed[-1]["why"]) == ("up", back, "heard again")
    down = [e["ts"] for e in feed if e["status"] == "down"][-1]
    assert unknown == {back - down}
    assert (down == heard) == exact


@pytest.mark.criterion("TAPE-05")
async def test_a_record_from_the_future_is_a_dead_letter_and_moves_nothing(venue: Venue) -> None:
    async with venue.open():
        await venue.quotes()
        async with inside(venue, tape={"max_ahead": "2s"}) as app:
            far = time.time_ns() + 3600 * SECOND
            good = quote(time.time_ns(), "M0", "C0")
            value = [good, quote(far, "M1", "C0"), {"broken": 1}]
            offset = await venue.send(venue.quotes_topic, value)
            await venue.control("phase", ts=far, scope="*", phase="halt")
            await venue.control("feed", ts=far, scope="*", maker="*", status="down")
            await applied(app, 7)
            await until(lambda: sum(app.stats.dead_letters.values()) == 4)
            await past(app, good["ts_event"])
            assert app.merge.watermark < time.time_ns() + 2 * SECOND
            assert {row["state"] for row in slots(app).values()} == {"quoted"}
    ahead = [x for x in venue.dead() if x["reason"] == "too_far_ahead"]
    assert [(x["topic"], x["partition"], x["offset"]) for x in ahead[:1]] == [
        (venue.quotes_topic, 0, offset)
    ]
    assert json.loads(b64decode(ahead[0]["value"])) == value[1]
    assert [x["topic"] for x in ahead[1:]] == [venue.control_topic] * 2
    topic = await venue.read(venue.dead_topic)
    assert {x["detail"] for x in topic} == {x["detail"] for x in venue.dead()}


@pytest.mark.criterion("TAPE-03")
async def test_a_late_record_is_counted_journalled_and_never_applied(venue: Venue) -> None:
    async with venue.open(), Quoting(venue) as quoting, inside(venue) as app:
        await until(lambda: len(quoting.sent) > 5)
        late = time.time_ns() - 10 * SECOND
        await past(app, late)
        await venue.quote("M1", "C0", bid=None, ask=None, ts=late)
        await until(lambda: app.stats.late == 1)
        await past(app, time.time_ns())
        found = slots(app)
        assert {key for key, row in found.items() if row["provisional"]} == {("M1", "C0")}
        assert found["M1", "C0"]["quoted_ns"] == found["M0", "C0"]["quoted_ns"]
        assert found["M1", "C0"]["lapses"] == 1  # before its first quote
    (entry,) = [e for e in venue.journal() if e["entry"] == "late"]
    assert (entry["records"], entry["first"], entry["last"]) == (1, late, late)
    (tape,) = (venue.folder / "journal").glob("*.tape")
    day = read_day(tape)
    (row,) = day.late.rows
    assert (int(row["ts"]), day.reference.makers[int(row["maker"])]) == (late, "M1")
    assert day.part_names[int(row["part"])] == (venue.quotes_topic, 0)


@pytest.mark.criterion("TAPE-03")
async def test_a_control_that_came_too_late_is_journalled_and_said_aloud(
    venue: Venue, capsys: pytest.CaptureFixture[str]
) -> None:
    async with venue.open(), Quoting(venue), inside(venue) as app:
        late = time.time_ns() - 10 * SECOND
        await past(app, late)
        await venue.control("phase", ts=late, scope="C0", phase="halt")
        await until(lambda: app.stats.late == 1)
        await past(app, time.time_ns())
        assert {row["obliged"] for row in slots(app).values()} == {True}
    (entry,) = [e for e in venue.journal() if e["entry"] == "late_control"]
    assert (entry["record"], entry["phase"], entry["ts"]) == ("phase", "halt", late)
    assert (entry["topic"], entry["offset"]) == (venue.control_topic, 0)
    assert "came too late and was not applied" in capsys.readouterr().out
