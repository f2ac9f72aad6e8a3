"""The journal: JSON lines, a file a day, late records with all their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.core.batch import empty_rows
from mm_monitor.core.model import Kind, PhaseRecord, RawRecord
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.journal import Journal, check_journal, kept_looks
from mm_monitor.theo.pricer import KeptLook

NOON = 1_756_699_200 * 10**9  # 2025-09-01 04:00 UTC


@pytest.mark.criterion("TAPE-03")
def test_late_records_are_kept_with_their_address(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "new"))
    rows = empty_rows(1)
    rows["ts"], rows["offset"], rows["part"], rows["kind"] = 5, 77, 3, Kind.QUOTE
    raw = RawRecord("mm.control", 2, 9, b"{}")
    journal.late(NOON, rows, [PhaseRecord(4, "*", "halt", raw)])
    journal.close()
    lines = (tmp_path / "new" / "journal-2025-09-01.jsonl").read_text().splitlines()
    row, control = map(json.loads, lines)
    assert (row["entry"], row["ts"], row["offset"], row["part"]) == ("late", 5, 77, 3)
    assert (control["record"], control["phase"], control["topic"], control["offset"]) == (
        "phase", "halt", "mm.control", 9,
    )  # fmt: skip


def test_a_file_a_day(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for day in range(2):
        journal.write("watermark", NOON + day * 86_400 * 10**9, {"watermark": 1})
    journal.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "journal-2025-09-01.jsonl",
        "journal-2025-09-02.jsonl",
    ]


def test_no_directory_no_journal() -> None:
    journal = Journal("")
    journal.write("watermark", NOON, {"watermark": 1})
    journal.flush(NOON)
    journal.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match=r"journal\.directory"):
        Journal(str(tmp_path / "file" / "sub"))


LOOK = KeptLook(
    NOON, [("C0", 275, None, "vol", "bsm/1", "own", 5), ("C1", None, None, "", "", "", 0)]
)


def test_looks_are_read_as_they_were_written_whatever_else_is_there(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    assert journal.look(NOON, LOOK)
    journal.write("watermark", NOON, {"watermark": 1})
    journal.close()
    (file,) = tmp_path.iterdir()
    file.write_text(
        file.read_text() + '{"entry": "theo", "theos": [["C0", 1'
    )  # killed while it wrote
    journal = Journal(str(tmp_path))
    later = KeptLook(NOON + 1, LOOK.theos)
    assert journal.look(NOON + 1, later)
    assert journal.look(NOON + 2, LOOK)  # out of order: nobody wrote it
    journal.close()
    read = [(look.ts, [tuple(theo) for theo in look.theos]) for look in kept_looks(tmp_path)]
    assert read == [(NOON, LOOK.theos), (NOON + 1, LOOK.theos)]
    assert [look.ts for look in kept_looks(file)] == [NOON, NOON + 1]
    assert list(kept_looks(tmp_path, NOON + 3 * 86_400 * 10**9)) == []


def test_a_look_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    failures: list[int] = []
    journal = Journal(str(tmp_path), lambda: failures.append(1))
    (tmp_path / "journal-2025-09-01.jsonl").mkdir()
    assert not journal.look(NOON, LOOK)
    assert failures == [1]
    assert not Journal("").look(NOON, LOOK)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a journal that can be read"):
        list(kept_looks(tmp_path / "missing.jsonl"))
    broken = tmp_path / "journal-2025-09-01.jsonl"
    broken.write_text('{"entry": "theo", nonsense}\n')
    with pytest.raises(InputError, match="a journal that can be read"):
        list(kept_looks(broken))


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    """A misspelt directory gave a report without the theos that the service computed, and said nothing."""
    golden = Path(__file__).parents[2] / "data" / "golden" / "06"
    priced = tmp_path / "priced"
    commands = [
        ["replay", golden, "--rulebook", golden / "rulebook.toml"],
        ["report", "day", golden, "--rulebook", golden / "rulebook.toml", "--out", priced],
        ["price", golden, "--out", priced],
    ]
    for words in commands:
        done = CliRunner().invoke(app, [*map(str, words), "--journal", str(tmp_path), "-q"])
        assert isinstance(done.exception, InputError)
        assert f"{tmp_path}: is no journal of a service: it has no journal-" in str(done.exception)
        assert not priced.exists()
    with pytest.raises(
        InputError, match=r"quotes\.csv: is no journal .*has no entries, got b'ts_event"
    ):
        check_journal(golden / "quotes.csv")
    with pytest.raises(InputError, match="a journal that can be read"):
        check_journal(tmp_path / "missing.jsonl")
    (tmp_path / "share-1").mkdir()
    with pytest.raises(InputError, match=r"no journal-DATE\.jsonl, but share-1$"):
        check_journal(tmp_path)


def test_a_journal_of_any_entries_is_one(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("order", NOON, {"action": "start"})
    journal.close()
    check_journal(tmp_path)
    check_journal(tmp_path / "journal-2025-09-01.jsonl")
    (tmp_path / "journal-2025-09-02.jsonl").touch()
    check_journal(tmp_path / "journal-2025-09-02.jsonl")
