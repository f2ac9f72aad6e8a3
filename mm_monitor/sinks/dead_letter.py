"""Dead letters kept for people: lines of JSON in a file, or records of a Kafka topic.

Both take letters at once and never wait: what a full queue or a broken disk loses is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mm_monitor.core.model import DeadLetter
from mm_monitor.errors import ConfigError, MonitorError
from mm_monitor.health import HealthStats
from mm_monitor.sinks.outbox import Backoff, Outbox, Worker

WINDOW = 500  # letters written, or handed to the producer, at once
QUEUE = 100_000
MAX_BYTES = 1_000_000  # of a record: brokers refuse more unless told otherwise
MAX_VALUE = 700_000  # of its bytes, before base64
IDLE_SECONDS = 1.0

_log = structlog.get_logger("mm_monitor.sinks.dead_letter")


class DeadLetterStream(Protocol):
    """Where dead letters go."""

    name: str

    async def start(self) -> None:
        """Open; MonitorError for what a person must mend."""
        ...

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Take letters, at once."""
        ...

    async def stop(self) -> None:
        """Write what waits, for a few seconds, and close."""
        ...


def letter_entry(letter: DeadLetter) -> dict[str, object]:
    """A letter as plain values: reason, detail, maker, address, and the bytes as base64."""
    return {
        "reason": letter.reason.value,
        "detail": letter.detail,
        "maker": letter.maker,
        "topic": letter.raw.topic,
        "partition": letter.raw.partition,
        "offset": letter.raw.offset,
        "ts_recv": letter.raw.ts_recv,
        "value": b64encode(letter.raw.value).decode("ascii"),
    }


def letter_line(letter: DeadLetter) -> str:
    """One line of JSON without its end, ASCII alone, keys sorted."""
    return json.dumps(letter_entry(letter), sort_keys=True)


class DeadLetterFile:
    """Appends lines to a file, off the event loop."""

    name = "dead_letter_file"

    def __init__(
        self, path: Path, health: HealthStats | None = None, *, queue: int = QUEUE
    ) -> None:
        self._path = path
        self._health = _known(health, self.name)
        self._outbox: Outbox[DeadLetter] = Outbox(queue)
        self._worker = Worker()
        self._file: RawIOBase | None = None

    async def start(self) -> None:
        """Open the file; MonitorError if it cannot be written."""
        try:
            self._file = await asyncio.to_thread(_open, self._path)
        except OSError as error:
            raise MonitorError(f"dead letters: {self._path}: {error.strerror}") from None
        self._worker.start(self._run, name="dead letter file")

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Queue letters."""
        _queue(letters, self._outbox, self._worker, self._health, self.name)

    async def stop(self) -> None:
        """Write what waits and close; idempotent."""
        await self._worker.stop()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _run(self) -> None:
        while True:
            stopping = self._worker.stopping
            while letters := self._outbox.peek(WINDOW):
                await self._write(letters)
            if stopping:
                return
            await self._worker.wait(IDLE_SECONDS)

    async def _write(self, letters: Sequence[DeadLetter]) -> None:
        assert self._file is not None
        lines = "".join(f"{letter_line(letter)}\n" for letter in letters)
        try:
            await asyncio.to_thread(_append, self._file, lines.encode("ascii"))
        except OSError as error:
            self._health.sink_failures[self.name] += 1
            _log.error("dead_letters_not_written", file=str(self._path), error=error.strerror)
            await self._worker.pause(IDLE_SECONDS)
            if not self._worker.stopping:
                return
        self._outbox.confirm(letters)


@dataclass(frozen=True, slots=True)
class DeadLetterTopicConfig:
    """Which topic of which cluster."""

    bootstrap: str = "127.0.0.1:9092"  # host:port, several with commas
    topic: str = "mm.dead-letter"
    queue: int = QUEUE  # beyond these the oldest letter is dropped, and counted
    timeout: float = 10.0  # seconds until a delivery counts as failed and begins anew
    client: Mapping[str, Any] = field(default_factory=dict)  # security settings, as aiokafka's

    def __post_init__(self) -> None:
        if not self.topic:
            raise ConfigError("topics.dead_letter", "not empty", self.topic)


class DeadLetterTopic:
    """Writes letters to a topic, as JSON, keyed by the topic and partition they came from."""

    name = "dead_letter_topic"

    def __init__(self, config: DeadLetterTopicConfig, health: HealthStats | None = None) -> None:
        self._config = config
        self._health = _known(health, self.name)
        self._outbox: Outbox[DeadLetter] = Outbox(config.queue)
        self._worker = Worker()

    async def start(self) -> None:
        """Begin connecting."""
        self._worker.start(self._run, name="dead letter topic")

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Queue letters."""
        _queue(letters, self._outbox, self._worker, self._health, self.name)

    async def stop(self) -> None:
        """Deliver for a few seconds what waits, then disconnect; idempotent."""
        await self._worker.stop()

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._serve(backoff)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                self._health.sink_failures[self.name] += 1
                _log.warning(
                    "dead_letters_not_delivered", topic=self._config.topic, error=str(error)
                )
            if self._worker.stopping:
                return
            await self._worker.pause(backoff.pause())

    async def _serve(self, backoff: Backoff) -> None:
        settings: dict[str, Any] = {
            **self._config.client,
            "bootstrap_servers": self._config.bootstrap,
            "acks": "all",
            "request_timeout_ms": int(self._config.timeout * 1000),
            "max_request_size": MAX_BYTES,
        }
        producer = AIOKafkaProducer(**settings)
        try:
            await producer.start()
            while True:
                stopping = self._worker.stopping
                while letters := self._outbox.peek(WINDOW):
                    await self._send(producer, letters)
                    backoff.reset()
                if stopping:
                    return
                await self._worker.wait(IDLE_SECONDS)
        finally:
            # With what it could not deliver, which is still in the outbox.
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, letters: Sequence[DeadLetter]) -> None:
        async with asyncio.timeout(self._config.timeout):
            waiting = [
                await producer.send(self._config.topic, _record(letter), key=_key(letter))
                for letter in letters
            ]
            await asyncio.gather(*waiting)
        self._outbox.confirm(letters)


def _known(health: HealthStats | None, name: str) -> HealthStats:
    health = health or HealthStats()
    health.know_sink(name)
    return health


def _queue(
    letters: Sequence[DeadLetter],
    outbox: Outbox[DeadLetter],
    worker: Worker,
    health: HealthStats,
    name: str,
) -> None:
    health.sink_dropped[name] += outbox.put(letters)
    worker.wake()


def _record(letter: DeadLetter) -> bytes:
    """The JSON of a letter, its value cut where the brokers would refuse the record for ever."""
    entry = letter_entry(letter)
    if len(letter.raw.value) > MAX_VALUE:
        entry["value"] = b64encode(letter.raw.value[:MAX_VALUE]).decode("ascii")
        entry["value_bytes"] = len(letter.raw.value)
    return json.dumps(entry, sort_keys=True).encode("ascii")


def _key(letter: DeadLetter) -> bytes:
    return f"{letter.raw.topic}/{letter.raw.partition}".encode("utf-8", "replace")


def _open(path: Path) -> RawIOBase:
    # Without a buffer: what a full disk refused must not lie in wait for the next write.
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab", buffering=0)


def _append(file: RawIOBase, data: bytes) -> None:
    while data:
        data = data[file.write(data) or 0 :]
