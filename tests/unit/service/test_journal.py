"""The journal: JSON lines, a file a day, late records with all their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_monitor.core.batch import empty_rows
from mm_monitor.core.model import Kind, PhaseRecord, RawRecord
from mm_monitor.errors import MonitorError
from mm_monitor.journal import Journal

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
