"""A date that is over is closed once, whatever befell the attempts before; one that is not over is left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.closing.marks import is_closed, over
from mm_monitor.closing.work import Closed, NotOver, Wanted, close_date
from mm_monitor.core.batch import empty_rows
from mm_monitor.evidence import lapses
from mm_monitor.evidence.inbox import entries, post, waiting
from mm_monitor.evidence.lapses import lapse_entries_of, subject
from mm_monitor.evidence.log import EvidenceLog
from mm_monitor.recording.frames import frame_bytes
from mm_monitor.replay import replay
from mm_monitor.reports.report import to_bytes
from mm_monitor.rulebooks import load
from tests.unit.evidence.test_log import DAY, KEY, NOON
from tests.unit.service.test_recording import record, venue

AFTER = NOON + 4 * DAY  # of our clock, when 2025-08-04 is over


@pytest.fixture
async def wanted(tmp_path: Path) -> Wanted:
    """Two dates on the tape, of which the first is to be closed."""
    book = venue(tmp_path)
    (tmp_path / "capture" / "rulebook.toml").write_bytes(book.read_bytes())
    (tmp_path / "journal").mkdir()
    tape = await record(str(tmp_path / "capture"), tmp_path / "journal", piece=1)
    (tmp_path / "evidence").mkdir()
    return Wanted(tape, [load(str(book))], tmp_path / "evidence", tmp_path / "captures")


def told(wanted: Wanted) -> list[str]:
    """Subjects of all entries about lapses, in the log and before it."""
    assert wanted.evidence is not None
    return sorted(subject(entry) for entry in entries(wanted.evidence, "lapses"))


def take_in(wanted: Wanted, now: int) -> None:
    """As the service does that writes the log."""
    assert wanted.evidence is not None
    log = EvidenceLog(wanted.evidence, KEY, "test")
    log.open(now)
    found = waiting(wanted.evidence)
    log.append([entry for _, entry in found], now)
    for path, _ in found:
        path.unlink()
    log.close()


async def expected(wanted: Wanted) -> list[str]:
    (book,) = wanted.rulebooks
    return sorted(map(subject, await lapse_entries_of(wanted.tape, book)))


async def test_all_is_done_once(wanted: Wanted) -> None:
    done = await close_date(wanted)
    assert done is not None
    assert (done.entries, done.lapses) == (2, 1)
    assert told(wanted) == await expected(wanted)
    assert done.capture is not None
    assert sorted(path.suffix for path in done.capture.iterdir() if path.stem == "quotes") == [
        ".parquet"
    ]
    (book,) = wanted.rulebooks
    of_capture, of_tape = [await replay(at, book) for at in (done.capture, wanted.tape)]
    assert to_bytes(of_capture.report) == to_bytes(of_tape.report)
    assert is_closed(wanted.tape)
    assert await close_date(wanted) is None


async def test_what_an_earlier_attempt_did_is_not_done_again(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two entries one waits, or stands in the log of an earlier day; and the tape has grown since."""
    assert wanted.evidence is not None
    whole = await expected(wanted)
    for waits in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr("mm_monitor.closing.work.post", once_then_killed())
            with pytest.raises(KeyboardInterrupt):
                await close_date(wanted)
        if not waits:
            take_in(wanted, AFTER)
            take_in(wanted, AFTER + DAY)
        assert len(told(wanted)) == 1 + (not waits)
        with wanted.tape.open("ab") as file:
            file.write(frame_bytes({"frame": "late", "now": 8, "rows": empty_rows(0), "controls": [],
                                    "contracts": {}, "makers": {}, "accounts": {}, "vias": {},
                                    "parts": []}))  # fmt: skip
    (wanted.captures or Path()).joinpath(f"{wanted.tape.stem}.partial").mkdir(parents=True)
    done = await close_date(wanted)
    assert isinstance(done, Closed)
    assert told(wanted) == whole
    take_in(wanted, AFTER + 2 * DAY)
    assert told(wanted) == whole


def once_then_killed() -> Any:
    """`post`, of which nothing comes back."""

    def one(directory: Path, entry: Any) -> None:
        post(directory, entry)
        raise KeyboardInterrupt

    return one


@pytest.mark.parametrize(
    "sign", ["journal/closing.lock", "evidence/inbox/*.json", "captures/*.partial/*"]
)
def test_a_kill_in_the_middle_costs_and_doubles_nothing(wanted: Wanted, sign: str) -> None:
    """A real process and `kill -9` as soon as it has left that sign; a day later the next one."""
    process = subprocess.Popen(command(wanted))
    while process.poll() is None and not any(wanted.tape.parents[1].glob(sign)):
        time.sleep(0.001)
    process.kill()
    process.wait()
    take_in(wanted, AFTER)
    subprocess.run(command(wanted), check=True)
    take_in(wanted, AFTER + DAY)
    assert is_closed(wanted.tape)
    assert told(wanted) == asyncio.run(expected(wanted))
    assert wanted.captures is not None
    assert [path.name for path in wanted.captures.iterdir()] == [wanted.tape.stem]


def command(wanted: Wanted) -> list[str]:
    words = ["journal", "close", wanted.tape, "--rulebook", wanted.tape.parents[1] / "rules.toml",
             "--evidence", wanted.evidence, "--captures", wanted.captures]  # fmt: skip
    return [sys.executable, "-m", "mm_monitor", *map(str, words)]


async def test_a_date_that_is_not_over_is_left(wanted: Wanted) -> None:
    whole = wanted.tape.read_bytes()
    for size, why in ((len(whole) * 2 // 3, "is not over"), (0, "nothing was judged")):
        wanted.tape.write_bytes(whole[:size])
        with pytest.raises(NotOver, match=why):
            await close_date(wanted)
        done = await asyncio.to_thread(
            subprocess.run, command(wanted), capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert why in done.stderr
    assert (told(wanted), is_closed(wanted.tape)) == ([], False)


async def test_a_date_without_trading_has_nothing_to_tell(wanted: Wanted, tmp_path: Path) -> None:
    rules = (tmp_path / "rules.toml").read_text()
    (tmp_path / "rules.toml").write_text(rules.replace('"mon", ', ""))
    book = load(str(tmp_path / "rules.toml"))
    done = await close_date(Wanted(wanted.tape, [book], wanted.evidence, wanted.captures))
    assert done == Closed(0, 0, None)
    assert is_closed(wanted.tape)


async def test_parts_of_a_maker_are_told_apart(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapses, "PER_ENTRY", 1)
    await close_date(wanted)
    assert len(set(told(wanted))) == len(told(wanted))


def test_what_is_over(tmp_path: Path) -> None:
    for name in ("2025-08-01", "2025-08-04", "2025-08-05"):
        (tmp_path / f"{name}.tape").touch()
    (tmp_path / "2025-08-01.closed").touch()
    (tmp_path / "notes.tape").touch()
    assert over(tmp_path, "2025-08-05") == [tmp_path / "2025-08-04.tape"]
    assert over(tmp_path, "") == []
