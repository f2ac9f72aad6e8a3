"""A small venue for tests of the service: topics of its own, two contracts, three makers, a rulebook open all day.

C0 is of class K0 on partition 0, C1 of class K1 on partition 1. Its trading date begins about noon ago in the zone
that it chooses, so that no test meets a midnight.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.services.kafka import Kafka

MS = 1_000_000
SECOND = 1_000_000_000
CONTRACTS = {"C0": ("K0", 0), "C1": ("K1", 1)}
MAKERS = ("M0", "M1", "M2")


def noon_zone() -> str:
    """A time zone in which it is about noon now."""
    ahead = 12 - datetime.now(UTC).hour  # hours that its clocks are ahead of UTC, -11 to 12
    return f"Etc/GMT{-ahead:+d}"


def local(zone: str, ns: int) -> str:
    """The wall time `HH:MM:SS` of an instant in one of `noon_zone`'s zones."""
    hours = -int(zone.removeprefix("Etc/GMT"))
    moment = datetime.fromtimestamp(ns // SECOND, UTC) + timedelta(hours=hours)
    return moment.strftime("%H:%M:%S")


ALL_DAY = (("00:00", "continuous"), ("23:59", "closed"))


def rulebook(name: str = "live", rules: str = "", *, zone: str = "",
             phases: tuple[tuple[str, str], ...] = ALL_DAY,
             days: str = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]') -> str:  # fmt: skip
    """TOML of a rulebook whose calendar is open all day, every day, unless told otherwise."""
    said = ", ".join(f'{{ at = "{at}", phase = "{phase}" }}' for at, phase in phases)
    return f"""
id = "{name}"
version = 1
source = "a test"
[calendar]
timezone = "{zone or noon_zone()}"
days = {days}
phases = [{said}]
{rules}
"""


class Venue:
    """Topics on a real Kafka, files in `folder`, and a producer that writes as makers would."""

    def __init__(self, kafka: Kafka, folder: Path, partitions: int = 2, **topic: str) -> None:
        self.kafka, self.folder = kafka, folder
        keep = {"retention_ms": "-1", **topic}
        self.quotes_topic = kafka.unique_topic("quotes", partitions, **keep)
        self.theo_topic = kafka.unique_topic("theo", partitions, **keep)
        self.control_topic = kafka.unique_topic("control", 1, **keep)
        self.breaches_topic = kafka.unique_topic("breaches", 1, **keep)
        self.dead_topic = kafka.unique_topic("dead", 1, **keep)
        self.producer: AIOKafkaProducer | None = None
        (folder / "names").mkdir(exist_ok=True)
        rows = [f"{name},{klass},0.0001,call,,,,{10 + part}"
                for name, (klass, part) in CONTRACTS.items()]  # fmt: skip
        self.names("contracts", "contract,class,tick,kind,strike,expiry,multiplier,id", *rows)
        self.names("makers", "maker,class,id", *(f"{m},*,{i}" for i, m in enumerate(MAKERS, 1)))

    def names(self, table: str, *lines: str) -> None:
        """Write one file of the reference directory."""
        (self.folder / "names" / f"{table}.csv").write_text("\n".join(lines) + "\n")

    def write_rulebook(self, text: str, name: str = "live") -> None:
        """Put a rulebook beside the configuration."""
        (self.folder / f"{name}.toml").write_text(text)

    def config(self, *, books: tuple[str, ...] = ("live",), codec: str = "json", port: int = 0,
               **sections: dict[str, Any]) -> str:  # fmt: skip
        """TOML of a configuration; `sections` add keys or replace them."""
        tables: dict[str, dict[str, Any]] = {
            "kafka": {"bootstrap": self.kafka.bootstrap, "fetch_max_wait": "20ms"},
            "topics": {"quotes": self.quotes_topic, "theo": self.theo_topic,
                       "control": self.control_topic, "breaches": self.breaches_topic,
                       "dead_letter": self.dead_topic, "reference": ""},
            "codecs": {"quotes": codec, "theo": codec},
            "reference": {"directory": "names"},
            "rulebooks": {"names": [f"{name}.toml" for name in books]},
            "tape": {},
            "http": {"port": port},
            "journal": {"directory": "journal"},
            "dead_letter": {"file": "dead.jsonl"},
            "log": {"level": "info", "format": "json"},
        }  # fmt: skip
        for name, keys in sections.items():
            tables[name] = {**tables.get(name, {}), **keys}
        return "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
            for name, keys in tables.items()
        )

    # -- writing --------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Venue]:
        """With a connected producer."""
        self.producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap, acks="all")
        await self.producer.start()
        try:
            yield self
        finally:
            await self.producer.stop()

    async def send(self, topic: str, value: Any, partition: int = 0, key: str = "",
                   stamp: int | None = None) -> int:  # fmt: skip
        """Write one record, bytes as they are and all else as JSON; returns its offset. `stamp` in ns."""
        assert self.producer is not None
        data = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        stamp_ms = None if stamp is None else stamp // MS
        done = await self.producer.send_and_wait(
            topic, data, partition=partition, key=key.encode() or None, timestamp_ms=stamp_ms
        )
        return int(done.offset)

    async def quote(self, maker: str = "M0", contract: str = "C0", bid: str | None = "1.0000",
                    ask: str | None = "1.0100", ts: int | None = None, *, size: int = 10,
                    stamp: int | None = None) -> int:  # fmt: skip
        """One quote, of now unless told otherwise; returns its ts_event."""
        ts = time.time_ns() if ts is None else ts
        value = quote(ts, maker, contract, bid, ask, size)
        await self.send(self.quotes_topic, value, CONTRACTS[contract][1], stamp=stamp)
        return ts

    async def quotes(self, *makers: str, ts: int | None = None, stamp: int | None = None) -> int:
        """A good quote of every maker (or of those named) on both contracts, at one instant."""
        ts = time.time_ns() if ts is None else ts
        for contract, (_, partition) in CONTRACTS.items():
            values = [quote(ts, maker, contract) for maker in makers or MAKERS]
            await self.send(self.quotes_topic, values, partition, stamp=stamp)
        return ts

    async def theo(self, theo: str = "1.0050", ts: int | None = None) -> int:
        """A theo for both contracts."""
        ts = time.time_ns() if ts is None else ts
        for contract, (_, partition) in CONTRACTS.items():
            value = {"ts_event": ts, "contract": contract, "theo": theo}
            await self.send(self.theo_topic, value, partition)
        return ts

    async def control(self, record: str, ts: int | None = None, **fields: Any) -> int:
        """A control record; `klass` stands for `class`."""
        ts = time.time_ns() if ts is None else ts
        if "klass" in fields:
            fields["class"] = fields.pop("klass")
        await self.send(self.control_topic, {"record": record, "ts_event": ts, **fields})
        return ts

    # -- reading --------------------------------------------------------------------------------

    async def led(self) -> None:
        """Return once a broker leads every partition again: until then a producer retries, and its records age."""
        topics = (self.quotes_topic, self.theo_topic)
        partitions = [TopicPartition(topic, of) for topic in topics for _, of in CONTRACTS.values()]
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap) as consumer:
            await consumer.end_offsets(partitions)  # asks the leaders themselves, until they answer

    async def read(self, topic: str, partition: int = 0) -> list[Any]:
        """The JSON of all records of a partition."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap) as consumer:
            tp = TopicPartition(topic, partition)
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end = (await consumer.end_offsets([tp]))[tp]
            found: list[Any] = []
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [json.loads(record.value) for record in records]
            return found

    def journal(self) -> list[dict[str, Any]]:
        """All entries of the journal so far."""
        files = sorted((self.folder / "journal").glob("journal-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def dead(self) -> list[dict[str, Any]]:
        """All lines of the dead-letter file so far."""
        path = self.folder / "dead.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def quote(ts: int, maker: str = "M0", contract: str = "C0", bid: str | None = "1.0000",
          ask: str | None = "1.0100", size: int = 10) -> dict[str, Any]:  # fmt: skip
    """A quote as JSON; None withdraws a side."""
    return {
        "ts_event": ts, "maker": maker, "contract": contract,
        "bid_price": bid, "bid_size": size if bid else 0,
        "ask_price": ask, "ask_size": size if ask else 0,
    }  # fmt: skip


class Quoting:
    """Repeats every maker's quotes in the background, as a live market does.

    `silent` makers and `muted` contracts are left out; `say` changes what a maker quotes on a contract, at once.
    """

    def __init__(self, venue: Venue, every: float = 0.1) -> None:
        self.venue, self.every = venue, every
        self.silent: set[str] = set()
        self.muted: set[str] = set()  # contracts of which nothing is written
        self.sent: list[int] = []  # when every round began
        self.said: list[tuple[int, str]] = []  # and of what was written for each contract
        self._changed: dict[tuple[str, str], dict[str, Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> Quoting:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        # Its last round is written whole, so that who counts rounds counts quotes; a dead broker is not waited for.
        assert self._task is not None
        self._over.set()
        await asyncio.wait([self._task], timeout=5)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def say(self, maker: str, contract: str, **prices: Any) -> int:
        """From now on the maker quotes so; returns the ts_event of the change."""
        self._changed[maker, contract] = prices
        return await self.venue.quote(maker, contract, **prices)

    async def _run(self) -> None:
        while not self._over.is_set():
            self.sent.append(time.time_ns())
            for contract in CONTRACTS.keys() - self.muted:
                await self._write(contract)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self.every)

    async def _write(self, contract: str) -> None:
        # An instant of its own: what was changed while the round went on must not seem older than it is.
        ts = time.time_ns()
        self.said.append((ts, contract))
        values = [
            quote(ts, maker, contract, **self._changed.get((maker, contract), {}))
            for maker in MAKERS
            if maker not in self.silent
        ]
        await self.venue.send(self.venue.quotes_topic, values, CONTRACTS[contract][1])
