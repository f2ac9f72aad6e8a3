"""What no client of ours sends: answered as the mistake that it is, before any token, and without a line in the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

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
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    (tmp_path / "tokens").write_text(LINE + "\n")
    sources = WebSources(list, list, lambda: (True, ""), lambda maker: iter([b""]))
    server = WebServer(WebConfig(port=0, tokens_file=str(tmp_path / "tokens")), sources)
    await server.start()
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(server.url, cookie_jar=jar, auto_decompress=False) as session:
        yield session
    await server.stop()


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
