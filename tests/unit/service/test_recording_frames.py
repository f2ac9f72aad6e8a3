"""The frames of a recorded day: what is cut off is passed over, whatever else was changed is found and named."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mm_monitor.core.pack import flatten
from mm_monitor.errors import InputError
from mm_monitor.recording.frames import Frame, frame_bytes, frames, sound_length
from mm_monitor.recording.writer import open_tape
from mm_monitor.replay import replay
from mm_monitor.reports.report import to_bytes
from mm_monitor.rulebooks import load

DATA = Path(__file__).parents[2] / "data"
VALUES: list[Frame] = [
    {"frame": "judged", "n": 0, "rows": np.arange(3, dtype=np.int64)},
    {"frame": "judged", "n": 1, "text": "MMTP\x02\x00 of a message"},
    {"frame": "judged", "n": 2, "rows": np.zeros(200, dtype=np.int64)},  # is compressed
]
PIECES = [frame_bytes(value) for value in VALUES]
WHOLE = b"".join(PIECES)
ENDS = [sum(map(len, PIECES[:n])) for n in range(len(PIECES) + 1)]


def first_version(value: Frame) -> bytes:
    """As version 1 wrote it: no checksum of the header."""
    text, blob = flatten(value)
    body = text + blob
    return struct.pack("<4sHHIQQ", b"MMTP", 1, 0, zlib.crc32(body), len(body), len(text)) + body


def numbers(path: Path) -> list[int]:
    return [frame["n"] for frame in frames(path)]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "2025-07-25.tape"


def test_every_flipped_bit_is_found_and_named(tape: Path) -> None:
    for bit in range(len(WHOLE) * 8):
        data = bytearray(WHOLE)
        data[bit // 8] ^= 1 << bit % 8
        tape.write_bytes(data)
        place = max(end for end in ENDS if end <= bit // 8)
        with pytest.raises(InputError, match=f"2025-07-25.tape: frame at byte {place}: "):
            numbers(tape)


def test_every_cut_leaves_the_whole_frames_before_it_and_is_told(tape: Path) -> None:
    for cut in range(len(WHOLE)):
        tape.write_bytes(WHOLE[:cut])
        kept = sum(end <= cut for end in ENDS) - 1
        assert numbers(tape) == [0, 1, 2][:kept]
        with capture_logs() as logs:
            append(tape, frame_bytes({"frame": "judged", "n": 9}))
        assert numbers(tape) == [*[0, 1, 2][:kept], 9]
        told = [(e["event"], e["offset"], e["bytes_lost"], e["file"]) for e in logs]
        lost = cut - ENDS[kept]
        assert told == ([("tape_tail_cut", ENDS[kept], lost, str(tape))] if lost else [])


def append(path: Path, data: bytes) -> None:
    file = open_tape(path)
    os.write(file, data)
    os.close(file)


@given(bit=st.integers(0, len(WHOLE) * 8 - 1), cut=st.integers(0, len(WHOLE)))
def test_a_cut_hides_no_damage_before_it(
    bit: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tape = tmp_path_factory.mktemp("cut") / "day.tape"
    data = bytearray(WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    tape.write_bytes(data[:cut])
    kept = sum(end <= cut for end in ENDS) - 1
    header = ENDS[kept] + 32  # ends there, the one of the frame that is cut off
    if bit // 8 < (header if header <= cut else ENDS[kept]):
        with pytest.raises(InputError):
            numbers(tape)
    elif not bit // 8 < cut < header:  # a header that is cut off itself lacks its checksum
        assert numbers(tape) == [0, 1, 2][:kept]


def test_room_that_nobody_filled_is_a_cut_and_zeros_within_a_frame_are_not(tape: Path) -> None:
    """Power loss may leave either. The first cannot be anything else; the second may be a frame that was judged by."""
    tape.write_bytes(WHOLE + bytes(5000))
    assert numbers(tape) == [0, 1, 2]
    assert sound_length(tape) == len(WHOLE)
    tape.write_bytes(WHOLE[:-20] + bytes(20))
    with pytest.raises(InputError, match=f"byte {ENDS[2]}: its checksum differs"):
        numbers(tape)
    with capture_logs() as logs:
        append(tape, PIECES[0])
    assert [entry["event"] for entry in logs] == ["tape_set_aside"]
    assert tape.with_suffix(".tape.damaged").read_bytes() == WHOLE[:-20] + bytes(20)
    assert numbers(tape) == [0]


def test_room_with_something_in_it_is_damage(tape: Path) -> None:
    tape.write_bytes(WHOLE + bytes(5000) + b"\1")
    with pytest.raises(InputError, match=f"byte {len(WHOLE)}: needs a frame of version 1, 2 or 4"):
        numbers(tape)


def test_a_frame_of_a_later_version_is_refused(tape: Path) -> None:
    tape.write_bytes(WHOLE + b"MMTP\x03\x00")
    with pytest.raises(InputError, match="needs a frame of version 1, 2 or 4, got b'MMTP"):
        numbers(tape)


def test_a_file_of_the_first_version_goes_on_in_the_second(tape: Path) -> None:
    old = [first_version(value) for value in VALUES]
    tape.write_bytes(b"".join(old)[:-1])
    append(tape, PIECES[2])
    assert numbers(tape) == [0, 1, 2]
    assert tape.read_bytes() == old[0] + old[1] + PIECES[2]


@pytest.mark.parametrize("follow", [first_version(VALUES[2]), PIECES[2]], ids=["v1", "v4"])
def test_a_header_of_the_first_version_was_changed(tape: Path, follow: bytes) -> None:
    """It has no checksum: what its length makes of it shows where a sound frame comes after all."""
    old = [first_version(value) for value in VALUES[:2]]
    for bit in range(28 * 8):
        data = bytearray(old[0] + old[1] + follow)
        data[len(old[0]) + bit // 8] ^= 1 << bit % 8
        tape.write_bytes(data)
        with pytest.raises(InputError, match=f"frame at byte {len(old[0])}: "):
            numbers(tape)


def test_the_last_length_of_the_first_version_may_be_a_cut(tape: Path) -> None:
    """Nothing tells the two apart, so it is taken for what a killed process leaves."""
    data = bytearray(first_version(VALUES[0]) + first_version(VALUES[1]))
    data[len(first_version(VALUES[0])) + 14] ^= 1  # 65 536 bytes more
    tape.write_bytes(data)
    assert numbers(tape) == [0]


@pytest.mark.parametrize("version", ["v1", "v2", "v4"])
async def test_a_day_of_each_version_is_read(version: str) -> None:
    """Files as that version wrote them: golden day 06."""
    book = load(str(DATA / "golden" / "06" / "rulebook.toml"))
    kept = await replay(DATA / "journal" / version / "2025-07-25.tape", book)
    day = await replay(DATA / "golden" / "06", book)
    assert to_bytes({**kept.report, "records": 0}) == to_bytes({**day.report, "records": 0})
    magic = (DATA / "journal" / version / "2025-07-25.tape").read_bytes()[:6]
    assert magic == b"MMTP" + int(version[1]).to_bytes(2, "little")
