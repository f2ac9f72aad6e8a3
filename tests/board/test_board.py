"""The board in a real browser, against the real service on a real Kafka: one service and one browser for all."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from mm_monitor.evidence.keys import SealingKey
from mm_monitor.web.access import new_token
from mm_monitor.web.login import COOKIE
from tests.board.browser import Reader, chromium, reader
from tests.integration.subject import Subject, answered
from tests.integration.test_service_trouble import signal_to
from tests.integration.venue import SECOND, Quoting, Venue, local, noon_zone, rulebook
from tests.services.kafka import Kafka
from tests.services.require import require_service
from tests.unit.web.test_openapi import READ, validator

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.services]

RULES = """
[quote]
min_size = 5
[spread]
terms = [{ relative = "3%", of = "theo" }, { ticks = 1 }]
grace = "1s"
[presence]
required = "90%"
[lapse]
longest_permitted = "2s"
[stress]
relief = "2"
[exemptions]
technical = "deem"
"""
PAGES = ("", "maker/live/M1", "class/live/K0", "contract/live/M1/C0", "breaches", "holes", "health")
WIDE = {"bid": "0.9000", "ask": "1.1000"}


@dataclass(slots=True)
class Stage:
    """All that plays: M0 keeps its obligation, M1 is wide on C0, M2 says nothing."""

    venue: Venue
    quoting: Quoting
    subject: Subject
    browser: Browser
    tokens: dict[str, str]

    async def enter(self, maker: str = "", **options: Any) -> Reader:
        """A new person's browser, logged in by the token of `maker` ("": operations)."""
        person, context = await reader(self.browser, self.subject.url, **options)
        cookie = {"name": COOKIE, "value": self.tokens[maker], "url": self.subject.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        return person

    async def api(self, path: str, maker: str = "") -> Any:
        """An answer of the API."""
        headers = {"Authorization": f"Bearer {self.tokens[maker]}"}
        async with (
            aiohttp.ClientSession(self.subject.url, headers=headers) as session,
            session.get(f"api/v1/{path}") as answer,
        ):
            return await answer.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    require_service("chromium")
    folder = tmp_path_factory.mktemp("board")
    venue, zone = Venue(kafka, folder), noon_zone()
    opens = local(zone, time.time_ns() + 6 * SECOND)
    phases = (("00:00", "closed"), (opens, "continuous"), ("23:59", "closed"))
    venue.write_rulebook(rulebook(rules=RULES, zone=zone, phases=phases))
    made = {maker: new_token(maker) for maker in ("", "M0", "M1")}
    (folder / "tokens").write_text("\n".join(line for _, line in made.values()) + "\n")
    SealingKey.create(folder / "evidence.pem")
    text = venue.config(
        http={"port": 0, "tokens_file": "tokens"}, tape={"silent_after": "4s"},
        breaches={"enabled": False}, log={"level": "info", "format": "json"},
        evidence={"directory": "evidence", "key_file": "evidence.pem"},
    )  # fmt: skip
    async with venue.open(), Quoting(venue, every=0.25) as quoting:
        quoting.silent.add("M2")
        await venue.theo()
        await quoting.say("M1", "C0", **WIDE)
        async with Subject(folder, text) as subject, chromium() as browser:
            tokens = {maker: token for maker, (token, _) in made.items()}
            stage = Stage(venue, quoting, subject, browser, tokens)
            await answered(lambda: _breached(stage), timeout=60)
            yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _readers_leave(stage: Stage) -> AsyncIterator[None]:
    yield
    for context in stage.browser.contexts:
        await context.close()


async def _breached(stage: Stage) -> bool:
    found = await stage.api("breaches?maker=M2")
    return bool(found["total"])


async def test_a_browser_is_asked_for_its_token_and_keeps_it(stage: Stage) -> None:
    person, context = await reader(stage.browser, stage.subject.url)
    await person.page.goto(stage.subject.url)
    assert person.page.url.endswith("/login")
    assert await person.serious_problems() == []
    await person.page.fill("#token", "no token")
    await person.page.click("button")
    await person.says("That is no token that the monitor knows.")
    await person.page.fill("#token", stage.tokens[""])
    await person.page.click("button")
    await person.says("Needs attention")
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert await person.page.evaluate("document.cookie") == ""
    await person.page.get_by_role("button", name="Log out").click()
    await person.page.wait_for_url("**/login")
    assert await context.cookies() == []
    assert person.errors == []


async def test_the_overview_says_who_is_failing_and_goes_on_by_itself(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    await person.says("M2", ".attention")
    heat = await person.text(".heat")
    assert all(name in heat for name in ("M0", "M1", "M2", "K0", "K1", "✓", "▼"))
    assert "M0" not in await person.text(".attention")
    shown = await person.text("time")
    await person.until("before => document.querySelector('time').innerText !== before", shown)
    cells = person.page.locator(".heat tbody tr:first-child td a")
    await cells.first.focus()
    await person.page.keyboard.press("ArrowRight")
    await person.page.keyboard.press("ArrowDown")
    await person.until("document.activeElement.textContent.startsWith('M1 K0')")
    shown = await person.text("time")
    await person.until("before => document.querySelector('time').innerText !== before", shown)
    assert await person.page.evaluate("document.activeElement.textContent.startsWith('M1 K0')")
    assert person.errors == []


async def test_it_leads_down_to_the_quote_and_says_what_would_make_it_valid(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    await person.page.click(".heat >> text=M1")
    await person.says("Obligations, least slack first")
    await person.page.click("main >> text=C0")
    await person.says("spread too wide", ".title")
    await person.says("At most 0.0301 wide: with this bid an ask of at most 0.9301", ".advice")
    await person.until("document.querySelector('#chart canvas') !== null")
    await person.says("spread too wide", "table.list")
    inked = """() => {
      const { data } = document.querySelector('#chart canvas').getContext('2d')
        .getImageData(0, 0, 1000, 300);
      return data.some((value, i) => i % 4 === 3 && value > 0);
    }"""
    await person.until(inked)
    await stage.quoting.say("M1", "C0")
    try:
        await person.says("quoted", ".title")
        await person.says("The quote is valid.", ".advice")
        await person.until("document.querySelectorAll('table.list tbody tr').length >= 2")
    finally:
        await stage.quoting.say("M1", "C0", **WIDE)
    await person.says("spread too wide", ".title")
    assert person.errors == []


async def test_a_breach_is_answered_in_two_clicks_and_has_the_id_of_the_api(stage: Stage) -> None:
    person = await stage.enter()
    await person.open("breaches")
    await person.says("lapse too long")
    await person.page.click("main table >> text=lapse too long")
    await person.says("Breach id")
    told = await person.text("main")
    ids = {one["id"] for one in (await stage.api("breaches"))["breaches"]}
    assert any(breach in told for breach in ids)
    assert "mm-monitor explain CAPTURE M" in told
    assert "--rulebook live --at 20" in told
    assert person.errors == []


async def test_language_and_theme_are_chosen_and_kept(stage: Stage) -> None:
    person = await stage.enter(color_scheme="light")
    await person.open()
    await person.page.get_by_label("Language").select_option("zh")
    await person.says("需要关注")
    assert await person.page.evaluate("document.documentElement.lang") == "zh-Hans"
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await person.page.evaluate(ground)
    await person.page.get_by_label("外观").select_option("dark")
    await person.until(f"light => {ground} !== light", light)
    await person.page.reload()
    await person.says("需要关注")
    assert await person.page.evaluate(ground) != light
    by_system = await stage.enter(color_scheme="dark", locale="zh-CN")
    await by_system.open()
    await by_system.says("需要关注")
    assert await by_system.page.evaluate(ground) != light
    assert person.errors == by_system.errors == []


async def test_a_makers_token_sees_its_own_and_nothing_of_others(stage: Stage) -> None:
    person = await stage.enter("M1")
    person.listen()
    for path in PAGES:
        await person.page.goto(f"{stage.subject.url}#/{path}")
        await person.until("document.querySelector('main').innerText.length > 9")
        told = await person.text()
        assert "M0" not in told
        assert "M2" not in told
    await person.open()
    await person.says("Board of M1")
    await person.page.click(".heat >> text=M1")
    await person.page.click("main >> text=C0")
    await person.says("What would make it valid")
    await person.says("At most 0.0301 wide")
    assert "Market holes" not in await person.text("#top")
    for url, body in person.bodies:
        if "/api/" in url and not url.endswith("openapi.json"):
            assert b'"M0"' not in body, url
            assert b'"M2"' not in body, url
    other = await stage.api("contract?maker=M0&contract=C0", "M1")
    assert other == {"error": "no obligation of 'M0' on 'C0'"}
    await person.page.goto(f"{stage.subject.url}#/maker/live/M0")
    await person.says("There is no such page.")
    assert person.errors == []


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
async def test_no_page_keeps_anybody_out(stage: Stage, look: str) -> None:
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1400, "height": 900}
    person = await stage.enter(color_scheme="dark" if look == "dark" else "light", viewport=size)
    breach = (await stage.api("breaches"))["breaches"][0]["id"]
    for path in (*PAGES, f"breach/{breach}"):
        await person.open(*path.split("/"))
        await person.until("document.querySelector('main').innerText.length > 40")
        assert await person.serious_problems() == [], path
        wide = await person.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], path
    assert person.errors == []


async def test_a_page_weighs_less_than_a_photograph(stage: Stage) -> None:
    person = await stage.enter()
    person.listen()
    await person.open("contract", "live", "M1", "C0")
    await person.until("document.querySelector('#chart canvas') !== null")
    weight = sum(len(body) for url, body in person.bodies if "/api/" not in url)
    assert 10_000 < weight < 200_000


async def test_stress_and_exemptions_are_told(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    await stage.venue.control("stress", scope="K1", action="start")
    await stage.venue.control("exemption", scope="C1", maker="M2", kind="technical", action="start")
    await person.says("Extreme market in K1", "#banners")
    await person.open("health")
    await person.says("technical (deem)")
    await stage.venue.control("stress", scope="K1", action="end")
    await stage.venue.control("exemption", scope="C1", maker="M2", kind="technical", action="end")
    await person.until("!document.querySelector('#banners').innerText.includes('Stress')")


async def test_a_breach_is_acknowledged_and_the_log_says_by_whom(stage: Stage) -> None:
    person = await stage.enter()
    told = (await stage.api("breaches?maker=M2"))["breaches"][0]
    await person.open("breach", told["id"])
    await person.page.get_by_label("Your name").fill("Li Wei")
    await person.page.get_by_label("Note").fill("called the desk")
    await person.page.get_by_role("button", name="Send").click()
    await person.says("Li Wei · called the desk", "#seen")
    assert await person.serious_problems() == []
    seen = (await stage.api(f"orders?breach={told['id']}"))["acknowledgements"]
    assert [(one["maker"], one["author"]) for one in seen] == [("M2", "Li Wei")]


async def test_an_exemption_is_ordered_and_takes_effect(stage: Stage) -> None:
    person = await stage.enter()
    await person.open("health")
    await order(person, "#exemptions", "M1", "C1")
    await person.says("Exemption technical (deem) for M1 in C1")
    assert await person.serious_problems() == []
    await order(person, "#maintenance", "M2", "K1")
    await person.says("Feed of M2 down in K1: its time is unknown")


async def order(person: Reader, card: str, maker: str, scope: str) -> None:
    """Fill the form of that card in, send it, and see it taken."""
    form = person.page.locator(card)
    said = {"Maker": maker, "Class or contract": scope, "Reason": "a line", "Your name": "Li Wei"}
    for label, text in said.items():
        await form.get_by_label(label).fill(text)
    await form.get_by_role("button", name="Send").click()
    await person.says("Written.", f"{card} output")


NOWHERE = (
    "%", "maker/live/%E0%A4", "constructor", "__proto__", "toString", "breach", "breach/", "breach/%00",
    "maker/live/M0/K9", "maker/live/constructor", "class/live/toString", "contract/live/M0/..%2F..", " / ",
)  # fmt: skip


async def test_an_address_that_leads_nowhere_says_so(stage: Stage) -> None:
    person = await stage.enter()
    for path in NOWHERE:
        await person.open()  # what stood there before does not stand on
        await person.page.goto(f"{stage.subject.url}#/{path}")
        await person.says("There is no such page.", "main")
    assert person.errors == []


async def test_a_long_name_widens_no_page(stage: Stage) -> None:
    person = await stage.enter()
    long = """place => {
      document.querySelector(place).append("L".repeat(300));
      return document.documentElement.scrollWidth <= innerWidth;
    }"""
    for place, path in (
        ("h1", ""),
        (".who a", ""),
        ("h1", "maker/live/M1"),
        (".trail span", "maker/live/M1"),
    ):
        await person.open(*path.split("/"))
        await person.until("place => document.querySelector(place) !== null", place)
        assert await person.page.evaluate(long, place), (place, path)


async def test_who_logs_out_in_one_tab_is_out_in_all(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    other = await person.page.context.new_page()
    await other.goto(stage.subject.url)
    await other.get_by_role("button", name="Log out").click()
    await other.wait_for_url("**/login")
    await person.page.wait_for_url("**/login")


async def test_a_command_to_copy_runs_nothing_that_a_name_holds(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    names = ["M0", "-x", "a b", "x; touch y", "$(id)", "it's", "\n", "`id`", "做市商", "M%2F/0"]
    found = await person.page.evaluate(
        "async (names) => (await import('/static/lists.js')).words(...names)", names
    )
    assert shlex.split(found) == names
    assert found.startswith("M0 -x 'a b' ")


async def test_a_second_click_is_no_second_order(stage: Stage) -> None:
    person = await stage.enter()
    await person.open("health")
    sent: list[str] = []

    async def slow(route: Route) -> None:
        sent.append(route.request.url)
        await person.until("document.querySelector('#maintenance output').innerText === '…'")
        await person.page.locator("#maintenance button").click()
        await route.fulfill(status=201, body="{}")

    await person.page.route("**/api/v1/maintenance", slow)
    await order(person, "#maintenance", "M2", "K1")
    assert len(sent) == 1
    await person.page.locator("#maintenance [name=minutes]").fill("999999999999")
    await person.page.locator("#maintenance button").click()
    await person.says("No clock goes that far.", "#maintenance output")
    assert person.errors == []


async def test_a_maker_is_offered_nothing_to_order(stage: Stage) -> None:
    person = await stage.enter("M1")
    told = (await stage.api("breaches?maker=M1", "M1"))["breaches"][0]
    await person.open("breach", told["id"])
    await person.says("Prove it")
    assert await person.page.locator(".order").count() == 0


async def test_every_answer_of_the_service_is_as_the_document_says(stage: Stage) -> None:
    for path in READ:
        if path in ("/api/v1/stream", "/version"):
            continue
        for query in ("?maker=M1&contract=C0", "?maker=M2&contract=C1&rulebook=live", "?limit=3"):
            told = await stage.api(path.removeprefix("/api/v1/") + query)
            if "error" not in told:
                assert [e.message for e in validator(path).iter_errors(told)] == [], path


async def test_a_lost_broker_greys_the_verdicts_until_it_is_back(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    assert "doubtful" not in (await person.page.get_attribute("body", "class") or "")
    signal_to(stage.venue.kafka, signal.SIGSTOP)
    try:
        await person.until("document.body.classList.contains('doubtful')")
        await person.says("Nobody can vouch for these verdicts now", "#banners")
        assert await person.serious_problems() == []
    finally:
        signal_to(stage.venue.kafka, signal.SIGCONT)
    await person.until("!document.body.classList.contains('doubtful')")
    await person.until("document.querySelector('#banners').innerText === ''")


async def test_a_monitor_that_does_not_answer_is_said_to_and_found_again(stage: Stage) -> None:
    person = await stage.enter()
    await person.open()
    stage.subject.signal(signal.SIGSTOP)
    try:
        await person.says("No answer from the monitor since", "#banners")
        assert await person.page.evaluate("document.body.classList.contains('doubtful')")
    finally:
        stage.subject.signal(signal.SIGCONT)
    await person.until("!document.body.classList.contains('doubtful')")
