"""Orders of operations on a real service: planned ends wait for their time, and all of it is in the evidence log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from mm_monitor.desk.orders import Order, exemption, maintenance
from mm_monitor.evidence.inbox import entries
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.revisions.announce import send
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
        await send(
            client, venue.control_topic, [(b"desk", json.dumps(r).encode()) for r in records]
        )
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
