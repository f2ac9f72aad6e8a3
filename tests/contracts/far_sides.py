"""The other side of each sink: a real service that can be cut off, and what of ours it has."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiomqtt
from aiokafka import AIOKafkaConsumer, TopicPartition
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import EvidenceLog, logs_of
from mm_monitor.sinks import Sink, SinkContext, create
from mm_monitor.sinks.mqtt import release
from mm_monitor.sinks.prometheus import PrometheusSink
from tests.services.alertmanager import Alertmanager
from tests.services.kafka import Kafka
from tests.services.mosquitto import Mosquitto
from tests.services.process import Service


def context() -> SinkContext:
    return SinkContext(service_id=f"test-{uuid.uuid4().hex[:8]}")


async def until(probe: Callable[[], Awaitable[object]], timeout: float = 10.0) -> None:
    """Ask until the answer is truthy."""
    async with asyncio.timeout(timeout):
        while not await probe():
            await asyncio.sleep(0.05)


class FarSide(ABC):
    """A sink's other side. `is_pulled`: it comes and reads, so the sink can't lag."""

    is_pulled = False

    def __init__(self, service: Service | None = None) -> None:
        self.service = service

    @abstractmethod
    def sink(self) -> Sink:
        """A new sink that talks to this side."""

    @abstractmethod
    async def breaches(self) -> list[str]:
        """The ids of the breaches that it was told are open, in order, with repeats."""

    async def knows_closed(self, breach_id: str) -> bool:
        """Was it told that this one, told as open before, is so no longer?"""
        return breach_id not in await self.breaches()

    async def ready(self) -> None:  # noqa: B027  # most are as soon as they are made
        """It would notice what is sent now."""

    async def down(self) -> None:
        """As a crash would."""
        if self.service is not None:
            await asyncio.to_thread(self.service.kill)

    async def up(self) -> None:
        if self.service is not None:
            await asyncio.to_thread(self.service.start)

    async def close(self) -> None:  # noqa: B027  # most have nothing to release
        """Release what reading took."""


class PrometheusFar(FarSide):
    """A scrape."""

    is_pulled = True

    def sink(self) -> Sink:
        self._sink = create("prometheus", {}, context())
        return self._sink

    async def breaches(self) -> list[str]:
        assert isinstance(self._sink, PrometheusSink)
        text = self._sink.render().decode()
        return re.findall(r"^mm_monitor_open_breaches{(.*)} 1$", text, re.MULTILINE)

    async def knows_closed(self, breach_id: str) -> bool:
        return not await self.breaches()  # counts have no ids


class AlertmanagerFar(FarSide):
    """The alerts that carry this run's label."""

    service: Alertmanager

    def __init__(self, service: Alertmanager) -> None:
        super().__init__(service)
        self.run = uuid.uuid4().hex[:8]

    def sink(self) -> Sink:
        options = {
            "urls": (self.service.url,),
            "resend_every": 1.0,
            "labels": {"run": self.run},
        }
        return create("alertmanager", options, context())

    async def breaches(self) -> list[str]:
        alerts = await asyncio.to_thread(self.service.alerts, run=self.run)
        return [alert["annotations"]["breach_id"] for alert in alerts]


class EvidenceFar(FarSide):
    """A directory, on a disk that can be full."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._logs, self._key = directory / "logs", directory / "key.pem"
        SealingKey.create(self._key)

    def sink(self) -> Sink:
        return create(
            "evidence", {"directory": str(self._logs), "key_file": str(self._key)}, context()
        )

    async def ready(self) -> None:
        """The log is longer than any other file that this process writes while its files may not grow beyond it."""
        log = EvidenceLog(self._logs, SealingKey.load(self._key), "test")
        log.open(time.time_ns())
        log.append([{"entry": "filler", "text": "x" * 4_000_000}], time.time_ns())
        log.close()

    async def breaches(self) -> list[str]:
        return [e["breach"]["id"] for e in self._entries() if e.get("action") == "opened"]

    async def knows_closed(self, breach_id: str) -> bool:
        return f"{breach_id}-closed" in [e.get("id") for e in self._entries()]

    async def down(self) -> None:
        size = logs_of(self._logs)[-1].stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def up(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    async def close(self) -> None:
        await self.up()

    def _entries(self) -> list[dict[str, Any]]:
        lines = [line for log in logs_of(self._logs) for line in log.read_bytes().splitlines()]
        return [json.loads(line[65:]) for line in lines if not line.startswith(b"signature")]


class MqttFar(FarSide):
    """A subscriber with a session that outlives its connections."""

    service: Mosquitto

    def __init__(self, service: Mosquitto) -> None:
        super().__init__(service)
        self.prefix = f"t-{uuid.uuid4().hex[:8]}"
        self._identifier = f"far-{self.prefix}"
        self.messages: list[aiomqtt.Message] = []
        self.subscribed = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    def sink(self) -> Sink:
        options = {"port": self.service.port, "topic_prefix": self.prefix, "state_every": 0.1}
        return create("mqtt", options, context())

    async def breaches(self) -> list[str]:
        found = [self.payload(message) for message in self.messages if self.is_event(message)]
        return [event["breach"]["id"] for event in found if event["action"] == "opened"]

    async def ready(self) -> None:
        """Subscribed, and the session on disk: Mosquitto saves after the second change from here."""
        await self.subscribed.wait()
        saved = self.service.workdir / "data" / "mosquitto.db"

        async def is_saved() -> bool:
            async with aiomqtt.Client(self.service.host, self.service.port) as client:
                await client.publish("change", uuid.uuid4().hex, qos=1, retain=True)
            return saved.exists() and self._identifier.encode() in saved.read_bytes()

        await until(is_saved)

    @staticmethod
    def is_event(message: aiomqtt.Message) -> bool:
        return "/events/" in message.topic.value

    @staticmethod
    def payload(message: aiomqtt.Message) -> dict[str, Any]:
        assert isinstance(message.payload, bytes)
        decoded: dict[str, Any] = json.loads(message.payload)
        return decoded

    async def knows_closed(self, breach_id: str) -> bool:
        found = [self.payload(message) for message in self.messages if self.is_event(message)]
        return f"{breach_id}-closed" in [event["id"] for event in found]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            client = self._client()
            try:
                async with client:
                    await client.subscribe(f"{self.prefix}/#", qos=1)
                    self.subscribed.set()
                    async for message in client.messages:
                        self.messages.append(message)
            except aiomqtt.MqttError:
                self.subscribed.clear()
            finally:
                release(client)
            await asyncio.sleep(0.1)

    def _client(self) -> aiomqtt.Client:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600
        return aiomqtt.Client(
            self.service.host,
            self.service.port,
            identifier=self._identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=session,
            timeout=3,
        )


class KafkaFar(FarSide):
    """A topic of its own, read from its beginning."""

    service: Kafka

    def __init__(self, service: Kafka) -> None:
        super().__init__(service)
        self.topic = service.unique_topic("breaches")

    def sink(self) -> Sink:
        options = {"bootstrap": self.service.bootstrap, "topic": self.topic, "timeout": 5.0}
        return create("kafka", options, context())

    async def breaches(self) -> list[str]:
        opened = [e for e in await self.events() if e["type"] == "mm-monitor.breach.opened"]
        return [event["data"]["breach"]["id"] for event in opened]

    async def knows_closed(self, breach_id: str) -> bool:
        return f"{breach_id}-closed" in [event["id"] for event in await self.events()]

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, value in await self.records()]

    async def records(self) -> list[tuple[bytes, bytes]]:
        """(key, value) of all records of the topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.service.bootstrap)
        await consumer.start()
        try:
            part = TopicPartition(self.topic, 0)
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            end = (await consumer.end_offsets([part]))[part]
            found: list[tuple[bytes, bytes]] = []
            while await consumer.position(part) < end:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [(record.key, record.value) for record in records]
            return found
        finally:
            await consumer.stop()
