"""The real service on a real broker, run inside the test until it has judged what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mm_monitor.app import App
from mm_monitor.config import parse_config


@asynccontextmanager
async def running(text: str, folder: Path, now: Callable[[], int]) -> AsyncIterator[App]:
    """An `App` configured by TOML text, pumping in the background; an error of the pump fails the test."""
    app = App(parse_config(text.encode(), base=folder), now=now)
    await app.start()
    pumping = asyncio.create_task(app.run())
    try:
        yield app
    finally:
        await app.stop()
        await pumping


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; TimeoutError says that it never held."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def config_text(bootstrap: str, directory: Path, codec: str, extra: str = "", **topics: str) -> str:
    """A configuration for a test: free port, no outside but Kafka; `extra` is appended."""
    names = "\n".join(f'{feed} = "{name}"' for feed, name in topics.items())
    return f"""
[kafka]
bootstrap = "{bootstrap}"
fetch_max_wait = "20ms"
[topics]
{names}
[codecs]
quotes = "{codec}"
theo = "{codec}"
[reference]
directory = "{directory}"
[http]
port = 0
[log]
level = "error"
{extra}
"""
