"""OBL-01: a maker that quotes through several accounts is one maker; by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.errors import InputError
from tests.acceptance.captures import HEADERS, Times, gone, judge, quote

OBL_01 = pytest.mark.criterion("OBL-01")
WIDTH = "[spread]\nterms = [{ ticks = 1 }]\n[quote]\nmin_size = 10\n"
UNION = f'{WIDTH}[accounts]\nrollup = "union"\n'
BEST = f'{WIDTH}[accounts]\nrollup = "best"\n'
ACCOUNTS = ["A1,M0", "A2,M0"]


@pytest.fixture(autouse=True)
def with_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEADERS, "accounts", "account,maker")


# Wide and small alone: A1 1.0000 - 1.0002 with 6, A2 1.0001 - 1.0003 with 6; together 1.0001 - 1.0002.
APART = [quote(1000, "1.0000", "1.0002", 6, 6, "A1"), quote(1200, "1.0001", "1.0003", 6, 6, "A2"),
         quote(1400, "1.0001", "1.0002", 4, 4, "M0"), quote(1700, "", "", maker="A1")]  # fmt: skip


@OBL_01
def test_a_union_takes_the_best_of_each_side_and_adds_the_sizes_there(tmp_path: Path) -> None:
    report = judge(tmp_path, UNION, accounts=ACCOUNTS, quotes=APART)
    # until 1200 wide and small, until 1400 narrow and small; then 6 + 4; from 1700 on the ask is M0's 4 alone
    assert report.times() == Times(quoted=300, lapsed=700)
    assert report.reasons() == {"size": 400 + 300}
    assert report.records["applied"] == 4 + 2


@OBL_01
def test_best_takes_one_quote_whole(tmp_path: Path) -> None:
    quotes = [quote(1000, "1.0000", "1.0002", maker="A1"), quote(1200, "1.0001", "1.0002", maker="A2"),
              quote(1500, "1.0001", "1.0002", 9, 9, maker="A1"), quote(1800, "1.0001", "", maker="A2")]  # fmt: skip
    report = judge(tmp_path, BEST, accounts=ACCOUNTS, quotes=quotes)
    # wide until 1200; A2 is narrower, and larger than what A1 quotes from 1500 on; one-sided it loses to A1's 9
    assert report.times() == Times(quoted=600, lapsed=400)
    assert report.reasons() == {"spread": 200, "size": 200}


@OBL_01
def test_accounts_that_share_the_time_add_up_to_all_of_it(tmp_path: Path) -> None:
    quotes = [quote(1000, maker="A1"), quote(1499, maker="A2"), gone(1500, maker="A1")]
    assert judge(tmp_path, UNION, accounts=ACCOUNTS, quotes=quotes).times() == Times(quoted=1000)


@OBL_01
def test_a_union_that_crosses_is_crossed(tmp_path: Path) -> None:
    quotes = [
        quote(1000, "1.0000", "1.0001", maker="A1"),
        quote(1000, "1.0002", "1.0003", maker="A2"),
    ]
    assert judge(tmp_path, UNION, accounts=ACCOUNTS, quotes=quotes).reasons() == {"crossed": 1000}


@OBL_01
def test_a_snapshot_that_lacks_a_maker_withdraws_all_its_accounts(tmp_path: Path) -> None:
    feed = ["1200,*,*,down", "1300,*,*,up", "1400,*,*,synced"]
    quotes = [
        quote(1000, maker="A1"),
        quote(1000, maker="A2"),
        quote(1600, "1.0000", "", maker="A2"),
    ]
    report = judge(tmp_path, UNION, accounts=ACCOUNTS, quotes=quotes, feed=feed)
    assert report.times() == Times(quoted=200, lapsed=600, unknown=200)
    assert report.reasons() == {"absent": 200, "one_sided": 400}


@OBL_01
@pytest.mark.parametrize("swapped", [["M0,M1", "M1,M0"], ["M1,M0"]])
def test_no_account_bears_the_name_of_another_maker(tmp_path: Path, swapped: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"accounts.csv:2: column account: no maker's name but its own"
    ):
        judge(tmp_path, makers=["M0,*", "M1,*"], accounts=swapped, quotes=[quote(1000)])


@OBL_01
def test_its_own_name_is_an_account_like_any_other(tmp_path: Path) -> None:
    report = judge(tmp_path, UNION, accounts=["M0,M0"], quotes=[quote(1000)])
    assert report.times() == Times(quoted=1000)
