"""PRES-06: tumbling windows in obliged time, and the stretches of a trading date; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.errors import ConfigErrors
from mm_monitor.rulebooks import load
from tests.acceptance.captures import ONE_SESSION, Report, gone, judge, quote, rulebook

BY_HUNDRED = 'required = "90%"\nwindows = ["session", "100ns"]'
AM_PM = 'required = "90%"\nwindows = ["am_pm"]'
KINDS = '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\n'
TWO_STRETCHES = ("1000,*,continuous", "1400,*,break", "1600,*,continuous", "2000,*,closed")


def windows(report: Report, **expected: int) -> None:
    """The only width of the only obligation has these counts, and no others."""
    (found,) = report.detail()["windows"]
    nothing = dict.fromkeys(("passed", "failed", "open", "empty", "cut", "longest_failed_run"), 0)
    total = sum(expected.get(name, 0) for name in ("passed", "failed", "open", "empty", "cut"))
    assert found == {"width_ns": 100, "total": total} | nothing | expected


@pytest.mark.criterion("PRES-06")
def test_each_window_is_judged_by_itself(tmp_path: Path) -> None:
    report = judge(
        tmp_path, presence=BY_HUNDRED, quotes=[quote(1000), gone(1190), quote(1320), gone(1989)]
    )
    # [1100, 1200): 90 of 100 passes; the next two have 0 and 80; the last has 89
    windows(report, passed=7, failed=3, longest_failed_run=2)
    assert report.maker_detail()["windows"] == report.detail()["windows"]


@pytest.mark.criterion("PRES-06")
@pytest.mark.parametrize("maker", ["M0", "*"])
def test_windows_are_laid_in_obliged_time_exempt_time_included(tmp_path: Path, maker: str) -> None:
    report = judge(
        tmp_path, KINDS, presence=BY_HUNDRED,
        quotes=[quote(1000), gone(1060), quote(1270), gone(1300)],
        exemptions=[f"1100,*,{maker},technical,start", f"1250,*,{maker},technical,end",
                    f"1950,*,{maker},technical,start"],
    )  # fmt: skip
    # [1000, 1100): 60 of 100 fails, [1100, 1200) is empty, [1200, 1300): 30 of the 50 required fail;
    # all the others fail, of the last 50 are required
    windows(report, failed=9, empty=1, longest_failed_run=9)


@pytest.mark.criterion("PRES-06")
def test_time_that_is_not_obliged_is_in_no_window(tmp_path: Path) -> None:
    report = judge(
        tmp_path, presence=BY_HUNDRED,
        phases=[*ONE_SESSION, "1450,C0,halt", "1500,C0,continuous"],
        quotes=[quote(1000), gone(1440), quote(1510)],
    )  # fmt: skip
    # one window is [1400, 1450) and [1500, 1550): 80 of 100; the last one has only 50
    windows(report, passed=8, failed=1, cut=1, longest_failed_run=1)


@pytest.mark.criterion("PRES-06")
def test_unknown_time_leaves_a_window_open_which_ends_a_run(tmp_path: Path) -> None:
    report = judge(
        tmp_path, presence=BY_HUNDRED,
        quotes=[quote(1180), quote(1211, "1.00005"), quote(1300), gone(1400)],
    )  # fmt: skip
    # 0; 20; 11 and 89 unknown: possible; 100; then six without a quote
    windows(report, failed=8, open=1, passed=1, longest_failed_run=6)
    report = judge(
        tmp_path, presence=BY_HUNDRED,
        quotes=[quote(1000), gone(1200), quote(1211, "1.00005"), quote(1300)],
    )  # fmt: skip
    windows(report, passed=9, failed=1, longest_failed_run=1)  # 89 at best


@pytest.mark.criterion("PRES-06")
def test_deemed_time_counts_as_quoted_in_windows_too(tmp_path: Path) -> None:
    exemptions = ["1000,*,*,drill,start", "1250,*,*,drill,end"]
    report = judge(tmp_path, KINDS, presence=BY_HUNDRED, exemptions=exemptions)
    windows(report, passed=2, failed=8, longest_failed_run=8)


@pytest.mark.criterion("PRES-06")
def test_choice_a_listing_begins_its_own_windows(tmp_path: Path) -> None:
    report = judge(
        tmp_path, presence=BY_HUNDRED, contracts=["C1,K0,0.0001"],
        reference=["1530,contracts,add,C0,K0,0.0001,,"], quotes=[quote(1540)],
    )  # fmt: skip
    windows(report, passed=4, cut=1)  # [1530, 1630): 90 of 100


@pytest.mark.criterion("PRES-06")
def test_several_widths_of_one_rulebook(tmp_path: Path) -> None:
    presence = 'required = "50%"\nwindows = ["1us", "250ns", "1ns", "10s"]'
    report = judge(tmp_path, presence=presence, quotes=[quote(1300)])
    found = [
        (w["width_ns"], w["total"], w["passed"], w["failed"], w["cut"])
        for w in report.detail()["windows"]
    ]
    assert found == [
        (1, 1000, 700, 300, 0), (250, 4, 3, 1, 0), (1000, 1, 1, 0, 0), (10**10, 1, 0, 0, 1)
    ]  # fmt: skip


@pytest.mark.criterion("PRES-06")
def test_morning_and_afternoon_are_summed_apart(tmp_path: Path) -> None:
    report = judge(
        tmp_path, KINDS, presence=AM_PM, phases=TWO_STRETCHES, makers=["M0,*", "M1,*"],
        quotes=[quote(1000), gone(1500), quote(1700), quote(1990, "1.00005")],
        exemptions=["1600,*,M0,technical,start", "1650,*,M0,technical,end"],
    )  # fmt: skip
    morning, afternoon = report.detail()["stretches"]
    assert morning == {
        "start": 1000, "end": 1400, "quoted_ns": 400, "lapsed_ns": 0, "exempt_ns": 0,
        "unknown_ns": 0, "presence": "1.000000000", "verdict": "compliant",
    }  # fmt: skip
    assert afternoon == {
        "start": 1600, "end": 2000, "quoted_ns": 290, "lapsed_ns": 50, "exempt_ns": 50,
        "unknown_ns": 10, "presence": "0.828571428", "verdict": "breached",
    }  # fmt: skip
    assert [s["verdict"] for s in report.maker_detail("M1")["stretches"]] == ["breached"] * 2


@pytest.mark.criterion("PRES-06")
def test_choice_a_break_of_no_length_parts_nothing(tmp_path: Path) -> None:
    phases = ["1000,*,continuous", "1400,*,break", "1400,*,continuous", "2000,*,closed"]
    report = judge(tmp_path, presence=AM_PM, phases=phases, quotes=[quote(1500)])
    assert [(s["start"], s["end"], s["quoted_ns"]) for s in report.detail()["stretches"]] == [
        (1000, 2000, 500)
    ]


@pytest.mark.criterion("PRES-06")
def test_choice_a_width_needs_a_requirement(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"presence\.required: required with a window"):
        load(rulebook(tmp_path, presence='windows = ["1s"]'))
