"""VAL-10 to VAL-12: what the spread limit is made of, moving theo, and theo that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import THREE_PERCENT, Report, Times, gone, judge, quote

EXEMPTIONS = '[exemptions]\nfast = { relax = "2" }\nvery_fast = { relax = "3" }\n'


def spread_of(term: str) -> str:
    return f"[spread]\nterms = [{term}]\n"


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize(
    ("term", "passes", "fails"),
    [
        # 3 % of theo 1.0000 = 0.0300
        ('{ relative = "3%", of = "theo" }', ("1.1000", "1.1300"), ("1.1000", "1.1301")),
        # 3 % of bid 2.0000 = 0.0600
        ('{ relative = "3%", of = "bid" }', ("2.0000", "2.0600"), ("2.0000", "2.0601")),
        # 3 % of ask 2.0000 = 0.0600
        ('{ relative = "3%", of = "ask" }', ("1.9400", "2.0000"), ("1.9399", "2.0000")),
        # 2 % of mid 1.0000 = 0.0200; then 2 % of mid 1.00005 = 0.020001 < 0.0201
        ('{ relative = "2%", of = "mid" }', ("0.9900", "1.0100"), ("0.9900", "1.0101")),
        # an odd sum of prices: 6 % of mid 0.00335 = 0.000201 >= 0.0001; 0.0002 is over 6 % of 0.0033
        ('{ relative = "6%", of = "mid" }', ("0.0033", "0.0034"), ("0.0032", "0.0034")),
        # 3 ticks of 0.0001
        ("{ ticks = 3 }", ("1.0000", "1.0003"), ("1.0000", "1.0004")),
        ('{ absolute = "0.05" }', ("1.0000", "1.0500"), ("1.0000", "1.0501")),
    ],
)
def test_each_kind_of_term_at_its_limit(
    tmp_path: Path, term: str, passes: tuple[str, str], fails: tuple[str, str]
) -> None:
    quotes = [quote(1000, *passes), quote(1300, *fails)]
    report = judge(tmp_path, spread_of(term), theo=["1000,C0,1.0000"], quotes=quotes)
    assert report.times() == Times(quoted=300, lapsed=700)
    assert report.reasons() == {"spread": 700}


@pytest.mark.criterion("VAL-10")
def test_max_takes_the_wider_term_and_min_the_narrower(tmp_path: Path) -> None:
    # at theo 1.0000: 3 % = 0.0300 and 100 ticks = 0.0100
    quotes = [
        quote(1000, "1.0000", "1.0100"),
        quote(1100, "1.0000", "1.0101"),
        quote(1400, "1.0000", "1.0301"),
    ]
    terms = '[spread]\ncombine = "{}"\nterms = [{{ relative = "3%", of = "theo" }}, {{ ticks = 100 }}]\n'
    theo = ["1000,C0,1.0000"]
    widest = judge(tmp_path, terms.format("max"), theo=theo, quotes=quotes)
    assert widest.times() == Times(quoted=400, lapsed=600)  # 0.0100 and 0.0101 pass
    least = judge(tmp_path, terms.format("min"), theo=theo, quotes=quotes)
    assert least.times() == Times(quoted=100, lapsed=900)  # 0.0100 alone passes


@pytest.mark.criterion("VAL-10")
def test_the_founding_rule_lets_one_tick_stand_where_three_percent_is_less(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT,
        # 3 % of 0.0033 = 0.000099: the tick decides; of 0.0067 = 0.000201: two ticks pass
        theo=["1000,C0,0.0033", "1700,C0,0.0067"],
        quotes=[
            quote(1000, "0.0033", "0.0034"),  # one tick: quoted 300
            quote(1300, "0.0032", "0.0034"),  # two ticks: lapsed until theo moves at 1700
            quote(1900, "0.0065", "0.0068"),  # three ticks: lapsed 100
        ],
    )
    assert report.times() == Times(quoted=300 + 200, lapsed=400 + 100)


@pytest.mark.criterion("VAL-10")
def test_relief_multiplies_the_combined_limit(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        f'{THREE_PERCENT}[stress]\nrelief = "1.5"\n{EXEMPTIONS}',
        theo=["1000,C0,1.0000"],
        quotes=[quote(1000, "1.0000", "1.0900")],  # 0.0900 = 0.0300 * 2 * 1.5
        exemptions=["1200,*,*,fast,start", "1800,*,*,fast,end"],
        stress=["1400,*,start", "1900,*,end"],
    )
    # factors: 1 [1000, 1200), 2 [1200, 1400), 3 [1400, 1800), 1.5 [1800, 1900), 1
    assert report.times() == Times(quoted=400, lapsed=600)


@pytest.mark.criterion("VAL-10")
def test_relief_moves_the_tick_term_as_well(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        spread_of("{ ticks = 1 }") + EXEMPTIONS,
        quotes=[quote(1000, "1.0000", "1.0002")],
        exemptions=["1500,*,*,fast,start"],
    )
    assert report.times() == Times(quoted=500, lapsed=500)


@pytest.mark.criterion("VAL-11")
def test_a_theo_judges_every_standing_quote_anew_at_its_own_time(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        makers=["M0,*", "M1,*"],
        # limits of C0: 0.0300, from 1400 0.02999997, from 1650 0.0300
        theo=["1000,C0,1.0000", "1400,C0,0.999999", "1650,C0,1.0000", "1000,C1,1.0000"],
        quotes=[
            quote(1000, "1.0000", "1.0300"),
            quote(1000, "1.0000", "1.0299", maker="M1"),
            quote(1000, "1.0000", "1.0300", contract="C1"),
        ],
    )
    assert report.times("M0", "C0") == Times(quoted=400 + 350, lapsed=250)
    assert report.times("M1", "C0") == Times(quoted=1000)  # 0.0299 is within either limit
    assert report.times("M0", "C1") == Times(quoted=1000)  # another contract's theo


@pytest.mark.criterion("VAL-11")
def test_a_theo_judges_a_quote_of_its_own_instant_whichever_line_comes_first(
    tmp_path: Path,
) -> None:
    # kinds at one instant: theo before quote, so the quote of 1500 meets the theo of 1500
    report = judge(
        tmp_path,
        THREE_PERCENT,
        theo=["1000,C0,1.0000", "1500,C0,2.0000"],
        quotes=[quote(1500, "2.0000", "2.0600"), quote(1000, "1.0000", "1.0300")],
    )
    assert report.times() == Times(quoted=1000)


def hanging(tmp_path: Path, rules: str, *quotes: str) -> Report:
    """Judge quotes on a contract whose theo was never seen."""
    return judge(tmp_path, rules, quotes=quotes)


@pytest.mark.criterion("VAL-12")
def test_with_max_a_spread_within_another_term_passes_without_theo(tmp_path: Path) -> None:
    report = hanging(
        tmp_path, THREE_PERCENT, quote(1000, "1.0000", "1.0001"), quote(1600, "1.0000", "1.0002")
    )
    assert report.times() == Times(quoted=600, unknown=400)


@pytest.mark.criterion("VAL-12")
def test_with_min_a_spread_beyond_another_term_fails_without_theo(tmp_path: Path) -> None:
    rules = '[spread]\ncombine = "min"\nterms = [{ relative = "3%", of = "theo" }, { ticks = 5 }]\n'
    report = hanging(
        tmp_path, rules, quote(1000, "1.0000", "1.0005"), quote(1600, "1.0000", "1.0006")
    )
    assert report.times() == Times(unknown=600, lapsed=400)
    assert report.reasons() == {"spread": 400}


@pytest.mark.criterion("VAL-12")
def test_a_band_hangs_and_so_does_an_ask_alone_under_the_zero_bid_rule(tmp_path: Path) -> None:
    band = hanging(tmp_path, '[spread]\noff_theo = { absolute = "0.05" }\n', quote(1000))
    assert band.times() == Times(unknown=1000)
    zero_bid = hanging(
        tmp_path,
        '[quote]\nzero_bid_below = "0.001"\n',
        quote(1000, "", "0.0005"),
        quote(1300, "0.0001", ""),
    )
    assert zero_bid.times() == Times(unknown=300, lapsed=700)  # a bid alone fails whatever theo is


@pytest.mark.criterion("VAL-12")
@pytest.mark.parametrize("policy", ["unknown", "skip_spread", "hold"])
def test_a_quote_with_a_failing_test_is_lapsed_whatever_hangs(tmp_path: Path, policy: str) -> None:
    rules = f'[quote]\nmin_size = 10\n{THREE_PERCENT}[theo]\nwhen_missing = "{policy}"\n'
    report = hanging(tmp_path, rules, quote(1000, "1.0000", "1.0500", bid_size=9))
    assert report.times() == Times(lapsed=1000)
    assert report.reasons() == {"size": 1000}


@pytest.mark.criterion("VAL-12")
def test_theo_is_missing_before_it_is_seen_once_withdrawn_and_once_too_old(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT + '[theo]\nmax_age = "300ns"\n',
        quotes=[quote(1000, "1.0000", "1.0300")],
        theo=["1100,C0,1.0000", "1600,C0,1.0000", "1700,C0,"],
    )
    # known [1100, 1400), for its age is half-open, and [1600, 1700)
    assert report.times() == Times(quoted=300 + 100, unknown=600)


@pytest.mark.criterion("VAL-12")
def test_a_theo_of_zero_is_a_theo(tmp_path: Path) -> None:
    # limit max(0, 1 tick): one tick passes, two fail and do not hang
    quotes = [quote(1000, "0.0001", "0.0002"), quote(1500, "0.0001", "0.0003")]
    report = judge(tmp_path, THREE_PERCENT, quotes=quotes, theo=["1000,C0,0"])
    assert report.times() == Times(quoted=500, lapsed=500)


MISSING = ["1000,C0,1.0000", "1200,C0,"]
WIDE_AND_NARROW = [quote(1000, "1.0000", "1.0300"), quote(1500, "1.0000", "1.0301"), gone(1800)]


@pytest.mark.criterion("VAL-12")
@pytest.mark.parametrize(
    ("policy", "times"),
    [
        # theo known [1000, 1200): quoted 200; then both spreads hang for 600; absent from 1800: 200
        ("unknown", Times(quoted=200, unknown=600, lapsed=200)),
        # open tests pass: 200 + 600
        ("skip_spread", Times(quoted=800, lapsed=200)),
        # the last theo stands: 0.0300 passes [1000, 1500), 0.0301 fails
        ("hold", Times(quoted=500, lapsed=500)),
        # all time with theo missing is exempt, whatever the quote
        ("exclude", Times(quoted=200, exempt=800)),
    ],
)
def test_each_policy_for_a_missing_theo(tmp_path: Path, policy: str, times: Times) -> None:
    rules = f'{THREE_PERCENT}[theo]\nwhen_missing = "{policy}"\n'
    report = judge(tmp_path, rules, quotes=WIDE_AND_NARROW, theo=MISSING)
    assert report.times() == times


@pytest.mark.criterion("VAL-12")
def test_hold_ignores_the_age_of_theo_but_must_have_seen_one(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT + '[theo]\nwhen_missing = "hold"\nmax_age = "10ns"\n',
        quotes=[quote(1000, "1.0000", "1.0300")],
        theo=["1250,C0,1.0000"],
    )
    assert report.times() == Times(unknown=250, quoted=750)


@pytest.mark.criterion("VAL-12")
def test_exclude_needs_a_test_that_reads_theo(tmp_path: Path) -> None:
    # no term, band or zero-bid rule reads theo: nothing is exempt though none was ever seen
    rules = '[spread]\nterms = [{ ticks = 1 }]\n[theo]\nwhen_missing = "exclude"\n'
    assert judge(tmp_path, rules, quotes=[quote(1500)]).times() == Times(quoted=500, lapsed=500)


@pytest.mark.criterion("VAL-12")
def test_an_unknown_feed_wins_over_the_policy_exclude(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT + '[theo]\nwhen_missing = "exclude"\n',
        quotes=[quote(1000), quote(1400)],
        theo=["1600,C0,1.0000"],
        feed=["1100,*,*,down", "1300,*,*,up"],
    )
    # exempt [1000, 1100); unknown [1100, 1400); exempt [1400, 1600); quoted
    assert report.times() == Times(exempt=300, unknown=300, quoted=400)
