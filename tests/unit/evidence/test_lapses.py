"""Every lapse of a date stands in the evidence log, with the records that it was judged by; a maker sees its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mm_monitor.cli import app
from mm_monitor.evidence import lapses
from mm_monitor.evidence.inbox import waiting
from mm_monitor.evidence.log import EvidenceLog, logs_of
from mm_monitor.evidence.part import part_of
from mm_monitor.evidence.verifier import verify
from mm_monitor.recording.frames import frame_bytes, frames
from mm_monitor.replay import replay
from mm_monitor.rulebooks import load
from tests.unit.evidence.test_log import DAY, KEY, NOON
from tests.unit.service.test_recording import GOLDEN, record, venue

CASE = GOLDEN / "05"
DATA = GOLDEN.parent
BOOK = str(CASE / "rulebook.toml")


def lapses_into(log: Path, source: Path = CASE, *more: str, book: str = BOOK) -> Result:
    """Run `mm-monitor evidence lapses`."""
    log.mkdir(exist_ok=True)
    words = ["evidence", "lapses", str(source), "--rulebook", book, "--directory", str(log), *more]
    return CliRunner().invoke(app, words)


def left_in(log: Path) -> list[dict[str, Any]]:
    return [entry for _, entry in waiting(log)]


def rows_of(log: Path) -> list[dict[str, Any]]:
    return [{**row, "maker": one["maker"]} for one in left_in(log) for row in one["lapses"]]


def test_every_lapse_is_told_and_adds_up(tmp_path: Path) -> None:
    assert lapses_into(tmp_path).exit_code == 0
    report: Any = asyncio.run(replay(CASE, load(BOOK))).report
    counted: Counter[tuple[str, str]] = Counter()
    number: Counter[tuple[str, str]] = Counter()
    for row in rows_of(tmp_path):
        counted[row["maker"], row["contract"]] += row["counted_ns"]
        number[row["maker"], row["contract"]] += 1
    assert sum(number.values()) == 14
    for row in report["obligations"]:
        key = row["maker"], row["contract"]
        assert (number[key], counted[key]) == (row["lapses"], row["lapsed_ns"])


def test_a_lapse_names_the_lines_it_was_judged_by(tmp_path: Path) -> None:
    lapses_into(tmp_path)
    lines = {name: (CASE / name).read_text().splitlines() for name in ("quotes.csv", "theo.csv")}
    seen: Counter[str] = Counter()
    for row in rows_of(tmp_path):
        for about in (row["evidence"]["quote"], row["evidence"]["theo"]):
            place = about and about["source"]
            if place:
                line = lines[place["topic"]][place["offset"] - 1]
                assert line.startswith(str(about["ts_event"]))
                assert row["contract"] in line.split(",")
                seen[place["topic"]] += 1
    assert set(seen) == set(lines)


def test_what_is_told_is_sealed_and_a_maker_sees_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapses, "PER_ENTRY", 3)
    lapses_into(tmp_path)
    told = left_in(tmp_path)
    makers = {entry["maker"] for entry in told}
    assert len(makers) > 1
    assert max(entry["parts"] for entry in told) > 1
    log = EvidenceLog(tmp_path, KEY, "test")
    log.open(NOON)
    log.append(told, NOON)
    log.roll(NOON + DAY)
    log.close()
    data = logs_of(tmp_path)[0].read_bytes()
    assert verify(data, KEY.public).entries == len(told) + 2
    for maker in makers:
        part = part_of(data, maker)
        assert verify(part, KEY.public).withheld == sum(entry["maker"] != maker for entry in told)
        assert all(f'"maker":"{other}"'.encode() not in part for other in makers - {maker})


def test_telling_it_again_tells_the_same(tmp_path: Path) -> None:
    one, other = (json.loads(lapses_into(tmp_path, CASE, "--json").stdout) for _ in range(2))
    assert one == other
    assert len(left_in(tmp_path)) == len(one["entries"])


async def test_a_journals_date_is_told_once_it_is_over(tmp_path: Path) -> None:
    book = shutil.copy(venue(tmp_path), tmp_path / "capture" / "rulebook.toml")
    tape = await record(str(tmp_path / "capture"), tmp_path, piece=1)
    log, whole = tmp_path / "log", tape.read_bytes()
    for size, said, count in ((len(whole) * 2 // 3, "a date that is over", 0), (len(whole), "", 1)):
        tape.write_bytes(whole[:size])
        done = await asyncio.to_thread(lapses_into, log, tape, book=str(book))
        assert said in str(done.exception)
        assert len(rows_of(log)) == count
    assert {one["dates"][0] for one in left_in(log)} == {"2025-08-04"}


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app,
        ["evidence", "lapses", str(CASE), "--rulebook", BOOK, "--directory", str(tmp_path / "no")],
    )
    assert isinstance(done.exception, Exception)
    assert "the directory of an evidence log" in str(done.exception)


def test_a_day_that_lacks_records_has_no_lapses_to_tell(tmp_path: Path) -> None:
    """What is missing could have ended a lapse, or begun one."""
    kept = frames(DATA / "journal" / "v4" / "2025-07-25.tape")
    holed = tmp_path / "2025-07-25.tape"
    holed.write_bytes(b"".join(frame_bytes(f) for f in kept if f.get("seq") != 150))
    told = lapses_into(tmp_path / "log", holed, book=str(GOLDEN / "06" / "rulebook.toml"))
    assert f"{holed}: its lapses are not known, it lacks 50 records" in str(told.exception)
    assert left_in(tmp_path / "log") == []
