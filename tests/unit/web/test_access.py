"""Who may see what: every route, with every kind of token, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app as cli
from mm_monitor.core.own import own_view
from mm_monitor.core.watch.signals import Signal
from mm_monitor.errors import ConfigError, InputError
from mm_monitor.live_signals import LiveSignals, Told
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.web import guard
from mm_monitor.web.access import (
    FAILURES,
    FORGIVEN_AFTER,
    OPERATIONS,
    Access,
    Scope,
    new_token,
    read_tokens,
)
from mm_monitor.web.guard import PROBES, is_open
from mm_monitor.web.server import WebConfig, WebServer, WebSources, application
from tests.integration.subject import answered
from tests.unit.sinks.builders import START, Slot, breach, view

MAKERS = ("M0", "M1", "M\u00fc/2 x")
VIEWS = [
    view(
        [Slot(m, c, k) for m in MAKERS for c, k in (("C0", "A"), ("C1", "B"))],
        [breach(m, "C0") for m in MAKERS],
    )
]


class Signals(LiveSignals):
    """One of each maker."""

    def told(self) -> Iterator[Told]:
        return (Told("r", m, "2025-08-01", START, [Signal("fading", "", True, {})]) for m in MAKERS)


def sources() -> WebSources:
    signals = Signals()
    sink = PrometheusSink(PrometheusConfig(contracts_allow=("*",)), SinkContext(signals=signals))
    sink.publish(VIEWS, [])
    ready = (True, "ready, but M0's and M1's partition is idle")
    return WebSources(lambda: VIEWS, lambda: VIEWS, lambda: ready, sink.chunks, signals.told)


def routes() -> list[str]:
    """Every path that the server answers."""
    resources = application(sources(), Access(None)).router.resources()
    return sorted({resource.canonical for resource in resources})


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """By maker; that of operations by the empty name."""
    made = {maker: new_token(maker) for maker in ("", *MAKERS, "stranger")}
    text = "# who may see what\n\n" + "\n".join(line for _, line in made.values())
    (tmp_path / "tokens").write_text(text)
    return {maker: token for maker, (token, _) in made.items()}


@pytest.fixture
async def client(tokens: dict[str, str], tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    server = WebServer(WebConfig(port=0, tokens_file=str(tmp_path / "tokens")), sources())
    await server.start()
    async with aiohttp.ClientSession(server.url) as session:
        yield session
    await server.stop()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


NOBODY = {
    "no token": {},
    "an empty one": {"Authorization": "Bearer "},
    "a wrong one": bearer("x" * 43),
    "the hash of one": bearer("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"),
    "another scheme": {"Authorization": "Digest username=M0"},
    "a password that is none": {"Authorization": "Basic M0:M0"},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.mark.parametrize("path", routes())
@pytest.mark.parametrize("what", NOBODY)
async def test_without_a_token_nothing_is_told_by_any_method(
    client: aiohttp.ClientSession, path: str, what: str
) -> None:
    for method in METHODS:
        async with client.request(method, path, headers=NOBODY[what]) as answer:
            body = await answer.text()
            if path in PROBES and method in ("GET", "HEAD"):
                assert answer.status == 200
            elif not is_open(path):
                assert answer.status in (401, 405), (method, path, answer.status)
            assert not any(name in body for name in (*MAKERS, "C0"))


async def test_a_wrong_token_opens_nothing_in_the_address(
    client: aiohttp.ClientSession, tokens: dict[str, str]
) -> None:
    for query in (f"?token={tokens['']}", f"?access_token={tokens['']}"):
        async with client.get(f"/api/v1/status{query}") as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")


QUERIES = (
    "",
    "?at=now",
    "?maker=M0",
    "?maker=M1",
    "?class=A",
    "?rulebook=r",
    "?open=true",
    "?limit=5000",
)


async def first_of(answer: aiohttp.ClientResponse) -> str:
    """The answer, of a stream the first event's data."""
    if answer.content_type != "text/event-stream":
        return await answer.text()
    while not (line := await answer.content.readline()).startswith(b"data: "):
        pass
    return line.decode().removeprefix("data: ")


@pytest.mark.parametrize("path", routes())
@pytest.mark.parametrize("maker", [*MAKERS, "stranger"])
async def test_a_maker_sees_nothing_of_others(
    client: aiohttp.ClientSession, tokens: dict[str, str], path: str, maker: str
) -> None:
    for query in QUERIES if path.startswith("/api") else ("",):
        async with client.get(path + query, headers=bearer(tokens[maker])) as answer:
            body = await first_of(answer)
        if answer.status in (400, 403, 404, 405):
            continue  # a query that this route does not know, or a route that is not for makers
        assert answer.status == 200, body
        if path.startswith("/api"):
            told = json.dumps(json.loads(body), ensure_ascii=False)
            others = [m for m in MAKERS if m != maker and f'"{m}"' in told]
        else:
            others = [m for m in MAKERS if m != maker and f'maker="{m}"' in body]
        assert others == []


@pytest.mark.parametrize("maker", MAKERS)
async def test_a_maker_sees_what_is_its_own(
    client: aiohttp.ClientSession, tokens: dict[str, str], maker: str
) -> None:
    async def read(path: str) -> str:
        async with client.get(path, headers=bearer(tokens[maker])) as answer:
            return await answer.text()

    status = json.loads(await read("/api/v1/status"))["rulebooks"][0]
    assert ([row["maker"] for row in status["makers"]], status["obligations"]) == ([maker], 2)
    assert status["open_breaches"] == 1
    assert json.loads(await read("/api/v1/obligations"))["total"] == 2
    assert json.loads(await read("/api/v1/breaches"))["breaches"][0]["maker"] == maker
    assert json.loads(await read("/api/v1/signals"))["total"] == 1
    metrics = await read("/metrics")
    assert metrics.count(f'maker="{maker}"') > 20
    assert "process_cpu_seconds_total" not in metrics


async def test_operations_see_all(client: aiohttp.ClientSession, tokens: dict[str, str]) -> None:
    async with client.get("/api/v1/status", headers=bearer(tokens[""])) as answer:
        shown = (await answer.json())["rulebooks"][0]
    assert [row["maker"] for row in shown["makers"]] == sorted(MAKERS)
    async with client.get("/metrics", headers=bearer(tokens[""])) as answer:
        text = await answer.text()
    assert all(f'maker="{maker}"' in text for maker in MAKERS)
    assert "process_cpu_seconds_total" in text
    async with client.get("/readyz", headers=bearer(tokens[""])) as answer:
        assert "partition is idle" in (await answer.json())["reason"]


async def test_a_browser_sends_the_token_as_a_password(
    client: aiohttp.ClientSession, tokens: dict[str, str]
) -> None:
    pair = base64.b64encode(f"whoever:{tokens['M0']}".encode()).decode()
    async with client.get("/api/v1/status", headers={"Authorization": f"Basic {pair}"}) as answer:
        assert [row["maker"] for row in (await answer.json())["rulebooks"][0]["makers"]] == ["M0"]


async def test_a_token_that_is_taken_away_ends_the_stream_that_it_opened(
    tokens: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    server = WebServer(WebConfig(port=0, tokens_file=str(file)), sources())
    await server.start()
    try:
        async with (
            aiohttp.ClientSession(server.url, headers=bearer(tokens["M0"])) as session,
            session.get("api/v1/stream") as answer,
            asyncio.timeout(20),
        ):
            assert await answer.content.readuntil(b"event: board")
            server.admit(str(file))  # nothing has changed: it goes on
            assert await answer.content.readuntil(b"event: board")
            lines = file.read_text().splitlines()
            file.write_text("\n".join(line for line in lines if not line.endswith("maker M0")))
            server.admit(str(file))
            while await answer.content.readany():
                pass
            async with session.get("api/v1/stream") as again:
                assert again.status == 401
    finally:
        await server.stop()


async def test_a_maker_that_opens_many_streams_leaves_operations_theirs(
    tokens: dict[str, str], tmp_path: Path
) -> None:
    server = WebServer(
        WebConfig(port=0, tokens_file=str(tmp_path / "tokens"), streams=20), sources()
    )
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as session:
            told = [
                await session.get("api/v1/stream", headers=bearer(tokens[maker]))
                for maker in ("M0", "M0", "M0", "M1", "")
            ]
            assert [answer.status for answer in told] == [200, 200, 503, 200, 200]
            assert "at most 2 clients" in await told[2].text()
    finally:
        await server.stop()


@pytest.mark.parametrize("name", ["", " ", " M0", "M0\n", "M0\u2028x", "M0\rx"])
def test_a_token_for_a_name_that_is_none_is_not_one_that_sees_all(name: str) -> None:
    done = CliRunner().invoke(cli, ["token", "--maker", name])
    assert (done.exit_code, "--maker: a name" in str(done.exception)) == (1, True)
    assert "operations" in CliRunner().invoke(cli, ["token"]).output


async def test_who_guesses_is_not_answered_for_a_while(
    client: aiohttp.ClientSession, tokens: dict[str, str]
) -> None:
    for i in range(FAILURES):
        async with client.get("/version", headers=bearer(f"guess {i}")) as answer:
            assert answer.status == 401
    async with client.get("/version", headers=bearer(tokens[""])) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "60")


def test_guesses_are_forgiven_and_forgotten() -> None:
    now = [0.0]
    access = Access({"a" * 64: OPERATIONS}, clock=lambda: now[0])
    for _ in range(FAILURES):
        assert access.scope("Bearer guess", "1.2.3.4") is None
    assert access.is_guessing("1.2.3.4")
    assert not access.is_guessing("1.2.3.5")
    now[0] += FORGIVEN_AFTER
    assert not access.is_guessing("1.2.3.4")
    access.scope("Bearer guess", "1.2.3.4")
    assert not access.is_guessing("1.2.3.4")


async def test_a_large_body_is_refused(
    client: aiohttp.ClientSession, tokens: dict[str, str]
) -> None:
    async with client.post(
        "/api/v1/status", data=b"x" * 100_000, headers=bearer(tokens[""])
    ) as answer:
        assert answer.status in (405, 413)


async def test_who_never_reads_its_answer_is_cut_off_and_holds_nobody_up(
    client: aiohttp.ClientSession, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(guard, "AT_ONCE", 20)
    port = client._base_url.port  # type: ignore[union-attr]
    asked = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tokens['']}\r\n\r\n" * 2000
    stuck = [
        await asyncio.open_connection("127.0.0.1", port, limit=1) for _ in range(guard.AT_ONCE)
    ]
    for _, writer in stuck:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(asked.encode())
    await asyncio.sleep(0.5)
    async with client.get("/healthz") as answer:
        assert answer.status == 200

    async def is_answered() -> bool:
        async with client.get("/version", headers=bearer(tokens[""])) as answer:
            return answer.status == 200

    await answered(is_answered)
    for _, writer in stuck:
        writer.transport.abort()


LINES = {
    "no hash": "secret operations",
    "no scope": "a" * 64,
    "another scope": f"{'a' * 64} everybody",
    "a maker without a name": f"{'a' * 64} maker ",
    "a hash in capitals": f"{'A' * 64} operations",
    "the same token twice": f"{'a' * 64} operations\n{'a' * 64} maker M0",
}


@pytest.mark.parametrize("what", LINES)
def test_a_file_of_tokens_says_which_line_is_wrong(tmp_path: Path, what: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(LINES[what] + "\n")
    with pytest.raises(InputError, match=rf"tokens:{LINES[what].count(chr(10)) + 1}: `SHA256"):
        read_tokens(path)


def test_a_file_without_tokens_lets_nobody_think_it_guards(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# none yet\n")
    with pytest.raises(InputError, match="at least one token"):
        read_tokens(path)
    with pytest.raises(InputError, match="a readable file of tokens"):
        read_tokens(tmp_path / "missing")


def test_names_are_read_as_they_were_written(tmp_path: Path, tokens: dict[str, str]) -> None:
    assert Scope(MAKERS[2]) in read_tokens(tmp_path / "tokens").values()


def test_an_own_view_of_nobody_is_empty() -> None:
    own = own_view(VIEWS[0], "stranger")
    assert (len(own.obligations.maker), own.maker_rows, own.class_rows, own.breaches) == (
        0,
        (),
        (),
        (),
    )


async def test_the_port_speaks_tls_by_our_certificate(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = WebServer(WebConfig(port=0, certfile=str(cert), keyfile=str(key)), sources())
    await server.start()
    trust = ssl.create_default_context(cafile=str(cert))
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.url + "version", ssl=trust) as answer,
    ):
        assert (server.url[:8], answer.status) == ("https://", 200)
    await server.stop()
    cert.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"http\.certfile: a certificate and its key in PEM"):
        await WebServer(WebConfig(port=0, certfile=str(cert), keyfile=str(key)), sources()).start()
