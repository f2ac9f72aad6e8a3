"""Checkpoints as they were written: those of today's format are understood for ever, older ones refused aloud."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import base_of, read_difference, read_whole
from mm_monitor.checkpoints.slots import Slots
from mm_monitor.checkpoints.sqlite import SqliteStore
from mm_monitor.checkpoints.writer import readable
from mm_monitor.errors import CheckpointError
from mm_monitor.standing import State, check_settings, unpacked
from tests.faults.golden import (
    HERE,
    PLACE,
    SQLITE,
    TOPIC,
    as_messages,
    compacted,
    fresh,
    outcome,
    play,
    records,
)

GOLDEN = sorted(PLACE.glob("*"))


def states(place: Path) -> list[State]:
    """The state of the whole record, and that of the difference from it."""
    entry, step = records(place)
    first = read_whole(entry)
    return [unpacked(first), unpacked(read_difference(step, base_of(entry, first)))]


def test_the_format_of_today_has_its_golden_checkpoint() -> None:
    assert HERE in GOLDEN, (
        "the state's layout has changed: python -m tests.faults.golden, and commit what it writes"
    )


def test_a_session_goes_on_from_either_record_to_the_same_end() -> None:
    known = json.loads((HERE / "outcome.json").read_text())
    for begun, state in zip((30, 31), states(HERE), strict=True):
        check_settings(state, {})
        parts = fresh(state)
        assert parts.source.state() == {"offset": begun}
        play(parts, begun, 60)
        assert outcome(parts) == known
    assert known["breaches"]


def test_the_format_of_a_topic_has_its_golden_checkpoint() -> None:
    known = HERE / TOPIC
    assert known.exists(), (
        "what is sent to a topic has changed: python -m tests.faults.golden, and commit what it adds"
    )
    assert as_messages(records(HERE)) == known.read_text(), (
        "what is sent to a topic has changed under the same number: raise SCHEMA in checkpoints/slots.py"
    )


def test_a_session_goes_on_from_a_topic_to_the_same_end() -> None:
    entries, problems = Slots("golden/0").read(compacted((HERE / TOPIC).read_text()))
    assert (entries, problems) == (records(HERE)[::-1], [])
    refused: list[CheckpointError] = []
    kept = [unpacked(sections) for _, sections in readable(entries, refused.append)]
    assert len(kept) == 2
    assert not refused
    for begun, state in zip((31, 30), kept, strict=True):
        check_settings(state, {})
        parts = fresh(state)
        play(parts, begun, 60)
        assert outcome(parts) == json.loads((HERE / "outcome.json").read_text())


def test_the_files_of_sqlite_are_opened_as_they_were_left(tmp_path: Path) -> None:
    shutil.copytree(HERE / SQLITE, tmp_path / "kept")
    store = SqliteStore(tmp_path / "kept")
    assert list(store.entries()) == records(HERE)[::-1]
    assert store.problems() == []
    store.write(Entry(9, 9, b"one more"))  # and they are written to
    assert [entry.serial for entry in store.entries()] == [9, 8, 7]
    store.close()


def test_older_formats_of_a_topic_are_refused_by_name() -> None:
    for path in PLACE.glob("*/topic-*.jsonl"):
        if path.name != TOPIC:
            entries, problems = Slots("golden/0").read(compacted(path.read_text()))
            assert entries == [], path
            assert all("is of schema" in problem for problem in problems), path
            assert problems, path


def understood(place: Path) -> None:
    for state in states(place):
        check_settings(state, {})


def test_older_formats_are_refused_by_name() -> None:
    for place in GOLDEN:
        if place != HERE:
            with pytest.raises(CheckpointError) as refused:
                understood(place)
            assert refused.value.reason in ("schema", "settings"), place
