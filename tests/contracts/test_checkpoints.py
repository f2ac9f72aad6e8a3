"""What every checkpoint store keeps, whatever it keeps it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mm_monitor.checkpoints import STORES, CheckpointStore, TopicPlace, create
from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.errors import ConfigError
from tests.services.kafka import Kafka

Open = Callable[[], CheckpointStore]


@pytest.fixture(params=["sqlite", pytest.param("topic", marks=pytest.mark.kafka)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store of one place, as often as it is called."""
    if request.param == "sqlite":
        return lambda: create("sqlite", tmp_path / "kept")
    kafka: Kafka = request.getfixturevalue("kafka")
    topic = kafka.unique_topic("checkpoints", cleanup_policy="compact")
    place = TopicPlace({"bootstrap_servers": kafka.bootstrap}, topic)
    return lambda: create("topic", place)


def whole(serial: int, data: bytes = b"whole") -> Entry:
    return Entry(serial, serial, data)


def serials(store: CheckpointStore) -> list[int]:
    return [entry.serial for entry in store.entries()]


def test_a_new_one_is_empty_and_has_no_problem(opened: Open) -> None:
    store = opened()
    assert list(store.entries()) == []
    assert store.problems() == []
    store.close()


def test_what_is_written_is_there_for_the_next_process(opened: Open) -> None:
    store = opened()
    store.write(whole(3, bytes(range(256)) * 40_000))
    store.write(Entry(4, 3, b"difference"))
    store.close()
    again = opened()
    assert list(again.entries()) == [
        Entry(4, 3, b"difference"), whole(3, bytes(range(256)) * 40_000)
    ]  # fmt: skip
    assert again.problems() == []
    again.close()


def test_a_whole_record_leaves_the_one_before_with_its_newest_differences(opened: Open) -> None:
    store = opened()
    for serial, base in ((0, 0), (1, 0), (2, 0), (3, 0), (4, 4), (5, 4)):
        store.write(Entry(serial, base, b"%d" % serial))
    assert serials(store) == [5, 4, 3, 2, 0]
    store.write(whole(6))
    assert serials(store) == [6, 5, 4]
    store.close()


def test_differences_do_not_pile_up(opened: Open) -> None:
    store = opened()
    store.write(whole(0))
    for serial in range(1, 50):
        store.write(Entry(serial, 0, b"d"))
    assert len(serials(store)) <= 10
    assert serials(store)[:2] == [49, 48]
    assert serials(store)[-1] == 0
    store.close()


def test_closing_twice_is_no_mistake(opened: Open) -> None:
    store = opened()
    store.close()
    store.close()


def test_every_store_is_tried() -> None:
    assert set(STORES) == {"sqlite", "topic"}


def test_an_unknown_store_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"checkpoint\.store: one of .*sqlite.*'paper'"):
        create("paper", tmp_path)
