"""The evidence log as a sink: every transition of a breach with its grounds, on the disk before it counts as told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from mm_monitor.core.model import BreachEvent
from mm_monitor.errors import ConfigError
from mm_monitor.evidence.inbox import waiting
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import Entry, EvidenceLog
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.events import event_data, event_id
from mm_monitor.sinks.outbox import Backoff
from mm_monitor.sinks.queued import QueuedSink

WINDOW = 1000  # entries written in one go
IDLE_SECONDS = 1.0

_log = structlog.get_logger("mm_monitor.sinks.evidence")


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """Where the logs are, and by whose key they are sealed."""

    directory: str = "evidence"
    key_file: str = "evidence.pem"
    outbox_limit: int = 100_000  # beyond these the oldest event is dropped, and counted

    def __post_init__(self) -> None:
        for name in ("directory", "key_file"):
            if not getattr(self, name):
                raise ConfigError(f"evidence.{name}", "not empty", "")
        if self.outbox_limit <= 0:
            raise ConfigError("evidence.outbox_limit", "more than 0", self.outbox_limit)


class EvidenceSink(QueuedSink):
    """Writes in a thread of its own: a slow disk makes it lag and holds nothing up."""

    name = "evidence"

    def __init__(self, config: EvidenceConfig, context: SinkContext) -> None:
        super().__init__(context, config.outbox_limit)
        key = SealingKey.load(Path(config.key_file))
        self._directory = Path(config.directory)
        self._evidence = EvidenceLog(self._directory, key, context.service_id)

    async def start(self) -> None:
        """Take the directory. MonitorError if its newest log is not what was written."""
        await asyncio.to_thread(self._evidence.open, self._context.now())
        self._worker.start(self._run, name="evidence sink")

    async def stop(self) -> None:
        """Write what waits, then release the directory."""
        await super().stop()
        self._evidence.close()

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            stopping = self._worker.stopping
            try:
                await self._write()
                backoff.reset()
            except OSError as error:
                self._health.sink_failures[self.name] += 1
                _log.error("evidence_not_written", error=error.strerror, waiting=len(self._outbox))
                if not stopping:
                    await self._worker.pause(backoff.pause())
            if stopping:
                return
            await self._worker.wait(IDLE_SECONDS)

    async def _write(self) -> None:
        """All that waits; without anything, the day may be over."""
        while True:
            events = self._outbox.peek(WINDOW)
            entries = [self._entry(event) for event in events]
            await asyncio.to_thread(self._append, entries)
            self._outbox.confirm(events)
            if len(events) < WINDOW:
                return

    def _append(self, entries: Sequence[Entry]) -> None:
        """These, and what other processes have left for the log."""
        posted = waiting(self._directory)
        self._evidence.append([*entries, *(entry for _, entry in posted)], self._context.now())
        for path, _ in posted:
            path.unlink(missing_ok=True)

    def _entry(self, event: BreachEvent) -> Entry:
        return {
            "entry": "breach",
            "id": event_id(event),
            "maker": event.breach.maker,
            "engine": self._context.version,
            **event_data(event),
        }
