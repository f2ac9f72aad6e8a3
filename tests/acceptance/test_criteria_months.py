"""PRES-05 and PRES-06 over months: a ledger of days rolled up without replaying them, by hand.

Each trading date of 1970-01 has 60 s of continuous trading, 00:01 to 00:02 UTC, and 90 % are required: 54 s pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.ledger import LiveLedger, read_ledger, write_day
from mm_monitor.reports.day import day_record
from mm_monitor.rulebooks import load
from tests.acceptance.captures import gone, quote, rulebook, write
from tests.acceptance.desk import desk
from tests.acceptance.judging import replayed

CALENDAR = """
[calendar]
timezone = "UTC"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
phases = [{ at = "00:01", phase = "continuous" }, { at = "00:02", phase = "closed" }]
"""
SECOND = 1_000_000_000
MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
PRES_05 = pytest.mark.criterion("PRES-05")


def ledger(
    directory: Path, seconds: dict[int, int], presence: str = "", month: str = "", unknown: int = -1
) -> Path:
    """A ledger of the dates (of January) on which M0 quoted C0 for so many seconds; one may be unknown after that."""
    for name, lines in {"contracts": ["C0,K0,0.0001"], "makers": ["M0,*", "M1,*"]}.items():
        write(directory, name, lines)
    starts = {day: (day - 1) * DAY + MINUTE for day in seconds}
    quotes, feed = [], []
    for day, held in seconds.items():
        end = starts[day] + held * SECOND
        quotes += [quote(starts[day]), gone(end)]
        if day == unknown:
            feed = [f"{end},*,M0,down", f"{starts[day] + MINUTE},*,M0,up"]
    write(directory, "quotes", quotes)
    write(directory, "feed", feed)
    rules = f"{CALENDAR}{month}"
    book = rulebook(directory, rules, f'required = "90%"\n{presence}')
    done = replayed(directory, book)
    for view in done.days:
        write_day(directory / "ledger", day_record(view, done.judging, load(book)))
    return directory / "ledger"


def months(directory: Path, *options: str, code: int = 0) -> Any:
    """The months as JSON, through the command."""
    done = CliRunner().invoke(app, ["report", "month", str(directory), "--json", *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code
    return json.loads(done.stdout)["months"]


def maker(directory: Path, *options: str, name: str = "M0") -> Any:
    (month,) = months(directory, *options)
    return next(row for row in month["makers"] if row["maker"] == name)


@PRES_05
@pytest.mark.criterion("PRES-06")
def test_a_month_is_the_sum_of_its_days(tmp_path: Path) -> None:
    row = maker(ledger(tmp_path, {1: 60, 2: 30, 3: 54}))
    assert (row["quoted_ns"], row["required_ns"]) == (144 * SECOND, 180 * SECOND)
    assert row["presence"] == row["weighted_presence"] == row["mean_over_days"] == "0.800000000"
    assert row["days"] == {"compliant": 2, "breached": 1, "indeterminate": 0, "not_assessed": 0}
    assert row["share_of_days"] == "0.666666666"
    assert row["breaches"] == {"presence": 1, "presence_unreachable": 1}
    assert row["verdict"] == row["verdicts"]["ratio_of_sums"] == "breached"
    assert row["classes"][0]["class"] == "K0"
    absent = maker(tmp_path / "ledger", name="M1")
    assert (absent["presence"], absent["days"]["breached"]) == ("0.000000000", 3)


@PRES_05
def test_a_month_judged_by_stretches_is_as_good_as_its_worst_day(tmp_path: Path) -> None:
    days = ledger(tmp_path, {1: 60, 2: 30, 3: 54}, 'judged_by = "stretches"\n')
    assert maker(days)["verdict"] == "breached"
    (tmp_path / "weights.csv").write_text("date,weight\n1970-01-02,0\n", encoding="utf-8")
    assert maker(days, "--weights", str(tmp_path / "weights.csv"))["verdict"] == "compliant"


@PRES_05
def test_weights_change_a_month_long_after_its_days(tmp_path: Path) -> None:
    days = ledger(tmp_path, {1: 60, 2: 30, 3: 54})
    (tmp_path / "weights.csv").write_text(
        "date,weight\n1970-01-01,2\n1970-01-02,0.5\n1971-01-01,9\n"
    )
    row = maker(days, "--weights", str(tmp_path / "weights.csv"))
    assert row["presence"] == "0.800000000"  # (2*60 + 30/2 + 54) / (3.5 * 60) = 189 / 210
    assert row["weighted_presence"] == "0.900000000"
    assert row["share_of_days"] == "0.857142857"  # 3 of 3.5
    assert row["verdict"] == "compliant"
    assert (row["quoted_ns"], row["days"]["compliant"]) == (144 * SECOND, 2)


@PRES_05
@pytest.mark.parametrize(
    ("month", "verdict"),
    [
        ("", "breached"),  # every day must pass
        ('required_days = "66%"', "compliant"),
        ('required_days = "67%"', "breached"),
        ("tolerated_days = 1", "compliant"),
        ("tolerated_days = 0", "breached"),
        ('tolerated_days = 1\nrequired_days = "67%"', "breached"),
    ],
)
def test_days_that_pass_and_days_that_may_fail(tmp_path: Path, month: str, verdict: str) -> None:
    table = f"[month]\n{month}\n" if month else ""
    row = maker(ledger(tmp_path, {1: 60, 2: 30, 3: 54}, 'judged_by = "days"', table))
    assert (row["verdict"], row["verdicts"]["days"]) == (verdict, verdict)


@PRES_05
def test_a_day_that_is_undecided_may_decide_the_month(tmp_path: Path) -> None:
    days = ledger(tmp_path, {1: 60, 2: 53}, 'judged_by = "days"', unknown=2)
    row = maker(days)
    assert row["days"] == {"compliant": 1, "breached": 0, "indeterminate": 1, "not_assessed": 0}
    assert row["verdict"] == "indeterminate"


def test_months_are_apart_and_a_day_judged_again_replaces_itself(tmp_path: Path) -> None:
    days = ledger(tmp_path, {1: 60, 2: 60, 33: 0})
    assert [(m["month"], len(m["days"])) for m in months(days)] == [("1970-01", 2), ("1970-02", 1)]
    assert [m["month"] for m in months(days, "--month", "1970-02")] == ["1970-02"]
    before = {path.name: path.read_bytes() for path in days.iterdir()}
    assert set(before) == {f"{day}.hand.json" for day in ("1970-01-01", "1970-01-02", "1970-02-02")}
    ledger(tmp_path, {1: 60, 2: 60, 33: 0})
    assert {path.name: path.read_bytes() for path in days.iterdir()} == before


def test_the_service_writes_the_same_days_as_they_end(tmp_path: Path) -> None:
    replayed_days = ledger(tmp_path, {1: 60, 2: 30})
    lines = (tmp_path / "quotes.csv").read_text().splitlines()[1:]
    presence = 'required = "90%"\n'
    table = desk(tmp_path, CALENDAR, presence=presence, quotes=lines, makers=["M0,*", "M1,*"])
    kept = LiveLedger(str(tmp_path / "live"))
    for until in (MINUTE, 2 * MINUTE + 1, DAY, DAY + MINUTE, DAY + 2 * MINUTE + 1):
        table.play(until)
        kept.keep(table.engine)
        kept.keep(table.engine)
    live = {path.name: path.read_bytes() for path in (tmp_path / "live").iterdir()}
    assert live == {path.name: path.read_bytes() for path in replayed_days.iterdir()}


def test_a_ledger_that_cannot_be_written_holds_nothing_up(tmp_path: Path) -> None:
    table = desk(tmp_path, CALENDAR, quotes=[quote(MINUTE)])
    failures: list[int] = []
    kept = LiveLedger(str(tmp_path / "live"), lambda: failures.append(1))
    (tmp_path / "live").rmdir()
    (tmp_path / "live").write_text("in the way")
    table.play(2 * MINUTE + 1)
    kept.keep(table.engine)
    assert failures == [1]
    (tmp_path / "live").unlink()
    kept.keep(table.engine)
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["1970-01-01.hand.json"]
    with pytest.raises(MonitorError, match=r"ledger.directory: .*quotes.csv"):
        LiveLedger(str(tmp_path / "quotes.csv"))


def test_people_get_a_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "month", str(ledger(tmp_path, {1: 60, 2: 30}))])
    assert done.exit_code == 0
    assert "1970-01 by hand version 1: 2 days" in done.stdout
    assert "1 of 2" in done.stdout


def test_what_is_no_ledger_month_or_weight_is_named(tmp_path: Path) -> None:
    days = ledger(tmp_path, {1: 60})
    weights = tmp_path / "weights.csv"
    for line, what in {
        "1.1.1970,2": "a date such as", "1970-01-01,-1": "a number such as", "1970-01-01,1e3": "a number such as",
        "1970-01-01,1\n1970-01-01,1": "there more than once",
    }.items():  # fmt: skip
        weights.write_text(f"date,weight\n{line}\n")
        with pytest.raises(InputError, match=what):
            months(days, "--weights", str(weights))
    with pytest.raises(InputError, match="no day of 1970-02"):
        months(days, "--month", "1970-02")
    with pytest.raises(InputError, match="no such directory"):
        read_ledger(tmp_path / "nowhere")
    for text in ("{}", '{"schema": "other/1"}', "[]", "no json"):
        (days / "1970-01-01.hand.json").write_text(text)
        with pytest.raises(InputError, match="no day of a ledger"):
            read_ledger(days)
