"""Whatever befalls a value that a topic keeps of a checkpoint: it is refused aloud and the record before is taken."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import Sections, base_of, difference, whole
from mm_monitor.checkpoints.slots import SCHEMA, Log, Slots
from mm_monitor.checkpoints.writer import readable
from mm_monitor.errors import CheckpointError

CHUNK = 120
FIRST: Sections = {"large": bytes(range(250)), "small": b"first"}
SECOND: Sections = {"large": bytes(range(250)), "small": b"second"}
THIRD: Sections = {"large": bytes(range(250)), "small": b"third"}


def kept() -> dict[str, tuple[int, bytes]]:
    """What a partition holds after the whole records 0 and 1, and 2, a difference from 1."""
    slots, log = Slots("topic/0"), dict[str, tuple[int, bytes]]()
    slots.read({})
    newest = whole(1, SECOND)
    entries = [whole(0, FIRST), newest, difference(2, base_of(newest, SECOND), THIRD)]
    for entry in entries:
        for key, value in slots.messages(entry, CHUNK).items():
            assert value is not None
            log[key] = len(log), value
        slots.written(entry, CHUNK)
    return log


def usable(log: Log) -> tuple[list[int], list[str]]:
    """Serials of what a service could go on from, newest first, each compared; and what was told."""
    entries, told = Slots("topic/0").read(log)
    refused: list[CheckpointError] = []
    serials = []
    for entry, sections in readable(entries, refused.append):
        assert sections == (FIRST, SECOND, THIRD)[entry.serial]
        serials.append(entry.serial)
    return serials, told + [str(error) for error in refused]


def spoilt(value: bytes) -> Iterator[bytes]:
    """The value with each bit turned, cut at each byte, and with a byte too many."""
    for at in range(len(value)):
        for bit in range(8):
            yield value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]
        yield value[:at]
    yield value + b"\0"


def test_what_is_sound_is_all_there() -> None:
    assert sorted(kept()) == ["a", "a/0", "a/1", "a/2", "b", "b/0", "b/1", "b/2", "b0", "b0/0"]
    assert usable(kept()) == ([2, 1, 0], [])


@pytest.mark.parametrize("key", sorted(kept()))
def test_every_bit_and_every_cut_of_a_value_is_refused_and_the_one_before_is_there(
    key: str,
) -> None:
    log = kept()
    left = {"a": [2, 1], "b": [0], "b0": [1, 0]}[key.partition("/")[0]]
    at, value = log[key]
    for other in spoilt(value):
        serials, told = usable({**log, key: (at, other)})
        assert serials == left, other
        assert told, other


@pytest.mark.parametrize("key", [key for key in sorted(kept()) if "/" in key])
def test_a_chunk_that_is_gone_is_missed(key: str) -> None:
    log = kept()
    del log[key]
    left = {"a": [2, 1], "b": [0], "b0": [1, 0]}[key.partition("/")[0]]
    serials, told = usable(log)
    assert serials == left
    assert "is missing" in told[0]


def test_chunks_do_not_stand_for_each_other() -> None:
    log = kept()
    for one, other in pairwise(["b/0", "b/1", "b/2"]):
        swapped = {**log, one: log[other], other: log[one]}
        assert usable(swapped)[0] == [0]


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1])
def test_an_older_or_newer_schema_says_so_and_the_one_before_is_taken(schema: int) -> None:
    log = kept()
    at, head = log["b0"]
    serials, told = usable({**log, "b0": (at, head[:4] + struct.pack("<H", schema) + head[6:])})
    assert serials == [1, 0]
    assert told == [f"topic/0: slot b0 is of schema {schema}, this is {SCHEMA}"]


def test_a_damaged_slot_is_the_next_to_be_overwritten() -> None:
    log = kept()
    at, head = log["b"]
    slots = Slots("topic/0")
    slots.read({**log, "b": (at, head[:-1] + b"\x01")})
    sent = slots.messages(Entry(3, 3, b"anew"), CHUNK)
    assert [key for key, value in sent.items() if value is not None] == ["b/0", "b"]
    assert {key for key, value in sent.items() if value is None} == {"b/1", "b/2", "b0", "b0/0"}
