"""How a browser gets in: a cookie that no script reads, no other site sends, and that is gone when it is of no use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from mm_monitor.web.access import FAILURES, new_token
from mm_monitor.web.login import COOKIE
from mm_monitor.web.pages import WebSources
from mm_monitor.web.server import WebConfig, WebServer
from tests.unit.sinks.builders import Slot, view

VIEWS = [view([Slot("M0", "C0", "A"), Slot("M1", "C0", "A")])]
TOKEN, LINE = new_token("M0")
BROWSER = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
NAVIGATES = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    (tmp_path / "tokens").write_text(LINE + "\n")
    sources = WebSources(
        lambda: VIEWS, lambda: VIEWS, lambda: (True, ""), lambda maker: iter([b""])
    )
    server = WebServer(WebConfig(port=0, tokens_file=str(tmp_path / "tokens")), sources)
    await server.start()
    jar = aiohttp.CookieJar(unsafe=True)  # an address is a host too
    async with aiohttp.ClientSession(server.url, cookie_jar=jar) as session:
        yield session
    await server.stop()


async def sign_in(
    client: aiohttp.ClientSession, token: str, **headers: str
) -> tuple[int, str, str]:
    """Status, where it leads, and the cookie as it is set."""
    async with client.post(
        "/login", data={"token": token}, headers=headers, allow_redirects=False
    ) as answer:
        there = answer.headers.get("Location", "")
        return answer.status, there, answer.headers.get("Set-Cookie", "")


async def test_a_token_becomes_a_cookie_that_opens_what_it_may_see(
    client: aiohttp.ClientSession,
) -> None:
    status, there, cookie = await sign_in(client, f" {TOKEN}\n", **NAVIGATES)
    assert (status, there) == (303, "/")
    assert all(word in cookie for word in (f"{COOKIE}=", "HttpOnly", "SameSite=Strict", "Path=/"))
    async with client.get("/api/v1/board", headers=BROWSER) as answer:
        board = await answer.json()
    assert (board["maker"], [row["maker"] for row in board["rulebooks"][0]["makers"]]) == (
        "M0",
        ["M0"],
    )
    async with client.post("/logout", headers=BROWSER, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
    async with client.get("/api/v1/board", headers=BROWSER) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")  # no window pops up


async def test_a_wrong_token_leads_back_and_is_counted(client: aiohttp.ClientSession) -> None:
    for _ in range(FAILURES):
        assert await sign_in(client, "guess", **NAVIGATES) == (303, "/login?wrong", "")
    status, _, cookie = await sign_in(client, TOKEN, **NAVIGATES)
    assert (status, cookie) == (429, "")


async def test_a_page_leads_to_the_login_and_a_stale_cookie_is_taken_away(
    client: aiohttp.ClientSession,
) -> None:
    client.cookie_jar.update_cookies({COOKIE: "old"}, client._base_url)  # type: ignore[arg-type]
    async with client.get("/", headers=NAVIGATES, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
    async with client.get("/login", headers=NAVIGATES) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_can_log_nobody_in_or_out(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert await sign_in(client, TOKEN, **headers) == (403, "", "")
    async with client.post("/logout", headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers.get("Set-Cookie")) == (403, None)
    own = {"Origin": str(client._base_url).rstrip("/")}
    assert (await sign_in(client, TOKEN, **own))[1] == "/"


async def test_a_header_counts_before_the_cookie(client: aiohttp.ClientSession) -> None:
    await sign_in(client, TOKEN, **NAVIGATES)
    async with client.get("/api/v1/status", headers={"Authorization": "Bearer x"}) as answer:
        assert answer.status == 401
