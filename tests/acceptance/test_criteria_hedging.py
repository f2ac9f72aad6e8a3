"""HEDG: positions against their limit, and how long fills took to be hedged; worked out by hand.

The period is [1000, 2000) ns; M0 may have a net delta of 10 in class K0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.captures import judge


def hedging(directory: Path, positions: list[str], fills: list[str] | None = None) -> Any:
    """What the details say of M0 in K0."""
    lines = [f"{line.split()[0]},M0,K0,{line.split()[1]},10" for line in positions]
    trades = [f"{t},M0,C0,buy,1,5" for t in fills or []]
    tables: dict[str, Any] = {"positions": lines, "fills": trades}
    (row,) = judge(directory, **tables).maker_detail()["hedging"]
    return row


@pytest.mark.criterion("HEDG-01")
def test_time_above_the_limit_and_the_way_back(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 5", "1200 12", "1250 -13.5", "1500 10", "1700 -10.5", "1750 0"])
    # above in [1200, 1500), where the worst is 3.5, and in [1700, 1750); equal to the limit is within
    assert (row["above_ns"], row["within_ns"], row["unknown_ns"]) == (350, 650, 0)
    assert (row["greatest_excess"], row["excursions"], row["longest_excursion_ns"]) == (
        "3.5", 2, 300,
    )  # fmt: skip
    assert row["listed_excursions"] == [
        {"start": 1200, "end": 1500, "greatest_excess": "3.5"},
        {"start": 1700, "end": 1750, "greatest_excess": "0.5"},
    ]


@pytest.mark.criterion("HEDG-01")
def test_only_the_period_counts_and_before_the_first_position_nothing_is_known(
    tmp_path: Path,
) -> None:
    late = hedging(tmp_path, ["1400 12", "2500 0"])
    assert (late["unknown_ns"], late["above_ns"], late["longest_excursion_ns"]) == (400, 600, 600)
    assert late["listed_excursions"] == [{"start": 1400, "end": None, "greatest_excess": "2"}]
    early = hedging(tmp_path, ["500 99", "900 12", "1100 0"])
    assert early["listed_excursions"] == [{"start": 1000, "end": 1100, "greatest_excess": "2"}]


@pytest.mark.criterion("HEDG-01")
def test_a_position_that_stood_for_no_time_weighs_nothing(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 5", "1200 99", "1200 5", "1300 11", "1400 0", "1400 12"])
    # 99 stood for no time, and so did the 0 between 11 and 12
    assert (row["excursions"], row["greatest_excess"], row["above_ns"]) == (1, "2", 700)


@pytest.mark.criterion("HEDG-01")
def test_a_limit_that_comes_down_is_exceeded_by_a_position_that_stands(tmp_path: Path) -> None:
    tables: dict[str, Any] = {"positions": ["1000,M0,K0,8,10", "1300,M0,K0,8,5", "1400,M0,K0,8,8"]}
    (row,) = judge(tmp_path, **tables).maker_detail()["hedging"]
    assert (row["above_ns"], row["greatest_excess"]) == (100, "3")


@pytest.mark.criterion("HEDG-01")
def test_of_whom_no_position_is_told_nothing_is_said(tmp_path: Path) -> None:
    tables: dict[str, Any] = {"makers": ["M0,*", "M1,*"], "positions": ["1500,M1,K0,1,10"]}
    report = judge(tmp_path, fills=["1400,M0,C0,buy,1,5"], **tables)
    assert report.maker_detail("M0")["hedging"] == "not_assessed"
    (row,) = report.maker_detail("M1")["hedging"]
    assert (row["class"], row["unknown_ns"], row["within_ns"]) == ("K0", 500, 500)


@pytest.mark.criterion("HEDG-02")
def test_a_fill_is_hedged_when_the_position_is_back(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 5", "1210 12", "1300 15", "1460 9"], ["1200", "1290"])
    # the position of 1210 shows the first fill, that of 1300 the second; both are back at 1460
    assert row["hedge_delay"] == {
        "count": 2, "total_ns": 260 + 170, "longest_ns": 260,
        "buckets": [{"up_to_ns": 1000, "count": 2}],
    }  # fmt: skip
    assert (row["fills"], row["fills_within"], row["fills_pending"]) == (2, 0, 0)


@pytest.mark.criterion("HEDG-02")
def test_a_fill_that_leaves_the_position_inside_needs_no_hedge(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 5", "1200 8", "1300 12"], ["1200", "1250", "1900"])
    # 1200 is followed by a position of its own instant, 1250 by one that is above and never returns
    assert (row["fills"], row["fills_within"], row["fills_pending"]) == (3, 1, 2)
    assert row["hedge_delay"]["count"] == 0


@pytest.mark.criterion("HEDG-02")
def test_a_return_that_stood_for_no_time_is_none(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 5", "1210 12", "1300 0", "1300 11", "1400 0"], ["1200"])
    assert (row["hedge_delay"]["longest_ns"], row["excursions"]) == (200, 1)


@pytest.mark.criterion("HEDG-02")
def test_a_fill_before_any_position_is_blind_and_one_outside_the_period_no_matter(
    tmp_path: Path,
) -> None:
    row = hedging(tmp_path, ["1500 12", "1600 0"], ["900", "1100", "2100"])
    assert (row["fills"], row["fills_blind"], row["hedge_delay"]["count"]) == (1, 1, 0)


@pytest.mark.criterion("HEDG-02")
def test_a_fill_while_the_position_is_out_counts_from_its_own_instant(tmp_path: Path) -> None:
    row = hedging(tmp_path, ["1000 12", "1900 0"], ["1700"])
    assert row["hedge_delay"]["longest_ns"] == 200


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    positions = ["1000 5", "1210 12", "1300 15", "1460 9", "1600 -11"]
    one = hedging(tmp_path, positions, ["1200", "1290"])
    assert hedging(tmp_path, positions[::-1], ["1290", "1200"]) == one
