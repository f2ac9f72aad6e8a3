"""Files that are not what a command takes them for: refused in words, without a traceback and without much memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.errors import InputError
from mm_monitor.imports.fix import import_fix
from mm_monitor.imports.orders import import_orders
from mm_monitor.imports.public import import_databento, import_taq
from mm_monitor.imports.times import integer_ns
from mm_monitor.imports.writing import Counted, Target
from mm_monitor.journal import kept_looks
from mm_monitor.ledger import read_ledger
from mm_monitor.recording.day import read_day
from mm_monitor.recording.frames import Frame, frame_bytes, frames
from mm_monitor.reports.papers.pack import faults_of, to_pack
from mm_monitor.revisions.store import Revisions
from mm_monitor.rollup import RollUp, read_lines
from tests.faults.garbage_in_values import BOOK, accrual_lines, day_of_a_ledger, revision

DATA = Path(__file__).parents[1] / "data"
MESSAGES = DATA / "imports" / "synthetic-mass-quotes.fix.log"
TAPE = DATA / "journal" / "v2" / "2025-07-25.tape"
ORDERS = "ts_event,maker,contract,order_id,action,side,price,size\n"
DATABENTO = "ts_event,publisher_id,symbol,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00\n"
Import = Callable[[list[Path], Target], Counted]
IMPORTS: dict[str, Import] = {
    "orders": lambda paths, out: import_orders(paths, out, 1, integer_ns),
    "taq": lambda paths, out: import_taq(paths, out, "2025-08-01", "UTC"),
    "databento": import_databento,
    "fix": lambda paths, out: import_fix(paths, out, FixTags.of("49", "55")),
}


def imported(folder: Path, name: str, text: bytes) -> Counted:
    (folder / "file").write_bytes(text)
    return IMPORTS[name]([folder / "file"], Target(folder / "out", "0.01"))


@pytest.mark.parametrize("name", ["orders", "taq", "databento"])
def test_an_import_of_other_than_utf8_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"file: text of UTF-8 \("):
        imported(tmp_path, name, b"\xff" + ORDERS.encode())


def test_an_import_of_a_field_without_end_is_refused(tmp_path: Path) -> None:
    for name, header in (("orders", ORDERS), ("databento", DATABENTO)):
        with pytest.raises(InputError, match="file: lines of csv "):
            imported(tmp_path, name, header.encode() + b'"' + b"x" * 200_000)


def test_an_order_event_with_too_few_fields_is_left_out(tmp_path: Path) -> None:
    good = ORDERS + "5,M0,C0,a,set,buy,1,3\n"
    counted = imported(
        tmp_path, "orders", (good + "6,M0,C0,a,set,buy\n6,M0,C0,a,cancel\n").encode()
    )
    assert counted.written["quotes"] == 2
    assert [one["first"] for one in counted.plain()["left_out"]] == ["file:3"]


def test_a_fix_tag_of_thousands_of_digits_is_passed_over(tmp_path: Path) -> None:
    sound = MESSAGES.read_bytes()
    strange = b"8=FIX.4.4|" + b"9" * 5000 + b"=x|10=000|\n"
    counted = imported(tmp_path, "fix", sound + strange)
    assert counted.written["quotes"] > 0


# Recorded days whose checksums are right ----------------------------------------------------------


def changed(folder: Path, change: Callable[[list[Frame]], object]) -> Path:
    """A recorded day of which something has been changed, sealed anew."""
    found = list(frames(TAPE))
    change(found)
    path = folder / TAPE.name
    path.write_bytes(b"".join(map(frame_bytes, found)))
    return path


def _numbered(column: str, number: int) -> Callable[[list[Frame]], object]:
    def change(found: list[Frame]) -> None:
        rows: Any = next(
            frame["rows"]
            for frame in found
            if frame["frame"] == "judged" and frame["rows"] is not None
        )
        rows[column][np.flatnonzero(rows[column] >= 0)[0]] = number

    return change


@pytest.mark.parametrize(("change", "told"), [
    (lambda found: None, ""),
    (lambda found: found[1].update(frame="done"), "KeyError: 'done'"),
    (lambda found: found[0].pop("opening"), "KeyError: 'opening'"),
    (lambda found: found[1].update(rows=[1]), "TypeError"),
    (lambda found: found[0]["opening"].update(reference=7), "TypeError"),
    (_numbered("contract", 2**31 - 1), "contract 2147483647 has no name"),
    (_numbered("maker", 2**31 - 1), "maker 2147483647 has no name"),
    (_numbered("contract", -5), "a contract that has no name"),
])  # fmt: skip
def test_a_recorded_day_that_something_else_wrote_is_refused(
    tmp_path: Path, change: Callable[[list[Frame]], object], told: str
) -> None:
    path = changed(tmp_path, change)
    if not told:
        assert read_day(path).date == "2025-07-25"
        return
    with pytest.raises(InputError, match=f"2025-07-25.tape: is no recorded day: .*{told}"):
        read_day(path)


# What is kept between processes -------------------------------------------------------------------


@pytest.mark.parametrize("theos", [
    5, [["C0", 1]], [["C0", "1", None, "", "", "", 0]], [["C0", 2**70, None, "", "", "", 0]],
])  # fmt: skip
def test_a_journal_whose_looks_are_none_is_refused(tmp_path: Path, theos: Any) -> None:
    path = tmp_path / "journal-2025-08-01.jsonl"
    path.write_text(json.dumps({"entry": "theo", "ts": 1, "theos": theos}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="a journal that can be read"):
        list(kept_looks(path))


def test_a_ledgers_day_judged_by_nothing_that_there_is_is_refused(tmp_path: Path) -> None:
    day = json.loads(day_of_a_ledger())
    day["judging"]["judged_by"] = "luck"
    (tmp_path / "2025-08-01.x.json").write_text(json.dumps(day), encoding="utf-8")
    with pytest.raises(InputError, match=r"judged_by: one of .*, got 'luck'"):
        read_ledger(tmp_path)


@pytest.mark.parametrize("about", [5, {}, {"published_at": "x"}])
def test_a_revision_that_says_nothing_of_itself_is_refused(tmp_path: Path, about: Any) -> None:
    place = tmp_path / "d" / "r"
    place.mkdir(parents=True)
    (place / "report-0.json").write_bytes(b"{}")
    (place / "revision-0.json").write_bytes(revision())
    assert Revisions(tmp_path, "d", "r").known_at(1) is not None
    (place / "revision-0.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(InputError, match="a revision, with the instant when it was published"):
        Revisions(tmp_path, "d", "r").known_at(1)


def pack(path: Path) -> bytes:
    card = {"rulebook": {"id": "x", "version": 1, "sha256": "0" * 64}}
    path.write_bytes(to_pack({"report.json": b'{"a": 1}' * 100}, card))
    return path.read_bytes()


def test_a_pack_whose_bytes_are_no_zip_any_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    sound = pack(path)
    assert list(faults_of(path)) == []
    for at in range(0, len(sound), 3):
        path.write_bytes(sound[:at] + b"\x63" + sound[at + 1 :])
        with suppress(InputError):
            list(faults_of(path))


@pytest.mark.parametrize("manifest", [[], {"files": [5]}, {"files": [{"file": "x"}]}, {"files": 7}])
def test_a_pack_whose_manifest_is_none_is_refused(tmp_path: Path, manifest: Any) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
    with pytest.raises(InputError, match="no pack of reports"):
        list(faults_of(tmp_path / "pack.zip"))


# The accruals topic -------------------------------------------------------------------------------


def rolled(folder: Path, text: bytes) -> list[str]:
    """What became of the lines' days, in words."""
    told: list[str] = []
    (folder / "accruals.jsonl").write_bytes(text)
    roll = RollUp({BOOK.id: BOOK}, folder / "ledger", lambda *said: told.append(said[2]))
    read_lines(folder / "accruals.jsonl", roll)
    roll.write()
    return told


def test_accruals_that_say_no_day_are_told_and_hold_no_other_date_up(tmp_path: Path) -> None:
    lines = accrual_lines()
    assert [one.partition(" ")[0] for one in rolled(tmp_path, lines)] == ["written"]
    (told,) = rolled(tmp_path, lines.replace(b'"quoted_ns"', b'"quotd_ns"'))
    assert told == "waits: what was said is no day: KeyError: 'quoted_ns'"


def test_accruals_of_another_rulebooks_name_are_not_written(tmp_path: Path) -> None:
    name = f'"id":"{BOOK.id}"'.encode()
    lines = accrual_lines()
    assert name in lines
    (told,) = rolled(tmp_path, lines.replace(name, b'"id":"../../elsewhere"'))
    assert told == f"waits: a day of {BOOK.id}, got one of '../../elsewhere'"


@pytest.mark.parametrize(("line", "told"), [
    (b"\xff\n", "text of UTF-8"),
    (b'{"key": 5, "value": {"schema": "mm-monitor/accruals/1"}}\n', "no accruals"),
    (b'{"key": ["x"], "value": {"schema": "mm-monitor/accruals/1"}}\n', "no accruals"),
])  # fmt: skip
def test_a_line_that_is_no_accruals_is_refused(tmp_path: Path, line: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        rolled(tmp_path, line)
