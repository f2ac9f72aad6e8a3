"""A real Chromium, driven by Playwright, and what the tests of the board ask of a page."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Page, Response, async_playwright

from tests.services import find

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--force-device-scale-factor=1",
)
WAIT_MS = 30_000
_FUNCTION = re.compile(r"[\w\s,\[\]()]*=>")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this machine; Playwright brings none."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find.chromium(), args=list(ARGUMENTS)
        )
        yield browser
        await browser.close()


class Reader:
    """One person's page, with everything that the server sent to it, and what went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.errors: list[str] = []
        self.bodies: list[tuple[str, bytes]] = []
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: Any) -> None:
        # That a request failed is said while the service is away, and where a token is asked for.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def listen(self) -> None:
        """Keep every answer that is whole; the stream's events are read by `events`."""

        async def keep(response: Response) -> None:
            if "stream" not in response.url:
                with contextlib.suppress(Error):  # the page has gone on to another
                    self.bodies.append((response.url, await response.body()))

        self.page.on("response", keep)

    async def open(self, *path: str) -> None:
        """Go to a page of the board and wait until it shows data."""
        await self.page.goto(f"{self.url}#/{'/'.join(path)}")
        await self.until("document.querySelector('main h1') !== null")

    async def until(self, condition: str, argument: object = None) -> None:
        """Wait until a JavaScript expression, or function of `argument`, holds."""
        function = condition if _FUNCTION.match(condition) else f"() => {condition}"
        await self.page.wait_for_function(function, arg=argument)

    async def says(self, text: str, place: str = "body") -> None:
        """Wait until `place` has this text."""
        await self.until(
            "([place, text]) => document.querySelector(place)?.innerText.includes(text)", [place, text]
        )  # fmt: skip

    async def text(self, place: str = "body") -> str:
        """All that a reader reads there."""
        return await self.page.locator(place).first.inner_text()

    async def serious_problems(self) -> list[str]:
        """What axe finds to be serious or critical: the rule, and where."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {node['html'][:120]} {json.dumps(node['any'][:1])[:200]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]


async def reader(browser: Browser, url: str, **options: Any) -> tuple[Reader, BrowserContext]:
    """A person with a browser of its own: no cookies, nothing chosen."""
    wanted: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1400, "height": 900}}
    context = await browser.new_context(**(wanted | options))
    return Reader(await context.new_page(), url), context
