"""SIGHUP: a configuration with a mistake keeps the service as it is, a good one is taken up as far as it can be."""

from __future__ import annotations

import signal
from pathlib import Path

import aiohttp
import pytest

from mm_monitor.web.access import new_token
from tests.integration.subject import Subject, answered
from tests.integration.venue import Quoting, Venue, rulebook
from tests.services.kafka import Kafka

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n'


@pytest.fixture
def venue(kafka: Kafka, tmp_path: Path) -> Venue:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    return venue


async def asked(subject: Subject, token: str) -> tuple[int, str]:
    """Status and text of /metrics."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{subject.url}metrics", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def said(subject: Subject, event: str) -> list[dict[str, object]]:
    return [line for line in subject.logs if line["event"] == event]


async def reloaded(subject: Subject, event: str) -> list[dict[str, object]]:
    """Send SIGHUP, wait for word of it."""
    before = len(said(subject, event))

    async def told() -> list[dict[str, object]]:
        return said(subject, event)[before:]

    subject.signal(signal.SIGHUP)
    return await answered(told)


async def test_a_mistake_changes_nothing_and_a_good_file_is_taken_up(venue: Venue) -> None:
    (first, line), (second, other) = new_token(), new_token()
    tokens = venue.folder / "tokens"
    tokens.write_text(f"{line}\n")
    good = venue.config(http={"tokens_file": "tokens"})
    async with venue.open(), Quoting(venue), Subject(venue.folder, good) as subject:
        mistakes = {
            "[http]\nport = 'many'\n": "http.port",
            good.replace('"live.toml"', '"gone.toml"'): "rulebooks.names[0]",
            "[[[": "TOML",
        }
        for text, what in mistakes.items():
            subject.config.write_text(text)
            refused = await reloaded(subject, "config_refused")
            assert what in str(refused[0]["error"])
        subject.config.write_text(good)
        tokens.write_text("this is no token\n")
        await reloaded(subject, "config_refused")
        assert (await asked(subject, first))[0] == 200

        tokens.write_text(f"{other}\n")
        subject.config.write_text(good + '\n[mqtt]\nhost = "127.0.0.1"\n')
        await reloaded(subject, "config_taken_up")
        assert said(subject, "config_waits_for_a_restart")[-1]["keys"] == ["mqtt.host"]
        assert (await asked(subject, first))[0] == 401
        status, text = await asked(subject, second)
        assert status == 200
        assert 'mm_monitor_records_total{kind="quote"}' in text
        subject.signal(signal.SIGTERM)
        assert await subject.wait() == 0
    assert first not in subject.stderr + second
    assert "Traceback" not in subject.stderr
