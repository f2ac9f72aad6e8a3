"""Checkpoints as they were written: those of today's format are understood for ever, older ones refused aloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import base_of, read_difference, read_whole
from mm_monitor.errors import CheckpointError
from mm_monitor.standing import State, check_settings, unpacked
from tests.faults.golden import HERE, PLACE, fresh, outcome, play

GOLDEN = sorted(PLACE.glob("*"))


def states(place: Path) -> list[State]:
    """The state of the whole record, and that of the difference from it."""
    entry = Entry(7, 7, (place / "whole.bin").read_bytes())
    first = read_whole(entry)
    step = Entry(8, 7, (place / "difference.bin").read_bytes())
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


def understood(place: Path) -> None:
    for state in states(place):
        check_settings(state, {})


def test_older_formats_are_refused_by_name() -> None:
    for place in GOLDEN:
        if place != HERE:
            with pytest.raises(CheckpointError) as refused:
                understood(place)
            assert refused.value.reason in ("schema", "settings"), place
