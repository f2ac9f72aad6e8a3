"""A spoiled line between us and Kafka, MQTT, Alertmanager, in every way: afterwards nothing shows it.

What a broker says in spoiled bytes must be refused, not believed. Kafka's batches carry a checksum; MQTT and HTTP have
none, so there a changed byte is caught by TLS, or mended by what is sent again.
"""

from __future__ import annotations

import asyncio
import uuid

import pytest

from mm_monitor.sinks import create
from tests.contracts.far_sides import AlertmanagerFar, context
from tests.faults.killing import Outcome, Stage, events_of
from tests.faults.proxy import MODES, Mode, Proxy
from tests.integration.subject import answered
from tests.integration.test_mqtt_guarded import VIEW, broker, by_password, reader, sending
from tests.services.alertmanager import Alertmanager
from tests.services.kafka.guarded import GuardedKafka
from tests.services.mosquitto import GuardedMosquitto
from tests.services.wait import eventually
from tests.unit.sinks.builders import Slot, breach, closed, opened, view

__all__ = ["broker"]
SLOTS = [Slot(f"M{i}", "C0", "A") for i in range(3)]

# In the short run one way of each kind: what is lost, what ends in the middle, what is changed.
QUICK = ("drop", "cut", "corrupt")
EVERY = [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in MODES]
DEAR = [m if m == "corrupt" else pytest.param(m, marks=pytest.mark.slow) for m in MODES]


# Kafka ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(
    guarded_kafka: GuardedKafka, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Stage, Outcome]:
    stage = Stage(guarded_kafka, tmp_path_factory.mktemp("stage") / "stage", seed=4)

    async def judged() -> Outcome:
        await stage.fill()
        return await stage.service("undisturbed").live_to_the_end()

    return stage, asyncio.run(judged())


@pytest.mark.parametrize("fetch", ["raw", pytest.param("getmany", marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", DEAR)
async def test_a_spoiled_line_to_kafka_changes_no_report(
    undisturbed: tuple[Stage, Outcome], guarded_kafka: GuardedKafka, mode: Mode, fetch: str
) -> None:
    stage, wanted = undisturbed
    async with Proxy(guarded_kafka.ports.link, guarded_kafka.ports.between) as line:
        # A start that cannot read what brokers there are ends, and says so: only records are corrupted.
        line.arm(mode, (1, 2, 4, 7), least=4000 if mode == "corrupt" else 1000)
        at = f"127.0.0.1:{line.port}"
        service = stage.service(f"{mode}-{fetch}", bootstrap=at, fetch=fetch)
        found = await service.live_to_the_end()
        assert line.spoiled > 1
    assert found.report == wanted.report
    assert found.rung == wanted.rung
    assert found.counted == wanted.counted


@pytest.mark.parametrize("mode", EVERY)
async def test_a_spoiled_line_to_the_breaches_topic_loses_no_event(
    guarded_kafka: GuardedKafka, mode: Mode
) -> None:
    topic = guarded_kafka.unique_topic("breaches")
    async with Proxy(guarded_kafka.ports.link, guarded_kafka.ports.between) as line:
        line.arm(mode, (1, 2, 4), side="client", least=600)
        options = {"bootstrap": f"127.0.0.1:{line.port}", "topic": topic, "timeout": 2.0}
        sink = create("kafka", options, context())
        await sink.start()
        try:
            for i in range(4):
                one = breach(f"M{i}")
                sink.publish([VIEW], [opened(one), closed(one)])
                await eventually(lambda: not sink.pending, timeout=40)
        finally:
            await sink.stop()
        assert line.spoiled
    events = await events_of(guarded_kafka, topic)
    assert {event["data"]["breach"]["id"] for event in events} == {
        breach(f"M{i}").id for i in range(4)
    }


# MQTT ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["client", pytest.param("server", marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", EVERY)
async def test_a_spoiled_line_to_mqtt_loses_no_event(
    broker: GuardedMosquitto,
    mode: Mode,
    side: str,
) -> None:
    prefix = "mm-monitor"
    kind = uuid.uuid4().hex[:8]
    makers = {f"{kind}-{i}" for i in range(12)}
    async with Proxy(broker.port) as line, reader(broker, "operations") as far:
        await far.subscribe(f"{prefix}/#", qos=1)
        options = by_password(broker, port=line.port, timeout=1.0, keepalive=1)
        async with sending(options) as sink:
            line.arm(mode, (2, 5, 9), side=side, least=20)  # type: ignore[arg-type]
            for maker in sorted(makers):
                sink.publish([VIEW], [opened(breach(maker))])
            await eventually(lambda: not sink.pending, timeout=40)
            assert line.spoiled
        heard: set[str] = set()
        async with asyncio.timeout(20):
            async for message in far.messages:
                if "/events/" in message.topic.value:
                    heard.add(message.topic.value.rpartition("/")[2])
                if makers <= heard:
                    break


# Alertmanager --------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("mode", EVERY)
async def test_a_spoiled_line_to_alertmanager_loses_no_alert(
    alertmanager: Alertmanager, mode: Mode, side: str
) -> None:
    far = AlertmanagerFar(alertmanager)
    async with Proxy(alertmanager.port) as line:
        line.arm(mode, (1, 2, 4), side=side, least=20)  # type: ignore[arg-type]
        options = {"urls": (f"http://127.0.0.1:{line.port}",), "resend_every": 0.5, "timeout": 0.6,
                   "labels": {"run": far.run}}  # fmt: skip
        sink = create("alertmanager", options, context())
        await sink.start()
        try:
            open_ = [breach(f"M{i}") for i in range(3)]
            sink.publish([view(SLOTS, open_)], [opened(one) for one in open_])
            await answered(lambda: _has(far, {one.id for one in open_}), timeout=40)
            await eventually(lambda: not sink.pending, timeout=40)
            await eventually(lambda: line.spoiled)
        finally:
            await sink.stop()


async def _has(far: AlertmanagerFar, wanted: set[str]) -> bool:
    return wanted <= set(await far.breaches())
