"""The producer against a real Apache Kafka: what it sends is what is there."""

from __future__ import annotations

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.simulator import Session, random_session
from mm_monitor.simulator.producer import Sending, Topics, produce
from mm_monitor.simulator.rows import QUOTE
from tests.services.kafka import Kafka

PARTITIONS = 3


async def test_a_session_arrives_in_a_real_kafka(kafka: Kafka) -> None:
    topics = Topics(
        *(kafka.unique_topic(stem, PARTITIONS) for stem in ("quotes", "theo", "control", "ref"))
    )
    scenario = random_session(4, seconds=3)
    client = {"enable_idempotence": True, "acks": "all", "compression_type": "lz4"}
    sending = Sending(speed=None, reference=True, client=client)
    session = await produce(scenario, kafka.bootstrap, topics, sending)
    values = await read(kafka.bootstrap, topics.quotes)
    rows = np.concatenate([np.frombuffer(value[8:], dtype=QUOTE) for value in values])
    sent = np.concatenate([batch.quotes for batch in Session(scenario).batches()])
    assert len(rows) == session.counts["quotes"]
    assert sorted(rows.tolist()) == sorted(sent.tolist())
    assert len(await read(kafka.bootstrap, topics.control)) == session.counts["controls"]


async def read(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        values: list[bytes] = []
        while len(values) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=2000)).values():
                values += [record.value for record in records]
        return values
    finally:
        await consumer.stop()
