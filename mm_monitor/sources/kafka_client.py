"""Opening consumers, finding partitions, turning a start into offsets: all that asks the brokers.

Every failure is a MonitorError with the brokers' addresses and the real cause.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from mm_monitor.errors import MonitorError
from mm_monitor.sources.kafka_cause import cause_of, why_unreachable
from mm_monitor.sources.kafka_options import MS, KafkaOptions, client_settings

StartAt = int | str  # event time in ns, or earliest | latest
METADATA_SECONDS = 5.0  # how long a topic may take to show
METADATA_MAX_AGE_MS = 30_000
CLOSE_SECONDS = 3.0


async def open_consumer(options: KafkaOptions, group: str = "") -> AIOKafkaConsumer:
    """A started consumer that reads nothing yet."""
    consumer = AIOKafkaConsumer(
        **client_settings(options),
        group_id=group or None,
        enable_auto_commit=bool(group),  # for lag tools only: we seek by ourselves
        auto_offset_reset="none",  # an offset out of range must be told, not jumped over
        isolation_level="read_committed",  # what a transaction took back was never said
        fetch_max_wait_ms=max(1, options.fetch_max_wait // MS),
        max_partition_fetch_bytes=options.partition_bytes,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        # Quotes and theos of a class have the same partition number and belong to one member.
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    try:
        await consumer.start()
    except (TimeoutError, KafkaError, OSError) as error:
        await close(consumer)
        raise await unreachable(options, error) from None
    return consumer


async def close(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, whatever state it is in."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
    stopping.cancel()
    # Where a broker is away aiokafka breaks off midway, with a cancellation that is not ours.
    outcomes = await asyncio.gather(stopping, return_exceptions=True)
    if outcomes[0] is not None:
        with contextlib.suppress(KafkaError, OSError, asyncio.TimeoutError):
            await consumer._client.close()


async def unreachable(options: KafkaOptions, error: BaseException) -> MonitorError:
    """The error to raise for a failed call: with the cause that a connection by hand meets."""
    cause = await why_unreachable(options) or cause_of(error)
    return MonitorError(f"Kafka at {options.bootstrap}: {cause}")


async def partitions_of(
    consumer: AIOKafkaConsumer, topic: str, wanted: Iterable[int], options: KafkaOptions
) -> list[TopicPartition]:
    """The partitions of a topic: those wanted, or all. MonitorError if one does not exist."""
    known = consumer.partitions_for_topic(topic) or await _await_topic(consumer, topic)
    if not known:
        problem = f"topic {topic!r} does not exist, or we may not read it"
        raise MonitorError(f"Kafka at {options.bootstrap}: {problem}")
    for partition in wanted:
        if partition not in known:
            problem = f"topic {topic!r} has no partition {partition}, only {sorted(known)}"
            raise MonitorError(f"Kafka at {options.bootstrap}: {problem}")
    return [TopicPartition(topic, partition) for partition in sorted(wanted or known)]


async def compacted(options: KafkaOptions, topics: Iterable[str]) -> frozenset[str]:
    """Those of the topics that are compacted; one whose settings we may not read is taken for none."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    admin = AIOKafkaAdminClient(**client_settings(options))
    try:
        await admin.start()
        answers = await admin.describe_configs(wanted)
    except (TimeoutError, KafkaError, OSError):
        return frozenset()
    finally:
        await admin.close()
    return frozenset(
        topic
        for answer in answers
        for _, _, _, topic, entries in answer.resources
        for name, value, *_ in entries
        if name == "cleanup.policy" and "compact" in value
    )


async def _await_topic(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """Ask for a topic by name, for it may have come after we connected."""
    with contextlib.suppress(asyncio.TimeoutError):
        async with asyncio.timeout(METADATA_SECONDS):
            # Asked for by assigning it, one that does not exist would be asked for without a pause.
            while topic not in await consumer.topics():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.25)
            consumer.assign([TopicPartition(topic, 0)])
            consumer.pause(TopicPartition(topic, 0))
            while not consumer.partitions_for_topic(topic):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
    return set(consumer.partitions_for_topic(topic) or ())


async def first_offsets(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], start: StartAt
) -> tuple[dict[TopicPartition, int], int | None]:
    """Where to begin, and from when on there is history if retention cut what `start` asks for.

    A time is looked up by the log's own time stamps, in ms, rounded down.
    """
    if not partitions:
        return {}, None
    if start == "earliest":
        return await consumer.beginning_offsets(partitions), None
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    if start == "latest":
        return ends, None
    first = await consumer.beginning_offsets(partitions)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, int(start) // MS))
    offsets = {tp: found[tp].offset if found[tp] else ends[tp] for tp in partitions}
    return offsets, _history(first, found, int(start))


def _history(
    first: Mapping[TopicPartition, int], found: Mapping[Any, Any], start: int
) -> int | None:
    """When the first record that is left was written, in ns, where older ones are gone."""
    cut = [
        found[tp].timestamp * MS
        for tp, offset in first.items()
        if offset > 0 and found[tp] and found[tp].offset == offset
    ]
    late = max(cut, default=start)
    return late if late > start else None
