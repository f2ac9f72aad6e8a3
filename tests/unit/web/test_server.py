"""The HTTP server, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from mm_monitor import __version__
from mm_monitor.core.model import State
from mm_monitor.core.view import StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.exposition import CHUNK
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.web.server import WebConfig, WebServer, WebSources
from tests.unit.sinks.builders import START, S, Slot, breach, view

BREACHES = (breach("M0", "C0"), breach("M1", "C1", "B", end=START + 60 * S))
SLOTS = (
    Slot("M0", "C0", "A", state=State.LAPSED),
    Slot("M0", "C1", "B"),
    Slot("M1", "C1", "B", quoted=0, lapsed=0),
)


class Monitor:
    """What the server reads, changed by the tests."""

    def __init__(self) -> None:
        self.ready = (True, "")
        self.views: list[StatusView] = [view(SLOTS, BREACHES)]
        self.sink = PrometheusSink(PrometheusConfig(), SinkContext())
        self.sink.publish(self.views, [])

    def estimates(self) -> list[StatusView]:
        return [replace(one, at=one.at + S, estimate=True) for one in self.views]

    def sources(self) -> WebSources:
        return WebSources(lambda: self.views, self.estimates, lambda: self.ready, self.sink.chunks)


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
async def client(monitor: Monitor) -> AsyncIterator[aiohttp.ClientSession]:
    server = WebServer(WebConfig(port=0), monitor.sources())
    await server.start()
    async with aiohttp.ClientSession(server.url) as session:
        yield session
    await server.stop()
    await server.stop()


async def get(client: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        body: dict[str, Any] = await answer.json()
        return body


async def test_the_page_and_its_parts_are_served_under_a_strict_policy(
    client: aiohttp.ClientSession,
) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/static/board.js", "text/javascript"),
        ("/static/board.css", "text/css"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/static/vendor/uPlot.LICENSE.txt", "text/plain"),
    ):
        async with client.get(path) as answer:
            assert answer.status == 200
            assert answer.content_type == kind
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = await (await client.get("/")).text()
    assert "style=" not in page
    assert "<script>" not in page


async def test_metrics_are_what_the_sink_renders(
    client: aiohttp.ClientSession, monitor: Monitor
) -> None:
    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await answer.text()
    assert 'mm_monitor_open_breaches{rulebook="szse-2025",maker="M0",kind="lapse"} 1\n' in text


async def test_metrics_are_packed_for_those_who_ask(
    client: aiohttp.ClientSession, monitor: Monitor
) -> None:
    texts = {}
    for asked, given in (("gzip, deflate", "gzip"), ("identity", None)):
        async with client.get("/metrics", headers={"Accept-Encoding": asked}) as answer:
            assert answer.headers.get("Content-Encoding") == given
            assert answer.headers["Vary"] == "Accept-Encoding"
            lines = (await answer.text()).splitlines(keepends=True)
        texts[given] = [line for line in lines if "presence" in line]
    assert len(texts[None]) > 10
    assert texts["gzip"] == texts[None]


async def test_many_series_are_sent_in_small_pieces(monitor: Monitor) -> None:
    slots = [Slot(f"M{i % 7}", f"C{i}", "A") for i in range(5_000)]
    sink = PrometheusSink(PrometheusConfig(("C*",), ("M3/*",), 4_000), SinkContext())
    sink.publish([view(sorted(slots, key=lambda slot: (slot.maker, slot.contract)))], [])
    pieces = list(sink.chunks())
    assert max(piece.count(b"\n") for piece in pieces) <= CHUNK
    assert b"".join(pieces).count(b"mm_monitor_contract_quoted_seconds_total{") == 4_000
    assert b'mm_monitor_contract_obligations_dropped{rulebook="szse-2025"} 286\n' in pieces[-1]


async def test_alive_and_ready_are_two_questions(
    client: aiohttp.ClientSession, monitor: Monitor
) -> None:
    assert await get(client, "/readyz") == {"status": "ready", "reason": ""}
    monitor.ready = (False, "catching up: 12 s behind")
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reason"] == "catching up: 12 s behind"
    assert await get(client, "/healthz") == {"status": "alive"}
    assert await get(client, "/version") == {"name": "mm-monitor", "version": __version__}


async def test_status_has_makers_and_classes(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/status") as answer:
        body = await answer.json()
    [book] = body["rulebooks"]
    assert (book["required"], book["estimate"], book["open_breaches"]) == ("0.900000000", False, 1)
    first, second = book["makers"]
    assert (first["maker"], first["presence"], first["verdict"]) == (
        "M0",
        "0.950000000",
        "compliant",
    )
    assert (first["open_breaches"], first["lapsed_now"]) == (1, 1)
    assert (second["presence"], second["verdict"]) == (None, "not_assessed")
    assert [(row["maker"], row["class"]) for row in book["classes"]] == [
        ("M0", "A"),
        ("M0", "B"),
        ("M1", "B"),
    ]


async def test_an_estimate_is_marked_as_one(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/v1/status?at=now") as answer:
        [book] = (await answer.json())["rulebooks"]
    assert book["estimate"] is True
    assert book["at"] == START + 101 * S
    assert book["at_text"] == "2025-08-01T01:31:41.000000000Z"


async def test_obligations_are_filtered_and_paged(client: aiohttp.ClientSession) -> None:
    body = await get(client, "/api/v1/obligations?maker=M0&class=A")
    assert body["total"] == 1
    [row] = body["obligations"]
    assert (row["contract"], row["state"], row["lapsed_ns"]) == ("C0", "lapsed:absent", 5 * S)
    assert row["lapsed_by_reason_ns"]["absent"] == 5 * S
    page = await get(client, "/api/v1/obligations?limit=1&offset=2")
    assert page["total"] == 3
    assert [row["maker"] for row in page["obligations"]] == ["M1"]


async def test_paging_goes_on_into_the_next_rulebook(
    client: aiohttp.ClientSession, monitor: Monitor
) -> None:
    monitor.views.append(view(SLOTS, rulebook="other"))
    page = await get(client, "/api/v1/obligations?limit=2&offset=2")
    assert page["total"] == 6
    rows: list[dict[str, str]] = page["obligations"]
    assert [(row["rulebook"], row["contract"]) for row in rows] == [
        ("szse-2025", "C1"),
        ("other", "C0"),
    ]


async def test_breaches_are_filtered(client: aiohttp.ClientSession) -> None:
    assert (await get(client, "/api/v1/breaches"))["total"] == 2
    body = await get(client, "/api/v1/breaches?open=true&kind=lapse")
    [found] = body["breaches"]
    assert (found["id"], found["end"], found["evidence"]["limit"]) == (
        BREACHES[0].id,
        None,
        1_000_000,
    )
    assert (await get(client, "/api/v1/breaches?maker=M1&open=false"))["total"] == 1


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/api/v1/status?at=noon", 400, "at: one of watermark, now, got 'noon'"),
        ("/api/v1/breaches?open=1", 400, "open: one of true, false, got '1'"),
        ("/api/v1/obligations?limit=-1", 400, "limit: a number from 0 to 5000, got '-1'"),
        ("/nothing", 404, "404: Not Found"),
    ],
)
async def test_errors_say_what_is_wrong(
    client: aiohttp.ClientSession, path: str, status: int, text: str
) -> None:
    async with client.get(path) as answer:
        assert (answer.status, (await answer.json())["error"]) == (status, text)


async def test_nothing_can_be_changed(client: aiohttp.ClientSession) -> None:
    async with client.post("/api/v1/status") as answer:
        assert answer.status == 405


async def test_a_port_in_use_is_a_clear_error(monitor: Monitor) -> None:
    first = WebServer(WebConfig(port=0), monitor.sources())
    await first.start()
    second = WebServer(WebConfig(port=first.port), monitor.sources())
    with pytest.raises(ConfigError, match=rf"(?i)address.*in use.*127\.0\.0\.1:{first.port}"):
        await second.start()
    await second.stop()
    await first.stop()


def test_an_impossible_port_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"http\.port: a port from 0 to 65535, got 70000"):
        WebConfig(port=70_000)
