"""Captures: the same session in csv, in parquet and shuffled; and the command behind `simulate`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from mm_monitor.errors import MonitorError
from mm_monitor.rulebooks import load
from mm_monitor.simulator import Disorder, random_session, write_capture
from mm_monitor.simulator.commands import CaptureOptions, DayOptions, simulate_to_capture
from mm_monitor.simulator.rows import decimal_text


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_parquet_and_csv_hold_the_same(tmp_path: Path) -> None:
    scenario = random_session(6, seconds=2)
    write_capture(scenario, tmp_path / "a", "csv")
    write_capture(scenario, tmp_path / "b", "parquet")
    for name, prices in (("quotes", ("bid_price", "ask_price")), ("theo", ("theo",))):
        header, *rows = lines(tmp_path / "a" / f"{name}.csv")
        table = parquet.read_table(tmp_path / "b" / f"{name}.parquet").to_pydict()
        assert list(table) == header
        for price in prices:
            table[price] = ["" if p is None else decimal_text(p) for p in table[price]]
        columns = [[str(value) for value in table[column]] for column in header]
        assert [list(row) for row in zip(*columns, strict=True)] == rows
    assert (tmp_path / "a/truth.json").read_bytes() == (tmp_path / "b/truth.json").read_bytes()


def test_shuffled_lines_are_the_same_lines(tmp_path: Path) -> None:
    scenario = random_session(7, seconds=2)
    write_capture(scenario, tmp_path / "a")
    write_capture(scenario, tmp_path / "b", disorder=Disorder(1, 10**18))
    tidy, mixed = lines(tmp_path / "a/quotes.csv"), lines(tmp_path / "b/quotes.csv")
    assert tidy[0] == mixed[0]
    assert tidy != mixed
    assert tidy[1:] == sorted(mixed[1:], key=lambda row: int(row[0]))


def test_ids_are_the_numbers_of_the_packed_format(tmp_path: Path) -> None:
    scenario = random_session(3, seconds=2)
    write_capture(scenario, tmp_path)
    _, *contracts = lines(tmp_path / "contracts.csv")
    assert [row[-1] for row in contracts] == [str(i + 1) for i in range(len(scenario.contracts))]
    _, *makers = lines(tmp_path / "makers.csv")
    assert {row[0]: row[-1] for row in makers} == {
        maker.name: str(i) for i, maker in enumerate(scenario.makers, 1)
    }


def test_exemptions_bring_their_own_rulebook(tmp_path: Path) -> None:
    write_capture(random_session(3, seconds=2, exempt=True), tmp_path)
    rulebook = load(tmp_path / "rulebook.toml")
    assert json.loads((tmp_path / "truth.json").read_text())["rulebook"] == rulebook.id
    assert rulebook.exemptions["technical"].effect == "exclude"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="csv, parquet"):
        write_capture(random_session(3, seconds=2), tmp_path, "xls")
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match="cannot be written"):
        write_capture(random_session(3, seconds=2), tmp_path / "file")


def test_simulate_into_a_directory(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    day = DayOptions(contracts=8, rate=3_000, seconds=10)
    options = CaptureOptions(tmp_path, day, shuffle=True)
    summary = simulate_to_capture(options, lambda *progress: told.append(progress))
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert summary.finished
    assert summary.quotes == truth["records"]["quotes"] == len(lines(tmp_path / "quotes.csv")) - 1
    assert 25_000 < summary.records < 40_000
    assert told[-1][:2] == (20_700 * 10**9, 20_700 * 10**9)
    assert {name: bad for name, _, bad in summary.makers} == {
        row["maker"]: row["misbehaves"] for row in truth["makers"]
    }


@pytest.mark.parametrize(
    "day",
    [DayOptions(makers=0), DayOptions(classes=5), DayOptions(contracts=1), DayOptions(rate=0)],
)
def test_impossible_days_are_refused(day: DayOptions) -> None:
    with pytest.raises(MonitorError, match="must be"):
        day.scenario()
