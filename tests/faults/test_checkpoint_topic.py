"""Checkpoints in a topic that something befalls: another owner, a spoilt record, a topic of the wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer

import pytest
from confluent_kafka import Producer

from mm_monitor.checkpoints import TopicPlace
from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.topic import TopicStore
from mm_monitor.checkpoints.writer import CheckpointWriter
from mm_monitor.errors import CheckpointError
from mm_monitor.health import CheckpointStats
from tests.services.kafka import Kafka

BIG = bytes(range(256)) * 6000  # three chunks


@pytest.fixture
def place(kafka: Kafka) -> TopicPlace:
    topic = kafka.unique_topic("checkpoints", 2, cleanup_policy="compact", segment_ms=100,
                               min_cleanable_dirty_ratio="0.01")  # fmt: skip
    return TopicPlace({"bootstrap_servers": kafka.bootstrap}, topic)


def put(kafka: Kafka, place: TopicPlace, key: str, value: bytes | None) -> None:
    """Write a message past the store."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(place.topic, value, key, place.partition)
    assert producer.flush(20) == 0


def serials(store: TopicStore) -> list[int]:
    return [entry.serial for entry in store.entries()]


def test_who_was_deposed_can_write_nothing_any_more(place: TopicPlace) -> None:
    old = TopicStore(place)
    old.write(Entry(0, 0, BIG))
    new = TopicStore(place)
    assert serials(new) == [0]
    with pytest.raises(CheckpointError, match="another service has taken it over") as refused:
        old.write(Entry(1, 0, b"too late"))
    assert refused.value.reason == "deposed"
    new.write(Entry(1, 0, b"in time"))
    assert [entry.data for entry in new.entries()] == [b"in time", BIG]
    assert new.problems() == []
    old.close()
    new.close()


def test_what_is_committed_is_read_though_it_does_not_show_yet(
    kafka: Kafka, place: TopicPlace
) -> None:
    """Somebody's open transaction hides what was committed behind it, as a commit's own end does for a moment."""
    store = TopicStore(place)
    store.write(Entry(0, 0, b"state"))
    slow = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": place.topic})
    slow.init_transactions(20)
    slow.begin_transaction()
    slow.produce(place.topic, b"", "other", place.partition)
    assert slow.flush(20) == 0
    store.write(Entry(1, 0, b"difference"))
    ending = Timer(2, slow.abort_transaction)
    ending.daemon = True  # where this fails, nobody waits for it
    ending.start()
    assert serials(TopicStore(place)) == [1, 0]
    ending.join()
    store.close()


def test_a_writer_that_was_deposed_says_so(place: TopicPlace) -> None:
    stats = CheckpointStats()
    writer = CheckpointWriter(TopicStore(place), stats)
    new = TopicStore(place)
    assert writer.offer(lambda: {"a": b"state"})
    assert writer.finish(None, 20)
    assert writer.deposed
    assert (stats.written, stats.failures) == (0, 1)
    assert serials(new) == []
    new.close()


def test_shares_do_not_see_each_other(place: TopicPlace) -> None:
    stores = [TopicStore(TopicPlace(place.client, place.topic, number)) for number in (0, 1)]
    for number, store in enumerate(stores):
        store.write(Entry(number, number, b"of %d" % number))
    assert [serials(store) for store in stores] == [[0], [1]]
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("b/1", None, "record 2: chunk 1 of 3 is missing"),
        ("b/1", b"\x02" + bytes(7) + b"other", "record 2: its length or checksum differs"),
        ("b/0", b"\x01" + bytes(7) + BIG[: 512 << 10], "record 2: chunk 0 of 3 is missing"),
        ("b", b"torn", "slot b: 48 bytes, there are 4"),
    ],
)
def test_a_spoilt_newest_is_told_and_the_one_before_is_there(
    kafka: Kafka, place: TopicPlace, key: str, value: bytes | None, told: str
) -> None:
    store = TopicStore(place)
    for entry in (Entry(0, 0, BIG), Entry(1, 0, b"difference"), Entry(2, 2, BIG)):
        store.write(entry)
    store.close()
    put(kafka, place, key, value)
    again = TopicStore(place)
    assert serials(again) == [1, 0]
    assert again.problems() == [f"{place.topic}/0: {told}"]
    again.write(Entry(3, 3, BIG))
    assert serials(again) == [3, 1, 0]
    again.close()


def test_a_record_of_one_that_was_deposed_would_be_told(kafka: Kafka, place: TopicPlace) -> None:
    first = TopicStore(place)
    first.write(Entry(0, 0, b"first"))
    head = first._call(first._read())["a"][1]
    first.close()
    second = TopicStore(place)
    second.write(Entry(1, 1, b"second"))
    second.close()
    put(kafka, place, "a", head)  # the brokers would have to break their word
    third = TopicStore(place)
    assert serials(third) == [1]
    assert third.problems() == [f"{place.topic}/0: record 0 was written by one that was deposed"]
    third.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda kafka: "nowhere", "there is no partition 0 of topic 'nowhere', which has 0"),
        (lambda kafka: kafka.unique_topic("log"), "has cleanup.policy=delete, which would lose"),
        (
            lambda kafka: kafka.unique_topic("log", cleanup_policy="compact,delete"),
            "has cleanup.policy=compact,delete, which would lose checkpoints; it must be compact",
        ),
    ],
)
def test_a_topic_that_would_not_keep_them_is_refused(
    kafka: Kafka, make: Callable[[Kafka], str], told: str
) -> None:
    with pytest.raises(CheckpointError, match=told) as refused:
        TopicStore(TopicPlace({"bootstrap_servers": kafka.bootstrap}, make(kafka)))
    assert refused.value.reason == "storage"


def test_messages_are_as_small_as_the_topic_wants_them(kafka: Kafka) -> None:
    topic = kafka.unique_topic("small", cleanup_policy="compact", max_message_bytes=20_000)
    store = TopicStore(TopicPlace({"bootstrap_servers": kafka.bootstrap}, topic))
    store.write(Entry(0, 0, BIG))
    assert [entry.data for entry in store.entries()] == [BIG]
    store.close()


def test_brokers_that_do_not_answer_are_told_within_the_time(place: TopicPlace) -> None:
    nobody = {"bootstrap_servers": "127.0.0.1:9"}
    with pytest.raises(CheckpointError) as refused:
        TopicStore(TopicPlace(nobody, place.topic, seconds=3.0))
    assert refused.value.reason == "storage"
