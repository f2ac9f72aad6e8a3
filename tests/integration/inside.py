"""The service inside a test, on a small venue: what its published picture says of each obligation."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mm_monitor.app import App
from mm_monitor.core.view import StatusView
from mm_monitor.web import api
from tests.integration.service import running, until
from tests.integration.venue import Venue

Slots = dict[tuple[str, str], dict[str, Any]]


@asynccontextmanager
async def inside(
    venue: Venue, now: Callable[[], int] = time.time_ns, **sections: Any
) -> AsyncIterator[App]:
    """An `App` with the venue's configuration, ready."""
    sections = {"log": {"level": "error"}, **sections}
    async with running(venue.config(**sections), venue.folder, now) as app:
        await until(lambda: app.is_ready()[0], 15)
        yield app


def view_of(app: App, rulebook: str = "live") -> StatusView:
    """The published picture of one rulebook."""
    return next(view for view in app.get_views() if view.rulebook_id == rulebook)


def slots(app: App, rulebook: str = "live") -> Slots:
    """Every obligation as the JSON API shows it, by maker and contract."""
    view = view_of(app, rulebook)
    rows = api.obligations(view, range(len(view.obligations.maker)))
    return {(row["maker"], row["contract"]): row for row in rows}


async def past(app: App, instant: int, seconds: float = 10) -> None:
    """Wait until the published pictures are of `instant` or later."""
    await until(lambda: bool(app.get_views()) and app.get_views()[0].at >= instant, seconds)


async def applied(app: App, quotes: int, seconds: float = 10) -> None:
    """Wait until so many quotes have been applied and published."""
    await until(lambda: app.stats.records["quote"] >= quotes, seconds)
    await past(app, app.merge.watermark, seconds)
