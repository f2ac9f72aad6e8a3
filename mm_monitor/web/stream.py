"""The live stream: server-sent events, one rendering a second for all who may see the same.

A client gets the newest board or none: for one that reads slowly nothing piles up, and one that does not read at all is
cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from mm_monitor.web.access import Scope

EVERY = 1.0  # seconds between two boards
ANSWER_SECONDS = 30.0  # for a client to take one
SHARE = 10  # a maker has so much of the clients there may be, that it cannot shut operations out: a tenth
AT_A_TIME = 20  # clients that are woken before others have their turn
_HEAD = b"retry: 2000\n\n"


@dataclass(eq=False, slots=True)
class _Client:
    scope: Scope
    frame: bytes = b""
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """Who follows. `render` makes the board of a scope, one line of JSON."""

    def __init__(self, render: Callable[[Scope], Awaitable[bytes]], most: int) -> None:
        self._render, self._most = render, most
        self._clients: set[_Client] = set()
        self._beat: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def following(self) -> int:
        """How many there are."""
        return len(self._clients)

    async def follow(self, request: web.Request, scope: Scope) -> web.StreamResponse:
        """Answer until the client leaves or the server closes; 503 when there are too many, or of one maker."""
        most = max(1, self._most // SHARE) if scope.maker else self._most
        same = sum(client.scope == scope for client in self._clients) if scope.maker else 0
        if len(self._clients) >= self._most or same >= most or self._closed:
            raise web.HTTPServiceUnavailable(
                text=f"at most {most} clients follow at a time", headers={hdrs.RETRY_AFTER: "5"}
            )  # fmt: skip
        client = _Client(scope)
        self._clients.add(client)
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )  # fmt: skip
        try:
            await response.prepare(request)
            await response.write(_HEAD)
            self._tell(client, _frame(await self._render(scope)))
            if self._beat is None or self._beat.done():
                self._beat = asyncio.create_task(self._beats())
            with contextlib.suppress(ConnectionResetError):
                await self._serve(client, response)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._clients.discard(client)
        return response

    async def _serve(self, client: _Client, response: web.StreamResponse) -> None:
        while True:
            await client.news.wait()
            client.news.clear()
            if not client.frame:
                return
            async with asyncio.timeout(ANSWER_SECONDS):
                await response.write(client.frame)

    async def close(self, _app: web.Application | None = None) -> None:
        """Let everybody go."""
        self._closed = True
        self.dismiss()
        if self._beat is not None:
            self._beat.cancel()

    def dismiss(self) -> None:
        """Let everybody go who follows now; whoever may comes back."""
        for client in self._clients:
            self._tell(client, b"")

    async def _beats(self) -> None:
        """While anybody follows; when a board cannot be made nobody is left waiting for one."""
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY
        try:
            while self._clients:
                await asyncio.sleep(max(0.0, due - loop.time()))
                due = max(due + EVERY, loop.time())
                for scope in {client.scope for client in self._clients}:
                    await self._send(scope, _frame(await self._render(scope)))
        finally:
            self.dismiss()

    async def _send(self, scope: Scope, frame: bytes) -> None:
        followers = [client for client in self._clients if client.scope == scope]
        for at in range(0, len(followers), AT_A_TIME):
            for client in followers[at : at + AT_A_TIME]:
                self._tell(client, frame)
            await asyncio.sleep(0)

    @staticmethod
    def _tell(client: _Client, frame: bytes) -> None:
        client.frame = frame
        client.news.set()


def _frame(board: bytes) -> bytes:
    return b"event: board\ndata: " + board + b"\n\n"
