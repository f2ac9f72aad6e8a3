"""VAL-09: a quote counts back to the instant at which its prices began to stand, once they have stood long enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import THREE_PERCENT, Found, Times, gone, judge, quote

BACK = '[quote]\nmin_rest = { at_least = "100ns", counts = "retroactive" }\n'
A, B, C = ("1.0000", "1.0001"), ("1.0000", "1.0002"), ("1.0000", "1.0003")

pytestmark = pytest.mark.criterion("VAL-09")


@pytest.mark.parametrize(
    ("quotes", "flicker"),
    [
        ([quote(1000)], 0),
        ([quote(1000), quote(1101, *B)], 0),
        ([quote(1000), quote(1100, *B)], 100),  # at the instant at which it ends it stands no more
        ([quote(1000), quote(1050, *B)], 50),  # the second one is reached, back to 1050
        ([quote(1000), quote(1050, *B), quote(1050)], 0),  # a state of zero length
        ([quote(1000), quote(1050, *B), quote(1060), quote(1070, *B)], 70),  # each begins anew
        ([quote(1000), quote(1050, "1.0000", "1.0001", 20, 30)], 0),  # sizes alone
        ([quote(950), quote(1040, *B)], 40),  # before the first phase it rested already
    ],
)
def test_a_rest_passes_as_a_whole_or_fails_as_a_whole(
    tmp_path: Path, quotes: list[str], flicker: int
) -> None:
    report = judge(tmp_path, BACK, quotes=quotes)
    assert report.times() == Times(quoted=1000 - flicker, lapsed=flicker)
    assert report.reasons().get("flicker", 0) == flicker


def test_what_is_not_reached_by_the_end_of_the_period_fails(tmp_path: Path) -> None:
    report = judge(tmp_path, BACK, quotes=[quote(1901)])
    assert report.reasons() == {"absent": 901, "flicker": 99}
    report = judge(tmp_path, BACK, quotes=[quote(1900)])  # at the end itself it is too late
    assert report.reasons() == {"absent": 900, "flicker": 100}
    report = judge(tmp_path, BACK, quotes=[quote(1899)])
    assert report.times() == Times(quoted=101, lapsed=899)
    report = judge(tmp_path, BACK, quotes=[quote(1901), quote(2050, *B)])  # the period is over
    assert report.reasons() == {"absent": 901, "flicker": 99}


def test_a_bad_record_and_an_absence_cut_a_rest_short(tmp_path: Path) -> None:
    bad = quote(1050, "1.00005", "1.0002")
    report = judge(tmp_path, BACK, quotes=[quote(1000), bad, quote(1060)])
    assert report.times() == Times(quoted=940, lapsed=50, unknown=10)
    report = judge(tmp_path, BACK, quotes=[quote(1000), gone(1099), quote(1200)])
    assert report.reasons() == {"flicker": 99, "absent": 101}
    feed = ["1020,*,*,down", "1040,*,*,up", "1060,*,*,synced"]
    report = judge(tmp_path, BACK, feed=feed, quotes=[quote(1000)])
    assert report.times() == Times(lapsed=20 + 940, unknown=40)  # gone at 1060
    report = judge(tmp_path, BACK, feed=feed, quotes=[quote(1000), quote(1050)])
    assert report.times() == Times(quoted=970, unknown=30)  # restated: it has stood


def test_what_follows_is_of_the_final_states(tmp_path: Path) -> None:
    rules = BACK + '[lapse]\nlongest_permitted = "120ns"\n'
    flips = [quote(t, *(B if t % 100 else C)) for t in (1200, 1250, 1300, 1350)]
    report = judge(tmp_path, rules, quotes=[quote(1000), *flips, quote(1400)])
    # [1200, 1400) is one lapse; the rest that begins at 1400 is none
    assert report.breaches("lapse") == [Found("lapse", "M0", "C0", 1320, 1400)]
    assert report.raw["breaches"][0]["reason"] == "flicker"
    assert report.hole() == 200
    assert (report.row()["lapses"], report.row()["longest_lapse_ns"]) == (1, 200)


def test_other_tests_go_on_meanwhile(tmp_path: Path) -> None:
    theo = ["1000,C0,1.0000", "1300,C0,0.5000", "1600,C0,1.0000"]
    quotes = [quote(1000, "1.0000", "1.0200"), quote(1550, "1.0000", "1.0201"), quote(1640, *A)]
    report = judge(tmp_path, BACK + THREE_PERCENT, theo=theo, quotes=quotes)
    # 2 % passes until 1300, is wide at half the theo; what begins at 1550 does not stand
    assert report.reasons() == {"spread": 300, "flicker": 40}
    assert report.times() == Times(quoted=660, lapsed=340)


def test_two_makers_and_a_listing_on_the_tape(tmp_path: Path) -> None:
    report = judge(
        tmp_path, BACK, makers=["M0,*", "M1,*"], reference=["1500,contracts,add,C1,K0,0.0001,,"],
        quotes=[
            quote(1000), quote(1000, maker="M1"), quote(1090, *B, maker="M1"),
            quote(1520, contract="C1"), quote(1560, *B, contract="C1"), quote(1930, contract="C1"),
        ],
    )  # fmt: skip
    assert report.times("M0", "C0") == Times(quoted=1000)
    assert report.times("M1", "C0") == Times(quoted=910, lapsed=90)
    assert report.reasons("M0", "C1") == {"absent": 20, "flicker": 40 + 70}
    assert report.times("M0", "C1") == Times(quoted=370, lapsed=130)
