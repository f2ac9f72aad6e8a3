"""What a sink is: it is handed immutable pictures and transitions, and makes the outside agree with them.

`publish` must return at once: it only puts work where the sink's own task finds it. A stuck sink lags, shows
its age as a metric, and never blocks the tape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mm_monitor.core.model import BreachEvent
from mm_monitor.core.view import StatusView


class Sink(Protocol):
    """Implemented by `sinks/*.py`."""

    name: str

    async def start(self) -> None:
        """Begin its own task; being unable to reach the other side is not an error, it is a lag."""
        ...

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Take the newest views (one per rulebook) and the transitions since the last call. Never blocks."""
        ...

    async def stop(self) -> None:
        """Deliver what can be delivered within a few seconds, then release everything; idempotent."""
        ...

    @property
    def pending(self) -> Sequence[BreachEvent]:
        """Transitions that were handed over and are not delivered yet, oldest first: they go into the checkpoint."""
        ...

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest transition that is not delivered yet; 0 when there is none."""
        ...
