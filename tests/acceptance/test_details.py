"""The details report, by hand: what stands beside the verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.reports.report import to_bytes
from tests.acceptance.captures import THREE_PERCENT, gone, judge, quote, rulebook, write

TWO_CLASSES = ["C0,K0,0.0001", "C1,K0,0.0001", "C2,K1,0.0001"]


@pytest.mark.criterion("PRES-08")
def test_an_obligation_has_its_lapses_switches_and_use_of_the_limit(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT,
        theo=["1000,C0,1.0000"],
        quotes=[quote(1100, "0.9900", "1.0050"), gone(1300), quote(1400, "0.9900", "1.0200"),
                gone(1900)],
    )  # fmt: skip
    # limit 0.03: spread 0.015 uses half of it over 200 ns, spread 0.03 all of it over 500 ns
    expected = {
        "maker": "M0", "contract": "C0",
        "lapses": 3, "longest_lapse_ns": 100, "current_lapse_ns": 100,
        "switches": 5, "switches_per_minute": "300000000.000000000", "last_valid": 1900,
        "limit_use": 500_000_000 * 200 + 1_000_000_000 * 500,
    }  # fmt: skip
    assert {name: report.detail()[name] for name in expected} == expected


@pytest.mark.criterion("PRES-08")
def test_last_valid_is_the_last_instant_that_was_required(tmp_path: Path) -> None:
    report = judge(
        tmp_path, '[exemptions]\ntechnical = "exclude"\n', quotes=[quote(1000), gone(1700)],
        exemptions=["1400,*,*,technical,start"],
        phases=["1000,*,continuous", "1600,*,break", "2000,*,closed"],
    )  # fmt: skip
    assert report.detail()["last_valid"] == 1400  # not 1600, when the phase changed


@pytest.mark.criterion("PRES-08")
def test_a_maker_who_never_quoted_was_never_valid(tmp_path: Path) -> None:
    row = judge(tmp_path).detail()
    assert (row["last_valid"], row["switches"], row["limit_use"]) == (None, 1, 0)


@pytest.mark.criterion("PRES-05")
def test_a_maker_has_a_mean_of_ratios_and_a_row_for_each_class(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        contracts=TWO_CLASSES,
        quotes=[quote(1000), quote(1500, contract="C1"), quote(1250, contract="C2")],
    )
    maker = report.maker_detail()
    assert maker["mean_of_ratios"] == "0.750000000"
    k0, k1 = maker["classes"]
    assert (k0["class"], k0["quoted_ns"], k0["required_ns"]) == ("K0", 1500, 2000)
    assert (k0["presence"], k0["coverage"], k0["verdict"]) == (
        "0.750000000", "0.500000000", "breached"
    )  # fmt: skip
    assert (k1["class"], k1["mean_of_ratios"], k1["contracts_required"]) == ("K1", "0.750000000", 1)


def test_details_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    lines = [quote(1100), gone(1300), quote(1400)]
    one, other = judge(tmp_path, quotes=lines), judge(tmp_path, quotes=lines[::-1])
    assert one.details == other.details


def test_the_command_writes_them(tmp_path: Path) -> None:
    report = judge(tmp_path, watch=True, quotes=[quote(1100)])
    book, out = rulebook(tmp_path), tmp_path / "details.json"
    write(tmp_path, "quotes", [quote(1100)])
    done = CliRunner().invoke(
        app, ["replay", str(tmp_path), "--rulebook", str(book), "--details", str(out), "-q"]
    )
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == to_bytes(report.details)
