"""Signals of a running service: of each rulebook, in the API and in metrics, and never a breach."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.inside import applied, inside, view_of
from tests.integration.service import until
from tests.integration.subject import total
from tests.integration.venue import Venue, quote, rulebook
from tests.services.kafka import Kafka

RULES = '[presence]\nrequired = "1%"\n'


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    venue.write_rulebook(rulebook("other", rules=RULES), "other")
    return venue


async def asked(url: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found: list[dict[str, Any]] = json.loads(await answer.read())["signals"]
    return found


async def test_a_running_service_tells_signals(venue: Venue) -> None:
    """M0 sends twelve quotes of one lot, M1 of ten; somebody sends ten that nobody can use in the name of M2."""
    names = ("live", "other")
    how: dict[str, Any] = {
        "books": names,
        "signals": {"enabled": True, "every": "20ms"},
        "publish": {"every": "20ms"},
    }
    async with venue.open(), inside(venue, **how) as app:
        began = time.time_ns()
        for maker, size in (("M0", 1), ("M1", 10)):
            rows = [quote(began + i, maker, size=size) for i in range(12)]
            await venue.send(venue.quotes_topic, rows)
        bad = [{**quote(began + 20 + i, "M2"), "bid_price": "x"} for i in range(10)]
        await venue.send(venue.quotes_topic, bad)
        await applied(app, 34)
        await until(lambda: {(t.rulebook, t.maker) for t in app.signals.told() if t.at > began}
                    == {(book, maker) for book in names for maker in ("M0", "M1", "M2")})  # fmt: skip
        metrics = app.prometheus.render().decode()
        name = "mm_monitor_signal_raised"
        for book in names:
            assert total(metrics, name, rulebook=book, maker="M0", signal="one_lot") == 1
            assert total(metrics, name, rulebook=book, maker="M1", signal="one_lot") == 0
            assert total(metrics, name, rulebook=book, maker="M2", signal="poison") == 1
        assert 'maker="M2",class="",signal="one_lot"' not in metrics  # nothing can be said
        assert not [b for b in view_of(app).breaches if b.maker == "M0"]
        rows = await asked(f"{app.web.url}api/v1/signals?maker=M0&raised=true&rulebook=other")
        (row,) = [row for row in rows if row["name"] == "one_lot"]
        assert await asked(f"{app.web.url}api/v1/signals?maker=nobody") == []
        assert (row["rulebook"], row["raised"]) == ("other", True)
        assert row["numbers"] == {"one_lot": 12, "share": "1.000000000", "two_sided": 12}
