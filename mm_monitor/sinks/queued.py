"""What sinks of transitions share: they queue what they are handed, and tell what waits and how long.

A sink that adds its own `start` and the task behind it is whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_monitor.core.model import BreachEvent
from mm_monitor.core.view import StatusView
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.outbox import Outbox, Worker


class QueuedSink:
    """An outbox of at most `limit` transitions, and the worker that empties it."""

    name = "queued"

    def __init__(self, context: SinkContext, limit: int, *, keep_seconds: float = 0.0) -> None:
        self._context, self._health = context, context.health
        self._health.know_sink(self.name)
        self._worker = Worker()
        self._outbox: Outbox[BreachEvent] = Outbox(limit, keep_seconds=keep_seconds)

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Queue the transitions; views are not looked at."""
        self._health.sink_dropped[self.name] += self._outbox.put(events)
        if events:
            self._worker.wake()

    async def stop(self) -> None:
        """Deliver for a few seconds what waits, then disconnect."""
        await self._worker.stop()

    @property
    def pending(self) -> Sequence[BreachEvent]:
        """All that is in the outbox."""
        return self._outbox.waiting

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest transition that the other side has not confirmed."""
        return self._outbox.age
