"""The oracle agrees with the golden captures and, where they are silent, with sums done by hand."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.oracle import judge

from .tapes import HEADERS, random_capture

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CAPTURES = sorted(p.parent for p in GOLDEN.glob("*/expected.json"))
MINUTE = 60 * 10**9
TUESDAY = int(datetime(2025, 8, 5, 2, tzinfo=UTC).timestamp()) * 10**9  # 10:00 in Shanghai
CALENDAR = """
[calendar]
timezone = "Asia/Shanghai"
days = ["mon", "tue", "wed", "thu", "fri"]
phases = [{ at = "10:00", phase = "continuous" }, { at = "10:30", phase = "closed" }]
"""
RULES = 'id = "hand"\nversion = 1\n[presence]\nrequired = "90%"\n'
ONE_DAY = ["1000,*,continuous", "1100,*,closed"]


def _cut(actual: Any, expected: Any) -> Any:
    """`actual` without the keys that `expected` does not state."""
    if isinstance(expected, dict):
        return {key: _cut(actual[key], value) for key, value in expected.items()}
    if isinstance(expected, list):
        assert len(actual) == len(expected)
        return [_cut(a, e) for a, e in zip(actual, expected, strict=True)]
    return actual


def _judge(directory: Path, rules: str, makers: str = "M0", **files: list[str]) -> dict[str, Any]:
    """Judge a capture of contract C0, tick 1, and each letter-digit pair of `makers`."""
    files |= {"contracts": ["C0,K0,1,call,,,"], "makers": [f"{m},*" for m in makers.split()]}
    for name, lines in files.items():
        text = "\n".join([HEADERS[name], *lines]) + "\n"
        (directory / f"{name}.csv").write_text(text, encoding="utf-8")
    (directory / "rulebook.toml").write_text(rules, encoding="utf-8")
    return judge(directory, directory / "rulebook.toml")


def _breaches(report: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(b["kind"], b["start"], b["end"]) for b in report["breaches"]]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda p: p.name)
def test_the_oracle_agrees_with_the_golden_capture(capture: Path) -> None:
    expected = json.loads((capture / "expected.json").read_text(encoding="utf-8"))
    assert _cut(judge(capture, capture / "rulebook.toml"), expected) == expected


def test_there_are_fourteen_golden_captures() -> None:
    assert len(CAPTURES) == 14


@pytest.mark.criterion("PRES-04")
def test_presence_is_unreachable_one_ns_after_the_last_slack_is_gone(tmp_path: Path) -> None:
    report = _judge(tmp_path, RULES + CALENDAR, quotes=[f"{TUESDAY},M0,C0,,0,,0"])
    end = TUESDAY + 30 * MINUTE
    assert report["period"] == {"start": TUESDAY, "end": end}
    assert _breaches(report) == [
        ("presence_unreachable", TUESDAY + 3 * MINUTE + 1, end),
        ("presence", end, end),
    ]


@pytest.mark.criterion("OBL-05")
def test_a_quote_stands_from_before_the_open_but_not_into_another_date(tmp_path: Path) -> None:
    thursday = TUESDAY + 2 * 24 * 60 * MINUTE
    report = _judge(
        tmp_path,
        RULES + CALENDAR,
        quotes=[
            f"{TUESDAY - MINUTE},M0,C0,5,1,6,1",
            f"{thursday + 20 * MINUTE},M0,C0,5,1,6,1",
        ],
    )
    row = report["obligations"][0]
    assert (row["quoted_ns"], row["lapsed_ns"], row["lapses"]) == (40 * MINUTE, 20 * MINUTE, 1)
    assert report["period"] == {"start": TUESDAY, "end": thursday + 30 * MINUTE}
    assert _breaches(report)[0] == (
        "presence_unreachable",
        thursday + 3 * MINUTE + 1,
        thursday + 30 * MINUTE,
    )


@pytest.mark.criterion("PRES-07")
def test_a_lapse_that_pauses_at_its_limit_exceeds_it_on_resumption(tmp_path: Path) -> None:
    rules = RULES + '[lapse]\nlongest_permitted = "20ns"\n'
    phases = [*ONE_DAY, "1020,C0,halt", "1050,C0,continuous"]
    report = _judge(tmp_path, rules, phases=phases, quotes=["1051,M0,C0,5,1,6,1"])
    assert _breaches(report) == [("lapse", 1050, 1051), ("presence", 1100, 1100)]


@pytest.mark.criterion("VAL-06")
def test_a_spread_breach_starts_when_its_grace_is_used_up(tmp_path: Path) -> None:
    rules = RULES + '[spread]\ncombine = "max"\nterms = [{ ticks = 1 }]\ngrace = "10ns"\n'
    quotes = ["1000,M0,C0,5,1,7,1", "1010,M0,C0,5,1,6,1", "1020,M0,C0,5,1,7,1"]
    quotes += ["1025,M0,C0,5,1,8,1", "1031,M0,C0,5,1,6,1"]
    report = _judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes)
    assert _breaches(report) == [("spread", 1030, 1031), ("presence", 1100, 1100)]


@pytest.mark.criterion("PRES-08")
def test_a_market_hole_is_where_nobody_is_known_to_be_valid(tmp_path: Path) -> None:
    quotes = ["1010,M0,C0,5,1,6,1", "1040,M0,C0,,0,,0", "1030,M1,C0,5,1,6,1", "1070,M1,C0,,0,,0"]
    quotes += ["1090,M0,C0,x,1,6,1"]
    report = _judge(tmp_path, RULES, "M0 M1", phases=ONE_DAY, quotes=quotes)
    assert report["contracts"] == [{"contract": "C0", "market_hole_ns": 10 + 20}]


def test_a_capture_without_any_period_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no period"):
        _judge(tmp_path, RULES, quotes=["1000,M0,C0,5,1,6,1"])


@pytest.mark.criterion("PRES-01")
@pytest.mark.parametrize("seed", range(40))
def test_every_random_tape_is_judged_and_its_totals_are_the_open_time(
    tmp_path: Path, seed: int
) -> None:
    report = judge(tmp_path, random_capture(random.Random(seed), tmp_path))
    open_ns: dict[str, set[int]] = {}
    for row in report["obligations"]:
        seen = row["quoted_ns"] + row["lapsed_ns"] + row["exempt_ns"] + row["unknown_ns"]
        open_ns.setdefault(row["contract"], set()).add(seen)
        assert sum(row["lapsed_by_reason_ns"].values()) == row["lapsed_ns"]
    assert all(len(seen) == 1 for seen in open_ns.values())


def test_the_command_prints_the_report() -> None:
    capture = CAPTURES[6]
    paths = [str(capture), str(capture / "rulebook.toml")]
    command = [sys.executable, "-m", "tests.oracle.oracle", *paths]
    root = Path(__file__).parents[2]
    out = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    report = judge(capture, capture / "rulebook.toml")
    assert out == json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _reasons(report: dict[str, Any]) -> dict[str, int]:
    row = report["obligations"][0]
    return {"quoted": row["quoted_ns"]} | {k: v for k, v in row["lapsed_by_reason_ns"].items() if v}


@pytest.mark.criterion("VAL-09")
@pytest.mark.parametrize(
    ("counts", "reasons"),
    [
        # 1000-1010 prices stand, sizes change, 1010-1014 others do, 1014-1100 the first ones again
        ("from_then", {"quoted": 5 + 81, "flicker": 5 + 4 + 5}),
        ("retroactive", {"quoted": 10 + 86, "flicker": 4}),
    ],
)
def test_a_quote_rests_from_its_last_change_of_price(
    tmp_path: Path, counts: str, reasons: dict[str, int]
) -> None:
    rules = RULES + f'[quote]\nmin_rest = {{ at_least = "5ns", counts = "{counts}" }}\n'
    quotes = [
        "1000,M0,C0,5,1,6,1",
        "1003,M0,C0,5,9,6,9",
        "1010,M0,C0,5,1,7,1",
        "1014,M0,C0,5,1,6,1",
    ]
    assert _reasons(_judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes)) == reasons


@pytest.mark.criterion("VAL-10")
def test_of_a_table_the_first_cell_that_matches_decides(tmp_path: Path) -> None:
    cells = '{ price_to = "10", absolute = "1" }, { price_to = "20", relative = "20%" }'
    rules = RULES + f'[spread]\nterms = [{{ of = "bid", table = [{cells}] }}]\n'
    quotes = [
        "1000,M0,C0,9,1,10,1",
        "1010,M0,C0,9,1,11,1",
        "1030,M0,C0,10,1,12,1",
        "1060,M0,C0,20,1,21,1",
    ]
    report = _judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes)
    assert _reasons(report) == {"quoted": 10 + 30, "spread": 20 + 40}


@pytest.mark.criterion("RESP-02")
def test_a_request_is_answered_by_what_comes_in_time_and_stays(tmp_path: Path) -> None:
    rules = RULES + '[rfq]\nrespond_within = "5ns"\nstay = "3ns"\nrequired = "100%"\n'
    quotes = ["1010,M0,C0,5,1,6,1", "1025,M0,C0,5,1,6,1", "1045,M0,C0,5,1,6,1", "1047,M0,C0,,0,,0"]
    # 1012: what stands does not count; 1020: to the last ns; 1044: gone after 2 ns; 1098: not known
    rfqs = [f"{at},R,C0," for at in (1012, 1020, 1044, 1098)]
    report = _judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes, rfqs=rfqs)
    assert [b[0] for b in _breaches(report)] == ["presence", "rfq"]
    (maker,) = judge(tmp_path, tmp_path / "rulebook.toml")["makers"]
    assert maker["rfq"] == {"asked": 4, "answered": 1, "failed": 2, "undecided": 1}


@pytest.mark.criterion("PRES-09")
def test_presence_inside_stress_has_its_own_requirement(tmp_path: Path) -> None:
    rules = RULES + '[stress]\nrequired = "50%"\nweight = "2"\n'
    quotes, stress = ["1000,M0,C0,5,1,6,1", "1095,M0,C0,,0,,0"], ["1091,K0,start", "1100,*,end"]
    report = _judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes, stress=stress)
    assert _breaches(report) == [("stress_presence", 1100, 1100)]  # 4 of 9 ns
    (maker,) = judge(tmp_path, tmp_path / "rulebook.toml")["makers"]
    assert (maker["stress_presence"], maker["weighted_presence"]) == ("0.444444444", "0.908256880")


@pytest.mark.criterion("PRES-08")
def test_a_hole_in_the_market_may_last_so_long(tmp_path: Path) -> None:
    rules = RULES + '[market_hole]\nlongest_permitted = "20ns"\n'
    quotes = ["1000,M0,C0,5,1,6,1", "1010,M0,C0,,0,,0", "1041,M1,C0,5,1,6,1"]
    report = _judge(tmp_path, rules, "M0 M1", phases=ONE_DAY, quotes=quotes)
    assert _breaches(report)[0] == ("market_hole", 1030, 1041)


@pytest.mark.criterion("PRES-06")
def test_windows_lie_in_obliged_time(tmp_path: Path) -> None:
    rules = RULES.replace('"90%"', '"50%"') + 'windows = ["15ns"]\n'
    phases = [*ONE_DAY, "1020,C0,halt", "1050,C0,continuous"]
    report = _judge(tmp_path, rules, phases=phases, quotes=["1052,M0,C0,5,1,6,1"])
    assert report["obligations"][0]["quoted_ns"] == 48
    (row,) = judge(tmp_path, tmp_path / "rulebook.toml")["obligations"]
    counts = {"total": 5, "passed": 3, "failed": 1, "open": 0, "empty": 0, "cut": 1}
    assert row["windows"] == [counts | {"width_ns": 15, "longest_failed_run": 1}]


@pytest.mark.criterion("VAL-04")
def test_of_the_least_sizes_by_month_the_first_cell_that_matches_decides(tmp_path: Path) -> None:
    cells = "{ months_to = 9, size = 1 }, { months_from = 3, size = 5 }, { size = 1 }"
    rules = RULES + f"[quote]\nmin_size = 1\nmin_size_by_month = [{cells}]\n"
    quotes = ["1000,M0,C0,5,4,6,5", "1030,M0,C0,5,5,6,5"]  # C0 never expires
    report = _judge(tmp_path, rules, phases=ONE_DAY, quotes=quotes)
    assert _reasons(report) == {"quoted": 70, "size": 30}


@pytest.mark.criterion("PRES-03")
@pytest.mark.parametrize(("time", "slack"), [(50, 20), (70, 0), (80, -10)])
def test_the_required_time_is_owed_over_the_date(tmp_path: Path, time: int, slack: int) -> None:
    rules = (
        RULES.replace('"90%"', '"50%"') + f'judged_by = "coverage"\nrequired_time = "{time}ns"\n'
    )
    rules += 'windows = ["am_pm"]\n'
    phases = [*ONE_DAY, "1040,*,break", "1060,*,continuous"]
    quotes = ["1000,M0,C0,5,1,6,1", "1090,M0,C0,,0,,0"]
    report = _judge(tmp_path, rules, phases=phases, quotes=quotes)
    assert report["obligations"][0]["slack_ns"] == slack
    assert [b[0] for b in _breaches(report)] == ["presence"] * (slack < 0)
    (row,) = judge(tmp_path, tmp_path / "rulebook.toml")["obligations"]
    stretches = [(stretch["quoted_ns"], stretch["verdict"]) for stretch in row["stretches"]]
    assert stretches == [(40, "compliant"), (30, "compliant")]
