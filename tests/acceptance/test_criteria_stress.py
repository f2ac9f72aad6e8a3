"""PRES-09 and the breaches of stress and market holes; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import Found, Report, gone, judge, quote
from tests.acceptance.desk import desk

STRESS = ["1200,*,start", "1600,*,end"]
TWO = ["M0,*", "M1,*"]
HOLE = '[market_hole]\nlongest_permitted = "100ns"\n'
KINDS = '[exemptions]\ntechnical = "exclude"\n'


def stressed(tmp_path: Path, rules: str, *quotes: str) -> Report:
    return judge(tmp_path, f"[stress]\n{rules}\n", quotes=quotes, stress=STRESS)


@pytest.mark.criterion("PRES-09")
def test_time_inside_stress_accrues_apart_and_weighs(tmp_path: Path) -> None:
    report = stressed(
        tmp_path, 'weight = "3"', quote(1000), gone(1300), quote(1500), quote(1550, "1.00005")
    )
    # inside: quoted [1200, 1300) and [1500, 1550), lapsed 200, unknown 50
    row = report.detail()
    assert row["stress"] == {"quoted_ns": 150, "lapsed_ns": 200, "unknown_ns": 50}
    assert (row["presence"], row["stress_presence"]) == ("0.350000000", "0.375000000")
    # (350 + 2 * 150) / (1000 + 2 * 400)
    assert row["weighted_presence"] == "0.361111111"
    assert report.maker()["presence"] == "0.350000000"


@pytest.mark.criterion("PRES-09")
@pytest.mark.parametrize(("outage", "verdict"), [(80, "compliant"), (81, "breached")])
def test_stress_has_a_requirement_of_its_own(tmp_path: Path, outage: int, verdict: str) -> None:
    report = stressed(tmp_path, 'required = "80%"', quote(1000), gone(1250), quote(1250 + outage))
    assert report.maker_detail()["stress_verdict"] == verdict
    assert report.maker()["verdict"] == "compliant"
    expected = [Found("stress_presence", "M0", "", 2000, 2000)] if verdict == "breached" else []
    assert report.breaches() == expected


@pytest.mark.criterion("PRES-09")
def test_unknown_time_inside_stress_is_no_breach(tmp_path: Path) -> None:
    report = stressed(tmp_path, 'required = "80%"', quote(1000), quote(1500, "1.00005"))
    assert report.maker_detail()["stress_verdict"] == "indeterminate"
    assert report.breaches("stress_presence") == []


@pytest.mark.criterion("PRES-09")
def test_the_sums_of_a_maker_are_judged_and_exempt_time_is_no_part_of_them(tmp_path: Path) -> None:
    report = judge(
        tmp_path, '[stress]\nrequired = "50%"\n' + KINDS, makers=TWO,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"], stress=["1200,K0,start"],
        quotes=[quote(1000), gone(1300), quote(1000, maker="M1")],
        exemptions=["1400,C0,M0,technical,start"],
    )  # fmt: skip
    # only C0 was in stress: M0 quoted 100, lapsed 100, then exempt
    assert report.detail()["stress"] == {"quoted_ns": 100, "lapsed_ns": 100, "unknown_ns": 0}
    assert report.detail(contract="C1")["stress_presence"] is None
    assert [report.maker_detail(m)["stress_verdict"] for m in ("M0", "M1")] == ["compliant"] * 2


@pytest.mark.criterion("PRES-09")
def test_without_stress_nothing_is_assessed(tmp_path: Path) -> None:
    report = judge(tmp_path, '[stress]\nrequired = "80%"\nweight = "2"\n', quotes=[quote(1500)])
    maker = report.maker_detail()
    assert (maker["stress_verdict"], maker["stress_presence"]) == ("not_assessed", None)
    assert maker["weighted_presence"] == maker["presence"] == "0.500000000"


def holes(report: Report) -> list[tuple[str, int, int]]:
    found = report.breaches("market_hole")
    assert {b.maker for b in found} <= {""}
    return [(b.contract, b.start, b.end) for b in found]


@pytest.mark.criterion("PRES-08")
def test_a_hole_of_more_than_is_permitted_is_a_breach(tmp_path: Path) -> None:
    report = judge(
        tmp_path, HOLE, makers=TWO, contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        quotes=[quote(1100), gone(1200), quote(1301, maker="M1"), gone(1400, maker="M1"),
                quote(1900, "1.00005"), quote(1000, contract="C1")],
    )  # fmt: skip
    # [1000, 1100) is just permitted; [1200, 1301) and [1400, 1900) are not; what may be valid ends one
    assert holes(report) == [("C0", 1300, 1301), ("C0", 1500, 1900)]
    assert (report.hole(), report.hole("C1")) == (100 + 101 + 500, 0)


@pytest.mark.criterion("PRES-08")
def test_what_is_not_obliged_pauses_a_hole_and_what_is_quoted_there_leaves_no_trace(
    tmp_path: Path,
) -> None:
    report = judge(
        tmp_path, HOLE, quotes=[quote(1000), gone(1360), quote(1450), gone(1470), quote(1700)],
        phases=["1000,*,continuous", "1400,*,break", "1500,*,continuous", "2000,*,closed"],
    )  # fmt: skip
    # [1360, 1400) and [1500, 1700): beyond 100 ns at 1560
    assert holes(report) == [("C0", 1560, 1700)]


@pytest.mark.criterion("PRES-08")
def test_a_hole_that_pauses_at_its_limit_starts_its_breach_when_it_resumes(tmp_path: Path) -> None:
    report = judge(
        tmp_path, HOLE, quotes=[quote(1000), gone(1300)],
        phases=["1000,*,continuous", "1400,*,break", "1500,*,continuous", "2000,*,closed"],
    )  # fmt: skip
    assert holes(report) == [("C0", 1500, 2000)]


@pytest.mark.criterion("PRES-08")
def test_choice_excluded_time_is_part_of_a_hole(tmp_path: Path) -> None:
    exemptions = ["1250,*,*,technical,start", "1500,*,*,technical,end"]
    report = judge(tmp_path, HOLE + KINDS, quotes=[quote(1000), gone(1200), quote(1600)],
                   exemptions=exemptions)  # fmt: skip
    assert holes(report) == [("C0", 1300, 1600)]
    assert report.hole() == 400


@pytest.mark.criterion("PRES-08")
def test_a_hole_ends_with_the_last_appointment(tmp_path: Path) -> None:
    report = judge(
        tmp_path, HOLE, quotes=[quote(1000), gone(1200)],
        makers=["M0,K0"],
        reference=["1500,makers,remove,,K0,,M0,", "1800,makers,add,,K0,,M0,"],
    )  # fmt: skip
    assert holes(report) == [("C0", 1300, 1500), ("C0", 1900, 2000)]
    assert report.hole() == 300 + 200


@pytest.mark.criterion("PRES-08")
def test_a_hole_is_noticed_by_the_watermark_alone(tmp_path: Path) -> None:
    d = desk(tmp_path, HOLE, quotes=[quote(1000), gone(1200), quote(1600)])
    d.play(1250)
    d.engine.advance(1300)
    assert d.transitions() == []
    d.engine.advance(1301)
    assert d.transitions() == [("opened", "market_hole", 1300, None)]
    d.play(1700)
    d.engine.advance(1700)
    assert d.transitions() == [("closed", "market_hole", 1300, 1600)]
