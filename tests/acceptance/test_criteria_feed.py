"""OBL-03: what is unknown because the feed was down, from when and until when; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.captures import Times, gone, judge, quote

pytestmark = pytest.mark.criterion("OBL-03")
DOWN_AND_UP = ["1200,*,*,down", "1500,*,*,up"]
KINDS = '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\n'


def test_unknown_from_down_until_the_first_quote_after_up(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1600)], feed=DOWN_AND_UP)
    assert report.times() == Times(quoted=200 + 400, unknown=400)


def test_a_withdrawal_is_a_snapshot_too(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), gone(1600)], feed=DOWN_AND_UP)
    assert report.times() == Times(quoted=200, unknown=400, lapsed=400)


def test_a_quote_while_down_is_no_snapshot(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1499), quote(1700)], feed=DOWN_AND_UP)
    assert report.times() == Times(quoted=200 + 300, unknown=500)


def test_a_quote_at_the_instant_of_up_is_a_snapshot(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1500)], feed=DOWN_AND_UP)
    assert report.times() == Times(quoted=200 + 500, unknown=300)


def test_a_slot_not_restated_by_synced_is_known_to_be_absent(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        quotes=[quote(1000), quote(1000, contract="C1"), quote(1550)],
        feed=[*DOWN_AND_UP, "1700,*,*,synced"],
    )
    # C0 is restated at 1550; C1 is not: unknown [1200, 1700), absent from then on
    assert report.times(contract="C0") == Times(quoted=200 + 450, unknown=350)
    assert report.times(contract="C1") == Times(quoted=200, unknown=500, lapsed=300)
    assert report.reasons(contract="C1") == {"absent": 300}


def test_without_any_quote_or_synced_it_stays_unknown(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000)], feed=DOWN_AND_UP)
    assert report.times() == Times(quoted=200, unknown=800)


def test_before_the_first_quote_on_a_healthy_feed_a_maker_is_absent(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1300)])
    assert report.times() == Times(quoted=700, lapsed=300)
    assert report.reasons() == {"absent": 300}


def test_a_feed_that_is_down_before_the_open(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(900), quote(1250)], feed=["800,*,*,down", "1100,*,*,up"])
    assert report.times() == Times(unknown=250, quoted=750)


def test_exclude_and_deem_win_over_unknown(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        KINDS,
        quotes=[quote(1000)],
        feed=["1200,*,*,down"],
        exemptions=[
            "1300,*,*,technical,start", "1500,*,*,technical,end",
            "1600,*,*,drill,start", "1900,*,*,drill,end",
        ],
    )  # fmt: skip
    # unknown [1200, 1300), [1500, 1600), [1900, 2000)
    assert report.times() == Times(quoted=200 + 300, exempt=200, unknown=300)


def test_unknown_ends_a_lapse(tmp_path: Path) -> None:
    report = judge(tmp_path, feed=["1300,*,*,down", "1400,*,*,up", "1400,*,*,synced"])
    # absent [1000, 1300) and, known again, [1400, 2000)
    assert report.times() == Times(lapsed=900, unknown=100)
    assert (report.row()["lapses"], report.row()["longest_lapse_ns"]) == (2, 600)


def test_a_feed_reaches_its_scope_and_its_maker_alone(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        makers=["M0,*", "M1,*"],
        quotes=[quote(1000, maker=m, contract=c) for m in ("M0", "M1") for c in ("C0", "C1")],
        feed=["1600,K0,M0,down", "1900,C1,*,down"],
    )
    assert report.times("M0", "C0") == Times(quoted=600, unknown=400)
    assert report.times("M1", "C0") == Times(quoted=1000)
    assert report.times("M0", "C1") == report.times("M1", "C1") == Times(quoted=900, unknown=100)


def test_up_and_synced_without_down_do_nothing(tmp_path: Path) -> None:
    feed = ["1100,*,*,up", "1200,*,*,synced", "1300,*,M0,up", "1400,K0,*,synced"]
    assert judge(tmp_path, quotes=[quote(1000)], feed=feed).times() == Times(quoted=1000)


# Where the specification leaves a choice ----------------------------------------------------------


def test_choice_down_and_up_at_one_instant_is_a_gap(tmp_path: Path) -> None:
    report = judge(
        tmp_path, quotes=[quote(1000), quote(1400)], feed=["1200,*,*,down", "1200,*,*,up"]
    )
    assert report.times() == Times(quoted=200 + 600, unknown=200)


def test_choice_synced_while_its_own_key_is_down_does_nothing(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000)], feed=["1200,*,*,down", "1300,*,*,synced"])
    assert report.times() == Times(quoted=200, unknown=800)


def test_choice_each_key_owes_its_own_snapshot(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        quotes=[quote(1000)],
        feed=[
            "1200,*,*,down", "1200,C0,M0,down", "1300,*,*,up", "1300,C0,M0,up",
            "1400,*,*,synced",  # absent for this key, but the other has not said so
            "1700,C0,M0,synced",
        ],
    )  # fmt: skip
    assert report.times() == Times(quoted=200, unknown=500, lapsed=300)


def test_choice_a_quote_while_any_key_is_down_is_a_snapshot_for_none(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        quotes=[quote(1000), quote(1350), quote(1600)],
        feed=["1200,*,*,down", "1300,*,*,up", "1300,C0,M0,down", "1400,C0,M0,up"],
    )
    # 1350 comes while (C0, M0) is down and does not count for (*, *) either
    assert report.times() == Times(quoted=200 + 400, unknown=400)


@pytest.mark.criterion("OBL-03")
def test_a_listing_after_a_gap_leaves_restated_slots_known(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        feed=["1010,*,*,down", "1020,*,*,up"],
        reference=["1500,contracts,add,C9,K0,0.0001,,"],
        quotes=[quote(1000), quote(1030)],
    )
    assert report.times() == Times(quoted=980, unknown=20)
