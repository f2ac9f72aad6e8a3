"""A line between us and a server that a test can spoil: drop, delay, half-close, cut, throttle, change a byte.

It counts the pieces of some size that come from one side and spoils those whose numbers it is told, so that a test
does not depend on time; everything else passes as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container
from typing import Literal, Self

Mode = Literal["drop", "delay", "half-close", "cut", "throttle", "corrupt"]
MODES: tuple[Mode, ...] = ("drop", "delay", "half-close", "cut", "throttle", "corrupt")
Side = Literal["server", "client"]
_PIECE = 1 << 16
_DROPPED = 0.7  # seconds for which nothing passes
_DELAY = 0.3  # seconds
_THROTTLED = 100_000  # bytes a second


class Proxy:
    """Listens on `port` of loopback (0: any) and passes on to `target`, also of loopback."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.port, self._target = port, target
        self.spoiled = 0  # pieces, so far
        self.lines = 0  # connections, so far
        self._mode: Mode | None = None
        self._from: Side = "server"
        self._which: Container[int] = ()
        self._least = 1
        self._counted = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(
        self, mode: Mode, which: Container[int], *, side: Side = "server", least: int = 1
    ) -> None:
        """Spoil the pieces with these numbers, from 1, of `least` bytes or more that come from `side`."""
        self._mode, self._which, self._from, self._least = mode, which, side, least
        self._counted = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self.lines += 1
        line = _Line(self, writer, far_writer)
        for side, source, sink in (
            ("client", reader, far_writer),
            ("server", far_reader, writer),
        ):
            task = asyncio.create_task(line.carry(side, source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def cut(self) -> None:
        """End every connection; new ones pass."""
        for task in self._tasks:
            task.cancel()

    def spoils(self, side: str, piece: bytes) -> Mode | None:
        """Is this piece to be spoiled?"""
        if self._mode is None or side != self._from or len(piece) < self._least:
            return None
        self._counted += 1
        if self._counted not in self._which:
            return None
        self.spoiled += 1
        return self._mode


class _Line:
    """One connection."""

    def __init__(self, proxy: Proxy, *ends: asyncio.StreamWriter) -> None:
        self._proxy, self._ends = proxy, ends
        self._closed = False

    async def carry(
        self, side: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Until one of them ends."""
        try:
            with contextlib.suppress(OSError):
                while not self._closed and (piece := await source.read(_PIECE)):
                    mode = self._proxy.spoils(side, piece)
                    if mode is None:
                        sink.write(piece)
                    else:
                        await getattr(self, "_" + mode.replace("-", "_"))(piece, sink)
                    await sink.drain()
        finally:
            self._close()

    def _close(self) -> None:
        self._closed = True
        for end in self._ends:
            end.transport.abort()

    async def _drop(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        """It is lost, and so is all behind it until the connection is given up."""
        await asyncio.sleep(_DROPPED)
        self._close()

    async def _delay(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        await asyncio.sleep(_DELAY)
        sink.write(piece)

    async def _half_close(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        """One direction ends; the other goes on taking in what nobody will answer."""
        sink.write(piece[: len(piece) // 2])
        if sink.can_write_eof():
            sink.write_eof()
        await asyncio.sleep(_DROPPED)
        self._close()

    async def _cut(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        sink.write(piece[: len(piece) // 2])
        await sink.drain()
        self._close()

    async def _throttle(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        step = _THROTTLED // 20
        for at in range(0, len(piece), step):
            sink.write(piece[at : at + step])
            await asyncio.sleep(step / _THROTTLED)

    async def _corrupt(self, piece: bytes, sink: asyncio.StreamWriter) -> None:
        spoiled = bytearray(piece)
        spoiled[len(piece) // 2] ^= 0x10
        sink.write(bytes(spoiled))
