"""The breaches topic on a real Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from mm_monitor.core.model import BreachEvent
from mm_monitor.sinks import Sink
from mm_monitor.sinks.kafka import KafkaSink, KafkaSinkConfig
from tests.contracts.far_sides import KafkaFar, context
from tests.services.kafka import Kafka
from tests.services.process import free_port
from tests.services.wait import eventually
from tests.unit.sinks.builders import breach, closed, opened
from tests.unit.sinks.schema import errors

FILE = Path(__file__).parents[2] / "docs" / "schemas" / "breach-event.schema.json"


@pytest.fixture
async def far(kafka: Kafka) -> KafkaFar:
    return KafkaFar(kafka)


@pytest.fixture
async def sink(far: KafkaFar) -> AsyncIterator[Sink]:
    made = far.sink()
    await made.start()
    yield made
    await made.stop()


async def test_events_are_cloud_events_in_order_keyed_by_maker(far: KafkaFar, sink: Sink) -> None:
    one, other = breach("M0"), breach("M1")
    sink.publish([], [opened(one), opened(other), closed(one)])
    await eventually(lambda: sink.lag_seconds == 0)
    records = await far.records()
    assert [key for key, _ in records] == [b"M0", b"M1", b"M0"]
    schema: dict[str, Any] = json.loads(FILE.read_text())
    found = [json.loads(value) for _, value in records]
    assert [problem for event in found for problem in errors(schema, event)] == []
    assert [event["id"] for event in found] == [
        f"{one.id}-opened",
        f"{other.id}-opened",
        f"{one.id}-closed",
    ]
    assert found[0]["data"]["breach"]["evidence"]["limit"] == 1_000_000


async def test_client_settings_are_taken_but_never_weaken_delivery(far: KafkaFar) -> None:
    settings = {"client_id": "ours", "acks": 0, "request_timeout_ms": 5000}
    config = KafkaSinkConfig(far.service.bootstrap, far.topic, client=settings)
    sink = KafkaSink(config, context())
    await sink.start()
    sink.publish([], [opened(breach())])
    await eventually(lambda: sink.lag_seconds == 0)
    await sink.stop()
    assert await far.breaches() == [breach().id]


async def test_stop_delivers_what_was_published_just_before(far: KafkaFar) -> None:
    sink = far.sink()
    await sink.start()
    sink.publish([], [opened(breach(contract=f"C{i}")) for i in range(1200)])
    await sink.stop()
    assert sink.lag_seconds == 0
    assert len(set(await far.breaches())) == 1200


async def test_killing_and_restarting_kafka_loses_nothing(
    kafka: Kafka, far: KafkaFar, sink: Sink
) -> None:
    sent: list[BreachEvent] = []

    async def publish_on() -> None:
        for i in range(400):
            sent.append(opened(breach(contract=f"C{i}")))
            sink.publish([], sent[-1:])
            await asyncio.sleep(0.01)

    going_on = asyncio.create_task(publish_on())
    await asyncio.sleep(1)
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(kafka.start)
    await going_on
    await eventually(lambda: sink.lag_seconds == 0, timeout=60)
    told = await far.breaches()
    assert set(told) == {event.breach.id for event in sent}


async def test_an_unreachable_cluster_is_counted_and_its_real_cause_logged() -> None:
    made = context()
    port = free_port()
    sink = KafkaSink(KafkaSinkConfig(bootstrap=f"127.0.0.1:{port}"), made)
    with structlog.testing.capture_logs() as logs:
        await sink.start()
        await eventually(lambda: made.health.sink_failures["kafka"] >= 1)
        await eventually(lambda: [entry for entry in logs if entry["event"] == "kafka_unreachable"])
        await sink.stop()
    assert f"127.0.0.1:{port}: [Errno 111]" in str(logs)
