"""One rendering for all who ask for the same at the same time: it is made once, and each reads it at its own pace.

A rendering serves as long as the picture that it is of is the newest, and no longer than `FRESH` seconds: our own
health changes though no new picture comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable

FRESH = 0.2  # seconds, as often as a picture comes
KEPT = 64  # renderings that are remembered; beyond them the oldest goes


class Rendering:
    """Pieces of an answer, those that are there and those that are still being made."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._pieces: list[bytes] = []
        self._grown = asyncio.Event()
        self._task = asyncio.create_task(self._fill(source))
        self._task.add_done_callback(lambda _: self._grown.set())

    async def _fill(self, source: AsyncIterator[bytes]) -> None:
        async for piece in source:
            self._pieces.append(piece)
            self._grown.set()
            self._grown = asyncio.Event()

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of them, from the first. Raises what the making raised."""
        at = 0
        while True:
            grown, done = self._grown, self._task.done()
            while at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            if done:
                self._task.result()
                return
            await grown.wait()

    async def whole(self) -> bytes:
        """All of them as one."""
        return b"".join([piece async for piece in self.pieces()])


class Shared:
    """Renderings by what was asked for. `picture` gives the newest picture: another object, another picture."""

    def __init__(
        self, picture: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._picture, self._clock = picture, clock
        self._made: dict[Hashable, tuple[object, float, Rendering]] = {}

    def of(self, key: Hashable, make: Callable[[], AsyncIterator[bytes]]) -> Rendering:
        """The rendering of `key`, made now unless it is there."""
        picture, now = self._picture(), self._clock()
        found = self._made.pop(key, None)
        if found is None or found[0] is not picture or now - found[1] >= FRESH:
            found = (picture, now, Rendering(make()))
        self._made[key] = found
        while len(self._made) > KEPT or self._is_old(next(iter(self._made)), now):
            del self._made[next(iter(self._made))]
        return found[2]

    def _is_old(self, key: Hashable, now: float) -> bool:
        return now - self._made[key][1] >= FRESH
