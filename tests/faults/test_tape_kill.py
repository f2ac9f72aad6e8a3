"""`kill -9` of the journal's writer, again and again: what it said was written is there in the end, once, in order."""

from __future__ import annotations

import multiprocessing
import random
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mm_monitor.core.model import ExemptionRecord, Kind
from mm_monitor.core.pack import unpack
from mm_monitor.recording.day import RecordedDay, read_day
from mm_monitor.recording.frames import frame_bytes, frames
from tests.faults import tape_life

FLUSHES = 20  # at most, that a life is let say
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([tape_life.__name__])


@pytest.mark.parametrize(
    ("lives", "seed"), [(10, 1), *(pytest.param(100, n, marks=pytest.mark.slow) for n in range(2))]
)
def test_what_was_written_outlives_the_writer(lives: int, seed: int, tmp_path: Path) -> None:
    """Each life is killed a few flushes after it began, wherever it is then; the last one comes to its end."""
    rng = random.Random(seed)
    rows = (2 * lives + 1) * FLUSHES * tape_life.MOST
    for life in range(lives):
        told = killed_life(tmp_path, rows, 1000 * seed + life, after=rng.randint(1, FLUSHES))
        assert told < rows
        found = written(tmp_path, rows)
        assert [n for n in found if n < told] == list(range(told))
    last_life(tmp_path, rows, 1000 * seed + lives)
    assert written(tmp_path, rows) == list(range(rows))
    assert [day.gaps for day in days(tmp_path)] == [0, 0]


def killed_life(folder: Path, rows: int, seed: int, after: int) -> int:
    """How many rows it had said were written when it was dead. The kill finds it in the flushes behind those heard."""
    ours, process = begun(folder, rows, seed, 2 * after)
    last = 0
    for _ in range(after):
        last = heard(ours)
    process.kill()
    process.join(60)
    assert process.exitcode == -9
    while ours.poll():
        try:
            last = heard(ours)
        except EOFError:
            break
    return last


def last_life(folder: Path, rows: int, seed: int) -> None:
    ours, process = begun(folder, rows, seed, rows)
    last = 0
    while last < rows:
        last = heard(ours)
    process.join(60)
    assert process.exitcode == 0


def begun(
    folder: Path, rows: int, seed: int, flushes: int
) -> tuple[Connection, multiprocessing.context.ForkServerProcess]:
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=tape_life.live, args=(folder, rows, seed, flushes, theirs))
    process.start()
    theirs.close()
    return ours, process


def heard(ours: Connection) -> int:
    return int.from_bytes(ours.recv_bytes(), "little")


def days(folder: Path) -> list[RecordedDay]:
    return [read_day(path) for path in sorted(folder.glob("*.tape"))]


def written(folder: Path, rows: int) -> list[int]:
    """Numbers of the rows that the journal has, in its order; each says what it said when it was judged."""
    found: list[int] = []
    for number, day in enumerate(days(folder)):
        reference = day.reference
        for row in day.judged.rows.tolist():
            one = dict(zip(day.judged.rows.dtype.names or (), row, strict=True))
            if number and one["offset"] < rows // 2:
                continue  # an exemption that stood when the date began
            maker, contract = tape_life.named(one["offset"])
            if one["kind"] == Kind.QUOTE:
                assert reference.makers[one["maker"]] == maker
                assert reference.contracts[one["contract"]].name == contract
            else:
                control = day.judged.controls[one["a"]]
                assert isinstance(control, ExemptionRecord)
                assert (control.ts, control.maker) == (one["ts"], maker)
            found.append(one["offset"])
    return found


@pytest.mark.parametrize("kept", [1, 3, 12], ids=["no-rows", "some-rows", "more-rows"])
def test_what_the_power_took_is_a_gap(kept: int, tmp_path: Path) -> None:
    """A checkpoint outlived the rows before it: a life says from where it goes on, so a reader sees what is missing."""
    rows = 20_000
    told = killed_life(tmp_path, rows, seed=3, after=60)
    (tape,) = tmp_path.glob("*.tape")
    found = list(frames(tape))
    seq = unpack((tmp_path / "kept").read_bytes())["seq"]
    assert 0 < seq <= told
    tape.write_bytes(b"".join(frame_bytes(frame) for frame in found[:kept]))
    there = sum(len(frame["rows"]) for frame in found[1:kept])
    last_life(tmp_path, rows, 4)
    assert [day.gaps for day in days(tmp_path)] == [seq - there, 0]
    assert written(tmp_path, rows) == [*range(there), *range(seq, rows)]
