"""STAB: sessions against the time with trading, refusals, and lapses that a disconnect caused; worked out by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Breach
from mm_monitor.core.timetable import TIMETABLE_PART, decoded
from mm_monitor.replay import timetable_of
from mm_monitor.rulebooks import load
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.sources.reference_files import load_reference
from tests.acceptance.captures import gone, judge, quote, rulebook

BREAK = ["1000,*,continuous", "1400,*,break", "1600,*,continuous", "2000,*,closed"]


def session(directory: Path, *lines: str, **tables: Any) -> Any:
    """What the details say of M0's only session."""
    records = [f"{line.split()[0]},M0,A1,{line.split()[1]}" for line in lines]
    (row,) = judge(directory, sessions=records, **tables).maker_detail()["sessions"]
    return row


@pytest.mark.criterion("STAB-01")
def test_availability_is_time_logged_on_of_the_time_with_trading(tmp_path: Path) -> None:
    row = session(tmp_path, "900 logon", "1300 logoff", "1700 logon", phases=BREAK)
    # trading in [1000, 1400) and [1600, 2000): on for 300 + 300, off for 100 + 100
    assert (row["on_ns"], row["off_ns"], row["unknown_ns"]) == (600, 200, 0)
    assert row["availability"] == "0.750000000"
    assert row["disconnects"] == []


@pytest.mark.criterion("STAB-01")
def test_before_the_first_record_of_the_day_a_session_is_unknown_not_off(tmp_path: Path) -> None:
    row = session(tmp_path, "1250 logon")
    assert (row["on_ns"], row["off_ns"], row["unknown_ns"]) == (750, 0, 250)
    assert row["availability"] == "0.750000000"


@pytest.mark.criterion("STAB-01")
def test_disconnects_and_the_time_to_recover(tmp_path: Path) -> None:
    row = session(
        tmp_path,
        "900 logon", "1100 disconnect", "1150 logon", "1300 disconnect", "1350 disconnect",
        "1700 logon", "1900 logoff", "1950 disconnect", "1960 logon", "1990 disconnect",
        phases=BREAK,
    )  # fmt: skip
    # who is away already cannot be disconnected; recovery runs through the break; the last one goes on
    assert row["disconnects"] == [
        {"start": 1100, "end": 1150},
        {"start": 1300, "end": 1700},
        {"start": 1990, "end": None},
    ]
    assert (row["recoveries"], row["recovery_ns"], row["longest_recovery_ns"]) == (2, 450, 400)
    assert (row["on_ns"], row["off_ns"]) == (100 + 150 + 200 + 30, 50 + 200 + 60 + 10)


@pytest.mark.criterion("STAB-01")
def test_a_mass_quote_protection_is_counted_and_the_session_stays(tmp_path: Path) -> None:
    row = session(tmp_path, "1000 logon", "1200 mass_quote_protection", "1300 logoff")
    assert (row["on_ns"], row["mass_quote_protections"]) == (300, 1)


@pytest.mark.criterion("STAB-01")
def test_a_halt_of_all_contracts_stops_the_clock_and_of_one_does_not(tmp_path: Path) -> None:
    contracts = ["C0,K0,0.0001", "C1,K0,0.0001"]
    phases = ["1000,*,continuous", "1200,C0,halt", "1500,C1,halt", "1600,C1,continuous",
              "2000,*,closed"]  # fmt: skip
    row = session(tmp_path, "900 logon", phases=phases, contracts=contracts)
    assert row["on_ns"] == 900


@pytest.mark.criterion("STAB-01")
def test_each_account_is_a_session_and_of_others_nothing_is_said(tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        "makers": ["M0,*", "M1,*"],
        "sessions": ["1000,M0,,logon", "1500,M0,B,logon"],
    }
    report = judge(tmp_path, **tables)
    rows = report.maker_detail("M0")["sessions"]
    assert [(row["account"], row["on_ns"]) for row in rows] == [("", 1000), ("B", 500)]
    assert report.maker_detail("M1")["sessions"] == "not_assessed"


@pytest.mark.criterion("STAB-02")
def test_refused_of_submitted_by_reason(tmp_path: Path) -> None:
    quotes = [quote(900), quote(1000), quote(1100), quote(1200, "1.00005"), gone(1300), quote(2100)]
    rejects = ["999,M0,early", "1100,M0,price_band", "1200,M0,late", "1300,M0,late", "2000,M0,over"]
    report = judge(tmp_path, quotes=quotes, rejects=rejects)
    # quotes of [1000, 2000), the bad one and the withdrawal too: a message is a message
    assert report.maker_detail()["rejects"] == {
        "submitted": 4, "rejected": 3, "share": "0.750000000",
        "by_reason": {"price_band": 1, "late": 2},
    }  # fmt: skip
    assert judge(tmp_path, quotes=quotes, rejects=[]).maker_detail()["rejects"] == "not_assessed"


def lapses(directory: Path, *, sessions: list[str], quotes: list[str]) -> list[Breach]:
    """The breaches of a capture with all their evidence; more than 200 ns of a lapse are one."""
    rules = '[lapse]\nlongest_permitted = "200ns"\n'
    judge(directory, rules, presence="", sessions=sessions, quotes=quotes)
    return list(asyncio.run(replayed(directory)).at(2000)[0].breaches)


async def replayed(directory: Path) -> Engine:
    """The engine that a replay leaves behind."""
    book, reference = (
        load(rulebook(directory, '[lapse]\nlongest_permitted = "200ns"\n', "")),
        (load_reference(directory)),
    )
    source, merge = CaptureSource(directory, reference), Merge()
    await source.start()
    timetable, _ = timetable_of(source, book, directory)
    engine = Engine([book], reference, source.part_names, calendar=False)
    merge.push(Delivery(TIMETABLE_PART, decoded(timetable, 0), 0))
    while not source.finished:
        for delivery in await source.poll():
            merge.push(delivery)
    batch = merge.release(AFTER_ALL)
    engine.apply(Batch(batch.rows, batch.controls))
    return engine


@pytest.mark.criterion("STAB-01")
def test_a_lapse_that_starts_with_a_disconnect_carries_it_as_its_cause(tmp_path: Path) -> None:
    (breach,) = lapses(
        tmp_path,
        sessions=["900,M0,A1,logon", "1300,M0,A1,disconnect", "1350,M0,A1,logon"],
        quotes=[quote(1000), gone(1300), quote(1600)],
    )
    # the lapse began at 1300 and was too long at 1500, when the session was back
    assert (breach.start, breach.evidence["cause"]) == (
        1500, {"kind": "disconnect", "account": "A1", "ts_event": 1300},
    )  # fmt: skip


@pytest.mark.criterion("STAB-01")
def test_a_lapse_while_the_session_is_away_has_that_cause_and_another_has_none(
    tmp_path: Path,
) -> None:
    sessions = ["900,M0,A1,logon", "1250,M0,A1,disconnect", "1350,M0,A1,logon"]
    before = lapses(tmp_path, sessions=sessions, quotes=[quote(1000), gone(1249), quote(1600)])
    within = lapses(tmp_path, sessions=sessions, quotes=[quote(1000), gone(1349), quote(1600)])
    after = lapses(tmp_path, sessions=sessions, quotes=[quote(1000), gone(1350), quote(1600)])
    assert ["cause" in found[0].evidence for found in (before, within, after)] == [
        False, True, False,
    ]  # fmt: skip
