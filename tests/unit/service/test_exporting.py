"""A journal's day as a capture: whoever judges the capture gets what the journal gives, to the byte."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from typer.testing import CliRunner, Result

from mm_monitor.cli import app
from mm_monitor.codecs.control import Placed, place
from mm_monitor.core.batch import QUOTE_BAD, Batch, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, Kind, RawRecord, ReferenceRecord, UnderlyingRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.exporting import export, tape_of
from mm_monitor.recording.frames import frame_bytes
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.replay import replay
from mm_monitor.reports.report import to_bytes
from mm_monitor.rulebooks import load
from tests.laws import tapes
from tests.laws.running import FEWER
from tests.minute import THEO_SPREAD, minute_rules
from tests.unit.service.test_recording import DAYS, GOLDEN, record, verdicts


async def report_of(source: Path, book: Rulebook) -> bytes:
    return to_bytes((await replay(source, book)).report)


@pytest.mark.parametrize(
    ("name", "fmt"), [*((name, "csv") for name in DAYS), ("06", "parquet"), ("09", "parquet")]
)
async def test_the_capture_of_a_journal_gives_its_report(
    name: str, fmt: str, tmp_path: Path
) -> None:
    tape = await record(name, tmp_path)
    book = load(str(GOLDEN / name / "rulebook.toml"))
    done = await export(tape, tmp_path / "capture", fmt)
    assert (done.date, done.late, done.gaps, done.midway) == (tape.stem, 0, 0, False)
    assert await report_of(done.out, book) == await report_of(tape, book)
    tables = {path.stem for path in done.out.iterdir()}
    assert tables == set(done.written)


def as_decoded(case: tapes.Case) -> tapes.Case:
    """Only what a codec lets through: prices on every tick that a contract may have, theos of no special origin.

    Nobody looks at how fast a budget burns: where nobody says that a day is over, a look each step takes hours.
    """
    books = tuple(replace(book, at_risk=()) for book in case.rulebooks)
    records = tuple(_decoded(one, case.accounts) for one in case.records)
    return replace(case, rulebooks=books, records=records)


def _decoded(record: tapes.Tick | Control, accounts: bool) -> tapes.Tick | Control:
    if isinstance(record, UnderlyingRecord):
        return replace(record, price=record.price or None)
    if not isinstance(record, tapes.Tick):
        return record
    a, b, a_size, b_size, maker, contract = record.fields
    if record.kind == Kind.THEO:
        return replace(record, fields=(a, b, 0, 0, -1, contract))
    prices = (6 * a, 6 * b, a_size, b_size, maker, contract)
    flags = record.flags if maker >= 0 else 0
    return replace(record, fields=prices, flags=flags, account=record.account * accounts)


@FEWER
@given(tapes.cases().filter(lambda case: case.mode != "periods").map(as_decoded))
def test_any_tape_gives_the_same_from_a_capture(case: tapes.Case) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        for tape in written(case, folder):
            asyncio.run(same(case, tape, folder / f"capture-{tape.stem}"))
    finally:
        shutil.rmtree(folder)


def written(case: tapes.Case, folder: Path) -> list[Path]:
    engine = case.engine(announced=False)
    calendar = case.rulebooks[0].calendar
    schedule = Schedule(calendar) if calendar and case.mode == "calendar" else None
    writer = TapeWriter(folder, engine, schedule, now=lambda: 7)
    tapes.announce_all(engine.reference)
    rows, controls = tapes.tape_of(case)
    for i, row in enumerate(rows):
        writer.judged(Batch(rows[i : i + 1], controls))
        writer.refused(int(row["kind"] == Kind.QUOTE and bool(row["flags"] & QUOTE_BAD)))
    writer.flush(2**62)
    writer.close()
    return sorted(folder.glob("*.tape"))


async def same(case: tapes.Case, tape: Path, out: Path) -> None:
    done = await export(tape, out)
    for book in case.rulebooks:
        expected = await judged(tape, book)
        found = await judged(out, book)
        if done.written["quotes"] and "" not in (expected, found):
            expected["records"]["applied"] += done.added
            assert found == expected


async def judged(source: Path, book: Rulebook) -> Any:
    """The report, "" where the rulebook's calendar has nothing to judge."""
    with suppress(InputError):
        return json.loads(await report_of(source, book))
    return ""


def at(seconds: float) -> int:
    """Of the minute that is judged."""
    return 1_754_272_800_000_000_000 + int(seconds * 10**9)


EVERYTHING = {
    "contracts": ["contract,class,tick,kind,strike,expiry,multiplier,id,flags",
                  '"C,0",K0,0.0001,call,2.5,2025-08-27,10000,7,odd', "C1,K1,0.0001,,,,,,"],
    "makers": ["maker,class,rulebook,id", "M0,*,,3", '"M ""1""",K0,everything,'],
    "accounts": ["account,maker", "A1,M0", "A2,M0"],
    "theo": ["ts_event,contract,theo,delta,source,version,quality",
             f'{at(-9)},"C,0",1.00000001,0.5,vol,bsm/1,own', f"{at(1)},C1,2,,,,",
             f'{at(20)},"C,0",,,,,', f'{at(22)},"C,0",1,-0.25,feed,,'],
    "exemptions": ["ts_event,scope,maker,kind,action", f"{at(-5)},K1,M0,technical,start",
                   f"{at(9)},K1,M0,technical,end", f"{at(9)},nowhere,M0,technical,end"],
    "feed": ["ts_event,scope,maker,status", f"{at(30)},K0,M0,down", f"{at(31)},K0,M0,up"],
    "stress": ["ts_event,scope,action", f"{at(33)},K0,start", f"{at(35)},K0,end"],
    "underlying": ["ts_event,class,price,bid_price,ask_price", f"{at(1)},K0,2.75,2.74,2.76",
                   f"{at(2)},K0,,,", f"{at(3)},K1,2.75,,"],
    "reference": ["ts_event,table,action,contract,class,tick,maker,rulebook",
                  f"{at(10)},contracts,add,C9,K0,0.001,,", f"{at(40)},contracts,remove,C1,,,,",
                  f"{at(41)},contracts,add,C9,K0,0.002,,", f"{at(12)},makers,add,,K1,,M7,"],
    "rfqs": ["ts_event,rfq_id,contract,makers", f'{at(5)},Q1,"C,0",M0', f"{at(6)},Q2,C1,"],
    "fills": ["ts_event,maker,contract,side,price,size", f'{at(8)},M0,"C,0",buy,0.99000001,2'],
    "positions": ["ts_event,maker,class,net_delta,limit", f"{at(8)},M0,K0,-120.5,100"],
    "sessions": ["ts_event,maker,account,status", f"{at(50)},M0,A1,disconnect"],
    "rejects": ["ts_event,maker,reason", f'{at(51)},M0,"price, band"'],
    "quotes": ["ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size",
               f'{at(1)},A1,"C,0",0.9900,1,1.0100,3', f'{at(2)},A2,"C,0",0.9950,1,,0',
               f"{at(3)},M0,C1,1.9,5,2.1,5", f"{at(4)},stranger,C1,1.9,5,2.1,5",
               f'{at(5)},"M ""1""","C,0",0.99,1,1.01,1', f"{at(6)},M0,C1,1.90001,5,2.1,5",
               f"{at(7)},M0,nothing,1,1,1,1", f"{at(11)},M0,C9,0.991,1,1.009,1",
               f"{at(11)},M0,C9,0.992,1,1.009,1", f"{at(42)},M0,C9,0.992,2,1.008,2",
               f'{at(43)},A2,"C,0",,0,,0', "not a line"],
}  # fmt: skip
RULES = minute_rules("everything", THEO_SPREAD + '[accounts]\nrollup = "union"\n')


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
async def test_a_day_with_every_table(fmt: str, tmp_path: Path) -> None:
    """And names that csv has to quote, lines that cannot be used, a contract that is listed, adjusted, delisted."""
    first = tmp_path / "first"
    first.mkdir()
    for name, lines in EVERYTHING.items():
        (first / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (first / "rulebook.toml").write_text(RULES)
    book = load(str(first / "rulebook.toml"))
    tape = await record(str(first), tmp_path)
    done = await export(tape, tmp_path / "out", fmt)
    assert set(done.written) == set(EVERYTHING)
    report = await report_of(tape, book)
    assert await report_of(done.out, book) == report
    assert verdicts(json.loads(report)) == verdicts((await replay(first, book)).report)


async def test_a_contract_of_the_tape_alone_is_not_there_before_its_listing(tmp_path: Path) -> None:
    """A directory that the reference topic fills is empty when the first date begins."""
    engine = Engine([load("szse-2025")], Reference(), {0: ("reference", 0)})
    raw = RawRecord("reference", 0, 5, b"")
    records = [
        ReferenceRecord(at(0), "contracts", "add", {"contract": "C0", "class": "K0", "tick": "0.01"}, raw),
        ReferenceRecord(at(0), "makers", "add", {"maker": "M0", "class": "*"}, raw),
    ]  # fmt: skip
    writer = TapeWriter(tmp_path, engine, None, now=lambda: 7)
    rows = place([Placed(record, n) for n, record in enumerate(records)], 0)
    batch = Batch(rows, dict(enumerate(records)))
    writer.judged(batch)
    engine.apply(batch)  # before the journal is written
    writer.flush(at(90))
    writer.close()
    (tape,) = tmp_path.glob("*.tape")
    done = await export(tape, tmp_path / "out")
    lines = (done.out / "reference.csv").read_text().splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["0", "contracts", "remove", "C0"],
        [str(at(0)), "contracts", "add", "C0"],
        [str(at(0)), "makers", "add", ""],
    ]


async def test_accounts_that_were_opened_after_the_date_began(tmp_path: Path) -> None:
    """One has the bid and one the ask of their maker; the topic of references opened them, which is not on the tape."""
    (tmp_path / "rulebook.toml").write_text(RULES)
    book = load(str(tmp_path / "rulebook.toml"))
    assert book.calendar is not None
    reference = Reference.of([Contract("C0", "K0", 10_000)], [Appointment("M0", "*")])
    engine = Engine([book], reference, {0: ("theo", 0), 1: ("quotes", 0)})
    writer = TapeWriter(tmp_path, engine, Schedule(book.calendar), now=lambda: 7)
    rows = empty_rows(4)
    rows["ts"], rows["offset"] = [at(-1), at(10), at(11), at(40)], range(4)
    rows["kind"], rows["part"] = [Kind.THEO, *[Kind.QUOTE] * 3], [0, 1, 1, 1]
    rows["a"], rows["b"] = [10**8, 10**8, 0, 0], [0, 0, 101 * 10**6, 0]
    rows["a_size"], rows["b_size"] = [0, 1, 0, 0], [0, 0, 1, 0]
    rows["maker"][0], rows["account"] = -1, [0, 1, 2, 2]
    writer.judged(Batch(rows[:1]))
    for account in ("A1", "A2"):
        reference.open_account(account, "M0")
    writer.judged(Batch(rows[1:]))
    writer.flush(at(90))
    writer.close()
    (tape,) = tmp_path.glob("*.tape")
    report = await report_of(tape, book)
    assert json.loads(report)["obligations"][0]["quoted_ns"] == 29 * 10**9
    done = await export(tape, tmp_path / "out")
    assert (done.out / "accounts.csv").read_text().splitlines()[1:] == ["A1,M0", "A2,M0"]
    assert await report_of(done.out, book) == report


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["journal", "export", *map(str, words)])


def test_the_command_says_what_a_capture_cannot_have(tmp_path: Path) -> None:
    tape = asyncio.run(record("06", tmp_path))
    life = {"frame": "judged", "now": 9, "watermark": 1, "seq": 10**6, "rows": None, "controls": [],
            "dead": 0, "contracts": [], "makers": [], "accounts": [], "vias": [], "parts": []}  # fmt: skip
    with tape.open("ab") as file:
        file.write(frame_bytes(life))
    out = tmp_path / "captures" / "day"
    done = command(tmp_path, "--out", out)
    assert done.exit_code == 0, done.output
    assert f"{out}: 5 contracts, 8 exemptions, 2 feed, 2 makers, 5 phases, 254 quotes, 58 theo" in (
        done.stderr.replace("\n", " ")
    )
    assert "records that were judged are not in the journal" in done.stderr
    assert out.stat().st_mode & 0o055 == 0o055
    assert [path.name for path in out.parent.iterdir()] == ["day"]
    again = command(tmp_path, "--out", out)
    assert isinstance(again.exception, MonitorError)
    assert "--out: a directory that is empty or not there yet" in str(again.exception)
    told = json.loads(command(tape, "--out", tmp_path / "more", "--json").stdout)
    assert (told["date"], told["written"]["quotes"], told["late"]) == (tape.stem, 254, 0)


def test_which_day_is_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has none"):
        tape_of(tmp_path, "")
    for day in ("2025-08-04", "2025-08-05"):
        (tmp_path / f"{day}.tape").touch()
    assert tape_of(tmp_path, "2025-08-05") == tmp_path / "2025-08-05.tape"
    assert tape_of(tmp_path / "2025-08-05.tape", "") == tmp_path / "2025-08-05.tape"
    with pytest.raises(InputError, match="has those of 2025-08-04 to 2025-08-05"):
        tape_of(tmp_path, "")
    with pytest.raises(InputError, match=r"needs 2025-08-06\.tape; has"):
        tape_of(tmp_path, "2025-08-06")
    with pytest.raises(InputError, match="the day 2025-08-06"):
        tape_of(tmp_path / "2025-08-05.tape", "2025-08-06")
    with pytest.raises(InputError, match=r"a journal's DATE\.tape"):
        tape_of(tmp_path / "quotes.csv", "")


async def test_a_disk_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    tape = await record("06", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match="cannot be written"):
        await export(tape, tmp_path / "file" / "out")
    with pytest.raises(MonitorError, match="--format: one of csv, parquet, got 'xml'"):
        await export(tape, tmp_path / "out", "xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [tape.name, "file"]
