"""SIGHUP: a configuration with a mistake keeps the service as it is, a good one is taken up as far as it can be."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

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


async def asked(subject: Subject, token: str, url: str = "") -> tuple[int, str]:
    """Status and text of /metrics, of the subject or of a share of it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url or subject.url}metrics", headers=headers) as answer,
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


def of_a_group(venue: Venue, **sections: Any) -> str:
    """The configuration of a keeper of two shares."""
    keep = {"cleanup_policy": "compact", "retention_ms": "-1"}
    kept = venue.kafka.unique_topic("checkpoints", 2, **keep)
    accruals = venue.kafka.unique_topic("accruals", 1, **keep)
    kafka = {"group": kept, "worker": "*/2"}
    topics = {"checkpoints": kept, "accruals": accruals}
    return venue.config(
        kafka=kafka,
        topics=topics,
        checkpoint={"store": "topic"},
        **{"journal": {"directory": ""}, **sections},
    )


@pytest.mark.slow
async def test_a_keeper_has_its_shares_read_the_file_again_and_those_that_begin_later_go_by_it(
    venue: Venue,
) -> None:
    (first, line), (second, other) = new_token(), new_token()
    for name, text in {"tokens": line, "others": other, "bad": "this is no token"}.items():
        (venue.folder / name).write_text(text + "\n")
    before = of_a_group(venue, http={"tokens_file": "tokens"})
    after = before.replace('"tokens"', '"others"').replace('"*/2"', '"*/3"')

    async def let_in(token: str, shares: int) -> bool:
        urls = [str(line["url"]) for line in said(subject, "listening")][-shares:]
        return [(await asked(subject, token, url))[0] for url in urls] == [200] * shares

    async with venue.open(), Quoting(venue), Subject(venue.folder, before) as subject:
        await answered(lambda: let_in(first, 2))
        for mistake, what in {
            before.replace('"live.toml"', '"gone.toml"'): "rulebooks.names[0]",
            before.replace('"tokens"', '"bad"'): "`SHA256 operations`",
        }.items():
            subject.config.write_text(mistake)
            [refused] = await reloaded(subject, "config_refused")
            assert what in str(refused["error"])
        assert await let_in(first, 2)

        subject.config.write_text(after)
        await reloaded(subject, "config_taken_up")
        await answered(lambda: let_in(second, 2))
        assert said(subject, "config_waits_for_a_restart")[0]["keys"] == ["kafka.worker"]
        assert len(said(subject, "config_refused")) == 2  # by the keeper alone

        pid = said(subject, "share_begun")[-1]["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        await answered(lambda: has(subject, "share_begun", 3))
        subject.signal(signal.SIGHUP)  # while it starts: it has to wait
        await answered(lambda: has(subject, "listening", 3))
        await answered(lambda: let_in(second, 1))
        assert len(said(subject, "share_ended")) == 1
        subject.signal(signal.SIGTERM)
        assert await subject.wait(30) == 0
    assert "Traceback" not in subject.stderr


async def has(subject: Subject, event: str, times: int) -> bool:
    """Has it said so as often?"""
    return len(said(subject, event)) == times
