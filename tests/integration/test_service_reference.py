"""Who and what exists, live: the compacted topic, listings and appointments on the tape, accounts, rulebooks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_monitor.core.model import breach_id
from mm_monitor.simulator.rows import PRICE_SCALE, QUOTE, packed
from tests.integration.inside import applied, inside, past, slots, view_of
from tests.integration.service import until
from tests.integration.subject import total
from tests.integration.venue import CONTRACTS, MS, SECOND, Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


def packed_quote(ts: int, maker: int, contract: int) -> bytes:
    """A good quote in the packed format."""
    rows = np.zeros(1, dtype=QUOTE)
    rows[0] = (ts, PRICE_SCALE, PRICE_SCALE + PRICE_SCALE // 100, 10, 10, maker, contract)
    return packed(rows)


async def publish(venue: Venue, topic: str, key: str, row: dict[str, Any] | None, ts: int) -> None:
    """A row of the reference topic, or its tombstone."""
    await venue.send(topic, row, key=key, stamp=ts)


async def test_the_compacted_topic_says_who_and_what_there_is(venue: Venue) -> None:
    topic = venue.kafka.unique_topic("reference", cleanup_policy="compact")
    yesterday = time.time_ns() - 26 * 3600 * SECOND
    async with venue.open():
        for name, (klass, _) in CONTRACTS.items():
            row = {"table": "contracts", "contract": name, "class": klass, "tick": "0.0001"}
            await publish(venue, topic, f"contracts/{name}", row, yesterday)
        for maker in ("M0", "M1"):
            row = {"table": "makers", "maker": maker, "class": "*"}
            await publish(venue, topic, f"makers/{maker}/*", row, yesterday)
        row = {"table": "accounts", "account": "A7", "maker": "M0"}
        await publish(venue, topic, "accounts/A7", row, yesterday)
        hour_ago = time.time_ns() - 3600 * SECOND
        await venue.quote("A7", "C0", ts=hour_ago, stamp=hour_ago)
        names: dict[str, Any] = {"topics": {"reference": topic}, "reference": {"directory": ""}}
        async with inside(venue, **names) as app:
            await past(app, hour_ago + 1)
            found, view = slots(app), view_of(app)
            assert set(found) == {(m, c) for m in ("M0", "M1") for c in CONTRACTS}
            assert found["M0", "C0"]["quoted_ns"] == view.at - hour_ago
            assert found["M1", "C0"]["quoted_ns"] == 0
            begins = app.agenda.begins(time.time_ns())
            assert begins is not None
            assert found["M1", "C0"]["lapsed_ns"] == view.at - begins
            dismissed = time.time_ns() // MS * MS
            await publish(venue, topic, "makers/M1/*", None, dismissed)
            await past(app, dismissed + SECOND)
            lapsed = slots(app)["M1", "C0"]["lapsed_ns"]
            assert lapsed == dismissed - begins
            assert sum(app.stats.dead_letters.values()) == 0
            await venue.quote("M1", "C0", bid="0.00005")
            await until(lambda: app.stats.dead_letters["off_tick", "M1"] == 1)


@pytest.mark.parametrize("codec", ["json", "packed"])
@pytest.mark.parametrize("lateness", ["100ms", "1s"])
async def test_a_listing_and_an_appointment_take_effect_on_the_tape(
    venue: Venue, codec: str, lateness: str
) -> None:
    async def say(ts: int, maker: tuple[str, int], contract: tuple[str, int], part: int) -> None:
        value = (quote(ts, maker[0], contract[0]) if codec == "json"
                 else packed_quote(ts, maker[1], contract[1]))  # fmt: skip
        await venue.send(venue.quotes_topic, value, part)

    async with venue.open():
        begun = time.time_ns()
        await say(begun, ("M0", 1), ("C0", 10), 0)
        async with inside(venue, codec=codec, tape={"lateness": lateness}) as app:
            listed = await venue.control(
                "reference", table="contracts", action="add", contract="C2",
                tick="0.0001", id=12, klass="K0",
            )  # fmt: skip
            await asyncio.sleep(
                0.05
            )  # a quote sent at once may be read first: two topics, two connections
            await say(time.time_ns(), ("M1", 2), ("C2", 12), 0)
            appointed = await venue.control(
                "reference", table="makers", action="add", maker="M3", id=4, klass="K1"
            )
            await asyncio.sleep(0.05)
            quoted = time.time_ns()
            await say(quoted, ("M3", 4), ("C1", 11), 1)
            gone = await venue.control(
                "reference", table="makers", action="remove", maker="M2", klass="*"
            )
            await applied(app, 3)
            await past(app, gone + SECOND // 2)
            found, at = slots(app), view_of(app).at
            assert [x["detail"] for x in venue.dead()] == []
            assert found["M0", "C2"]["lapsed_ns"] == at - listed
            assert found["M1", "C2"]["state"] == "quoted"
            assert found["M3", "C1"]["lapsed_ns"] == quoted - appointed
            assert found["M3", "C1"]["quoted_ns"] == at - quoted
            assert ("M3", "C0") not in found
            assert found["M2", "C2"]["lapsed_ns"] == gone - listed
            assert app.engine.records.no_obligation == 0


async def test_several_rulebooks_judge_each_by_itself(venue: Venue) -> None:
    venue.write_rulebook(
        rulebook("strict", RULES + '[lapse]\nlongest_permitted = "200ms"\n'), "strict"
    )
    venue.write_rulebook(rulebook("loose", '[presence]\nrequired = "1%"\n'), "loose")
    venue.names("makers", "maker,class,rulebook,id", "M0,*,strict,1", "M1,*,loose,2", "M2,*,,3")
    venue.names("accounts", "account,maker", "A0,M0", "A1,M1")
    async with venue.open():
        async with inside(venue, books=("strict", "loose")) as app:
            began = time.time_ns()
            for account in ("A0", "A1", "M2"):
                await venue.quote(account, "C0", ask="1.5000", ts=began)
            await past(app, began + SECOND)
            strict, loose = slots(app, "strict"), slots(app, "loose")
            assert {maker for maker, _ in strict} == {"M0", "M2"}
            assert {maker for maker, _ in loose} == {"M1", "M2"}
            assert strict["M2", "C0"]["state"] == "lapsed:spread"
            assert loose["M2", "C0"]["state"] == "quoted"
            exposed = b"".join(app.prometheus.chunks()).decode()
            for book, others in (("strict", "M0"), ("loose", "M1")):
                for maker in (others, "M2"):
                    assert total(exposed, "mm_monitor_required_seconds_total", rulebook=book,
                                 maker=maker) > 0  # fmt: skip
            assert total(exposed, "mm_monitor_open_breaches", rulebook="loose", kind="lapse") == 0
            assert total(exposed, "mm_monitor_open_breaches", rulebook="strict", kind="lapse") == 4
            begins = app.agenda.begins(began)
        events = await venue.read(venue.breaches_topic)
    lapses = [e["data"]["breach"] for e in events if e["data"]["breach"]["kind"] == "lapse"]
    assert {breach["rulebook"] for breach in lapses} == {"strict"}
    assert begins is not None
    start = begins + 200 * MS
    assert breach_id("strict", 1, "lapse", "M2", "C1", start) in {b["id"] for b in lapses}


async def test_an_unknown_maker_is_not_obliged_and_no_dead_letter(venue: Venue) -> None:
    async with venue.open(), inside(venue) as app:
        await venue.quote("nobody", "C0")
        await venue.quote("M0", "C0")
        await until(lambda: app.stats.records["quote"] == 2)
        assert app.engine.records.no_obligation == 1
        assert sum(app.stats.dead_letters.values()) == 0
