"""`kill -9` of a real service on a real Kafka, again and again, until it has judged a session.

A simulated session is in the log before the service starts, which reads it in small pieces, so that kills fall
anywhere: while it starts, restores, reads, judges, writes a checkpoint, delivers. What comes out must not show them.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from mm_monitor.simulator import random_session
from mm_monitor.simulator.capture import write_reference
from mm_monitor.simulator.disorder import Disorder
from mm_monitor.simulator.producer import Sending, Topics, produce
from tests.integration.subject import Subject, answered
from tests.services.kafka import Kafka

LIMIT = 60.0  # seconds that a life may take to be done
LATENESS = 50_000_000
RULEBOOK = """
id = "killed"
version = 1
source = "a test"
[spread]
terms = [{ relative = "3%", of = "theo" }]
[presence]
required = "90%"
windows = ["1s"]
[lapse]
longest_permitted = "200ms"
[market_hole]
longest_permitted = "100ms"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What there is of a session when all is judged."""

    report: bytes  # the ledger's day: every obligation and every breach
    counted: dict[str, float]  # records by metric
    rung: frozenset[tuple[str, str]]  # breach and what became of it, on the breaches topic
    repeats: int  # events that came more than once, each under its one id


class Stage:
    """A session in a Kafka, and any number of services that judge it from its beginning."""

    def __init__(
        self, kafka: Kafka, folder: Path, seed: int, *, seconds: float = 10.0, partitions: int = 0
    ) -> None:
        """`partitions` of quotes and of theos; by the seed without."""
        self.kafka, self.folder, self.seed = kafka, folder, seed
        self.partitions = partitions or (1, 2, 4)[seed % 3]
        self.scenario = random_session(seed, seconds=seconds)
        if partitions:
            self.scenario = random_session(
                seed, seconds=seconds, classes=4 * partitions, contracts=4 * partitions
            )
        keep = {"retention_ms": "-1"}
        self.topics = Topics(
            kafka.unique_topic("quotes", self.partitions, **keep),
            kafka.unique_topic("theo", self.partitions, **keep),
            kafka.unique_topic("control", 1, **keep),
        )
        (folder / "names").mkdir(parents=True)
        write_reference(self.scenario, folder / "names")
        (folder / "rules.toml").write_text(RULEBOOK)

    async def fill(self) -> None:
        """Write the whole session, out of order within the allowed lateness."""
        sending = Sending(codec="packed" if self.seed % 2 else "json", rows_per_record=7, speed=None,
                          disorder=Disorder(self.seed, LATENESS - 1))  # fmt: skip
        await produce(self.scenario, self.kafka.bootstrap, self.topics, sending)

    def service(self, name: str, *, bootstrap: str = "", fetch: str = "getmany") -> Service:
        """A service with directories and a breaches topic of its own; `bootstrap` is another way to the broker."""
        breaches = self.kafka.unique_topic("breaches", 1, retention_ms="-1")
        return Service(self, name, breaches, bootstrap or self.kafka.bootstrap, fetch)


class Service:
    """One service through all its lives."""

    def __init__(
        self, stage: Stage, name: str, breaches: str, bootstrap: str, fetch: str = "getmany"
    ) -> None:
        self.stage, self.name, self.breaches = stage, name, breaches
        self.bootstrap, self.fetch = bootstrap, fetch
        self.kept = stage.folder / f"{name}-kept"
        self.ledger = stage.folder / f"{name}-ledger"

    def life(self) -> Subject:
        """A process that is yet to be started."""
        return Subject(self.stage.folder, self.life_text(), self.name)

    def life_text(self) -> str:
        """Its configuration."""
        stage, topics = self.stage, self.stage.topics
        codec = "packed" if stage.seed % 2 else "json"
        return f"""
[kafka]
bootstrap = "{self.bootstrap}"
fetch = "{self.fetch}"
fetch_max_wait = "20ms"
max_records = 8
[topics]
quotes = "{topics.quotes}"
theo = "{topics.theo}"
control = "{topics.control}"
reference = ""
breaches = "{self.breaches}"
dead_letter = ""
[codecs]
quotes = "{codec}"
theo = "{codec}"
[reference]
directory = "names"
[rulebooks]
names = ["./rules.toml"]
phases = "feed"
[tape]
start = "earliest"
lateness = "{LATENESS}ns"
[publish]
every = "20ms"
[checkpoint]
directory = "{self.kept.name}"
every = "20ms"
[ledger]
directory = "{self.ledger.name}"
[http]
port = 0
[log]
format = "json"
"""

    @property
    def done(self) -> bool:
        """Is the session judged?"""
        return any(self.ledger.glob("*.json"))

    async def live_until_killed(self, luck: random.Random) -> bool:
        """Start, and kill -9 at a random instant; did it go on from a checkpoint?"""
        life = self.life()
        life.start()
        try:
            if luck.random() < 0.2:
                await asyncio.sleep(luck.uniform(0.0, 1.5))
            else:
                await _until(lambda: "reading" in life.stderr or not life.alive)
                await asyncio.sleep(luck.uniform(0.0, 0.6))
            assert life.alive, life.stderr
        finally:
            life.kill()
        assert "checkpoint_refused" not in life.stderr, life.stderr
        return "checkpoint_found" in life.stderr

    async def live_to_the_end(self, within: float = LIMIT) -> Outcome:
        """Start, judge what is left within so many seconds, end in peace; what has come out of all lives."""
        life = self.life()
        life.start()
        try:
            await life.listening(LIMIT)
            await answered(lambda: self._all_judged(life), timeout=within)
            counted = await _counted(life)
            life.signal(15)
            assert await life.wait() == 0, life.stderr
            assert "Traceback" not in life.stderr, life.stderr
        finally:
            life.kill()
        events = await self.events()
        ids = [event["id"] for event in events]
        (report,) = self.ledger.glob("*.json")
        return Outcome(
            report.read_bytes(), counted, frozenset(map(said_of, events)), len(ids) - len(set(ids))
        )

    async def _all_judged(self, life: Subject) -> bool:
        """Has this life come to the end of the session, and of the log?"""
        status, _ = await life.get("readyz")
        watermark = await life.metric("mm_monitor_watermark_timestamp_seconds")
        return self.done and status == 200 and watermark > self.stage.scenario.end / 1e9 + 1

    async def events(self) -> list[dict[str, Any]]:
        """All that came to its breaches topic."""
        return await events_of(self.stage.kafka, self.breaches)


async def events_of(kafka: Kafka, topic: str) -> list[dict[str, Any]]:
    """All events that a breaches topic has."""
    tp = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[dict[str, Any]] = []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [json.loads(record.value) for record in records]
    return found


def said_of(event: dict[str, Any]) -> tuple[str, str]:
    """Which breach, and what became of it; an update tells of the instant at which it was looked at."""
    return event["data"]["breach"]["id"], event["type"].rpartition(".")[2]


async def _counted(life: Subject) -> dict[str, float]:
    names = ("records", "late_records", "dead_letters", "no_obligation_quotes", "apply_rows")
    return {name: await life.metric(f"mm_monitor_{name}_total") for name in names}


async def _until(condition: Any, seconds: float = LIMIT) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
