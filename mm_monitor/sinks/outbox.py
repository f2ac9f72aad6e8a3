"""What sinks over a network share: a bounded outbox, a backoff, a task that can be stopped.

An event leaves the outbox only when the other side has confirmed it, so an outage delays and never
loses.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

import structlog

T = TypeVar("T")

STOP_SECONDS = 3.0  # that a worker has for its last deliveries

_log = structlog.get_logger("mm_monitor.sinks")


class Outbox(Generic[T]):
    """Events in the order in which they happened, waiting for delivery.

    A full outbox drops its oldest event and counts it: the newest state matters most, and the loss
    is visible.
    """

    def __init__(
        self,
        capacity: int,
        *,
        keep_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._waiting: deque[tuple[float, T]] = deque()  # put at, event
        self._confirmed: deque[tuple[float, float, T]] = deque()  # confirmed at, put at, event

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def age(self) -> float:
        """Seconds since the oldest waiting event was put; 0 when none waits."""
        return self._clock() - self._waiting[0][0] if self._waiting else 0.0

    @property
    def waiting(self) -> list[T]:
        """All that waits, oldest first."""
        return [event for _, event in self._waiting]

    def put(self, events: Sequence[T]) -> int:
        """Take `events`; returns how many old ones had to go for them."""
        now = self._clock()
        self._waiting.extend((now, event) for event in events)
        lost = max(0, len(self._waiting) - self._capacity)
        for _ in range(lost):
            self._waiting.popleft()
        self.dropped += lost
        return lost

    def peek(self, most: int) -> list[T]:
        """The oldest events, at most `most`; they stay until confirmed."""
        return [self._waiting[i][1] for i in range(min(most, len(self._waiting)))]

    def confirm(self, events: Sequence[T]) -> None:
        """Remove what `peek` gave, now that it is delivered; some may be dropped already."""
        now = self._clock()
        for event in events:
            if self._waiting and self._waiting[0][1] is event:
                put_at, _ = self._waiting.popleft()
                if self._keep_seconds:
                    self._confirmed.append((now, put_at, event))
        self._forget(now)

    def recall(self) -> int:
        """Put back what was confirmed within the last `keep_seconds`; returns how many.

        For a broker that confirms first and writes to disk later: when it dies, its latest
        confirmations are worth nothing.
        """
        now = self._clock()
        self._forget(now)
        count = len(self._confirmed)
        while self._confirmed:
            self._waiting.appendleft((now, self._confirmed.pop()[2]))
        return count

    def _forget(self, now: float) -> None:
        while self._confirmed and self._confirmed[0][0] < now - self._keep_seconds:
            self._confirmed.popleft()


class Backoff:
    """Growing pauses between attempts, with jitter so that many monitors don't knock at once."""

    def __init__(self, first: float = 0.25, most: float = 10.0) -> None:
        self._first, self._most = first, most
        self._next = first

    def reset(self) -> None:
        """It worked: the next pause is the shortest again."""
        self._next = self._first

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        now, self._next = self._next, min(self._next * 2, self._most)
        return now * random.uniform(0.75, 1.25)


class Worker:
    """The one background task of a sink: asked to finish, and cut off if it does not."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def stopping(self) -> bool:
        """Has `stop` been called?"""
        return self._stop.is_set()

    def start(self, main: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run `main()` in the background; does nothing when it runs already."""
        if self._task is None:
            self._task = asyncio.create_task(main(), name=name)
            self._task.add_done_callback(_tell_of_death)

    def wake(self) -> None:
        """There is work."""
        self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Sleep until woken, `seconds` at the most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def pause(self, seconds: float) -> None:
        """Sleep `seconds` whatever work comes, but no longer than until stopping begins."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def stop(self, within: float = STOP_SECONDS) -> None:
        """Ask `main` to end by `stopping`, wait `within` seconds, then cancel it; idempotent."""
        self._stop.set()
        self._wake.set()
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait({task}, timeout=within)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _tell_of_death(task: asyncio.Task[None]) -> None:
    """A task that ends by a mistake of ours must not do so in silence: its sink lags from here on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("sink_died", task=task.get_name(), exc_info=error)
