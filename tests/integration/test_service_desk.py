"""Orders of operations on a real service: planned ends wait for their time, and all of it is in the evidence log."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from mm_monitor.desk.orders import Order, exemption, maintenance
from mm_monitor.desk.sending import send
from mm_monitor.errors import MonitorError
from mm_monitor.evidence.inbox import entries
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.formats import json_bytes
from tests.integration.inside import inside, past, slots
from tests.integration.service import until
from tests.integration.venue import SECOND, Quoting, Venue, rulebook
from tests.services.kafka import Kafka


async def test_an_order_begins_now_and_ends_at_its_time(kafka: Kafka, tmp_path: Path) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules='[exemptions]\ntechnical = "exclude"\n'))
    SealingKey.create(tmp_path / "key.pem")
    sections: Any = {
        "tape": {"max_ahead": "500ms", "lateness": "100ms", "idle_after": "100ms"},
        "evidence": {"directory": "evidence", "key_file": "key.pem"},
    }
    client = {"bootstrap_servers": kafka.bootstrap}
    async with venue.open(), Quoting(venue, every=0.05), inside(venue, **sections) as app:
        now = time.time_ns() + 2 * SECOND  # in time, however long a connection takes
        ends = now + 3 * SECOND
        order = Order(now, ends, "ann", "line cut", scope="K0", maker="M0")
        records = exemption(order, "technical", {"technical"}, now)
        records += maintenance(Order(now, ends, "ann", "gateway 2", scope="K1", maker="M1"), now)
        await send(client, venue.control_topic, records)
        await until(lambda: slots(app)["M0", "C0"]["state"] == "exempt", 15)
        await until(lambda: slots(app)["M1", "C1"]["state"] == "unknown", 15)
        await past(app, ends + SECOND)
        found = slots(app)
        assert found["M0", "C0"]["state"] == "quoted"
        assert found["M1", "C1"]["state"] == "quoted"
        exempt = found["M0", "C0"]["exempt_ns"]
        assert exempt == ends - now
        assert not sum(app.stats.dead_letters.values())
        kinds = ("exemption", "maintenance")
        await until(lambda: len(list(entries(tmp_path / "evidence", *kinds))) == 4, 15)
        await until(lambda: not list((tmp_path / "evidence" / "inbox").glob("*.json")), 15)
    said = [
        (e["entry"], e["maker"], e["author"], e["reason"])
        for e in entries(tmp_path / "evidence", *kinds)
    ]
    assert (
        sorted(said)
        == [("exemption", "M0", "ann", "line cut")] * 2
        + [("maintenance", "M1", "ann", "gateway 2")] * 2
    )


async def test_an_order_lands_whole_or_not_at_all(kafka: Kafka) -> None:
    client = {"bootstrap_servers": kafka.bootstrap}
    topic = kafka.unique_topic("control", max_message_bytes=700)
    start, end = ({"reason": "r" * 400, "action": action} for action in ("start", "end"))
    with pytest.raises(MonitorError, match="2 records for 'control-"):
        await send(client, topic, [start, end])
    await send(client, topic, [end])  # alone it is not too large
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **client) as consumer:
        first = await asyncio.wait_for(consumer.getone(), 20)
    assert (first.offset, first.value) == (0, json_bytes(end))
