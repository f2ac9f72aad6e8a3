"""Malformed records among a million good ones: all of the good ones count, each bad one is kept with its reason."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.simulator import truth
from mm_monitor.simulator.bad import BadRecord, bad_records
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.days import szse_day
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.scenario import Scenario
from mm_monitor.simulator.session import Session
from tests.integration.service import config_text, running, until
from tests.integration.subject import total
from tests.integration.test_app_truth import differences
from tests.services.kafka import Kafka

SECOND = 10**9
EXTRA = """
[rulebooks]
phases = "feed"
[tape]
start = "earliest"
far_ahead = "1h"
[breaches]
enabled = false
[dead_letter]
file = "dead.jsonl"
"""


class Sent:
    """A session in topics of its own, with malformed records strewn in."""

    def __init__(
        self, kafka: Kafka, folder: Path, codec: str, scenario: Scenario, bad: int
    ) -> None:
        self.kafka, self.codec, self.scenario, self.folder = kafka, codec, scenario, folder
        names = [kafka.unique_topic(f, n, retention_ms="-1")
                 for f, n in (("quotes", 3), ("theo", 3), ("control", 1), ("dead", 1))]  # fmt: skip
        self.topics, self.dead_topic = Topics(*names[:3]), names[3]
        self.bad: list[BadRecord] = bad_records(scenario, bad, seed=7, codec=codec)
        self.session: Session | None = None

    async def send(self) -> None:
        sending = Sending(codec=self.codec, speed=None)
        self.session = await produce(
            self.scenario, self.kafka.bootstrap, self.topics, sending, bad=self.bad
        )
        write_reference(self.scenario, self.folder)

    @property
    def reasons(self) -> Counter[str]:
        """Dead letters that there must be, by reason."""
        assert self.session is not None
        return Counter(record.reason for record in self.bad) + self.session.poison

    @property
    def config(self) -> str:
        t = self.topics
        return config_text(
            self.kafka.bootstrap, self.folder, self.codec, EXTRA, quotes=t.quotes, theo=t.theo,
            control=t.control, reference="", dead_letter=self.dead_topic,
        )  # fmt: skip

    async def raw(self, topic: str) -> dict[tuple[str, int, int], bytes]:
        """All records of a topic by their address."""
        found: dict[tuple[str, int, int], bytes] = {}
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap) as consumer:
            parts = [TopicPartition(topic, n) for n in sorted(await _partitions(consumer, topic))]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            while any([await consumer.position(tp) < ends[tp] for tp in parts]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found |= {(topic, r.partition, r.offset): r.value or b"" for r in records}
        return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer.topics()
    consumer.assign([TopicPartition(topic, 0)])
    while not (found := consumer.partitions_for_topic(topic)):
        await asyncio.sleep(0.05)
    return set(found)


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("codec", "rows"), [("packed", 1_000_000), ("json", 60_000)])
async def test_ten_thousand_bad_records_cost_nothing_good(
    codec: str, rows: int, kafka: Kafka, tmp_path: Path
) -> None:
    scenario = szse_day(5, makers=10, classes=3, contracts=60, records=rows, incidents=False)
    sent = Sent(kafka, tmp_path, codec, replace(scenario, poison=1_000), 9_000)
    began = time.monotonic()
    await sent.send()
    made = time.monotonic() - began
    assert sent.session is not None
    counts, known = sent.session.counts, truth(sent.session)
    if codec == "packed":
        assert counts["quotes"] + counts["theos"] > 900_000
    began = time.monotonic()
    async with running(sent.config, tmp_path, lambda: scenario.end + 30 * SECOND) as app:
        await until(lambda: bool(app.get_views()) and app.get_views()[0].period_end is not None)
        judged = time.monotonic() - began
        assert differences(app.get_views()[0], known) == []
        good = counts["quotes"] - sent.session.poison.total()
        await until(lambda: app.stats.records["quote"] == counts["quotes"], 10)
        assert app.stats.records["theo"] == counts["theos"]
        assert app.engine.records.applied == good + counts["theos"] + counts["controls"]
        exposed = b"".join(app.prometheus.chunks()).decode()
        for reason, n in sent.reasons.items():
            assert total(exposed, "mm_monitor_dead_letters_total", reason=reason) == n, reason
        assert total(exposed, "mm_monitor_dead_letters_total") == 10_000
        assert total(exposed, "mm_monitor_sink_dropped_events_total") == 0
    print(f"{codec}: {counts}, made in {made:.1f} s, judged in {judged:.1f} s")
    assert judged < 45
    await check_letters(sent)


async def check_letters(sent: Sent) -> None:
    """The file and the topic have every letter, with the very bytes that lie at the address it names."""
    lines = [json.loads(line) for line in (sent.folder / "dead.jsonl").read_text().splitlines()]
    topic = [json.loads(value) for value in (await sent.raw(sent.dead_topic)).values()]
    assert Counter(letter["reason"] for letter in lines) == sent.reasons
    assert sorted(map(_address, topic)) == sorted(map(_address, lines))
    written: dict[tuple[str, int, int], bytes] = {}
    for name in (sent.topics.quotes, sent.topics.theo, sent.topics.control):
        written |= await sent.raw(name)
    at_fault: Counter[tuple[str, bytes]] = Counter()
    for letter in lines:
        record = written[letter["topic"], letter["partition"], letter["offset"]]
        assert b64decode(letter["value"]) in record, letter
        assert letter["detail"]
        at_fault[letter["reason"], record] += 1
    assert not Counter((record.reason, record.value) for record in sent.bad) - at_fault


def _address(letter: dict[str, Any]) -> tuple[str, int, int, str]:
    return letter["topic"], letter["partition"], letter["offset"], letter["detail"]
