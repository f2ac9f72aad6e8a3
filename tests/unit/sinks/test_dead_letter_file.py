"""Dead letters in a file: every byte comes back, nothing waits, losses are counted."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.errors import ConfigError, MonitorError
from mm_monitor.health import HealthStats
from mm_monitor.sinks.dead_letter import (
    DeadLetterFile,
    DeadLetterTopicConfig,
    letter_entry,
    letter_line,
)


def letter(offset: int, value: bytes = b"\x00\xff") -> DeadLetter:
    raw = RawRecord("mm.quotes", 3, offset, value, 7)
    return DeadLetter(raw, BadReason.OFF_TICK, "not a multiple, got 0.00005 \ud800 é", "M0")


@pytest.mark.criterion("TAPE-04")
async def test_every_letter_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "dead.jsonl"
    for start in (0, 1500):  # appends to what is there
        stream = DeadLetterFile(path)
        await stream.start()
        stream.put([letter(i) for i in range(start, start + 1500)])
        await stream.stop()
        await stream.stop()
    entries = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [e["offset"] for e in entries] == list(range(3000))
    assert {e["reason"] for e in entries} == {"off_tick"}
    assert base64.b64decode(entries[0]["value"]) == b"\x00\xff"
    assert entries[0] == letter_entry(letter(0))


async def test_letters_are_written_without_being_asked_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    stream = DeadLetterFile(path)
    await stream.start()
    stream.put([letter(1)])
    for _ in range(100):
        await asyncio.sleep(0.02)
        if path.read_text():
            break
    assert path.read_text() == letter_line(letter(1)) + "\n"
    await stream.stop()


async def test_a_full_queue_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    health = HealthStats()
    stream = DeadLetterFile(tmp_path / "dead.jsonl", health, queue=2)
    await stream.start()
    stream.put([letter(1), letter(2), letter(3)])
    await stream.stop()
    assert health.sink_dropped["dead_letter_file"] == 1
    lines = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [2, 3]


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MonitorError, match=r"dead letters: .*(Not a directory|File exists)"):
        await DeadLetterFile(tmp_path / "file" / "dead.jsonl").start()


async def test_a_disk_that_is_full_is_counted_and_ends_nothing() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    health = HealthStats()
    stream = DeadLetterFile(Path("/dev/full"), health)
    await stream.start()
    stream.put([letter(1)])
    await asyncio.sleep(0.2)
    stream.put([letter(2)])
    await stream.stop()
    assert health.sink_failures["dead_letter_file"] >= 1


def test_a_topic_needs_a_name() -> None:
    with pytest.raises(ConfigError, match=r"topics.dead_letter"):
        DeadLetterTopicConfig(topic="")
