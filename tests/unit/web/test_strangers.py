"""What no client of ours sends: answered as the mistake that it is, before any token, and without a line in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mm_monitor.web import server
from mm_monitor.web.access import new_token
from mm_monitor.web.server import WebConfig, WebServer, WebSources

FORM = "application/x-www-form-urlencoded"
TOKEN, LINE = new_token("M0")
ODD: dict[str, tuple[str, str, dict[str, str], int]] = {
    "an origin that is none": ("POST", "/login", {"Origin": "http://[::1"}, 403),
    "an origin of odd letters": ("POST", "/logout", {"Origin": "http://\u2100"}, 403),
    "a password in no ASCII": ("GET", "/api/v1/board", {"Authorization": "Basic \u4e00"}, 401),
    "a body that is not packed": ("POST", "/login", {"Content-Encoding": "gzip", "Content-Type": FORM}, 400),
    "parts without a boundary": ("POST", "/login", {"Content-Type": "multipart/form-data"}, 415),
    "parts of nothing": ("POST", "/login", {"Content-Type": "multipart/form-data; boundary=b"}, 415),
    "letters of no table": ("POST", "/login", {"Content-Type": f"{FORM}; charset=foo"}, 303),
    "another kind": ("POST", "/login", {"Content-Type": "text/plain"}, 415),
}  # fmt: skip


@pytest.fixture
async def client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    (tmp_path / "tokens").write_text(LINE + "\n")
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.5)
    sources = WebSources(list, list, lambda: (True, ""), lambda maker: iter([b""]))
    port = WebServer(WebConfig(port=0, tokens_file=str(tmp_path / "tokens")), sources)
    await port.start()
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(port.url, cookie_jar=jar, auto_decompress=False) as session:
        yield session
    await port.stop()


@pytest.mark.parametrize("what", ODD)
async def test_odd_requests_are_their_senders_mistake(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    method, path, headers, status = ODD[what]
    body = b"token=\xff" if method == "POST" else None
    client.headers.update({"Connection": "close"})
    async with client.request(
        method, path, headers=headers, data=body, allow_redirects=False, compress=False
    ) as answer:
        assert answer.status == status
    async with client.get("/healthz") as answer:
        assert answer.status == 200
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []


BEGUN = {
    "nothing": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a request long ago": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("what", BEGUN)
async def test_a_connection_that_asks_nothing_is_closed(
    client: aiohttp.ClientSession, what: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)  # type: ignore[union-attr]
    writer.write(BEGUN[what])
    async with asyncio.timeout(20):
        while await reader.read(1000):
            pass
    writer.close()
