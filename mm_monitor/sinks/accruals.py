"""The accruals topic: what this worker's classes came to, for whoever sums up makers over all workers.

A picture of a date that is over is kept until the brokers have it; of a date that goes on only the newest counts, and
one that could not be delivered is replaced by a newer one. Keys are compacted, so a repeat changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.core.engine import Engine
from mm_monitor.core.model import BreachEvent
from mm_monitor.core.view import StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.formats import json_bytes
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.outbox import Backoff, Worker

WINDOW = 200  # messages handed to the producer before their confirmations are awaited
MAX_BYTES = 64 << 20  # of a message before it is compressed

Words = Iterable[
    tuple[bytes, Mapping[str, Any]]
]  # keys and values; the last vouches for the others

_log = structlog.get_logger("mm_monitor.sinks.accruals")


def _nothing(view: StatusView, final: bool) -> Words:
    return ()


@dataclass(frozen=True, slots=True)
class AccrualsConfig:
    """Which topic of which cluster, and what is said there of a picture."""

    bootstrap: str = "127.0.0.1:9092"  # host:port, several with commas
    topic: str = "mm.accruals"
    every: float = 60.0  # seconds between two pictures of a date that goes on
    timeout: float = 10.0  # seconds until a delivery counts as failed and begins anew
    client: Mapping[str, Any] = field(default_factory=dict)  # more settings, as aiokafka's
    words: Callable[[StatusView, bool], Words] = (
        _nothing  # of a picture, and whether its date is over
    )

    def __post_init__(self) -> None:
        for name in ("every", "timeout"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"accruals.{name}", "more than 0", getattr(self, name))


class AccrualsSink:
    """Keeps one idempotent producer, made anew after every failure."""

    name = "accruals"

    def __init__(self, config: AccrualsConfig, context: SinkContext) -> None:
        self._config = config
        self._service_id, self._health = context.service_id, context.health
        self._health.know_sink(self.name)
        self._worker = Worker()
        self._finals: list[tuple[float, StatusView]] = []  # since when it waits
        self._known: dict[tuple[str, int | None], StatusView] = {}  # finals that were taken
        self._newest: Sequence[StatusView] = ()
        self._next = 0.0  # when the newest are told again

    async def start(self) -> None:
        """Begin connecting."""
        self._worker.start(self._run, name="accruals sink")

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Take the newest pictures; transitions have a topic of their own."""
        self._newest = [view for view in views if view.period_start is not None]

    def keep(self, engine: Engine) -> None:
        """Take the pictures of dates that have ended since the last call. Never blocks."""
        for evaluator in engine.evaluators:
            ended = [*evaluator.ledger[-2:], *([evaluator.final] if evaluator.final else [])]
            for view in ended:
                key = (view.rulebook_id, view.period_start)
                if self._known.get(key) is not view:
                    self._known[key] = view
                    self._finals.append((time.monotonic(), view))
                    self._worker.wake()

    async def stop(self) -> None:
        """Deliver what can be delivered within a few seconds."""
        await self._worker.stop()

    @property
    def pending(self) -> Sequence[BreachEvent]:
        """Nothing: what it tells is read from the picture."""
        return ()

    @property
    def lag_seconds(self) -> float:
        """How long the oldest date that is over has waited to be delivered; 0 when none waits."""
        return time.monotonic() - self._finals[0][0] if self._finals else 0.0

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._serve(backoff)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                self._health.sink_failures[self.name] += 1
                waiting = len(self._finals)
                _log.warning("accruals_not_delivered", error=str(error), dates_waiting=waiting)
            if self._worker.stopping:
                return
            await self._worker.pause(backoff.pause())

    async def _serve(self, backoff: Backoff) -> None:
        producer = self._producer()
        try:
            await producer.start()
            while True:
                stopping = self._worker.stopping
                await self._tell_all(producer)
                backoff.reset()
                if stopping:
                    return
                await self._worker.wait(max(0.05, self._next - time.monotonic()))
        finally:
            await _close(producer)

    async def _tell_all(self, producer: AIOKafkaProducer) -> None:
        while self._finals:
            _, view = self._finals[0]
            await self._tell(producer, view, final=True)
            self._finals.pop(0)
        if time.monotonic() < self._next:
            return
        for view in self._newest:
            if view.period_end is None and not self._is_over(view):
                await self._tell(producer, view, final=False)
        self._next = time.monotonic() + self._config.every

    def _is_over(self, view: StatusView) -> bool:
        """Has a later picture said that the date is over? After it the market may have opened once more."""
        final = self._known.get((view.rulebook_id, view.period_start))
        return final is not None and view.at <= final.at

    async def _tell(self, producer: AIOKafkaProducer, view: StatusView, *, final: bool) -> None:
        """All of a picture's messages, and when the brokers have them the worker's own, which vouches for them."""
        words = await asyncio.to_thread(self._encode, view, final)
        pieces, last = words[:-1], words[-1:]
        for at in range(0, len(pieces), WINDOW):
            await self._send(producer, pieces[at : at + WINDOW])
        await self._send(producer, last)

    def _encode(self, view: StatusView, final: bool) -> list[tuple[bytes, bytes]]:
        return [(key, json_bytes(value)) for key, value in self._config.words(view, final)]

    async def _send(
        self, producer: AIOKafkaProducer, records: Sequence[tuple[bytes, bytes]]
    ) -> None:
        topic = self._config.topic
        async with asyncio.timeout(self._config.timeout * 2):
            waiting = [await producer.send(topic, value, key=key) for key, value in records]
            await asyncio.gather(*waiting)

    def _producer(self) -> AIOKafkaProducer:
        settings: dict[str, Any] = {
            "client_id": f"mm-monitor-{self._service_id}",
            "request_timeout_ms": int(self._config.timeout * 1000),
            **self._config.client,
            "bootstrap_servers": self._config.bootstrap,
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": "lz4",
            "max_request_size": MAX_BYTES,
        }
        return AIOKafkaProducer(**settings)


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(1.0):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        await producer.client.close()
