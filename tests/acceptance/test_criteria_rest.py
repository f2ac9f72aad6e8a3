"""VAL-09: a quote counts once its prices have stood for the minimum rest, counted from then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import THREE_PERCENT, Found, Report, Times, gone, judge, quote

HUNDRED = '[quote]\nmin_rest = { at_least = "100ns", counts = "from_then" }\n'
BAD = "ab,M0,C0"


def flickers(report: Report, ns: int, *, other: int = 0, unknown: int = 0) -> None:
    """So much of the session lapsed by flicker, so much by other reasons, the rest is quoted."""
    assert report.reasons().get("flicker", 0) == ns
    assert report.times() == Times(1000 - ns - other - unknown, ns + other, 0, unknown)


@pytest.mark.criterion("VAL-09")
def test_a_quote_counts_from_the_instant_at_which_it_has_stood_long_enough(tmp_path: Path) -> None:
    report = judge(tmp_path, HUNDRED, quotes=[quote(1000)])
    flickers(report, 100)


@pytest.mark.criterion("VAL-09")
@pytest.mark.parametrize(
    ("second", "lost"),
    [
        (quote(1500, "0.9999", "1.0001"), 200),  # the bid moved
        (quote(1500, "1.0000", "1.0002"), 200),  # the ask moved
        (quote(1500, "1.0000", "1.0001", 20, 30), 100),  # sizes alone: it rests on
        (quote(1500), 100),  # the same again
        (quote(1050, "1.0000", "1.0002"), 150),  # before it was reached: 50, and 100 anew
    ],
)
def test_a_change_of_price_begins_anew(tmp_path: Path, second: str, lost: int) -> None:
    flickers(judge(tmp_path, HUNDRED, quotes=[quote(1000), second]), lost)


@pytest.mark.criterion("VAL-09")
def test_coming_from_absence_begins_anew(tmp_path: Path) -> None:
    # absent [1500, 1600), then 100 of rest although the prices are those of before
    report = judge(tmp_path, HUNDRED, quotes=[quote(1000), gone(1500), quote(1600)])
    flickers(report, 200, other=100)


@pytest.mark.criterion("VAL-09")
def test_a_state_of_zero_length_weighs_nothing(tmp_path: Path) -> None:
    there_and_back = [quote(1050, "1.0000", "1.0003"), gone(1050), quote(1050)]
    flickers(judge(tmp_path, HUNDRED, quotes=[quote(1000), *there_and_back]), 100)
    # a bad record at that instant, and the prices that stood before: never away
    bad = quote(1050, "1.00005", "1.0002")
    report = judge(tmp_path, HUNDRED, quotes=[quote(1000), bad, quote(1050)])
    flickers(report, 100)


@pytest.mark.criterion("VAL-09")
def test_a_bad_record_is_a_change_not_known_to_what(tmp_path: Path) -> None:
    # unknown [1500, 1510), then the same prices rest anew: what stood meanwhile nobody knows
    quotes = [quote(1000), quote(1500, "1.00005", "1.0002"), quote(1510)]
    flickers(judge(tmp_path, HUNDRED, quotes=quotes), 200, unknown=10)


@pytest.mark.criterion("VAL-09")
def test_a_feed_that_is_down_keeps_the_rest(tmp_path: Path) -> None:
    feed = ["1020,*,*,down", "1040,*,*,up"]
    # 20 flicker, 30 unknown, restated at 1050 with the same prices: reached at 1100 as ever
    report = judge(tmp_path, HUNDRED, feed=feed, quotes=[quote(1000), quote(1050)])
    flickers(report, 70, unknown=30)
    # not restated: synced says that it is gone; what comes at 1300 begins anew
    feed += ["1200,*,*,synced"]
    report = judge(tmp_path, HUNDRED, feed=feed, quotes=[quote(1000), quote(1300)])
    assert report.times() == Times(600, 20 + 100 + 100, 0, 180)
    assert report.reasons() == {"flicker": 120, "absent": 100}


@pytest.mark.criterion("VAL-09")
def test_rest_is_event_time_breaks_included(tmp_path: Path) -> None:
    phases = ["1000,*,continuous", "1040,*,break", "1080,*,continuous", "2000,*,closed"]
    # reached at 1100: flicker [1000, 1040) and [1080, 1100)
    report = judge(tmp_path, HUNDRED, phases=phases, quotes=[quote(1000)])
    assert report.times() == Times(quoted=900, lapsed=60)
    # a quote from before the first phase has rested already
    assert judge(tmp_path, HUNDRED, quotes=[quote(900)]).times() == Times(quoted=1000)
    flickers(judge(tmp_path, HUNDRED, quotes=[quote(950)]), 50)


@pytest.mark.criterion("VAL-09")
def test_flicker_is_the_last_test_and_absence_fails_alone(tmp_path: Path) -> None:
    wide = [quote(1000, "1.0000", "1.1000"), gone(1200)]
    report = judge(tmp_path, HUNDRED + THREE_PERCENT, theo=["1000,C0,1.0000"], quotes=wide)
    assert report.reasons() == {"spread": 200, "absent": 800}


@pytest.mark.criterion("VAL-09")
def test_a_quote_may_be_stale_and_fresh_prices_of_it_rest_anew(tmp_path: Path) -> None:
    rules = '[quote]\nmax_age = "300ns"\nmin_rest = { at_least = "100ns", counts = "from_then" }\n'
    # rested at 1100, stale at 1300, the same again at 1400: it has stood all the time
    report = judge(tmp_path, rules, quotes=[quote(1000), quote(1400)])
    assert report.reasons() == {"flicker": 100, "stale": 100 + 300}


@pytest.mark.criterion("VAL-09")
def test_a_lapse_of_flicker_has_breaches_and_a_hole_like_any_other(tmp_path: Path) -> None:
    rules = HUNDRED + '[lapse]\nlongest_permitted = "60ns"\n'
    report = judge(tmp_path, rules, quotes=[quote(1000)])
    assert report.breaches("lapse") == [Found("lapse", "M0", "C0", 1060, 1100)]
    assert report.raw["breaches"][0]["reason"] == "flicker"
    assert report.hole() == 100
    assert report.row()["longest_lapse_ns"] == 100


@pytest.mark.criterion("VAL-09")
def test_each_maker_rests_by_itself(tmp_path: Path) -> None:
    makers = ["M0,*", "M1,*", "M2,*"]
    quotes = [
        quote(1010), quote(1020, maker="M1"), quote(1030, maker="M2"),
        quote(1060, "0.9999", maker="M0"), quote(1125, "0.9999", maker="M2"),
    ]  # fmt: skip
    report = judge(tmp_path, HUNDRED, makers=makers, quotes=quotes)
    assert report.reasons("M0") == {"absent": 10, "flicker": 150}  # reached at 1160
    assert report.reasons("M1") == {"absent": 20, "flicker": 100}
    assert report.reasons("M2") == {"absent": 30, "flicker": 95 + 100}
    assert report.hole() == 120  # until M1 has rested at 1120
