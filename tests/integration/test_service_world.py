"""The service in its world: real Kafka, Prometheus, Alertmanager and Mosquitto tell of the same breaches.

A session of some seconds, by a rulebook whose calendar opens now. M0 and M1 misbehave for a while, M2 never quotes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.model import breach_id
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.log import logs_of
from mm_monitor.evidence.verifier import verify
from tests.contracts.far_sides import MqttFar
from tests.contracts.published import faults, schema_of
from tests.integration.subject import Subject, answered, total
from tests.integration.venue import SECOND, Quoting, Venue, local, noon_zone, rulebook
from tests.services import Alertmanager, Kafka, Mosquitto, Prometheus, find

MS = 1_000_000
PERMITTED, GRACE = 300 * MS, 200 * MS
RULES = """
[spread]
terms = [{ relative = "3%", of = "theo" }]
grace = "200ms"
[lapse]
longest_permitted = "300ms"
[presence]
required = "80%"
"""


class World:
    """The monitor and everybody it tells."""

    def __init__(self, venue: Venue, alertmanager: Alertmanager, mqtt: MqttFar,
                 prometheus: Prometheus, seconds: int) -> None:  # fmt: skip
        self.venue, self.alertmanager, self.mqtt = venue, alertmanager, mqtt
        self.prometheus = prometheus
        self.id = f"book-{uuid.uuid4().hex[:8]}"
        zone = noon_zone()
        self.opens = (time.time_ns() // SECOND + 4) * SECOND
        self.closes = self.opens + seconds * SECOND
        phases = ((local(zone, self.opens), "continuous"), (local(zone, self.closes), "closed"))
        venue.write_rulebook(rulebook(self.id, RULES, zone=zone, phases=phases))
        self.logs, key = venue.folder / "evidence", venue.folder / "evidence.pem"
        SealingKey.create(key)
        self.subject = Subject(venue.folder, venue.config(
            evidence={"directory": str(self.logs), "key_file": str(key)},
            alertmanager={"urls": [alertmanager.url], "resend_every": "1s"},
            mqtt={"host": mqtt.service.host, "port": mqtt.service.port, "topic_prefix": mqtt.prefix},
        ))  # fmt: skip

    def breach(self, kind: str, maker: str, contract: str, start: int) -> str:
        """The id that a breach must have."""
        return breach_id(self.id, 1, kind, maker, contract, start)

    async def metric(self, kind: str, maker: str) -> float | None:
        """Open breaches as Prometheus has them."""
        labels = f'rulebook="{self.id}",kind="{kind}",maker="{maker}"'
        found = await asyncio.to_thread(
            self.prometheus.value, f"sum(mm_monitor_open_breaches{{{labels}}})"
        )
        return found

    async def alerts(self) -> set[str]:
        """Ids of the breaches that fire."""
        found = await asyncio.to_thread(self.alertmanager.alerts, rulebook=self.id)
        return {alert["annotations"]["breach_id"] for alert in found}

    def mqtt_events(self) -> set[str]:
        """Ids of the MQTT events so far."""
        return {
            str(self.mqtt.payload(message)["id"])
            for message in self.mqtt.messages
            if self.mqtt.is_event(message)
        }

    def state(self, maker: str) -> set[str]:
        """Ids of the breaches open in the maker's newest retained state."""
        topic = f"{self.mqtt.prefix}/{self.id}/makers/{maker}/state"
        states = [m for m in self.mqtt.messages if m.topic.value == topic]
        return (
            {b["id"] for b in self.mqtt.payload(states[-1])["open_breaches"]} if states else set()
        )

    async def log(self) -> list[dict[str, Any]]:
        """All events of the breaches topic."""
        return await self.venue.read(self.venue.breaches_topic)

    def evidence(self) -> list[str]:
        """Ids of the events in the evidence log, which must verify."""
        (path,) = logs_of(self.logs)
        verify(path.read_bytes())
        lines = [json.loads(line[65:]) for line in path.read_bytes().splitlines()]
        return [line["id"] for line in lines if line["entry"] == "breach"]

    async def everywhere(self, kind: str, maker: str, breach: str) -> None:
        """Wait until all four tell of the open breach."""

        async def told() -> bool:
            return (
                await self.metric(kind, maker) == 1
                and breach in await self.alerts()
                and f"{breach}-opened" in self.mqtt_events()
                and breach in self.state(maker)
                and f"{breach}-opened" in {event["id"] for event in await self.log()}
            )

        await answered(told)

    async def over_everywhere(self, kind: str, maker: str, breach: str) -> None:
        """Wait until all four tell that it has ended."""

        async def told() -> bool:
            return (
                await self.metric(kind, maker) == 0
                and breach not in await self.alerts()
                and f"{breach}-closed" in self.mqtt_events()
                and breach not in self.state(maker)
                and f"{breach}-closed" in {event["id"] for event in await self.log()}
            )

        await answered(told)


@pytest.fixture
async def mqtt(mosquitto: Mosquitto) -> AsyncIterator[MqttFar]:
    side = MqttFar(mosquitto)
    await side.ready()
    yield side
    await side.close()


@pytest.mark.criterion("BRCH-02")
async def test_everybody_tells_of_the_same_breaches_and_of_their_end(
    kafka: Kafka, tmp_path: Path, alertmanager: Alertmanager, mqtt: MqttFar, prometheus: Prometheus
) -> None:
    venue = Venue(kafka, tmp_path)
    world = World(venue, alertmanager, mqtt, prometheus, seconds=12)
    async with venue.open(), world.subject as subject, Quoting(venue) as quoting:
        quoting.silent = {"M2"}
        await venue.theo()
        prometheus.configure(targets=[subject.url.removeprefix("http://").rstrip("/")])

        async def scraped() -> bool:
            return await world.metric("lapse", "M0") == 0

        await answered(scraped)
        gone = await quoting.say("M0", "C0", bid=None, ask=None)
        wide = await quoting.say("M1", "C1", bid="1.0000", ask="1.1000")
        lapse = world.breach("lapse", "M0", "C0", gone + PERMITTED)
        spread = world.breach("spread", "M1", "C1", wide + GRACE)
        never = world.breach("lapse", "M2", "C0", world.opens + PERMITTED)
        await asyncio.gather(
            world.everywhere("lapse", "M0", lapse), world.everywhere("spread", "M1", spread)
        )
        assert await world.metric("lapse", "M2") == 2
        assert never in await world.alerts()
        await check_exposition(await subject.text())
        await quoting.say("M0", "C0")
        await quoting.say("M1", "C1")
        await asyncio.gather(
            world.over_everywhere("lapse", "M0", lapse),
            world.over_everywhere("spread", "M1", spread),
        )
        # A fifth of twelve seconds may be lost.
        unreachable = world.breach("presence_unreachable", "M2", "", world.opens + 2_400_000_001)
        await world.everywhere("presence_unreachable", "M2", unreachable)
        failed = world.breach("presence", "M2", "", world.closes)
        await asyncio.sleep(max(0.0, (world.closes - time.time_ns()) / SECOND))
        await answered(lambda: is_open(world, failed))
        await world.over_everywhere("presence_unreachable", "M2", unreachable)
        assert never not in await world.alerts()
    events = await world.log()
    assert [faults("breach-event", event) for event in events] == [[]] * len(events)
    check_messages(world)
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids)), "nothing failed, so nothing was told twice"
    assert set(ids) == world.mqtt_events()
    assert sorted(ids) == sorted(world.evidence())
    told = {event["data"]["breach"]["id"]: event["data"]["breach"] for event in await world.log()}
    assert {lapse, spread, never, unreachable, failed} <= set(told)
    assert {breach["maker"] for breach in told.values() if breach["kind"] == "presence"} == {"M2"}


def check_messages(world: World) -> None:
    """Every MQTT message came on a topic of the AsyncAPI document, and is as its schema says."""
    seen = set()
    for message in world.mqtt.messages:
        schema = schema_of(message.topic.value, world.mqtt.prefix)
        seen.add(schema)
        if message.payload:
            assert faults(schema, world.mqtt.payload(message)) == []
    assert {"maker-state", "mqtt-breach-event", "service-status"} == seen


async def is_open(world: World, breach: str) -> bool:
    """Does the alert fire?"""
    return breach in await world.alerts()


async def check_exposition(text: str) -> None:
    """Prometheus's own linter has nothing to say."""
    promtool = find.promtool()
    assert promtool is not None
    done = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.criterion("BRCH-02")
async def test_what_happens_while_mosquitto_and_alertmanager_are_dead_is_told_later(
    kafka: Kafka, tmp_path: Path, alertmanager: Alertmanager, mqtt: MqttFar, prometheus: Prometheus
) -> None:
    venue = Venue(kafka, tmp_path)
    world = World(venue, alertmanager, mqtt, prometheus, seconds=3600)
    async with venue.open(), world.subject as subject, Quoting(venue) as quoting:
        await venue.theo()
        await asyncio.sleep(max(0.0, (world.opens - time.time_ns()) / SECOND) + 0.2)
        before = await quoting.say("M0", "C0", bid=None, ask=None)
        open_before = world.breach("lapse", "M0", "C0", before + PERMITTED)
        await answered(lambda: is_open(world, open_before))
        await asyncio.gather(
            asyncio.to_thread(alertmanager.kill), asyncio.to_thread(mqtt.service.kill)
        )
        await quoting.say("M0", "C0")
        during = await quoting.say("M1", "C1", bid=None, ask=None)
        open_during = world.breach("lapse", "M1", "C1", during + PERMITTED)

        async def logged() -> bool:
            return f"{open_during}-opened" in {event["id"] for event in await world.log()}

        await answered(logged)
        await asyncio.sleep(1)  # some attempts fail
        await asyncio.gather(
            asyncio.to_thread(alertmanager.start), asyncio.to_thread(mqtt.service.start)
        )

        async def told() -> bool:
            return (
                await world.alerts() == {open_during}
                and {e["id"] for e in await world.log()} == world.mqtt_events()
                and world.state("M1") == {open_during}
                and world.state("M0") == set()
            )

        await answered(told)
        assert f"{open_before}-closed" in world.mqtt_events()
        text = await subject.text()
        for sink in ("alertmanager", "mqtt"):
            assert total(text, "mm_monitor_sink_failures_total", sink=sink) > 0
            assert total(text, "mm_monitor_sink_lag_seconds", sink=sink) == 0
        assert total(text, "mm_monitor_sink_dropped_events_total") == 0
        assert len(subject.logs) < 40, subject.stderr
