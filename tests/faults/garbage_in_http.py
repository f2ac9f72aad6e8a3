"""Garbage at the HTTP port: a server of ours is asked by whatever bytes, and must answer, and be alive afterwards."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache

from mm_monitor.web.server import WebConfig, WebServer, WebSources
from tests.unit.sinks.builders import Slot, breach, view

PATIENCE = 0.1  # seconds without a byte after which no more is expected


class Door:
    """A web server of ours, and the loop in which it runs."""

    def __init__(self, config: WebConfig, sources: WebSources) -> None:
        self._server = WebServer(config, sources)
        self._runner = asyncio.Runner()
        self._runner.run(self._server.start())
        self._port = int(self._server.url.rstrip("/").rpartition(":")[2])

    def ask(self, data: bytes, *, whole: bool = False) -> bytes:
        """Its answer: not that something has gone wrong with us; and afterwards it is alive.

        What is not known to be a `whole` request may have none: then nobody waits for long.
        """
        told = answer = self._runner.run(self._exchange(data, 10 if whole else PATIENCE))
        assert not answer.startswith(b"HTTP/1.1 5"), answer[:500]
        healthz = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = self._runner.run(self._exchange(healthz, 10))
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return told

    async def _exchange(self, data: bytes, seconds: float) -> bytes:
        """What comes until the server closes, or says nothing for so long. Who ends his half is not answered."""
        answer = b""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            with suppress(OSError, TimeoutError):
                writer.write(data)
                await writer.drain()
                while piece := await asyncio.wait_for(reader.read(1 << 16), seconds):
                    answer += piece
        finally:
            writer.transport.abort()
        return answer


@cache
def door() -> Door:
    """The one of this process, which shows everybody everything."""
    pictures = [view([Slot("M0", "C0", "A")], [breach()])]
    sources = WebSources(
        lambda: pictures, lambda: pictures, lambda: (True, ""), lambda maker: [b"x 1\n"]
    )
    return Door(WebConfig("127.0.0.1", 0), sources)


def knock(data: bytes) -> None:
    """Whatever it answers, it is not that something has gone wrong with us; and afterwards it is alive."""
    door().ask(data)


def requests() -> list[bytes]:
    """Good ones."""
    paths = [
        "/",
        "/metrics",
        "/api/v1/status?at=now",
        "/api/v1/obligations?maker=M0&limit=1&offset=2",
        "/static/board.js",
    ]
    heads = "Host: x\r\nAuthorization: Bearer abc\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"
    heads += "Content-Length: 3\r\n"
    return [f"{method} {path} HTTP/1.1\r\n{heads}\r\nabc".encode()
            for method in ("GET", "POST", "HEAD") for path in paths] + [_login()]  # fmt: skip


def _login() -> bytes:
    """A browser's form, from a page of ours."""
    heads = "Host: x\r\nOrigin: http://x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    heads += "Authorization: Basic YTpi\r\nCookie: token=abc\r\nContent-Length: 9\r\nConnection: close\r\n"
    return f"POST /login HTTP/1.1\r\n{heads}\r\ntoken=abc".encode()
