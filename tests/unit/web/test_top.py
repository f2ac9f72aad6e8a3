"""`mm-monitor top` against the real HTTP server: the worst first, and what it says where it cannot look."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.errors import MonitorError
from mm_monitor.web.access import new_token
from mm_monitor.web.server import WebConfig, WebServer, WebSources
from tests.unit.sinks.builders import Slot, breach, view

VIEWS = [
    view(
        [Slot("good", "C0", "A", quoted=90), Slot("bad[1]", "C0", "A", quoted=10)],
        [breach("bad[1]", "C0")],
    )
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """Where it is, and a file with operations' token."""
    token, line = new_token("")
    (tmp_path / "tokens").write_text(line + "\n")
    (tmp_path / "mine").write_text(token + "\n")
    sources = WebSources(lambda: VIEWS, lambda: VIEWS, lambda: (True, "ready"), lambda _: ())
    web = WebServer(WebConfig(port=0, tokens_file=str(tmp_path / "tokens")), sources)
    await web.start()
    yield web.url, tmp_path / "mine"
    await web.stop()


async def top(*words: str | Path) -> Any:
    """Run the command in a thread: the server answers in this one."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["top", *map(str, words)])


async def test_the_worst_comes_first(server: tuple[str, Path]) -> None:
    url, token = server
    done = await top("--url", url, "--token-file", token, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["schema"] == "mm-monitor/top/1"
    assert [m["maker"] for m in found["rulebooks"][0]["makers"]] == ["bad[1]", "good"]
    assert [b["maker"] for b in found["open_breaches"]] == ["bad[1]"]


async def test_a_look_shows_makers_and_open_breaches(server: tuple[str, Path]) -> None:
    url, token = server
    done = await top("--url", url, "--token-file", token, "--once", "--lines", "1")
    assert done.exit_code == 0, done.output
    assert "bad[1]" in done.output
    assert "good" not in done.output
    assert "open breaches: 1" in done.output


async def test_it_says_what_to_do_without_a_token(server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    (tmp_path / "wrong").write_text("x" * 43)
    wrong = ("--token-file", tmp_path / "wrong")
    for words, told in (((), "wants a token"), (wrong, "does not know this token")):
        done = await top("--url", url, *words)
        assert told in str(done.exception)
        assert "--token-file" in str(done.exception)


async def test_it_says_what_to_do_where_nothing_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = await top("--url", url)
    assert f"{url}: no answer (" in str(done.exception)
    assert "is the service running there" in str(done.exception)


async def test_an_address_without_a_scheme_is_refused() -> None:
    done = await top("--url", "127.0.0.1:8088")
    assert str(done.exception) == "--url: http://HOST:PORT or https://..., got '127.0.0.1:8088'"


@pytest.mark.parametrize("body", [b"\xff\0", b"", b"[1]", b'{"makers": 5}', b"[" * 100_000])
async def test_what_answers_as_something_else_is_called_that(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        writer.write(body if body[:1] == b"\xff" else head + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as strange:
        port = strange.sockets[0].getsockname()[1]
        done = await top("--url", f"http://127.0.0.1:{port}", "--once")
    assert isinstance(done.exception, MonitorError)
    assert "is no mm-monitor (" in str(done.exception)
