"""`python -m tests.board.screenshots`: the pictures of the board that stand in the README and in docs, taken of a demo.

The demo's day is always the same; where it is when a picture is taken depends on the machine.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from tests.board.browser import chromium, reader
from tests.services.process import free_port
from tests.services.web import get_json

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 200_000
SPEED = 60  # seconds of the session a second
WATCHED = 25.0  # seconds for a chart to fill
DESK = {"width": 1340, "height": 660}
PHONE = {"width": 400, "height": 800}


def main() -> int:
    """1 when a picture is too large."""
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "mm_monitor", "demo", "--plain", "--port", str(port), "--speed", str(SPEED),
         "--rate", "20000"], stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return asyncio.run(_take(f"http://127.0.0.1:{port}/"))
    finally:
        demo.terminate()
        demo.wait(30)


async def _take(url: str) -> int:
    book = await asyncio.to_thread(_until_somebody_fails, url)
    rules = book["rulebook"]["id"]
    names = {row["maker"].partition("-")[0]: row["maker"] for row in book["makers"]}
    flickers = get_json(f"{url}api/v1/obligations?maker={names['flickers']}&limit=1")
    contract = flickers["obligations"][0]["contract"]
    breach = next(one for one in book["breaches"] if one["maker"] == names["wide"])
    FOLDER.mkdir(exist_ok=True)
    async with chromium() as browser:
        await _picture(browser, url, "overview")
        await _picture(browser, url, "overview-dark", color_scheme="dark")
        await _picture(browser, url, "overview-chinese", locale="zh-CN")
        await _picture(browser, url, "overview-phone", viewport=PHONE)
        await _picture(browser, url, "maker", "maker", rules, names["vanishes"])
        await _picture(browser, url, "breach", "breach", breach["id"])
        where = ("contract", rules, names["flickers"], contract)
        await _picture(browser, url, "contract", *where, wait=WATCHED)
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("*.png"))}
    for name, size in sizes.items():
        print(f"  {name:<24}{size / 1e3:7.1f} kB" + ("  too large" if size > MOST_BYTES else ""))
    return int(max(sizes.values()) > MOST_BYTES)


def _until_somebody_fails(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            books = get_json(f"{url}api/v1/board")["rulebooks"]
        except (urllib.error.URLError, json.JSONDecodeError):
            books = []
        if books and books[0]["open_breaches"] > 4:
            found: dict[str, Any] = books[0]
            return found
        time.sleep(0.5)
    raise TimeoutError(f"nobody had failed at {url} after two minutes")


async def _picture(
    browser: Browser, url: str, name: str, *path: str, wait: float = 3.0, **options: Any
) -> None:
    person, context = await reader(browser, url, **({"viewport": DESK} | options))
    await person.open(*path)
    await asyncio.sleep(wait)  # what is asked for beside the board comes, a chart fills
    await person.page.screenshot(path=FOLDER / f"{name}.png")
    await context.close()


if __name__ == "__main__":
    sys.exit(main())
