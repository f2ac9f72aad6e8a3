"""The MQTT sink against a real Mosquitto."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from mm_monitor.core.model import BreachEvent
from mm_monitor.errors import ConfigError
from mm_monitor.sinks import Sink
from mm_monitor.sinks.mqtt import MqttConfig, MqttSink
from tests.contracts.far_sides import MqttFar, context
from tests.contracts.published import faults, schema_of
from tests.services.mosquitto import Mosquitto
from tests.services.wait import eventually
from tests.unit.sinks.builders import START, S, Slot, breach, closed, opened, view

SLOTS = [Slot("M0", "C0", "A"), Slot("M1", "C0", "A", quoted=50, lapsed=50)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def far(mosquitto: Mosquitto) -> AsyncIterator[MqttFar]:
    side = MqttFar(mosquitto)
    await side.ready()
    yield side
    await side.close()


@pytest.fixture
async def sink(far: MqttFar) -> AsyncIterator[Sink]:
    made = far.sink()
    await made.start()
    yield made
    await made.stop()


async def retained(service: Mosquitto, topic: str, count: int = 1) -> dict[str, Any]:
    """What a new subscriber is given at once: topic -> payload."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(5), aiomqtt.Client(service.host, service.port) as client:
        await client.subscribe(topic, qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            if message.retain and message.payload:
                found[message.topic.value] = msgspec.json.decode(message.payload)
            if len(found) == count:
                return found
    raise AssertionError(found)


def events(far: MqttFar) -> list[dict[str, Any]]:
    return [far.payload(message) for message in far.messages if far.is_event(message)]


async def test_each_maker_has_a_retained_state(
    mosquitto: Mosquitto, far: MqttFar, sink: Sink
) -> None:
    sink.publish([view(SLOTS, [breach("M1")])], [])
    topic = f"{far.prefix}/szse-2025/makers"
    await eventually(lambda: len([m for m in far.messages if "/makers/" in m.topic.value]) >= 2)
    states = await retained(mosquitto, f"{topic}/+/state", 2)
    good, bad = states[f"{topic}/M0/state"], states[f"{topic}/M1/state"]
    assert (good["verdict"], good["presence"]) == ("compliant", "0.950000000")
    assert (bad["verdict"], bad["watermark"]) == ("breached", START + 100 * S)
    assert bad["open_breaches"] == [{"id": breach("M1").id, "kind": "lapse", "contract": "C0"}]
    assert good["slack_ns"] == 15 * S


async def test_no_state_of_the_past_is_told_while_we_catch_up(
    mosquitto: Mosquitto, far: MqttFar
) -> None:
    known = context()
    options = MqttConfig(port=mosquitto.port, topic_prefix=far.prefix, state_every=0.1)
    sink = MqttSink(options, known)
    await sink.start()
    known.health.catching_up = True
    one = breach("M1")
    sink.publish([view(SLOTS)], [opened(one)])
    await eventually(lambda: events(far))
    known.health.catching_up = False
    sink.publish([view(SLOTS, [one])], [])
    await eventually(lambda: len([m for m in far.messages if "/makers/" in m.topic.value]) >= 2)
    first = next(m for m in far.messages if m.topic.value.endswith("/makers/M1/state"))
    assert far.payload(first)["verdict"] == "breached"
    await sink.stop()


async def test_the_state_of_a_maker_no_longer_judged_is_removed(
    mosquitto: Mosquitto, far: MqttFar, sink: Sink
) -> None:
    sink.publish([view(SLOTS)], [])
    topic = f"{far.prefix}/szse-2025/makers"
    await eventually(lambda: len([m for m in far.messages if "/makers/" in m.topic.value]) >= 2)
    sink.publish([view(SLOTS[:1])], [])
    await eventually(lambda: [m for m in far.messages if not m.payload])
    assert set(await retained(mosquitto, f"{topic}/+/state")) == {f"{topic}/M0/state"}


async def test_a_transition_is_an_event_of_its_kind_and_maker(far: MqttFar, sink: Sink) -> None:
    one = breach()
    sink.publish([view(SLOTS, [one])], [opened(one), closed(one)])
    await eventually(lambda: len(events(far)) == 2)
    assert [event["id"] for event in events(far)] == [f"{one.id}-opened", f"{one.id}-closed"]
    topics = {message.topic.value for message in far.messages if far.is_event(message)}
    assert topics == {f"{far.prefix}/szse-2025/events/lapse/M0"}


async def test_names_cannot_break_out_of_their_topic_level(far: MqttFar, sink: Sink) -> None:
    one = breach("a/b+c#做市")
    sink.publish([view(SLOTS, [one])], [opened(one)])
    await eventually(lambda: events(far))
    [message] = [message for message in far.messages if far.is_event(message)]
    assert message.topic.value.endswith("/events/lapse/a%2Fb%2Bc%23做市")


async def test_birth_and_clean_goodbye(mosquitto: Mosquitto, far: MqttFar, sink: Sink) -> None:
    topic = f"{far.prefix}/status/#"
    await eventually(lambda: [m for m in far.messages if "/status/" in m.topic.value])
    [status] = (await retained(mosquitto, topic)).values()
    assert status["status"] == "online"
    await sink.stop()
    [status] = (await retained(mosquitto, topic)).values()
    assert status["status"] == "offline"


MONITOR = """
import asyncio, sys
from mm_monitor.sinks import SinkContext, create
async def main():
    options = {"port": int(sys.argv[1]), "topic_prefix": sys.argv[2]}
    await create("mqtt", options, SinkContext(service_id="mortal")).start()
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_the_broker_tells_of_a_killed_monitor(mosquitto: Mosquitto, far: MqttFar) -> None:
    monitor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MONITOR, str(mosquitto.port), far.prefix, cwd=ROOT
    )
    topic = f"{far.prefix}/status/mortal"

    def status() -> list[str]:
        return [far.payload(m)["status"] for m in far.messages if m.topic.value == topic]

    await eventually(lambda: status() == ["online"])
    monitor.kill()
    await monitor.wait()
    await eventually(lambda: status() == ["online", "offline"])


async def test_killing_and_restarting_mosquitto_loses_nothing(
    mosquitto: Mosquitto, far: MqttFar, sink: Sink
) -> None:
    sent: list[BreachEvent] = []

    async def publish_on() -> None:
        for i in range(400):
            one = breach(contract=f"C{i}")
            sent.append(opened(one))
            sink.publish([replace(view(SLOTS), at=START + i)], [sent[-1]])
            await asyncio.sleep(0.005)

    going_on = asyncio.create_task(publish_on())
    for _ in range(2):
        await asyncio.sleep(0.4)
        await asyncio.to_thread(mosquitto.kill)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(mosquitto.start)
    await going_on
    wanted = {f"{event.breach.id}-opened" for event in sent}
    await eventually(lambda: wanted <= {event["id"] for event in events(far)}, timeout=20)
    await eventually(lambda: sink.lag_seconds == 0)
    [state] = (await retained(mosquitto, f"{far.prefix}/szse-2025/makers/M0/state")).values()
    assert state["watermark"] == START + 399
    [status] = (await retained(mosquitto, f"{far.prefix}/status/#")).values()
    assert status["status"] == "online"


async def test_a_message_that_the_broker_refuses_is_counted(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite allowed/#\n")
    rules.chmod(0o700)
    made = context()
    with Mosquitto(tmp_path / "service", extra=f"acl_file {rules}") as service:
        sink = MqttSink(MqttConfig(port=service.port, topic_prefix="forbidden"), made)
        await sink.start()
        sink.publish([], [opened(breach())])
        await eventually(lambda: made.health.sink_failures["mqtt"] >= 2)  # the birth, the event
        await sink.stop()


async def test_a_full_outbox_counts_what_it_drops(mosquitto: Mosquitto) -> None:
    made = context()
    sink = MqttSink(MqttConfig(port=mosquitto.port, outbox_limit=10), made)
    sink.publish([], [opened(breach(contract=f"C{i}")) for i in range(25)])
    assert made.health.sink_dropped == {"mqtt": 15}


async def test_a_password_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "secret")
    sink = MqttSink(MqttConfig(password_file=missing), context())
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: a file that can be read .*secret"):
        await sink.start()


async def test_all_that_is_sent_is_as_the_documents_say(far: MqttFar, sink: Sink) -> None:
    found = breach("M1")
    sink.publish([view(SLOTS, [found])], [opened(found), closed(breach("M1"))])
    wanted = {"maker-state", "mqtt-breach-event", "service-status"}

    def seen() -> set[str]:
        return {schema_of(message.topic.value, far.prefix) for message in far.messages}

    await eventually(lambda: wanted <= seen())
    assert seen() == wanted
    for message in far.messages:
        assert faults(schema_of(message.topic.value, far.prefix), far.payload(message)) == []
