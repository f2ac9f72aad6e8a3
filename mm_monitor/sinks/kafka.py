"""The breaches topic: one CloudEvent for each transition, keyed by maker, at least once.

The broker has every event on all in-sync replicas before it leaves our outbox; a consumer
recognises repeats by id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.core.model import BreachEvent
from mm_monitor.errors import ConfigError
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.events import cloud_event
from mm_monitor.sinks.outbox import Backoff
from mm_monitor.sinks.queued import QueuedSink

WINDOW = 500  # events handed to the producer before their confirmations are awaited
IDLE_SECONDS = 1.0
CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"

_log = structlog.get_logger("mm_monitor.sinks.kafka")


@dataclass(frozen=True, slots=True)
class KafkaSinkConfig:
    """Which topic of which cluster."""

    bootstrap: str = "127.0.0.1:9092"  # host:port, several with commas
    topic: str = "mm.breaches"
    outbox_limit: int = 100_000  # beyond these the oldest event is dropped, and counted
    timeout: float = 10.0  # seconds until a delivery counts as failed and begins anew
    client: Mapping[str, Any] = field(default_factory=dict)  # more settings, as aiokafka's

    def __post_init__(self) -> None:
        for name in ("bootstrap", "topic"):
            if not getattr(self, name):
                raise ConfigError(f"kafka.{name}", "not empty", getattr(self, name))
        for name in ("outbox_limit", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"kafka.{name}", "more than 0", getattr(self, name))


class KafkaSink(QueuedSink):
    """Keeps one idempotent producer, made anew after every failure."""

    name = "kafka"

    def __init__(self, config: KafkaSinkConfig, context: SinkContext) -> None:
        super().__init__(context, config.outbox_limit)
        self._config = config
        self._service_id = context.service_id

    async def start(self) -> None:
        """Begin connecting."""
        self._worker.start(self._run, name="kafka sink")

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._serve(backoff)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                await self._lost(error)
            if self._worker.stopping:
                return
            await self._worker.pause(backoff.pause())

    async def _serve(self, backoff: Backoff) -> None:
        producer = self._producer()
        try:
            await producer.start()
            _log.info("kafka_connected", bootstrap=self._config.bootstrap)
            while True:
                stopping = self._worker.stopping
                await self._send_events(producer)
                backoff.reset()
                if stopping:
                    return
                await self._worker.wait(IDLE_SECONDS)
        finally:
            await _close(producer)

    async def _send_events(self, producer: AIOKafkaProducer) -> None:
        while events := self._outbox.peek(WINDOW):
            async with asyncio.timeout(self._config.timeout * 2):
                waiting = [await self._send(producer, event) for event in events]
                await asyncio.gather(*waiting)
            self._outbox.confirm(events)

    async def _send(self, producer: AIOKafkaProducer, event: BreachEvent) -> asyncio.Future[Any]:
        confirmed: asyncio.Future[Any] = await producer.send(
            self._config.topic,
            key=(event.breach.maker or event.breach.contract).encode(),
            value=cloud_event(event, self._service_id),
            headers=[("content-type", CONTENT_TYPE)],
        )
        return confirmed

    def _producer(self) -> AIOKafkaProducer:
        settings: dict[str, Any] = {
            "client_id": f"mm-monitor-{self._service_id}",
            "request_timeout_ms": int(self._config.timeout * 1000),
            **self._config.client,
            "bootstrap_servers": self._config.bootstrap,
            "acks": "all",
            "enable_idempotence": True,
        }
        return AIOKafkaProducer(**settings)

    async def _lost(self, error: Exception) -> None:
        self._health.sink_failures[self.name] += 1
        cause = await _cause(self._config.bootstrap, error)
        _log.warning("kafka_unreachable", error=cause, events_waiting=len(self._outbox))


async def _close(producer: AIOKafkaProducer) -> None:
    """Release the producer, with what it could not deliver: that is still in the outbox."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await producer.stop()
            return
    await producer.client.close()


async def _cause(bootstrap: str, error: Exception) -> str:
    """The client calls everything "unable to bootstrap": ask the first address what is wrong."""
    host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
    except (OSError, ValueError, TimeoutError) as refused:
        return f"{host}:{port}: {str(refused) or type(refused).__name__}"
    return f"{type(error).__name__}: {error}"
