"""The Kafka source against a real broker: starts, gaps, silence, a lost broker, the group."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from mm_monitor.core.model import BadReason, FeedRecord, PhaseRecord, ReferenceRecord
from mm_monitor.errors import MonitorError
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_client import StartAt
from mm_monitor.sources.kafka_options import MS, SECOND, KafkaFeeds, KafkaOptions, TapeTimes
from mm_monitor.sources.kafka_parts import FIRST_PART, OWN_PART
from mm_monitor.sources.protocol import Delivery
from tests.services.kafka import Kafka
from tests.unit.codecs.samples import quote, reference

QUICK = TapeTimes(silent_after=1 * SECOND, idle_after=200 * MS, lost_after=1 * SECOND)


class Tape:
    """Topics of one test, and what is written to them."""

    def __init__(self, kafka: Kafka, partitions: int = 1) -> None:
        self.kafka = kafka
        self.feeds = KafkaFeeds(
            quotes=kafka.unique_topic("quotes", partitions),
            theo=kafka.unique_topic("theo", partitions),
            control=kafka.unique_topic("control"),
            reference=kafka.unique_topic("reference", cleanup_policy="compact"),
        )
        self.options = KafkaOptions(bootstrap=kafka.bootstrap)

    async def write(self, topic: str, *values: Any, partition: int = 0, key: str = "K0",
                    stamp: int | None = None) -> None:  # fmt: skip
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap)
        await producer.start()
        try:
            for value in values:
                data = value if isinstance(value, bytes | None) else json.dumps(value).encode()
                await producer.send_and_wait(
                    topic, data, partition=partition, key=key.encode(), timestamp_ms=stamp
                )
        finally:
            await producer.stop()

    async def quotes(self, *times: int, partition: int = 0, stamp: int | None = None) -> None:
        values = [quote(ts_event=ts) for ts in times]
        await self.write(self.feeds.quotes, *values, partition=partition, stamp=stamp)

    @asynccontextmanager
    async def source(self, start: StartAt = "earliest", **kwargs: Any) -> AsyncIterator[Reader]:
        kwargs.setdefault("times", QUICK)
        options = kwargs.pop("options", self.options)
        names = kwargs.pop("reference", None) or reference()
        kept = kwargs.pop("kept", None)
        source = KafkaSource(options, self.feeds, names, **kwargs)
        if kept is not None:
            source.restore(kept)
        await source.start(start)
        try:
            yield Reader(source)
        finally:
            await source.stop()


class Reader:
    """Polls and keeps everything."""

    def __init__(self, source: KafkaSource) -> None:
        self.source = source
        self.deliveries: list[Delivery] = []

    async def until(self, done: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"still waiting; {self.source.problem}"
            self.deliveries += await self.source.poll()

    async def rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.deliveries += await self.source.poll()

    def times(self, feed: str = "quotes", partition: int = 0) -> list[int]:
        part = FIRST_PART[feed] + partition
        return [
            ts for d in self.deliveries if d.part == part for ts in d.decoded.rows["ts"].tolist()
        ]

    def controls(self, kind: type) -> list[Any]:
        return [c for d in self.deliveries for c in d.decoded.controls if isinstance(c, kind)]

    @property
    def own(self) -> list[tuple[str, str, int]]:
        records = [c for d in self.deliveries if d.part == OWN_PART for c in d.decoded.controls]
        return [(c.scope, c.status, c.ts) for c in records if isinstance(c, FeedRecord)]

    @property
    def dead(self) -> list[BadReason]:
        return [letter.reason for d in self.deliveries for letter in d.decoded.dead]


async def test_everything_is_read_and_then_idle(kafka: Kafka) -> None:
    tape = Tape(kafka, partitions=2)
    now = time.time_ns()
    await tape.quotes(now, now + 1)
    await tape.quotes(now + 5, partition=1)
    await tape.write(tape.feeds.theo, {"ts_event": now, "contract": "C0", "theo": "0.5"}, b"junk")
    await tape.write(tape.feeds.control, {"record": "phase", "ts_event": 1, "scope": "*",
                                          "phase": "continuous"})  # fmt: skip
    async with tape.source() as reader:
        source = reader.source
        assert set(source.parts) == {0, 1, 2048, 4096, 4097, 16_384, 16_385}
        assert source.part_names[16_385] == (tape.feeds.quotes, 1)
        assert not source.caught_up
        await reader.until(lambda: source.caught_up)
        assert reader.times() == [now, now + 1]
        assert reader.times(partition=1) == [now + 5]
        assert reader.times("theo") == [now]
        assert reader.dead == [BadReason.UNDECODABLE]
        assert [c.phase for c in reader.controls(PhaseRecord)] == ["continuous"]
        await reader.until(lambda: not source.live_parts)
        assert source.idle_watermark is not None
        behind = time.time_ns() - source.idle_watermark
        assert QUICK.idle_after <= behind < QUICK.idle_after + 2 * SECOND
        assert source.positions[tape.feeds.quotes, 0] == 2
        assert set(source.backlog.values()) == {0}
        await tape.quotes(now + 9)
        await reader.until(lambda: now + 9 in reader.times())
        assert FIRST_PART["quotes"] in source.live_parts


@pytest.mark.criterion("OBL-06")
async def test_a_start_by_time_seeks_in_every_partition(kafka: Kafka) -> None:
    tape = Tape(kafka)
    base = 1_700_000_000_000
    for i in range(5):
        await tape.quotes(i, stamp=base + i)
    async with tape.source(start=(base + 3) * MS + 999_999) as reader:
        await reader.until(lambda: reader.source.caught_up)
        assert reader.times() == [3, 4]
        assert reader.source.history_begins is None
    async with tape.source(start="latest") as reader:
        await reader.until(lambda: reader.source.caught_up)
        assert reader.times() == []
        assert abs(time.time_ns() - (reader.source.history_begins or 0)) < 30 * SECOND
        await tape.quotes(7)
        await reader.until(lambda: reader.times() == [7])


async def delete_before(kafka: Kafka, topic: str, offset: int) -> None:
    """What retention does."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        await asyncio.to_thread(future.result)


@pytest.mark.criterion("OBL-06")
async def test_history_that_retention_cut_is_told(kafka: Kafka) -> None:
    tape = Tape(kafka)
    base = int(time.time() * 1000)
    for i in range(4):
        await tape.quotes(i, stamp=base + i)
    await delete_before(kafka, tape.feeds.quotes, 2)
    async with tape.source(start=base * MS) as reader:
        await reader.until(lambda: reader.source.caught_up)
        assert reader.times() == [2, 3]
        assert reader.source.history_begins == (base + 2) * MS


@pytest.mark.criterion("TAPE-06")
async def test_records_lost_under_us_are_a_gap(kafka: Kafka) -> None:
    tape = Tape(kafka)
    await tape.quotes(100, 101, 102, 103, 104)
    async with tape.source() as reader:
        await reader.until(lambda: len(reader.times()) == 5)
        kept = reader.source.state()
    await tape.quotes(200, 201, 202)
    await delete_before(kafka, tape.feeds.quotes, 7)
    async with tape.source(kept=kept) as reader:
        await reader.until(lambda: 202 in reader.times())
        assert reader.times() == [202]
        down, up = reader.own
        assert down[:2] == ("K0", "down")
        assert up[:2] == ("K0", "up")
        assert reader.source.scopes_down == frozenset()


@pytest.mark.criterion("TAPE-06")
async def test_silence_is_a_feed_that_is_down(kafka: Kafka) -> None:
    tape = Tape(kafka, partitions=2)
    now = time.time_ns()
    trading = False
    await tape.quotes(now)
    async with tape.source(expect_traffic=lambda: trading) as reader:
        await reader.rest(1.5)
        assert reader.own == []
        trading = True
        await reader.until(lambda: reader.own)
        scope, status, ts = reader.own[0]
        assert (scope, status, ts) == ("K0", "down", now)
        late = [ts for _, status, ts in reader.own if status == "down"][1:]
        assert all(ts > now for ts in late)
        assert reader.source.scopes_down == {"K0"}
        again = time.time_ns()
        await tape.quotes(again)
        await reader.until(lambda: reader.source.scopes_down == frozenset())
        assert reader.own[-1] == ("K0", "up", again)


@pytest.mark.criterion("TAPE-06")
async def test_nothing_ever_heard_is_down_for_all(kafka: Kafka) -> None:
    tape = Tape(kafka, partitions=2)
    async with tape.source() as reader:
        await reader.until(lambda: reader.own)
        assert reader.own[0][:2] == ("*", "down")
        now = time.time_ns()
        await tape.quotes(now, partition=1)
        await reader.until(lambda: reader.source.scopes_down == frozenset())
        assert reader.own[-1] == ("*", "up", now)


@pytest.mark.criterion("TAPE-06")
async def test_a_broker_that_goes_and_comes_back(kafka: Kafka) -> None:
    tape = Tape(kafka)
    now = time.time_ns()
    await tape.quotes(now)
    async with tape.source(expect_traffic=lambda: False) as reader:
        await reader.until(lambda: reader.source.caught_up)
        await asyncio.to_thread(kafka.kill)
        await reader.until(lambda: reader.own and reader.source.problem)
        assert reader.own[0] == ("K0", "down", now)
        assert "connection refused" in reader.source.problem
        held = reader.source.live_parts, reader.source.idle_watermark
        assert FIRST_PART["quotes"] in held[0]
        assert held[1] is None
        await asyncio.to_thread(kafka.start)
        again = time.time_ns()
        await tape.quotes(again)
        await reader.until(lambda: again in reader.times(), seconds=60)
        assert reader.own[-1] == ("K0", "up", again)
        await reader.until(lambda: reader.source.problem == "")
        assert reader.times() == [now, again]


@pytest.mark.criterion("TAPE-05")
async def test_a_record_from_the_future_moves_nothing(kafka: Kafka) -> None:
    tape = Tape(kafka)
    now = time.time_ns()
    values = [quote(ts_event=now), quote(ts_event=now + 3600 * SECOND)]
    await tape.write(tape.feeds.quotes, values)
    async with tape.source() as reader:
        await reader.until(lambda: reader.source.caught_up)
        assert reader.times() == [now]
        (letter,) = (x for d in reader.deliveries for x in d.decoded.dead)
        assert letter.reason == BadReason.TOO_FAR_AHEAD
        assert letter.raw.value == json.dumps(values[1]).encode()


async def test_the_reference_topic_is_read_whole(kafka: Kafka) -> None:
    tape = Tape(kafka)
    names = reference()
    topic = tape.feeds.reference
    row = {"table": "contracts", "contract": "C9", "class": "K0", "tick": "0.01"}
    await tape.write(topic, row, key="contracts/C9")
    await tape.write(topic, {"table": "accounts", "account": "Z", "maker": "M0"}, key="accounts/Z")
    later = {**row, "contract": "C8", "ts_event": time.time_ns() + 3600 * SECOND}
    await tape.write(topic, later, key="contracts/C8")
    await tape.write(topic, None, key="contracts/C0")
    async with tape.source(reference=names) as reader:
        await reader.until(lambda: reader.source.caught_up)
        changes = reader.controls(ReferenceRecord)
        assert [(c.action, c.row["contract"]) for c in changes] == [("add", "C9"), ("remove", "C0")]
        assert all(0 < time.time_ns() - c.ts < 60 * SECOND for c in changes)
        assert names.find_maker("Z") == 0
        assert reader.dead == []


async def test_pause_and_resume(kafka: Kafka) -> None:
    tape = Tape(kafka, partitions=2)
    async with tape.source(expect_traffic=lambda: False) as reader:
        await reader.until(lambda: reader.source.caught_up)
        reader.source.pause([FIRST_PART["quotes"]])
        await tape.quotes(1)
        await tape.quotes(2, partition=1)
        await reader.until(lambda: reader.times(partition=1) == [2])
        await reader.rest(1.5)
        assert reader.times() == []
        assert reader.own == []
        reader.source.resume([FIRST_PART["quotes"]])
        await reader.until(lambda: reader.times() == [1])


async def test_two_members_of_a_group_share_the_classes(kafka: Kafka) -> None:
    tape = Tape(kafka, partitions=2)
    group = KafkaOptions(bootstrap=kafka.bootstrap, group=tape.feeds.quotes)
    await tape.quotes(1)
    await tape.quotes(2, partition=1)
    async with tape.source(options=group) as first:
        await first.until(lambda: first.source.caught_up and len(first.source.parts) == 7)
        assert (first.times(), first.times(partition=1)) == ([1], [2])
        async with tape.source(options=group) as second:
            both = asyncio.gather(
                first.until(lambda: len(first.source.parts) == 5, 30),
                second.until(lambda: len(second.source.parts) == 5, 30),
            )
            await both
            mine = set(first.source.parts) - {0, 1, 2048}
            theirs = set(second.source.parts) - {0, 1, 2048}
            assert mine | theirs == {4096, 4097, 16_384, 16_385}
            assert {n % 2 for n in mine} != {n % 2 for n in theirs}
            await tape.quotes(3)
            await tape.quotes(4, partition=1)
            await asyncio.gather(
                first.until(lambda: {3, 4} & {*first.times(), *first.times(partition=1)}),
                second.until(lambda: {3, 4} & {*second.times(), *second.times(partition=1)}),
            )
            assert first.times().count(1) + first.times(partition=1).count(2) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bootstrap": "127.0.0.1:1"}, "Kafka at 127.0.0.1:1: .*connection refused"),
        ({"bootstrap": "no-such-host.invalid:9092"}, "host name cannot be resolved"),
        ({"security_protocol": "SSL"}, "TLS"),
        ({"partitions": (7,)}, r"has no partition 7, only \[0\]"),
    ],
)
async def test_the_real_cause_is_told(kafka: Kafka, change: dict[str, Any], message: str) -> None:
    tape = Tape(kafka)
    options = KafkaOptions(
        **{"bootstrap": kafka.bootstrap, "request_timeout": 2 * SECOND, **change}
    )
    with pytest.raises(MonitorError, match=message):
        async with tape.source(options=options):
            pass


async def test_a_topic_that_is_not_there(kafka: Kafka) -> None:
    tape = Tape(kafka)
    feeds = KafkaFeeds(quotes="nowhere", theo=tape.feeds.theo, control=tape.feeds.control)
    source = KafkaSource(tape.options, feeds, reference(), times=QUICK)
    with pytest.raises(MonitorError, match="topic 'nowhere' does not exist"):
        await source.start()
    await source.stop()
