"""Raw record batches and aiokafka's own records, side by side on the same topics of a real Kafka: equal columns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from mm_monitor.core.model import MAX_PRICE
from mm_monitor.kernels.reference_decode import HEADER, QUOTE, QUOTES, SCHEMA
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_batches import Fetched, of_records
from mm_monitor.sources.kafka_options import KafkaFeeds, KafkaOptions
from mm_monitor.sources.kafka_parts import FIRST_PART
from mm_monitor.sources.kafka_raw import pieces, take_over
from tests.services.kafka import Kafka
from tests.unit.codecs.samples import dumps, quote, reference

COMPRESSION = [None, "gzip", "snappy", "lz4", "zstd"]  # of each partition
Row = tuple[int, int, bytes | None]  # offset, time stamp, value


@asynccontextmanager
async def consumer(kafka: Kafka, raw: bool, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
    made = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest",
                            fetch_max_wait_ms=20, metadata_max_age_ms=500, **settings)  # fmt: skip
    await made.start()
    try:
        if raw:
            take_over(made)
        yield made
    finally:
        await made.stop()


async def take(made: AIOKafkaConsumer, raw: bool, **limits: int) -> list[tuple[Any, Fetched]]:
    if raw:
        good, bad = await pieces(made, 100, limits.get("most", 1 << 20))
        assert not bad
        return good
    got = await made.getmany(timeout_ms=100)
    return [(tp, of_records(records)) for tp, records in got.items()]


def rows(fetched: Fetched) -> list[Row]:
    values = fetched.values("", 0, 0)
    return [
        (record.offset, stamp, None if length < 0 else record.value)
        for record, stamp, length in zip(values, fetched.stamps.tolist(), fetched.lengths, strict=True)
    ]  # fmt: skip


async def everything(
    kafka: Kafka, topic: str, raw: bool, level: str, start: int = 0
) -> dict[int, list[Row]]:
    """All rows by partition, read to the position at which the log ends."""
    found: dict[int, list[Row]] = {}
    async with consumer(kafka, raw, isolation_level=level) as made:
        tps = [TopicPartition(topic, p) for p in sorted(kafka_partitions(kafka, topic))]
        made.assign(tps)
        ends = await made.end_offsets(tps)
        for tp in tps:
            made.seek(tp, start)
        deadline = time.monotonic() + 20
        while [tp for tp in tps if await made.position(tp) < ends[tp]]:
            assert time.monotonic() < deadline
            for tp, fetched in await take(made, raw):
                found.setdefault(tp.partition, []).extend(rows(fetched))
    return found


def kafka_partitions(kafka: Kafka, topic: str) -> range:
    return range(len(kafka._admin().list_topics(topic, timeout=5).topics[topic].partitions))


async def write(kafka: Kafka, topic: str, partition: int, compression: str | None) -> None:
    """What was said, taken back, said again; nulls, keys and headers; more than a batch of it."""
    plain = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=compression,
                             max_batch_size=2000, linger_ms=2)  # fmt: skip
    bound = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=compression,
                             transactional_id=f"{topic}-{partition}")  # fmt: skip
    await asyncio.gather(plain.start(), bound.start())
    try:
        for outcome in ("commit", "abort", "abort", "commit"):
            await bound.begin_transaction()
            words = [f"{outcome} {i}".encode() for i in range(3)]
            sent = [await bound.send(topic, word, partition=partition) for word in words]
            await asyncio.gather(*sent)
            values = [None, b"", b"v" * 48, b"w" * 300]
            others = [
                await plain.send(topic, values[i % 4], key=None if i % 4 == 3 else b"k", partition=partition,
                                 headers=[("h", None), ("i", b"j")] if i % 5 == 0 else None)
                for i in range(60)
            ]  # fmt: skip
            await asyncio.gather(*others)
            await (bound.commit_transaction() if outcome == "commit" else bound.abort_transaction())
    finally:
        await asyncio.gather(plain.stop(), bound.stop())


async def test_every_compression_and_isolation_level_gives_equal_columns(kafka: Kafka) -> None:
    topic = kafka.unique_topic("raw", len(COMPRESSION))
    await asyncio.gather(*(write(kafka, topic, p, kind) for p, kind in enumerate(COMPRESSION)))
    for level, values in (("read_committed", 246), ("read_uncommitted", 252)):
        for start in (0, 5):
            one, other = [
                await everything(kafka, topic, raw, level, start) for raw in (True, False)
            ]
            assert one == other
        assert {p: len([r for r in found if r[0] >= 5]) for p, found in other.items()} == {
            p: len(found) for p, found in other.items()
        }
        whole = await everything(kafka, topic, True, level)
        assert {len(found) for found in whole.values()} == {values}
        said = {value for found in whole.values() for _, _, value in found}
        assert (b"abort 0" in said) == (level == "read_uncommitted")


async def test_a_log_stamped_by_the_broker(kafka: Kafka) -> None:
    topic = kafka.unique_topic("raw", message_timestamp_type="LogAppendTime")
    await write(kafka, topic, 0, "zstd")
    one, other = [await everything(kafka, topic, raw, "read_committed") for raw in (True, False)]
    assert one == other


async def test_a_compacted_log_with_holes(kafka: Kafka) -> None:
    topic = kafka.unique_topic("raw", cleanup_policy="compact", segment_ms=100, delete_retention_ms=0,
                               min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms=100)  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=5)
    await producer.start()
    try:
        deadline = time.monotonic() + 30
        while True:
            for i in range(40):
                await producer.send(topic, b"v%d" % i, key=b"k%d" % (i % 7 if i % 2 else i))
            await producer.flush()
            await asyncio.sleep(0.3)
            one, other = [await everything(kafka, topic, raw, "read_committed") for raw in (True, False)]  # fmt: skip
            offsets = [offset for offset, _, _ in one[0]]
            if offsets == [offset for offset, _, _ in other[0]]:  # not compacted in between
                assert one == other
                if len(offsets) < offsets[-1] - offsets[0] + 1:
                    break
            assert time.monotonic() < deadline, "nothing was compacted"
    finally:
        await producer.stop()


async def test_a_rebalance_loses_nothing_and_changes_nothing(kafka: Kafka) -> None:
    topic = kafka.unique_topic("raw", 4)
    found: dict[tuple[int, int], set[Row]] = {}
    group = {"group_id": topic, "auto_commit_interval_ms": 50, "session_timeout_ms": 6000,
             "heartbeat_interval_ms": 100}  # fmt: skip

    async def read(made: AIOKafkaConsumer, raw: bool, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not until():
            assert time.monotonic() < deadline
            for tp, fetched in await take(made, raw, most=1):
                for row in rows(fetched):
                    found.setdefault((tp.partition, row[0]), set()).add(row)

    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:

        async def say(n: int) -> None:
            sent = [await producer.send(topic, b"%d" % i, partition=i % 4) for i in range(n)]
            await asyncio.gather(*sent)

        await say(400)
        async with consumer(kafka, True, **group) as first:
            first.subscribe([topic])
            await read(first, True, lambda: len(found) > 200)
            async with consumer(kafka, False, **group) as second:
                second.subscribe([topic])

                def shared() -> bool:
                    return len(first.assignment()) == len(second.assignment()) == 2

                await asyncio.gather(read(first, True, shared), read(second, False, shared))
                await say(400)
                reads = [read(first, True, lambda: len(found) == 800),
                         read(second, False, lambda: len(found) == 800)]  # fmt: skip
                await asyncio.gather(*reads)
            await say(400)
            await read(first, True, lambda: len(found) == 1200)
    assert all(len(versions) == 1 for versions in found.values())
    for partition in range(4):
        assert sorted(o for p, o in found if p == partition) == list(range(300))
    wanted = await everything(kafka, topic, False, "read_committed")
    assert {(p, row[0]): {row} for p, part in wanted.items() for row in part} == found


# The source above them ------------------------------------------------------------------------


def packed(count: int, now: int) -> bytes:
    """A record of some quotes, every third with a price that cannot be."""
    body = b"".join(
        QUOTE.pack(now + i, MAX_PRICE + 1 if i % 3 == 2 else 50_000_000, 60_000_000, 1, 1, 1, 10)
        for i in range(count)
    )
    return HEADER.pack(0, QUOTES, SCHEMA, 1, QUOTE.size, count) + body


def said(codec: str, now: int) -> list[bytes | None]:
    """What a partition holds: good, bad, null, and far ahead."""
    if codec == "packed":
        good = [packed(n, now) for n in (1, 4, 300)]
        return [*good, b"junk", None, packed(1, now + 10**15)]
    one = [dumps(quote(ts_event=now + i)) for i in range(20)]
    many = dumps([quote(ts_event=now + 30), quote(ts_event=now + 31, bid_price="x")])
    return [*one, many, b"junk", None, dumps(quote(ts_event=now + 10**15))]


@pytest.mark.parametrize("codec", ["packed", "json"])
async def test_the_source_gives_equal_rows_and_dead_letters(kafka: Kafka, codec: str) -> None:
    feeds = KafkaFeeds(
        kafka.unique_topic("quotes", 5), kafka.unique_topic("theo", 5), kafka.unique_topic("control"),
        quotes_codec=codec,
    )  # fmt: skip
    now = time.time_ns()
    for partition, kind in enumerate(COMPRESSION):
        async with AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap, compression_type=kind
        ) as producer:
            sent = [await producer.send(feeds.quotes, v, b"k", partition) for v in said(codec, now)]
            theo = dumps({"ts_event": now, "contract": "C0", "theo": "0.5"})
            sent.append(await producer.send(feeds.theo, theo, partition=partition))
            await asyncio.gather(*sent)
    images = []
    for fetch in ("raw", "getmany"):
        source = KafkaSource(KafkaOptions(kafka.bootstrap, fetch=fetch), feeds, reference())
        images.append(await image(source))
        assert source.raw == (fetch == "raw")
    assert images[0] == images[1]
    assert images[0]["dead"]


async def image(source: KafkaSource) -> dict[str, Any]:
    """Everything that a source said of its backlog, however it was cut into deliveries."""
    found: dict[str, Any] = {"dead": []}
    await source.start()
    try:
        deadline = time.monotonic() + 20
        while not source.caught_up:
            assert time.monotonic() < deadline
            for d in await source.poll():
                if d.part >= FIRST_PART["theo"]:
                    found[f"{d.part}"] = found.get(f"{d.part}", b"") + d.decoded.rows.tobytes()
                    found["dead"] += [replace_time(letter) for letter in d.decoded.dead]
        found["positions"] = dict(source.positions)
    finally:
        await source.stop()
    found["dead"].sort(key=str)
    return found


def replace_time(letter: Any) -> Any:
    detail = letter.detail if "max_ahead" not in letter.detail else "too far ahead"
    return replace(letter, raw=replace(letter.raw, ts_recv=0), detail=detail)
