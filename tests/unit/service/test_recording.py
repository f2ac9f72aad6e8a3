"""A recorded day is judged again to the same bytes, whatever lives the service had on it."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.timetable import TIMETABLE_PART, decoded
from mm_monitor.core.view import StatusView
from mm_monitor.errors import InputError
from mm_monitor.exporting import export
from mm_monitor.pump import Pump
from mm_monitor.recording.day import read_day
from mm_monitor.recording.frames import frame_bytes, frames, sound_length
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.replay import DeadLetterCount, open_capture, replay, timetable_of
from mm_monitor.reports.day import day_record
from mm_monitor.reports.report import to_bytes
from mm_monitor.rulebooks import load
from mm_monitor.sources.merge import Merge
from mm_monitor.sources.protocol import Delivery
from tests.minute import OPENS, THEO_SPREAD, minute_rules

SECOND = 1_000_000_000
GOLDEN = Path(__file__).parents[2] / "data" / "golden"
DAYS = sorted(p.name for p in GOLDEN.iterdir() if (p / "rulebook.toml").exists())


async def record(name: str, folder: Path, piece: int = 50) -> Path:
    """Judge a golden day with a writer at the engine, in small pieces; the file that it wrote."""
    return await record_of(GOLDEN / name, folder, piece)


async def record_of(capture: Path, folder: Path, piece: int = 50) -> Path:
    """The same of any capture."""
    book = load(str(capture / "rulebook.toml"))
    reference, source = open_capture(capture)
    await source.start()
    timetable, _ = timetable_of(source, book, capture)
    engine = Engine([book], reference, source.part_names, calendar=source.star_phases is None)
    schedule = Schedule(book.calendar) if book.calendar else None
    tape = TapeWriter(folder, engine, schedule, now=lambda: 7)
    dead = DeadLetterCount()
    pump = Pump(source, Merge(), engine, dead)
    pump.judging = lambda batch: write(tape, batch, piece)
    pump.arrived = lambda delivery: tape.refused(len(delivery.decoded.dead))
    pump.take(Delivery(TIMETABLE_PART, decoded(timetable, 0), 0))
    await pump.run()
    tape.flush(2**62)
    tape.close()
    return next(path for path in sorted(folder.glob("*.tape")))


def write(tape: TapeWriter, batch: Batch, piece: int) -> None:
    for start in range(0, len(batch.rows), piece):
        tape.judged(Batch(batch.rows[start : start + piece], batch.controls))
        tape.flush(int(batch.rows["ts"][min(start + piece, len(batch.rows)) - 1]))


def verdicts(report: dict[str, Any]) -> bytes:
    """All but the counts: lines of a file that could not be used were never judged."""
    return to_bytes({**report, "records": None})


@pytest.mark.parametrize("name", DAYS)
async def test_a_recorded_day_gives_the_report_of_its_capture(name: str, tmp_path: Path) -> None:
    path = await record(name, tmp_path)
    book = load(str(GOLDEN / name / "rulebook.toml"))
    again = await replay(path, book)
    assert verdicts(again.report) == verdicts((await replay(GOLDEN / name, book)).report)
    assert read_day(path).gaps == 0


@pytest.mark.parametrize("name", DAYS)
async def test_what_was_refused_is_counted_once(name: str, tmp_path: Path) -> None:
    """Also what the engine refuses, which is on the tape; a capture of the tape has it, too."""
    capture = tmp_path / "capture"
    shutil.copytree(GOLDEN / name, capture)
    ts = int((capture / "phases.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0])
    with (capture / "quotes.csv").open("a", encoding="utf-8") as file:
        file.write("no quote\n")
    refused = f"ts_event,table,action,maker,class\n{ts},makers,remove,M0,nowhere\n"
    (capture / "reference.csv").write_text(refused, encoding="utf-8")
    (tmp_path / "tape").mkdir()
    book = load(str(GOLDEN / name / "rulebook.toml"))
    path = await record_of(capture, tmp_path / "tape")
    expected: Any = (await replay(capture, book)).report["records"]
    found: Any = (await replay(path, book)).report["records"]
    exported = await export(path, tmp_path / "exported")
    again: Any = (await replay(exported.out, book)).report["records"]
    assert expected["dead_letter"] >= 2
    assert found["dead_letter"] == again["dead_letter"] == expected["dead_letter"]


@pytest.fixture
async def recorded(tmp_path: Path) -> Path:
    return await record("06", tmp_path)


async def verdicts_of(path: Path) -> bytes:
    book = load(str(GOLDEN / "06" / "rulebook.toml"))
    return verdicts((await replay(path, book)).report)


async def test_half_a_frame_at_the_end_is_passed_over(recorded: Path) -> None:
    whole = await verdicts_of(recorded)
    sound = recorded.read_bytes()
    recorded.write_bytes(sound + frame_bytes({"frame": "judged"})[:-1])
    assert await verdicts_of(recorded) == whole
    assert sound_length(recorded) == len(sound)
    recorded.write_bytes(sound + bytes(100))
    assert await verdicts_of(recorded) == whole


async def test_a_changed_byte_is_found_and_located(recorded: Path) -> None:
    data = bytearray(recorded.read_bytes())
    data[len(data) // 2] ^= 1
    recorded.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"\d{4}-\d\d-\d\d.tape: .*byte \d+"):
        read_day(recorded)


async def test_what_a_later_life_judged_again_counts_once(recorded: Path) -> None:
    """As a life that goes on from a checkpoint 40 rows before the end of the file."""
    whole = await verdicts_of(recorded)
    found = list(frames(recorded))
    judged = [frame for frame in found if frame["frame"] == "judged" and frame["rows"] is not None]
    names = {
        n: list(chain.from_iterable(frame[n] for frame in judged))
        for n in ("contracts", "makers", "accounts", "vias", "parts")
    }
    last = judged[-2]
    rows = np.concatenate([judged[-2]["rows"][5:], judged[-1]["rows"]])
    controls = [*judged[-2]["controls"], *judged[-1]["controls"]]
    which = np.flatnonzero(rows["kind"] < 8)
    skipped = int((judged[-2]["rows"][:5]["kind"] < 8).sum())
    rows["a"][which] = np.arange(skipped, skipped + len(which))
    again = {**last, "seq": last["seq"] + 5, "rows": rows, "controls": controls, **names}
    life = {"frame": "life", "now": 9, "seq": last["seq"] + 5, "opening": None}
    with recorded.open("ab") as file:
        file.write(frame_bytes(life) + frame_bytes(again))
    assert await verdicts_of(recorded) == whole


async def test_a_day_begins_with_what_the_day_before_left_standing(tmp_path: Path) -> None:
    """Two dates of a venue that is open around the clock; the second is judged by its own file alone."""
    book = load(str(venue(tmp_path)))
    whole = await replay(tmp_path / "capture", book)
    reference, source = open_capture(tmp_path / "capture")
    await source.start()
    timetable, _ = timetable_of(source, book, tmp_path)
    engine = Engine([book], reference, source.part_names)
    tape = TapeWriter(
        tmp_path, engine, Schedule(book.calendar) if book.calendar else None, now=lambda: 7
    )
    pump = Pump(source, Merge(), engine, DeadLetterCount())
    pump.judging = tape.judged
    pump.take(Delivery(TIMETABLE_PART, decoded(timetable, 0), 0))
    await pump.run()
    tape.flush(2**62)
    tape.close()
    days: list[StatusView] = []
    for day in ("2025-08-04", "2025-08-05"):
        done = await replay(tmp_path / f"{day}.tape", book)
        days += done.days
    records = [to_bytes(day_record(view, whole.judging, book)) for view in days]
    assert records == [to_bytes(day_record(view, whole.judging, book)) for view in whole.days]
    assert days[1].obligations.quoted.tolist() == [30 * SECOND, 0]  # M1 is exempt, since yesterday
    assert days[1].obligations.exempt.tolist() == [0, 60 * SECOND]


def venue(folder: Path) -> Path:
    """M0 quotes C0 for half of each date's minute; M1's exemption, and the theo, are of the first date alone."""
    capture, start, day = folder / "capture", OPENS, 86_400_000_000_000
    files = {
        "contracts": ["contract,class,tick", "C0,K0,0.0001"],
        "makers": ["maker,class", "M0,*", "M1,*"],
        "theo": ["ts_event,contract,theo", f"{start},C0,1.0000"],
        "exemptions": ["ts_event,scope,maker,kind,action", f"{start - 5},K0,M1,technical,start"],
        "quotes": [
            "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size",
            *(f"{start + n * day + 30_000_000_000},M0,C0,0.9900,1,1.0100,1" for n in range(2)),
        ],
    }
    capture.mkdir()
    for name, lines in files.items():
        (capture / f"{name}.csv").write_text("\n".join(lines) + "\n")
    path = folder / "rules.toml"
    path.write_text(minute_rules("two-days", THEO_SPREAD))
    return path
