"""What nobody should send and no operator should do, done to the service: it stays up, and says what it met."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from mm_monitor.simulator.rows import PRICE_SCALE, QUOTE, packed
from tests.integration.inside import applied, inside, past, slots
from tests.integration.service import until
from tests.integration.venue import MAKERS, SECOND, Quoting, Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[presence]\nrequired = "90%"\n'


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path, max_message_bytes="16000000")
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


async def test_garbage_on_the_control_topic(venue: Venue) -> None:
    rng = random.Random(1)
    garbage: list[Any] = [
        b"", b"\0" * 1000, b"[" * 100_000, b"{" * 1000, b"null", b"17", b'"phase"', b"[]", b"[[]]", None,
        b'{"record":"phase"}', {"record": "phase", "ts_event": 2**63, "scope": "*", "phase": "halt"},
        {"record": "phase", "ts_event": 1e300, "scope": "*", "phase": "halt"},
        {"record": "phase", "ts_event": "now", "scope": "*", "phase": "halt"},
        {"record": "phase", "ts_event": 5, "scope": {"a": 1}, "phase": ["halt"]},
        {"record": "phase", "ts_event": 5, "scope": "\ud800", "phase": "halt"},
        {"record": "phase", "ts_event": time.time_ns() + SECOND, "scope": "nothing", "phase": "halt"},
        {"record": "reference", "ts_event": 5, "table": "contracts", "action": "add"},
        {"record": "reference", "ts_event": 5, "table": "contracts", "action": "add", "contract": "X",
         "class": "K0", "tick": "NaN"},
        {"record": "reference", "ts_event": 5, "table": "makers", "action": "add", "maker": "X",
         "class": "K0", "id": "-7"},
        {"record": "reference", "ts_event": 5, "table": "accounts", "action": "add", "account": "X"},
        {"record": "exemption", "ts_event": 5, "scope": "*", "maker": "*", "kind": "", "action": "start"},
        {"record": "feed", "ts_event": 5, "scope": "*", "maker": "*", "status": "sideways"},
        *[rng.randbytes(rng.randrange(200)) for _ in range(200)],
    ]  # fmt: skip
    async with venue.open(), Quoting(venue), inside(venue) as app:
        for value in garbage:
            await venue.send(venue.control_topic, value, key="any")
        await until(lambda: app.source.positions[venue.control_topic, 0] == len(garbage))
        await past(app, time.time_ns())
        assert {row["state"] for row in slots(app).values()} == {"quoted"}
        # An empty array holds nothing.
        await until(lambda: sum(app.stats.dead_letters.values()) == len(garbage) - 1)
    assert {letter["topic"] for letter in venue.dead()} == {venue.control_topic}
    assert len({letter["offset"] for letter in venue.dead()}) == len(garbage) - 1


@asynccontextmanager
async def large(venue: Venue) -> AsyncIterator[Venue]:
    """The venue with a producer of records of up to 16 MB."""
    venue.producer = AIOKafkaProducer(
        bootstrap_servers=venue.kafka.bootstrap, max_request_size=16_000_000
    )
    await venue.producer.start()
    try:
        yield venue
    finally:
        await venue.producer.stop()


async def test_a_packed_record_of_as_many_rows_as_it_can_hold(venue: Venue) -> None:
    rows = np.zeros(65_535, dtype=QUOTE)
    rows["ts_event"] = time.time_ns() - np.arange(65_535)[::-1]
    rows["bid_price"], rows["ask_price"] = PRICE_SCALE, PRICE_SCALE + 10_000
    rows["bid_size"] = rows["ask_size"] = 1
    rows["maker"], rows["contract"] = 1, 10
    rows["contract"][7] = 99
    async with large(venue):
        for _ in range(3):
            await venue.send(venue.quotes_topic, packed(rows))
        async with inside(venue, codec="packed") as app:
            await applied(app, 3 * 65_534)
            assert slots(app)["M0", "C0"]["state"] == "quoted"
            assert sum(app.stats.dead_letters.values()) == 3


async def test_a_json_array_that_is_too_long_is_a_dead_letter_cut_to_what_a_topic_takes(
    venue: Venue,
) -> None:
    now = time.time_ns()
    async with large(venue):
        await venue.send(venue.quotes_topic, [quote(now + i) for i in range(65_536)])
        await venue.send(venue.quotes_topic, [quote(now + i) for i in range(100_000)])
        await venue.send(venue.quotes_topic, [quote(now + 70_000)])
        async with inside(venue) as app:
            await applied(app, 65_537)
            assert sum(app.stats.dead_letters.values()) == 1
            await until(lambda: bool(venue.dead()))
        (letter,) = venue.dead()
        assert (letter["reason"], letter["offset"]) == ("undecodable", 1)
        assert letter["detail"] == "array of over 65536 elements"
        assert len(letter["value"]) > 10_000_000
        (short,) = await venue.read(venue.dead_topic)
        assert len(short["value"]) < 1_000_000
        assert short["value_bytes"] > 10_000_000


def confluent(venue: Venue, settings: dict[str, str]) -> Producer:
    """The other client: it compresses and has transactions."""
    return Producer({"bootstrap.servers": venue.kafka.bootstrap, "log_level": "0", **settings})


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(venue: Venue, codec: str) -> None:
    producer = confluent(venue, {"compression.type": codec})
    values = [quote(time.time_ns() + i) for i in range(1000)]
    producer.produce(venue.quotes_topic, json.dumps(values).encode(), partition=0)
    await asyncio.to_thread(producer.flush, 10)
    async with inside(venue) as app:
        await applied(app, 1000)


@pytest.mark.criterion("TAPE-06")
async def test_transactions_leave_no_gaps_and_what_they_took_back_was_never_said(
    venue: Venue,
) -> None:
    producer = confluent(venue, {"transactional.id": "makers"})
    await asyncio.to_thread(producer.init_transactions, 10)

    async def transaction(*values: dict[str, Any], commit: bool = True) -> None:
        producer.begin_transaction()
        producer.produce(venue.quotes_topic, json.dumps(values).encode(), partition=0)
        producer.flush(10)
        end = producer.commit_transaction if commit else producer.abort_transaction
        await asyncio.to_thread(end, 10)

    async with inside(venue) as app:
        await transaction(*(quote(time.time_ns(), maker) for maker in MAKERS))
        for _ in range(3):
            await transaction(quote(time.time_ns(), "M0"))
            await transaction(quote(time.time_ns(), "M1", bid=None, ask=None), commit=False)
        last = time.time_ns()
        await transaction(quote(last, "M2"))
        await applied(app, 7)
        await past(app, last)
        found = {key: row for key, row in slots(app).items() if key[1] == "C0"}
        assert [(row["state"], row["unknown_ns"]) for row in found.values()] == [("quoted", 0)] * 3
        assert app.source.scopes_down == frozenset()
        await until(lambda: set(app.source.backlog.values()) == {0})


async def test_a_compacted_topic_of_quotes_is_pointed_out(
    venue: Venue, capsys: pytest.CaptureFixture[str]
) -> None:
    venue.quotes_topic = venue.kafka.unique_topic("quotes", 2, cleanup_policy="compact")
    async with inside(venue):
        assert f"topic={venue.quotes_topic}" in capsys.readouterr().out
