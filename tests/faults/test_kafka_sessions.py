"""A broker that ends every session after two seconds (`connections.max.reauth.ms`): nothing is lost, nobody notices.

The client cannot say again who it is on the connection that it has, so the broker closes it at the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.cluster.membership import Membership
from mm_monitor.sources.kafka_options import KafkaOptions, client_settings
from tests.faults.proxy import Proxy
from tests.integration.subject import Subject, answered
from tests.integration.venue import MAKERS, MS, Quoting, Venue, rulebook
from tests.services.kafka.guarded import SESSION, USER, GuardedKafka, token

RULES = '[spread]\nterms = [{ absolute = "0.02" }]\n[lapse]\nlongest_permitted = "300ms"\n'
SESSIONS = 6  # that pass while it runs


def _keys(kafka: GuardedKafka, mechanism: str) -> dict[str, Any]:
    """Of the configuration's section `kafka`."""
    by_token = mechanism == "OAUTHBEARER"
    return {
        "bootstrap": f"127.0.0.1:{kafka.ports.between_brief}", "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism, "sasl_username": USER,
        "sasl_token_file" if by_token else "sasl_password_file": "secret",
    }  # fmt: skip


@asynccontextmanager
async def _let_in(kafka: GuardedKafka, file: Path, mechanism: str) -> AsyncIterator[None]:
    """With a file that has what lets us in; a token is good for as long as a session, and somebody renews it."""

    async def renew() -> None:
        while True:
            beside = file.with_suffix(".new")
            beside.write_text(token(SESSION) if mechanism == "OAUTHBEARER" else kafka.password)
            beside.replace(file)
            await asyncio.sleep(SESSION / 4)

    renewing = asyncio.create_task(renew())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        renewing.cancel()


@pytest.mark.parametrize(
    ("mechanism", "fetch", "group"),
    [
        ("SCRAM-SHA-256", "raw", ""),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in (
                ("PLAIN", "getmany", ""),
                ("SCRAM-SHA-512", "raw", "group"),
                ("OAUTHBEARER", "raw", ""),
            )
        ),
    ],
)
async def test_sessions_that_expire_are_begun_anew(
    guarded_kafka: GuardedKafka, tmp_path: Path, mechanism: str, fetch: str, group: str
) -> None:
    venue = Venue(guarded_kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    topic = guarded_kafka.unique_topic("checkpoints", 1, cleanup_policy="compact")
    keys = {**_keys(guarded_kafka, mechanism), "fetch": fetch, "group": group and topic}
    text = venue.config(
        kafka=keys, topics={"checkpoints": topic}, checkpoint={"store": "topic", "every": "500ms"},
        tape={"lost_after": "3s"}, log={"level": "debug"},
    )  # fmt: skip
    ports = guarded_kafka.ports
    line = Proxy(ports.brief, ports.between_brief)
    let_in = _let_in(guarded_kafka, tmp_path / "secret", mechanism)
    async with let_in, line, venue.open(), Subject(tmp_path, text) as subject:
        watched = _Watched(subject)
        async with Quoting(venue) as quoting:
            await answered(lambda: watched.ready())
            begun = line.lines
            gone = []
            for n in range(SESSIONS):
                gone.append(await quoting.say("M1", "C0", bid=None, ask=None))
                await answered(partial(_rung, venue, gone[n]))
                await quoting.say("M1", "C0")
                await venue.send(venue.quotes_topic, b"no quote", 1)
                await watched.look_for(SESSION)
        said = len(MAKERS) * len(quoting.said) + 2 * SESSIONS
        await answered(lambda: watched.counted(said))
        assert line.lines - begun >= SESSIONS
        assert await subject.metric("mm_monitor_late_records_total") == 0
        assert len(venue.dead()) == SESSIONS
        assert len(await venue.read(venue.dead_topic)) == SESSIONS
        assert await subject.metric("mm_monitor_checkpoint_failures_total") == 0
    assert watched.troubles == []
    assert "Traceback" not in subject.stderr
    events = [
        event["data"]["breach"]["start"] // MS for event in await venue.read(venue.breaches_topic)
    ]
    assert {at // MS + 300 for at in gone} <= set(events)


class _Watched:
    """A service, and what was wrong with it whenever somebody looked."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.troubles: list[str] = []

    async def ready(self) -> bool:
        """Is all as it should be?"""
        status, page = await self.subject.get("readyz")
        return status == 200 and page["reason"] == "ready"

    async def counted(self, said: int) -> bool:
        """Has it counted so many quotes?"""
        found = await self.subject.metric("mm_monitor_records_total", kind="quote")
        assert found <= said
        return found == said

    async def look_for(self, seconds: float) -> None:
        """Look again and again."""
        for _ in range(int(seconds * 10)):
            await asyncio.sleep(0.1)
            status, page = await self.subject.get("readyz")
            down = await self.subject.metric("mm_monitor_feed_down_scopes")
            if (status, page["reason"], down) != (200, "ready", 0):
                self.troubles.append(f"{status} {page['reason']} {down}")


async def _rung(venue: Venue, away: int) -> bool:
    """Has the breaches topic the lapse that began at that instant?"""
    found = [event["data"]["breach"] for event in await venue.read(venue.breaches_topic)]
    return any(b["maker"] == "M1" and b["start"] // MS == away // MS + 300 for b in found)


async def test_a_lease_is_prolonged_though_each_beat_meets_a_session_that_has_expired(
    guarded_kafka: GuardedKafka, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(guarded_kafka.password)
    topic = guarded_kafka.unique_topic("checkpoints", 2, cleanup_policy="compact")
    keys = _keys(guarded_kafka, "SCRAM-SHA-256")
    keys["sasl_password_file"] = str(tmp_path / "secret")
    beats = int(1.2 * SESSION * 10**9)  # ns from one to the next
    member = Membership(client_settings(KafkaOptions(**keys)), topic, topic, 2, 8 * beats)
    ports = guarded_kafka.ports
    async with Proxy(ports.brief, ports.between_brief):
        await member.start()
        try:
            await answered(lambda: _has(member))
            lease = member.lease
            await answered(lambda: _has(member, lease))
        finally:
            await member.stop()


async def _has(member: Membership, after: int = 0) -> bool:
    return member.valid and len(member.given) == 2 and member.lease > after


@pytest.mark.slow
async def test_a_member_of_a_group_keeps_its_shares(
    guarded_kafka: GuardedKafka, tmp_path: Path
) -> None:
    """What the member says to the brokers is interrupted as all else; its shares run on."""
    venue = Venue(guarded_kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    topic = guarded_kafka.unique_topic("checkpoints", 2, cleanup_policy="compact")
    keys = {**_keys(guarded_kafka, "SCRAM-SHA-256"), "group": topic, "worker": "*/2"}
    text = venue.config(kafka=keys, topics={"checkpoints": topic}, checkpoint={"store": "topic"})
    ports = guarded_kafka.ports
    line = Proxy(ports.brief, ports.between_brief)
    let_in = _let_in(guarded_kafka, tmp_path / "secret", "SCRAM-SHA-256")
    subject = Subject(tmp_path, text)
    async with let_in, line, venue.open():
        subject.start()
        try:
            await answered(lambda: _told(subject, "reading", 2))
            begun = line.lines
            async with Quoting(venue):
                await asyncio.sleep(SESSIONS * SESSION)
            assert line.lines - begun >= SESSIONS
        finally:
            subject.signal(15)
            await subject.wait(20)
    told = [line["event"] for line in subject.logs]
    assert (told.count("share_begun"), told.count("kafka_unreachable")) == (2, 0)
    assert told.count("reading") == 2
    assert "Traceback" not in subject.stderr


async def _told(subject: Subject, event: str, times: int) -> bool:
    return [line["event"] for line in subject.logs].count(event) >= times
