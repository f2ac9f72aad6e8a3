"""Dead letters on a real Kafka topic, also through an outage."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from aiokafka import AIOKafkaConsumer

from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.health import HealthStats
from mm_monitor.sinks.dead_letter import DeadLetterTopic, DeadLetterTopicConfig
from tests.contracts.published import faults
from tests.services.kafka import Kafka


def letter(offset: int, value: bytes = b"\x00junk") -> DeadLetter:
    return DeadLetter(RawRecord("mm.quotes", 3, offset, value), BadReason.BAD_PRICE, "why", "M0")


async def written(kafka: Kafka, topic: str, count: int) -> list[tuple[bytes, dict[str, object]]]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            records = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
    return [(record.key, json.loads(record.value)) for record in records]


@pytest.mark.criterion("TAPE-04")
async def test_letters_arrive_in_order(kafka: Kafka) -> None:
    topic = kafka.unique_topic("dead")
    stream = DeadLetterTopic(DeadLetterTopicConfig(kafka.bootstrap, topic))
    await stream.start()
    stream.put([letter(i) for i in range(700)])
    stream.put([letter(700, b"x" * 2_000_000)])
    got = await written(kafka, topic, 701)
    await stream.stop()
    assert [entry["offset"] for _, entry in got] == list(range(701))
    assert {key for key, _ in got} == {b"mm.quotes/3"}
    assert base64.b64decode(str(got[0][1]["value"])) == b"\x00junk"
    assert got[-1][1]["value_bytes"] == 2_000_000
    assert faults("dead-letter", got[0][1]) == faults("dead-letter", got[-1][1]) == []


async def test_letters_outlive_an_outage(kafka: Kafka) -> None:
    topic, health = kafka.unique_topic("dead"), HealthStats()
    await asyncio.to_thread(kafka.kill)
    stream = DeadLetterTopic(DeadLetterTopicConfig(kafka.bootstrap, topic, timeout=3.0), health)
    await stream.start()
    stream.put([letter(1)])
    await asyncio.sleep(1.0)
    assert health.sink_failures["dead_letter_topic"] >= 1
    await asyncio.to_thread(kafka.start)
    got = await written(kafka, topic, 1)
    await stream.stop()
    assert got[0][1]["offset"] == 1
