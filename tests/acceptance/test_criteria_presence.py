"""PRES-01 to PRES-08: sums, ratios, verdicts, levels, lapses and holes; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import ONE_SESSION, THREE_PERCENT, Report, Times, gone, judge, quote

KINDS = '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\n'
OUT = [quote(1000), quote(1200, "1.00005")]  # a dead letter at 1200: unknown from then on
TWO = ["C0,K0,0.0001", "C1,K0,0.0001"]


@pytest.mark.criterion("PRES-01")
def test_the_four_sums_are_the_time_obliged(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        "[quote]\nmin_size = 10\n" + KINDS,
        phases=[*ONE_SESSION, "1300,C0,halt", "1400,C0,continuous"],
        quotes=[quote(1100), quote(1450, bid_size=9)],
        exemptions=["1500,*,M0,technical,start", "1600,*,M0,technical,end"],
        feed=["1650,*,*,down", "1700,*,*,up", "1700,*,*,synced"],
    )
    # obliged: 1000 less the halt of 100. absent 100, quoted [1100, 1300) and [1400, 1450),
    # too small [1450, 1500) and [1600, 1650), exempt 100, unknown 50, absent [1700, 2000)
    times = report.times()
    assert times == Times(quoted=250, lapsed=500, exempt=100, unknown=50)
    assert sum(times) == 900
    assert report.reasons() == {"absent": 400, "size": 100}


@pytest.mark.criterion("PRES-02")
def test_presence_is_quoted_over_quoted_lapsed_and_unknown(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        quotes=[quote(1000), gone(1500), quote(1600), quote(1700, "1.00005")],
        exemptions=["1800,*,M0,technical,start"],
    )
    assert report.times() == Times(quoted=600, lapsed=100, unknown=100, exempt=200)
    assert report.row()["presence"] == "0.750000000"  # 600 of 800
    assert report.maker()["required_ns"] == 800


@pytest.mark.criterion("PRES-02")
def test_without_required_time_nothing_is_assessed(tmp_path: Path) -> None:
    report = judge(tmp_path, KINDS, quotes=[quote(1000)], exemptions=["1000,*,M0,technical,start"])
    row, maker = report.row(), report.maker()
    assert (row["presence"], row["verdict"]) == (None, "not_assessed")
    assert (maker["presence"], maker["coverage"], maker["verdict"]) == (None, None, "not_assessed")
    assert report.breaches() == []


@pytest.mark.criterion("PRES-02")
def test_ratios_are_cut_to_nine_digits(tmp_path: Path) -> None:
    phases = ["1000,*,continuous", "1003,*,closed"]
    row = judge(tmp_path, phases=phases, quotes=[quote(1001)]).row()
    assert row["presence"] == "0.666666666"  # two thirds


@pytest.mark.criterion("PRES-03")
@pytest.mark.parametrize(
    ("absent", "unknown", "verdict"),
    [
        (0, 100, "compliant"),  # quoted 900 of 1000, whatever the rest was
        (0, 101, "indeterminate"),  # 899 sure, 1000 possible
        (100, 500, "indeterminate"),  # 400 sure, 900 possible
        (101, 500, "breached"),  # 899 possible at most
        (101, 0, "breached"),
    ],
)
def test_a_verdict_states_what_it_does_not_know(
    tmp_path: Path, absent: int, unknown: int, verdict: str
) -> None:
    quotes = [quote(1000 + absent), quote(2000 - unknown, "1.00005")]
    report = judge(tmp_path, quotes=quotes)
    assert report.times() == Times(quoted=1000 - absent - unknown, lapsed=absent, unknown=unknown)
    assert report.row()["verdict"] == report.maker()["verdict"] == verdict
    assert bool(report.breaches("presence")) is (verdict == "breached")


@pytest.mark.criterion("PRES-03")
def test_without_a_requirement_nobody_is_judged(tmp_path: Path) -> None:
    report = judge(tmp_path, presence='judged_by = "ratio_of_sums"', quotes=[quote(1500)])
    assert (report.row()["presence"], report.row()["verdict"]) == ("0.500000000", "not_assessed")
    assert (report.row()["slack_ns"], report.maker()["coverage"]) == (None, None)


@pytest.mark.criterion("PRES-04")
def test_without_a_calendar_slack_is_of_the_past_and_nothing_is_unreachable(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1205), quote(1905, "1.00005")])
    # quoted 700, lapsed 205, unknown 95: slack = 700 - 90 % of 1000, for unknown time is lost
    assert report.row()["slack_ns"] == -200
    assert [b.kind for b in report.breaches()] == ["presence"]


@pytest.mark.criterion("PRES-04")
def test_slack_is_rounded_down(tmp_path: Path) -> None:
    for quoted, slack in ((2, -1), (3, 0)):
        phases = ["1000,*,continuous", "1003,*,closed"]
        row = judge(tmp_path, phases=phases, quotes=[quote(1003 - quoted)]).row()
        assert row["slack_ns"] == slack  # 2 - 2.7 = -0.7 and 3 - 2.7 = 0.3


# PRES-05 ------------------------------------------------------------------------------------------
# C0: quoted 1000 of 1000. C1, halted from 1500 on: quoted 250 of 500. Sums: 1250 of 1500 = 83.33 %,
# coverage at 80 %: 1 of 2, mean of ratios: (1 + 0.5) / 2 = 75 %.


def two_contracts(tmp_path: Path, presence: str, *more: str) -> Report:
    return judge(
        tmp_path,
        presence='required = "80%"\n' + presence,
        contracts=TWO,
        phases=[*ONE_SESSION, "1500,C1,halt"],
        quotes=[quote(1000), quote(1250, contract="C1"), *more],
    )


@pytest.mark.criterion("PRES-05")
@pytest.mark.parametrize(
    ("presence", "verdict"),
    [
        ("", "compliant"),
        ('judged_by = "ratio_of_sums"', "compliant"),
        ('judged_by = "mean_of_ratios"', "breached"),
        ('judged_by = "coverage"', "breached"),  # all contracts must pass, when nothing is said
        ('judged_by = "coverage"\ncoverage_required = "50%"', "compliant"),
        ('judged_by = "coverage"\ncoverage_required = "51%"', "breached"),
    ],
)
def test_the_rulebook_names_the_level_that_judges(
    tmp_path: Path, presence: str, verdict: str
) -> None:
    maker = two_contracts(tmp_path, presence).maker()
    assert maker == {
        "maker": "M0", "quoted_ns": 1250, "required_ns": 1500, "presence": "0.833333333",
        "contracts_required": 2, "contracts_passed": 1, "coverage": "0.500000000", "verdict": verdict,
    }  # fmt: skip


@pytest.mark.criterion("PRES-05")
def test_a_mean_equal_to_the_requirement_passes(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        presence='required = "75%"\njudged_by = "mean_of_ratios"',
        contracts=TWO,
        quotes=[quote(1000), quote(1500, contract="C1")],
    )
    assert report.maker()["verdict"] == "compliant"


@pytest.mark.criterion("PRES-05")
@pytest.mark.parametrize("judged_by", ["coverage", "mean_of_ratios", "ratio_of_sums"])
def test_what_unknown_time_leaves_open_stays_open_at_the_level_of_the_maker(
    tmp_path: Path, judged_by: str
) -> None:
    # C1 from 1250 on: quoted or unknown until its halt, so 50 % at most; C0 unknown from 1300:
    # 30 % sure, 100 % possible. Possible at best: sums 1250 of 1500, mean 75 %, coverage 1 of 2.
    presence = f'judged_by = "{judged_by}"' + '\ncoverage_required = "50%"' * (
        judged_by == "coverage"
    )
    report = two_contracts(tmp_path, presence, quote(1300, "1.00005"))
    assert report.row(contract="C0")["verdict"] == "indeterminate"
    assert report.row(contract="C1")["verdict"] == "breached"
    level = {
        "coverage": "indeterminate",
        "ratio_of_sums": "indeterminate",
        "mean_of_ratios": "breached",
    }
    assert report.maker()["verdict"] == level[judged_by]


@pytest.mark.criterion("PRES-05")
def test_a_contract_without_required_time_is_not_counted(tmp_path: Path) -> None:
    report = judge(
        tmp_path, presence=NINETY_BY_COVERAGE, contracts=TWO, quotes=[quote(1000)],
        phases=["1000,C1,halt", *ONE_SESSION],
    )  # fmt: skip
    maker = report.maker()
    assert (maker["contracts_required"], maker["coverage"], maker["verdict"]) == (
        1,
        "1.000000000",
        "compliant",
    )


NINETY_BY_COVERAGE = 'required = "90%"\njudged_by = "coverage"'


@pytest.mark.criterion("PRES-05")
def test_every_appointed_maker_has_a_row_even_without_contracts(tmp_path: Path) -> None:
    report = judge(tmp_path, makers=["M0,*", "M1,K7"], quotes=[quote(1000)])
    assert (report.maker("M1")["contracts_required"], report.maker("M1")["verdict"]) == (
        0,
        "not_assessed",
    )


# PRES-07 ------------------------------------------------------------------------------------------


def lapses(report: Report) -> tuple[int, int]:
    return report.row()["lapses"], report.row()["longest_lapse_ns"]


@pytest.mark.criterion("PRES-07")
def test_a_break_pauses_a_lapse(tmp_path: Path) -> None:
    phases = ["1000,*,continuous", "1400,*,break", "1700,*,continuous", "2000,*,closed"]
    report = judge(tmp_path, phases=phases, quotes=[quote(1000), gone(1300), quote(1800)])
    # one lapse of [1300, 1400) and [1700, 1800)
    assert lapses(report) == (1, 200)


@pytest.mark.criterion("PRES-07")
@pytest.mark.parametrize("maker", ["M0", "*"])
def test_an_exclusion_pauses_a_lapse_whatever_is_quoted_in_it(tmp_path: Path, maker: str) -> None:
    report = judge(
        tmp_path, KINDS, quotes=[quote(1000), gone(1300), quote(1450), gone(1550), quote(1700)],
        exemptions=[f"1400,*,{maker},technical,start", f"1600,*,{maker},technical,end"],
    )  # fmt: skip
    assert lapses(report) == (1, 200)


@pytest.mark.criterion("PRES-07")
def test_theo_missing_under_the_policy_exclude_pauses_a_lapse(tmp_path: Path) -> None:
    rules = THREE_PERCENT + '[theo]\nwhen_missing = "exclude"\n'
    report = judge(tmp_path, rules, theo=["1000,C0,1", "1200,C0,", "1500,C0,1"])
    assert report.times() == Times(lapsed=700, exempt=300)
    assert lapses(report) == (1, 700)


@pytest.mark.criterion("PRES-07")
def test_quoted_deemed_and_unknown_time_end_a_lapse(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        quotes=[quote(1100), gone(1101)],
        exemptions=["1300,*,*,drill,start", "1301,*,*,drill,end"],
        feed=["1600,*,*,down", "1601,*,*,up", "1601,*,*,synced"],
    )
    # lapses of 100, 199, 299 and 399 ns
    assert report.times() == Times(quoted=2, unknown=1, lapsed=997)
    assert lapses(report) == (4, 399)


@pytest.mark.criterion("PRES-07")
def test_a_change_of_reason_is_the_same_lapse(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), gone(1200), quote(1300, bid=""), quote(1600)])
    assert report.reasons() == {"absent": 100, "one_sided": 300}
    assert lapses(report) == (1, 400)


# PRES-08 ------------------------------------------------------------------------------------------


@pytest.mark.criterion("PRES-08")
def test_a_market_hole_is_the_time_in_which_no_maker_is_valid(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        makers=["M0,*", "M1,*"],
        phases=["1000,*,continuous", "1700,*,break", "1800,*,continuous", "2000,*,closed"],
        quotes=[
            quote(1100), gone(1400),
            quote(1300, maker="M1"), quote(1600, bid="", maker="M1"),
        ],
    )  # fmt: skip
    # nobody [1000, 1100), and from 1600 on, of which 100 are not continuous trading
    assert report.hole() == 100 + 300


@pytest.mark.criterion("PRES-08")
def test_choice_a_quote_that_may_be_valid_fills_the_hole(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001", "C2,K7,0.0001"],
        makers=["M0,K0"],
        quotes=[
            quote(1200, "1.0000", "1.0001"),
            quote(1500, "1.00005"),
            quote(1400, "1.0000", "1.0100", contract="C1"),
        ],
    )
    assert report.hole("C0") == 200  # the dead letter of 1500 may be anything
    assert report.hole("C1") == 400  # from 1400 on the spread hangs on a theo never seen
    assert report.hole("C2") == 0  # nobody is appointed


@pytest.mark.criterion("PRES-08")
def test_choice_an_exempt_maker_fills_the_hole_by_its_quote_and_not_by_its_exemption(
    tmp_path: Path,
) -> None:
    report = judge(
        tmp_path, KINDS, quotes=[quote(1600)],
        exemptions=["1100,*,*,technical,start", "1800,*,M0,drill,start"],
    )  # fmt: skip
    assert report.times().exempt == 900
    assert report.hole() == 600


@pytest.mark.criterion("PRES-03")
@pytest.mark.parametrize(("wanted", "verdict"), [("600ns", "compliant"), ("601ns", "breached")])
def test_a_time_may_be_required_instead_of_a_share(
    tmp_path: Path, wanted: str, verdict: str
) -> None:
    """Quoted from 1000 to 1600: 600 ns."""
    presence = f'required_time = "{wanted}"\njudged_by = "coverage"'
    report = judge(tmp_path, presence=presence, quotes=[quote(1000), gone(1600)])
    assert report.row()["verdict"] == verdict
    assert report.row()["slack_ns"] == 600 - int(wanted[:3])
    assert report.maker()["verdict"] == verdict


@pytest.mark.criterion("PRES-03")
@pytest.mark.parametrize(("share", "slack"), [("50%", 0), ("61%", -10), ("70%", -100)])
def test_beside_a_share_the_greater_of_the_two_is_owed(
    tmp_path: Path, share: str, slack: int
) -> None:
    """Of 1000 ns obliged 600 are quoted, and 600 must be in any case."""
    presence = f'required = "{share}"\nrequired_time = "600ns"\njudged_by = "coverage"'
    report = judge(tmp_path, presence=presence, quotes=[quote(1000), gone(1600)])
    assert report.row()["slack_ns"] == slack
    assert report.row()["verdict"] == ("compliant" if slack >= 0 else "breached")


@pytest.mark.criterion("PRES-03")
def test_a_time_that_hangs_on_what_is_unknown_is_undecided(tmp_path: Path) -> None:
    """300 ns quoted, 400 unknown: 600 may have been."""
    presence = 'required_time = "600ns"\njudged_by = "coverage"'
    report = judge(
        tmp_path, presence=presence, quotes=[quote(1000), gone(1300)],
        feed=["1600,*,*,down"],
    )  # fmt: skip
    assert report.times() == (300, 300, 0, 400)
    assert report.row()["verdict"] == "indeterminate"
    assert report.maker()["verdict"] == "indeterminate"


TWO_STRETCHES = ("1000,*,continuous", "1400,*,break", "1600,*,continuous", "2000,*,closed")


@pytest.mark.criterion("PRES-05")
@pytest.mark.parametrize(("end", "verdict"), [(1800, "compliant"), (1799, "breached")])
def test_each_stretch_of_continuous_trading_can_be_judged(
    tmp_path: Path, end: int, verdict: str
) -> None:
    """All of 400 ns in the first, then 200 or 199 of 400: over both it would be 75 %."""
    presence = 'required = "50%"\njudged_by = "stretches"'
    report = judge(
        tmp_path, presence=presence, phases=TWO_STRETCHES, quotes=[quote(1000), gone(end)]
    )
    assert report.maker()["verdict"] == verdict
    assert len(report.breaches("presence")) == (verdict == "breached")


@pytest.mark.criterion("PRES-05")
def test_a_stretch_that_hangs_on_unknown_time_is_undecided(tmp_path: Path) -> None:
    presence = 'required = "50%"\njudged_by = "stretches"'
    report = judge(
        tmp_path, presence=presence, phases=TWO_STRETCHES, quotes=[quote(1000), gone(1700)],
        feed=["1800,*,*,down"],
    )  # fmt: skip
    assert report.maker()["verdict"] == "indeterminate"
    assert report.breaches("presence") == []
