"""OBL-01 and OBL-02: phases, required set, and what exemptions mean; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.core.model import Phase
from tests.acceptance.captures import ONE_SESSION, THREE_PERCENT, Times, gone, judge, quote

KINDS = (
    '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\nlimit_up = "one_side"\n'
    'fast = { relax = "2" }\nvery_fast = { relax = "3" }\n'
)


@pytest.mark.criterion("OBL-01")
def test_every_scope_that_has_spoken_must_say_continuous(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001", "C2,K1,0.0001"],
        phases=[
            "1000,*,continuous", "1200,C0,halt", "1400,*,break", "1600,*,continuous",
            "1700,C0,continuous", "1800,K1,breaker_auction", "2000,*,closed",
        ],
        quotes=[quote(1000, contract=c) for c in ("C0", "C1", "C2")],
    )  # fmt: skip
    # C0: [1000, 1200) and, as its halt outlives the break, [1700, 2000)
    assert report.times(contract="C0") == Times(quoted=200 + 300)
    # C1: [1000, 1400) and [1600, 2000)
    assert report.times(contract="C1") == Times(quoted=400 + 400)
    # C2: the same until its class has a breaker auction: [1000, 1400) and [1600, 1800)
    assert report.times(contract="C2") == Times(quoted=400 + 200)


@pytest.mark.criterion("OBL-01")
@pytest.mark.parametrize("phase", list(Phase))
def test_continuous_trading_alone_obliges(tmp_path: Path, phase: str) -> None:
    phases = ["1000,*,continuous", f"1600,*,{phase}", "2000,*,closed"]
    obliged = 1000 if phase == "continuous" else 600
    assert judge(tmp_path, phases=phases, quotes=[quote(1000)]).times() == Times(quoted=obliged)


@pytest.mark.criterion("OBL-01")
def test_a_class_that_opens_before_the_market_waits_for_it(tmp_path: Path) -> None:
    phases = ["1000,*,opening_auction", "1000,K0,continuous", "1300,*,continuous", "2000,*,closed"]
    assert judge(tmp_path, phases=phases, quotes=[quote(1000)]).times() == Times(quoted=700)


@pytest.mark.criterion("OBL-01")
def test_a_maker_is_obliged_in_the_classes_it_is_appointed_to(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        makers=["M0,K0", "M1,K0", "M1,K1", "M2,*"],
        quotes=[quote(1000, maker="M0", contract="C1"), quote(1000, maker="M9")],
    )
    rows = [(r["maker"], r["contract"]) for r in report.raw["obligations"]]
    assert rows == [("M0", "C0"), ("M1", "C0"), ("M1", "C1"), ("M2", "C0"), ("M2", "C1")]
    # M0 quotes outside its class, M9 is nobody: ignored, and counted
    assert report.records == {"applied": 2, "no_obligation": 2}


# OBL-02 -------------------------------------------------------------------------------------------


@pytest.mark.criterion("OBL-02")
@pytest.mark.parametrize("maker", ["M0", "*"])
def test_exclude_leaves_the_denominator(tmp_path: Path, maker: str) -> None:
    report = judge(
        tmp_path,
        KINDS,
        quotes=[quote(1000), gone(1300)],
        exemptions=[f"1200,*,{maker},technical,start", f"1600,*,{maker},technical,end"],
    )
    # quoted [1000, 1200), exempt [1200, 1600) whatever the quote, lapsed [1600, 2000)
    assert report.times() == Times(quoted=200, exempt=400, lapsed=400)
    assert report.row()["presence"] == "0.333333333"  # 200 of 600


@pytest.mark.criterion("OBL-02")
def test_deem_counts_as_quoted_whatever_the_quote(tmp_path: Path) -> None:
    report = judge(tmp_path, KINDS, exemptions=["1200,C0,M0,drill,start", "1600,C0,M0,drill,end"])
    assert report.times() == Times(quoted=400, lapsed=600)


@pytest.mark.criterion("OBL-02")
def test_relax_multiplies_the_limit_and_the_largest_counts_once(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT + KINDS,
        theo=["1000,C0,1.0000"],
        quotes=[quote(1000, "1.0000", "1.0900"), quote(1800, "1.0000", "1.0901")],
        exemptions=[
            "1200,*,M0,fast,start", "1400,*,M0,very_fast,start", "1600,*,M0,fast,end",
        ],
    )  # fmt: skip
    # limits: 0.0300, from 1200 0.0600, from 1400 (2 and 3 are on) 0.0900: equal to the spread;
    # from 1800 one tick more, which 2 * 3 = 6 times 0.0300 would have let pass
    assert report.times() == Times(quoted=400, lapsed=600)


@pytest.mark.criterion("OBL-02")
def test_the_largest_relax_counts_where_all_narrow_or_keep_the_limit(tmp_path: Path) -> None:
    rules = (
        "[spread]\nterms = [{ ticks = 10 }]\n"
        '[exemptions]\nhalf = { relax = "0.5" }\nsame = { relax = "1" }\n'
    )
    report = judge(
        tmp_path, rules, quotes=[quote(1000, "1.0000", "1.0010")],
        exemptions=["1200,*,*,half,start", "1500,*,*,same,start"],
    )  # fmt: skip
    # limits in ticks: 10, from 1200 on 5, from 1500 on max(0.5, 1) * 10
    assert report.times() == Times(quoted=200 + 500, lapsed=300)


@pytest.mark.criterion("OBL-02")
def test_relax_leaves_the_band_around_theo_alone(tmp_path: Path) -> None:
    rules = f'[spread]\noff_theo = {{ absolute = "0.05" }}\n{KINDS}'
    report = judge(
        tmp_path, rules, theo=["1000,C0,1.0000"], quotes=[quote(1000, "1.0501", "1.0502")],
        exemptions=["1000,*,*,very_fast,start"],
    )  # fmt: skip
    assert report.reasons() == {"off_theo": 1000}


@pytest.mark.criterion("OBL-02")
def test_under_one_side_either_side_suffices_but_two_face_every_test(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        "[spread]\nterms = [{ ticks = 1 }]\n" + KINDS,
        exemptions=["1000,*,*,limit_up,start"],
        quotes=[
            quote(1000, bid=""),  # quoted 100
            quote(1100, ask=""),  # quoted 200
            quote(1300, "1.0000", "1.0002"),  # two ticks: lapsed 300
            quote(1600, "1.0001", "1.0000"),  # crossed: lapsed 300
            gone(1900),  # no side at all: lapsed 100
        ],
    )
    assert report.times() == Times(quoted=300, lapsed=700)
    assert report.reasons() == {"spread": 300, "crossed": 300, "absent": 100}


@pytest.mark.criterion("OBL-02")
def test_one_side_and_relax_hold_together(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        "[spread]\nterms = [{ ticks = 1 }]\n" + KINDS,
        exemptions=["1000,*,*,limit_up,start", "1000,*,*,fast,start"],
        quotes=[
            quote(1000, bid=""),
            quote(1300, "1.0000", "1.0002"),
            quote(1900, "1.0000", "1.0003"),
        ],
    )
    assert report.times() == Times(quoted=900, lapsed=100)


@pytest.mark.criterion("OBL-02")
def test_exclude_wins_over_deem_and_deem_over_the_rest(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        exemptions=[
            "1100,*,M0,limit_up,start", "1200,*,M0,drill,start", "1400,*,M0,technical,start",
            "1700,*,M0,technical,end", "1900,*,M0,drill,end",
        ],
    )  # fmt: skip
    # nothing is ever quoted: lapsed 200; deemed [1200, 1400) and [1700, 1900); exempt [1400, 1700)
    assert report.times() == Times(quoted=400, exempt=300, lapsed=300)


@pytest.mark.criterion("OBL-02")
def test_an_exemption_is_on_or_off_for_each_scope_maker_and_kind(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        quotes=[quote(1000)],
        exemptions=[
            "1050,*,M0,technical,end",  # nothing to end
            "1100,*,M0,technical,start", "1200,*,M0,technical,start",  # starts do not nest:
            "1300,*,M0,technical,end",  # exempt [1100, 1300)
            "1500,*,M0,technical,start", "1600,C0,*,technical,start", "1700,*,M0,technical,end",
            "1800,C0,*,technical,end",  # any of two keys is on [1500, 1800)
        ],
    )  # fmt: skip
    assert report.times() == Times(quoted=500, exempt=200 + 300)


@pytest.mark.criterion("OBL-02")
def test_an_exemption_reaches_its_scope_and_its_maker_alone(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001", "C2,K1,0.0001"],
        makers=["M0,*", "M1,*"],
        exemptions=["1500,K0,M0,drill,start", "1800,C2,*,drill,start"],
    )
    assert report.times("M0", "C0").quoted == report.times("M0", "C1").quoted == 500
    assert report.times("M1", "C0").quoted == report.times("M1", "C1").quoted == 0
    assert report.times("M0", "C2").quoted == report.times("M1", "C2").quoted == 200


@pytest.mark.criterion("OBL-02")
def test_stress_without_relief_and_kinds_of_other_rulebooks_change_nothing(tmp_path: Path) -> None:
    report = judge(
        tmp_path, '[spread]\nterms = [{ ticks = 1 }]\n' + KINDS, quotes=[quote(1000)],
        stress=["1200,*,start"], exemptions=["1200,*,*,holiday,start"],
    )  # fmt: skip
    assert report.times() == Times(quoted=1000)
    assert report.records == {"applied": 4, "dead_letter": 1}  # `holiday` is not the rulebook's


@pytest.mark.criterion("OBL-01")
def test_choice_a_scope_that_is_a_class_and_a_contract_is_both(tmp_path: Path) -> None:
    # the ETF 159915 is listed in the class of its own options
    report = judge(
        tmp_path,
        contracts=["159915,159915,0.0001", "C1,159915,0.0001"],
        phases=[*ONE_SESSION, "1400,159915,halt"],
    )
    assert report.times(contract="159915") == Times(lapsed=400)
    assert report.times(contract="C1") == Times(lapsed=400)
