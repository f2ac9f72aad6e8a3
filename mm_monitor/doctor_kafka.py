"""What the brokers say of a deployment: topics, partitions, keys, retention, clocks. Reads only.

Of every partition of quotes and theos the newest records are looked at: who keys by something else, or writes what no
codec reads, shows there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from mm_monitor.assembly import kafka_options
from mm_monitor.codecs import codec_for
from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.config import Config
from mm_monitor.core.model import RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.core.share import partition_of
from mm_monitor.errors import MonitorError
from mm_monitor.sources.kafka_client import close, open_consumer
from mm_monitor.sources.kafka_options import MS, client_settings
from mm_monitor.sources.reference_files import load_reference

Found = tuple[str, bool, str, str]  # check, is it good, what was found, what to do if it is not
DAY_MS = 86_400_000
SAMPLE = 20  # records of a partition
SECONDS = 5.0  # for all that is read
DATA = ("quotes", "theo")
WRITTEN = ("breaches", "accruals", "dead_letter")
_COMPACTED = ("reference", "accruals", "checkpoints")


async def examine(config: Config) -> AsyncIterator[Found]:
    """Every finding that is the brokers'."""
    options = kafka_options(config)
    do = "see docs/security.md, Kafka, and that kafka.bootstrap can be reached from here"
    try:
        consumer = await open_consumer(options)
    except MonitorError as error:
        yield "brokers", False, str(error), do
        return
    admin = AIOKafkaAdminClient(**client_settings(options))
    try:
        await admin.start()
        async with asyncio.timeout(4 * SECONDS):
            for finding in [found async for found in _examined(config, consumer, admin)]:
                yield finding
    except (TimeoutError, KafkaError, OSError) as error:
        yield "brokers", False, f"{config.kafka.bootstrap}: {error or 'no answer in time'}", do
    finally:
        await admin.close()
        await close(consumer)


async def _examined(
    config: Config, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
) -> AsyncIterator[Found]:
    yield "brokers", True, f"{config.kafka.bootstrap} lets us in", ""
    named = {f.name: getattr(config.topics, f.name) for f in fields(config.topics)}
    if config.reference.directory:
        named["reference"] = ""
    if config.checkpoint.store != "topic":
        named["checkpoints"] = ""
    known = await consumer.topics()
    there = {use: topic for use, topic in named.items() if topic in known}
    counts = {use: await _partitions(consumer, topic) for use, topic in there.items()}
    for use, topic in named.items():
        if topic:
            found = (
                f"{topic} has {counts[use]} partitions" if use in there else f"{topic} is missing"
            )
            yield f"topic {use}", use in there, found, f"create {topic}, or mend topics.{use}"
    for finding in _together(config, counts):
        yield finding
    for use, settings in (await _settings(admin, there)).items():
        for finding in _kept(config, use, there[use], settings):
            yield finding
    for use in DATA:
        if use in there:
            sample = await _sample(consumer, there[use], counts[use])
            for finding in _read(config, use, counts[use], sample):
                yield finding


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> int:
    async with asyncio.timeout(SECONDS):
        consumer.assign([TopicPartition(topic, 0)])
        while not consumer.partitions_for_topic(topic):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    return len(consumer.partitions_for_topic(topic) or ())


def _together(config: Config, counts: Mapping[str, int]) -> Iterator[Found]:
    """Quotes and theos of a class must fall on the same number."""
    if not {*DATA} <= counts.keys():
        return
    quotes, theos = counts["quotes"], counts["theo"]
    do = "give both topics as many partitions: theos of a class go where its quotes go"
    yield "co-partitioned", quotes == theos, f"quotes {quotes}, theo {theos} partitions", do
    if config.kafka.worker is not None:
        k, n = config.kafka.worker
        do = "no more workers than partitions"
        yield "worker", n <= quotes, f"worker {k or '*'} of {n}, {quotes} partitions", do
    missing = [p for p in config.kafka.partitions if p >= min(quotes, theos)]
    if config.kafka.partitions:
        yield "partitions", not missing, f"missing: {missing or 'none'}", "mend kafka.partitions"


async def _settings(
    admin: AIOKafkaAdminClient, there: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """By use, the settings of its topic; of those that we may read."""
    uses = {topic: use for use, topic in there.items()}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in uses]
    answers = await admin.describe_configs(wanted) if wanted else []
    return {
        uses[topic]: {name: value for name, value, *_ in entries}
        for answer in answers
        for code, _, _, topic, entries in answer.resources
        if code == 0
    }


def _kept(config: Config, use: str, topic: str, settings: Mapping[str, str]) -> Iterator[Found]:
    compacted = "compact" in settings.get("cleanup.policy", "delete")
    if use in _COMPACTED:
        do = f"cleanup.policy=compact for {topic}, or rows are forgotten"
        yield f"cleanup {use}", compacted, f"{topic}: {settings.get('cleanup.policy')}", do
        return
    if use in WRITTEN:
        return
    do = f"cleanup.policy=delete for {topic}: what compaction removes is lost"
    yield f"cleanup {use}", not compacted, f"{topic}: {settings.get('cleanup.policy')}", do
    retention = int(settings.get("retention.ms") or -1)
    enough = retention < 0 or retention >= (
        DAY_MS // 12
        if config.checkpoint.directory or config.checkpoint.store == "topic"
        else DAY_MS
    )
    said = "for ever" if retention < 0 else f"for {retention / 3_600_000:.1f} hours"
    do = "retention.ms of a day or more, for a restart reads the trading date again; with checkpoints, 2 hours"
    yield f"retention {use}", enough, f"{topic} keeps records {said}", do


async def _sample(
    consumer: AIOKafkaConsumer, topic: str, partitions: int
) -> dict[TopicPartition, list[Any]]:
    """The newest records of every partition."""
    tps = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(tps)
    first, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    wanted = {tp: max(first[tp], ends[tp] - SAMPLE) for tp in tps}
    for tp, offset in wanted.items():
        consumer.seek(tp, offset)
    found: dict[TopicPartition, list[Any]] = {tp: [] for tp in tps}
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp] += records
    return found


@dataclass(slots=True)
class _Seen:
    """What the newest records of a topic show."""

    records: int = 0
    keyless: int = 0
    misplaced: int = 0
    dead: int = 0
    newest: int = 0  # ms


def _read(
    config: Config, use: str, partitions: int, sample: Mapping[TopicPartition, list[Any]]
) -> Iterator[Found]:
    seen = _seen(config, use, partitions, sample)
    if not seen.records:
        yield f"records {use}", True, "none yet: keys and format cannot be looked at", ""
        return
    odd = seen.keyless + seen.misplaced
    found = f"of {seen.records} newest {seen.keyless} without a key, {seen.misplaced} not where their key belongs"
    matters = partitions > 1
    do = "key records by class, with the partitioner of Kafka's own clients (murmur2)"
    yield f"keys {use}", not (odd and matters), found, do
    if config.reference.directory:
        do = f"look at codecs.{use} and at the dead letters: what cannot be read is not judged"
        yield (
            f"format {use}",
            not seen.dead,
            f"{seen.dead} elements of {seen.records} records cannot be used",
            do,
        )
    ahead = seen.newest * MS - time.time_ns()
    do = "set the clocks of this machine and of who writes by NTP"
    said = f"{ahead / 1e9:.1f} s ahead of our clock" if ahead > 0 else f"{-ahead / 1e9:.0f} s old"
    yield f"clock {use}", ahead <= config.tape.max_ahead, f"the newest record is {said}", do


def _seen(
    config: Config, use: str, partitions: int, sample: Mapping[TopicPartition, list[Any]]
) -> _Seen:
    tags = FixTags.of(config.codecs.fix_maker, config.codecs.fix_contract)
    name = getattr(config.codecs, use)
    codec = codec_for(use, name, tags) if use == "quotes" else codec_for(use, name)
    reference = _reference(config)
    seen = _Seen()
    for tp, records in sample.items():
        for record in records:
            seen.records += 1
            seen.newest = max(seen.newest, record.timestamp)
            if record.key is None:
                seen.keyless += 1
            elif partition_of(record.key.decode("utf-8", "replace"), partitions) != tp.partition:
                seen.misplaced += 1
            raw = RawRecord(
                tp.topic, tp.partition, record.offset, record.value or b"", time.time_ns()
            )
            seen.dead += len(codec.decode(Chunk(use, 0, [raw]), reference).dead)
    return seen


def _reference(config: Config) -> Reference:
    if not config.reference.directory:
        return Reference()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return load_reference(Path(config.reference.directory), today)
