"""How fast a session is played: by the clock, and never too far ahead of the reader.

A small log forgets what is not read in time; the backlog keeps the unread part of it bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.simulator.scenario import SECOND

TopicPart = tuple[str, int]

POLL_SECONDS = 0.01
SLIP_SECONDS = 0.5
SECURITY = ("security", "ssl", "sasl")  # first words of the client arguments that readers share


class Positions(Protocol):
    """Tells where the reader is: the offset it reads next, by (topic, partition)."""

    async def __call__(self) -> Mapping[TopicPart, int]:
        """Current positions; a partition that is not there has not been read at all."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much may lie unread in one partition; by default half of the embedded broker's log."""

    records: int = 40_000
    size: int = 2_500_000  # bytes


class Clock:
    """Session time against wall time. Behind time the clock slips: no burst makes up for it."""

    def __init__(self, speed: float, skip_idle: bool) -> None:
        self._speed, self._skip_idle = speed, skip_idle
        self._last = 0
        self._due = 0.0

    async def reach(self, start: int, end: int) -> None:
        """Wait until session time `end`; time before `start` with nothing in it may be skipped."""
        if not self._last:
            self._last, self._due = start, monotonic()
        idle = max(start - self._last, 0) / SECOND / self._speed
        busy = (end - max(start, self._last)) / SECOND / self._speed
        self._due += (min(idle, 1.0) if self._skip_idle else idle) + busy
        self._last = end
        ahead = self._due - monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        elif ahead < -SLIP_SECONDS:
            self._due = monotonic()


class Backlog:
    """What was sent and not yet read, by partition."""

    def __init__(self, room: Room, positions: Positions | None) -> None:
        self._room, self._positions = room, positions
        self._sent: dict[TopicPart, deque[tuple[int, int]]] = {}
        self._size: dict[TopicPart, int] = {}

    def sent(self, place: TopicPart, offset: int, sizes: list[int]) -> None:
        """Records of `sizes` bytes were written from `offset` on."""
        if self._positions is None:
            return
        waiting = self._sent.setdefault(place, deque())
        waiting.extend((offset + i, size) for i, size in enumerate(sizes))
        self._size[place] = self._size.get(place, 0) + sum(sizes)

    async def drain(self) -> None:
        """Wait until every partition has room again."""
        while self._positions is not None and self._full():
            self._forget(await self._positions())
            if self._full():
                await asyncio.sleep(POLL_SECONDS)

    def _full(self) -> bool:
        crowded = any(len(waiting) > self._room.records for waiting in self._sent.values())
        return crowded or any(size > self._room.size for size in self._size.values())

    def _forget(self, positions: Mapping[TopicPart, int]) -> None:
        for place, waiting in self._sent.items():
            read_to = positions.get(place, 0)
            while waiting and waiting[0][0] < read_to:
                self._size[place] -= waiting.popleft()[1]


class CommittedPositions:
    """Positions of a reader in another process: the offsets its consumer group has committed."""

    def __init__(
        self, bootstrap: str, group: str, places: list[TopicPart], client: Mapping[str, Any]
    ) -> None:
        security = {k: v for k, v in client.items() if k.startswith(SECURITY)}
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, **security
        )
        self._places = [TopicPartition(*place) for place in places]

    async def __aenter__(self) -> CommittedPositions:
        await self._consumer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()

    async def __call__(self) -> Mapping[TopicPart, int]:
        """Ask the broker for the group's offsets."""
        found = [(place, await self._consumer.committed(place)) for place in self._places]
        return {(place.topic, place.partition): at for place, at in found if at is not None}
