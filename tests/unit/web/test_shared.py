"""One rendering for all who ask at once, and a stream that nobody can hold up."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from mm_monitor.web import stream
from mm_monitor.web.pages import WebSources
from mm_monitor.web.server import WebConfig, WebServer
from mm_monitor.web.shared import FRESH, KEPT, Shared
from tests.unit.sinks.builders import Slot, view

VIEWS = [view([Slot("M0", "C0", "A"), Slot("M1", "C0", "A")])]


class Made:
    """Counts how often something is made, piece by piece."""

    def __init__(self) -> None:
        self.count = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        self.count += 1
        for piece in (b"a", b"b", b"c"):
            await asyncio.sleep(0)
            yield piece


async def test_what_is_asked_for_at_once_is_made_once() -> None:
    made, now, picture = Made(), [0.0], [object()]
    shared = Shared(lambda: picture[0], clock=lambda: now[0])
    answers = await asyncio.gather(*(shared.of("x", made.pieces).whole() for _ in range(50)))
    assert (set(answers), made.count) == ({b"abc"}, 1)
    await shared.of("y", made.pieces).whole()
    assert made.count == 2
    picture[0] = object()  # a new picture
    await shared.of("x", made.pieces).whole()
    assert made.count == 3
    now[0] += FRESH  # an old one, and our own health has changed
    await shared.of("x", made.pieces).whole()
    assert made.count == 4
    for i in range(KEPT * 2):
        await shared.of(i, made.pieces).whole()
    assert len(shared._made) <= KEPT


async def test_what_goes_wrong_is_told_to_all_and_not_remembered_for_long() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("broken")

    shared = Shared(lambda: None, clock=lambda: 0.0)
    answers = await asyncio.gather(
        *(shared.of("x", broken).whole() for _ in range(3)), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["broken"] * 3


async def test_a_hundred_scrapes_at_once_are_one_rendering() -> None:
    rendered = []

    def chunks(maker: str) -> Iterator[bytes]:
        rendered.append(maker)
        return iter([b"a 1\n"] * 500)

    server = WebServer(
        WebConfig(port=0), WebSources(lambda: VIEWS, lambda: VIEWS, lambda: (True, ""), chunks)
    )
    await server.start()

    async def scrape(session: aiohttp.ClientSession) -> int:
        async with session.get("/metrics") as answer:
            return len(await answer.read())

    async with aiohttp.ClientSession(server.url) as session:
        sizes = await asyncio.gather(*(scrape(session) for _ in range(100)))
    await server.stop()
    assert set(sizes) == {2000}
    assert len(rendered) <= 10  # as many as fifths of a second have passed


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    """One that lets three follow."""
    sources = WebSources(
        lambda: VIEWS, lambda: VIEWS, lambda: (True, ""), lambda maker: iter([b""])
    )
    server = WebServer(WebConfig(port=0, streams=3), sources)
    await server.start()
    yield server
    await server.stop()


async def board(answer: aiohttp.ClientResponse) -> dict[str, object]:
    """The next event's data."""
    while not (line := await answer.content.readline()).startswith(b"data: "):
        assert line, "the stream has ended"
    told: dict[str, object] = json.loads(line.removeprefix(b"data: "))
    return told


async def test_a_stream_goes_on_and_so_many_may_follow(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "EVERY", 0.05)
    async with aiohttp.ClientSession(server.url) as session:
        answers = [await session.get("/api/v1/stream") for _ in range(3)]
        for answer in answers:
            first, second = await board(answer), await board(answer)
            assert first["rulebooks"] == second["rulebooks"]
        async with session.get("/api/v1/stream") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        answers[0].close()

        async def may_follow() -> bool:
            async with session.get("/api/v1/stream") as answer:
                return answer.status == 200

        async with asyncio.timeout(10):
            while not await may_follow():
                await asyncio.sleep(0.01)


async def test_who_does_not_take_its_events_is_cut_off_and_the_others_get_theirs(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "EVERY", 0.001)
    monkeypatch.setattr(stream, "ANSWER_SECONDS", 0.3)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    stuck.connect(("127.0.0.1", server.port))
    stuck.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    stuck.setblocking(False)
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.get("/api/v1/stream") as answer,
    ):
        async with asyncio.timeout(60):
            while server.following > 1:
                await board(answer)
        assert (await board(answer))["vouched"] is True
    stuck.close()


async def test_the_server_stops_though_somebody_follows(server: WebServer) -> None:
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.get("/api/v1/stream") as answer,
    ):
        await board(answer)
        async with asyncio.timeout(5):
            await server.stop()
