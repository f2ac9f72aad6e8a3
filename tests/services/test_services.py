"""Each real service starts, does its job once, and survives what fault tests will do to it."""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiomqtt
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.services import (
    Alertmanager,
    Kafka,
    Mosquitto,
    Prometheus,
    ServiceError,
    eventually,
    free_port,
)


async def _produce(kafka: Kafka, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=b"510050")


async def _first(kafka: Kafka, topic: str) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await asyncio.wait_for(consumer.getone(), 20)
    return bytes(record.value)


async def test_kafka_carries_a_record(kafka: Kafka) -> None:
    topic = kafka.unique_topic("carries", cleanup_policy="compact")
    await _produce(kafka, topic, b"quote")
    assert await _first(kafka, topic) == b"quote"


async def test_kafka_keeps_its_log_over_a_crash(kafka: Kafka) -> None:
    topic = kafka.unique_topic("crash")
    await _produce(kafka, topic, b"kept")
    await asyncio.to_thread(kafka.kill)
    assert not kafka.running
    await asyncio.to_thread(kafka.start)
    assert await _first(kafka, topic) == b"kept"


async def _retained(mosquitto: Mosquitto, topic: str) -> str:
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe(topic, qos=1)
        message = await asyncio.wait_for(anext(aiter(client.messages)), 10)
    assert isinstance(message.payload, bytes)
    return message.payload.decode()


async def test_mosquitto_keeps_retained_messages_over_a_kill(mosquitto: Mosquitto) -> None:
    topic = f"services/{uuid.uuid4().hex}"
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.publish(topic, "compliant", qos=1, retain=True)
    assert await _retained(mosquitto, topic) == "compliant"
    await asyncio.to_thread(mosquitto.kill)
    await asyncio.to_thread(mosquitto.start)
    assert await _retained(mosquitto, topic) == "compliant"


@pytest.fixture
async def exporter() -> AsyncIterator[str]:
    """A page with one metric, served by this test's own event loop."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="services_probe 42\n")

    application = web.Application()
    application.router.add_get("/metrics", page)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"127.0.0.1:{port}"
    await runner.cleanup()


async def test_prometheus_scrapes_what_it_is_told_to(prometheus: Prometheus, exporter: str) -> None:
    prometheus.configure(targets=[exporter])
    probe = f'services_probe{{instance="{exporter}"}}'
    assert await eventually(lambda: prometheus.value(probe), timeout=20) == 42.0
    assert [target["health"] for target in prometheus.targets()] == ["up"]


def test_prometheus_refuses_a_broken_rule_file_in_its_own_words(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{record: x, expr: 'sum('}]}]")
    with pytest.raises(ServiceError, match="parse error"):
        prometheus.configure(rule_files=[rules])
    prometheus.configure()


async def test_alertmanager_lists_a_posted_alert(alertmanager: Alertmanager) -> None:
    maker = uuid.uuid4().hex
    alertmanager.post_alerts([{"labels": {"alertname": "MakerBreached", "maker": maker}}])
    (alert,) = await eventually(lambda: alertmanager.alerts(maker=maker))
    assert alert["status"]["state"] == "active"
    assert alertmanager.status()["cluster"]["status"] == "disabled"


@pytest.mark.parametrize("fault", ["stop", "kill", "restart"])
def test_a_service_comes_back_on_its_port(alertmanager: Alertmanager, fault: str) -> None:
    port = alertmanager.port
    getattr(alertmanager, fault)()
    alertmanager.start()
    assert alertmanager.status()["versionInfo"]["version"]
    assert alertmanager.port == port


def test_a_service_left_down_is_up_for_the_next_test(alertmanager: Alertmanager) -> None:
    alertmanager.kill()


def test_a_service_left_down_was_started_again(alertmanager: Alertmanager) -> None:
    assert alertmanager.running


_ORPHAN = """
import os, signal, sys
from pathlib import Path
from tests.services import Mosquitto
broker = Mosquitto(Path(sys.argv[1]))
broker.start()
print(broker.port, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("mosquitto")
def test_a_service_does_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    from tests.services.process import listening

    run = subprocess.run(
        [sys.executable, "-c", _ORPHAN, str(tmp_path)], capture_output=True, text=True
    )
    port = int(run.stdout)
    deadline = time.monotonic() + 10
    while listening(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listening(port)


Probe = Callable[[], Awaitable[int] | int]


async def _async_seven() -> int:
    return 7


@pytest.mark.parametrize("probe", [lambda: 7, _async_seven], ids=["plain", "async"])
async def test_eventually_returns_the_first_truthy_answer(probe: Probe) -> None:
    assert await eventually(probe) == 7


async def test_eventually_gives_up_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.1 s; the last answer was \[\]"):
        await eventually(list, timeout=0.1)
