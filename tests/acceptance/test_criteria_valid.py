"""VAL-01 to VAL-08: each test of a quote at its limit and one unit beyond, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import THREE_PERCENT, Times, gone, judge, quote

BAND = '[spread]\noff_theo = { absolute = "0.0500" }\n'


@pytest.mark.criterion("VAL-01")
def test_absent_until_the_first_quote_and_after_both_sides_are_gone(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1100), gone(1700)])
    # absent [1000, 1100) and [1700, 2000): 100 + 300; quoted [1100, 1700): 600
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.reasons() == {"absent": 400}


@pytest.mark.criterion("VAL-01")
def test_a_new_quote_replaces_the_old_one_entirely(tmp_path: Path) -> None:
    # the bid of 1000 does not stand beside the ask of 1400
    report = judge(tmp_path, quotes=[quote(1000), quote(1400, bid="")])
    assert report.times() == Times(quoted=400, lapsed=600)
    assert report.reasons() == {"one_sided": 600}


@pytest.mark.criterion("VAL-02")
@pytest.mark.parametrize(("bid", "ask"), [("1.0000", ""), ("", "1.0001")])
def test_one_side_alone_lapses(tmp_path: Path, bid: str, ask: str) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1750, bid, ask)])
    assert report.reasons() == {"one_sided": 250}


@pytest.mark.criterion("VAL-02")
def test_size_zero_withdraws_a_side_that_has_a_price(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1900, ask_size=0)])
    assert report.reasons() == {"one_sided": 100}


@pytest.mark.criterion("VAL-02")
def test_zero_bid_lets_the_ask_stand_alone_while_theo_is_below_the_threshold(
    tmp_path: Path,
) -> None:
    report = judge(
        tmp_path,
        '[quote]\nzero_bid_below = "0.0010"\n',
        quotes=[quote(1000, bid="", ask="0.0005"), quote(1800, bid="0.0001", ask="")],
        theo=["1000,C0,0.0009", "1300,C0,0.0010", "1500,C0,0.00099999"],
    )
    # 0.0009 < 0.0010: quoted 300; equal is not below: lapsed 200; 0.00099999 is below: quoted 300;
    # from 1800 it is the bid that is alone, which the rule does not help: lapsed 200
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.reasons() == {"one_sided": 400}


@pytest.mark.criterion("VAL-03")
def test_bid_must_be_below_ask_and_a_locked_quote_fails_too(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        quotes=[
            quote(1000, "1.0000", "1.0001"),  # one tick apart: quoted 400
            quote(1400, "1.0001", "1.0001"),  # locked: lapsed 100
            quote(1500, "1.0002", "1.0001"),  # crossed: lapsed 500
        ],
    )
    assert report.times() == Times(quoted=400, lapsed=600)
    assert report.reasons() == {"crossed": 600}


@pytest.mark.criterion("VAL-04")
def test_both_sizes_must_reach_the_minimum(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        "[quote]\nmin_size = 10\n",
        quotes=[
            quote(1000, bid_size=10, ask_size=10),  # equal passes: 100
            quote(1100, bid_size=9, ask_size=10),  # lapsed 200
            quote(1300, bid_size=10, ask_size=9),  # lapsed 300
            quote(1600, bid_size=11, ask_size=2**31 - 1),  # 400
        ],
    )
    assert report.times() == Times(quoted=500, lapsed=500)
    assert report.reasons() == {"size": 500}


@pytest.mark.criterion("VAL-04")
def test_a_nearer_month_that_is_listed_or_removed_moves_the_sizes_of_the_others(
    tmp_path: Path,
) -> None:
    """The nearest month wants 10. C0 of March is it until C1 of February comes at 1400 and goes at 1700."""
    rules = (
        "[quote]\nmin_size = 5\nmin_size_by_month = [{ months_to = 1, size = 10 }]\n"
        '[lapse]\nlongest_permitted = "350ns"\n'
    )
    terms = "contract,class,tick,kind,strike,expiry"
    reference = "ts_event,table,action,contract,class,tick,kind,strike,expiry"
    report = judge(
        tmp_path, rules, headers={"contracts": terms, "reference": reference},
        contracts=["C0,K0,0.0001,call,3,1970-03-27"],
        reference=["1400,contracts,add,C1,K0,0.0001,call,3,1970-02-27",
                   "1700,contracts,remove,C1,,,,,"],
        quotes=[quote(1000, bid_size=9), quote(1400, bid_size=9, contract="C1")],
    )  # fmt: skip
    assert report.times() == Times(quoted=300, lapsed=700)
    assert report.reasons() == {"size": 700}
    assert report.reasons(contract="C1") == {"size": 300}
    (breach,) = report.raw["breaches"][:1]
    assert (breach["kind"], breach["start"], breach["reason"]) == ("lapse", 1350, "size")


@pytest.mark.criterion("VAL-05")
@pytest.mark.parametrize(
    ("of", "passes", "fails"),
    [
        # |a - b| <= 50 % of the smaller: 10 and 15 differ by 5 <= 5; 10 and 16 by 6 > 5
        ("smaller", (10, 15), (10, 16)),
        # of the larger: 10 and 20 differ by 10 <= 10; 10 and 21 by 11 > 10.5
        ("larger", (10, 20), (10, 21)),
        # of the mean: 12 and 20 differ by 8 <= 8; 12 and 21 by 9 > 8.25
        ("mean", (12, 20), (12, 21)),
    ],
)
def test_sizes_may_differ_by_the_ratio_and_no_more(
    tmp_path: Path, of: str, passes: tuple[int, int], fails: tuple[int, int]
) -> None:
    report = judge(
        tmp_path,
        f'[quote]\nmax_size_difference = {{ ratio = "50%", of = "{of}" }}\n',
        quotes=[
            quote(1000, bid_size=passes[0], ask_size=passes[1]),
            quote(1100, bid_size=passes[1], ask_size=passes[0]),
            quote(1200, bid_size=fails[0], ask_size=fails[1]),
            quote(1500, bid_size=fails[1], ask_size=fails[0]),
        ],
    )
    assert report.times() == Times(quoted=200, lapsed=800)
    assert report.reasons() == {"unequal": 800}


@pytest.mark.criterion("VAL-06")
def test_a_spread_equal_to_the_limit_passes_and_one_tick_more_fails(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        THREE_PERCENT,
        theo=["1000,C0,1.0000"],  # limit: 3 % of 1.0000 = 0.0300
        quotes=[quote(1000, "1.0000", "1.0300"), quote(1600, "1.0000", "1.0301")],
    )
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.reasons() == {"spread": 400}


@pytest.mark.criterion("VAL-07")
def test_bid_at_most_theo_plus_band_and_ask_at_least_theo_less_band(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        BAND,
        theo=["1000,C0,1.0000"],  # band [0.9500, 1.0500]
        quotes=[
            quote(1000, "1.0500", "1.2000"),  # bid on the edge: quoted 100
            quote(1100, "1.0501", "1.2000"),  # lapsed 200
            quote(1300, "0.5000", "0.9500"),  # ask on the edge: quoted 300
            quote(1600, "0.5000", "0.9499"),  # lapsed 100
            quote(1700, "0.5000", "2.0000"),  # around theo, however wide: quoted 300
        ],
    )
    assert report.times() == Times(quoted=700, lapsed=300)
    assert report.reasons() == {"off_theo": 300}


@pytest.mark.criterion("VAL-07")
def test_a_band_may_be_a_percentage_of_theo(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        '[spread]\noff_theo = { relative = "10%" }\n',
        theo=["1000,C0,2.0000"],  # band 0.2000
        quotes=[quote(1000, "2.2000", "2.2001"), quote(1250, "2.2001", "2.2002")],
    )
    assert report.reasons() == {"off_theo": 750}


@pytest.mark.criterion("VAL-08")
def test_a_quote_is_fresh_for_its_age_and_lapses_at_the_instant_it_expires(tmp_path: Path) -> None:
    report = judge(tmp_path, '[quote]\nmax_age = "300ns"\n', quotes=[quote(1000), quote(1700)])
    # fresh [1000, 1300); stale [1300, 1700); fresh [1700, 2000), which ends as it would expire
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.reasons() == {"stale": 400}


@pytest.mark.criterion("VAL-08")
def test_an_identical_quote_refreshes_the_age_at_the_last_moment(tmp_path: Path) -> None:
    # at 1300 the first is stale, but the record of 1300 counts from 1300: nothing is lost
    quotes = [quote(1000), quote(1300), quote(1600), quote(1899)]
    report = judge(tmp_path, '[quote]\nmax_age = "300ns"\n', quotes=quotes)
    assert report.times() == Times(quoted=1000)


@pytest.mark.criterion("VAL-08")
def test_age_counts_from_before_the_open(tmp_path: Path) -> None:
    # quoted at 900 for 300 ns: 200 of them are in continuous trading
    report = judge(tmp_path, '[quote]\nmax_age = "300ns"\n', quotes=[quote(900)])
    assert report.times() == Times(quoted=200, lapsed=800)


def test_the_first_test_that_fails_is_the_reason(tmp_path: Path) -> None:
    rules = (
        '[quote]\nmin_size = 10\nmax_age = "400ns"\nmax_size_difference = { ratio = "50%", of = "smaller" }\n'
        '[spread]\nterms = [{ absolute = "0.0100" }]\noff_theo = { absolute = "0.0500" }\n'
    )
    report = judge(
        tmp_path,
        rules,
        theo=["900,C0,1.0000"],
        quotes=[
            # 1000: everything is wrong but crossed: size, unequal, spread, off_theo
            quote(1000, "2.0000", "3.0000", bid_size=1, ask_size=100),
            # 1100: sizes unequal, and all that follows
            quote(1100, "2.0000", "3.0000", bid_size=10, ask_size=100),
            # 1300: wide and off theo, stale from 1700 on, which is not the first
            quote(1300, "2.0000", "3.0000"),
            # 1750: near enough, but off theo
            quote(1750, "2.0000", "2.0100"),
            # 1850: a crossed quote is not wide, and its other faults come after
            quote(1850, "3.0000", "2.0000", bid_size=1, ask_size=100),
        ],
    )
    assert report.reasons() == {
        "size": 100, "unequal": 200, "spread": 450, "off_theo": 100, "crossed": 150,
    }  # fmt: skip


def test_a_quote_alone_under_one_side_faces_the_tests_of_its_side(tmp_path: Path) -> None:
    rules = f'[quote]\nmin_size = 10\n{BAND}[exemptions]\nlimit_up = "one_side"\n'
    report = judge(
        tmp_path,
        rules,
        theo=["900,C0,1.0000"],
        exemptions=["900,*,*,limit_up,start"],
        quotes=[
            quote(1000, "1.0000", ""),  # quoted 100
            quote(1100, "1.0000", "", bid_size=9),  # too small: 200
            quote(1300, "1.0501", ""),  # beyond the band: 300
            quote(1600, "", "0.9500"),  # on the band: quoted 400
        ],
    )
    assert report.times() == Times(quoted=500, lapsed=500)
    assert report.reasons() == {"size": 200, "off_theo": 300}
