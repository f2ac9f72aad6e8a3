"""A venue that does not restate a quote after a fill: what stands is smaller by it; worked out by hand.

The minimum size is 5; a quote has 10 on each side.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.captures import Report, Times, judge, quote

SHRINKS = '[quote]\nmin_size = 5\nafter_fill = "shrinks"\n'


def filled(directory: Path, *fills: str, rules: str = SHRINKS, **tables: Any) -> Report:
    """A quote from 1000 on, and fills such as `1200 buy 6` of M0 on C0."""
    lines = [f"{ts},M0,C0,{side},1.0000,{size}" for ts, side, size in map(str.split, fills)]
    return judge(directory, rules, fills=lines, **({"quotes": [quote(1000)]} | tables))


def test_a_fill_takes_from_the_side_on_which_the_maker_traded(tmp_path: Path) -> None:
    report = filled(tmp_path, "1200 buy 5", "1400 sell 6")
    # the bid keeps 5, which is enough; the ask has 4 from 1400 on
    assert (report.times(), report.reasons()) == (Times(quoted=400, lapsed=600), {"size": 600})


def test_fills_add_up_and_the_next_quote_is_whole_again(tmp_path: Path) -> None:
    report = filled(
        tmp_path, "1200 buy 3", "1300 buy 3", "1300 buy 1", quotes=[quote(1000), quote(1700)]
    )
    assert report.times() == Times(quoted=300 + 300, lapsed=400)


def test_a_side_of_which_nothing_is_left_is_gone(tmp_path: Path) -> None:
    report = filled(tmp_path, "1200 buy 10", "1600 sell 99")
    assert report.reasons() == {"one_sided": 400, "absent": 400}


def test_a_fill_counts_after_the_quotes_of_its_instant(tmp_path: Path) -> None:
    report = filled(tmp_path, "1500 buy 6", quotes=[quote(1000), quote(1500)])
    assert report.times() == Times(quoted=500, lapsed=500)


def test_a_venue_that_restates_has_already_done_it(tmp_path: Path) -> None:
    report = filled(tmp_path, "1200 buy 10", rules="[quote]\nmin_size = 5\n")
    assert report.times() == Times(quoted=1000)


def test_age_goes_on(tmp_path: Path) -> None:
    rules = SHRINKS + 'max_age = "500ns"\n'
    report = filled(tmp_path, "1400 buy 1", "1450 sell 1", rules=rules)
    assert report.reasons() == {"stale": 500}


def test_rest_goes_on(tmp_path: Path) -> None:
    rules = SHRINKS + 'min_rest = { at_least = "300ns", counts = "from_then" }\n'
    report = filled(tmp_path, "1100 buy 1", "1250 sell 1", rules=rules)
    assert report.reasons() == {"flicker": 300}


def test_a_side_taken_whole_is_a_change(tmp_path: Path) -> None:
    rules = SHRINKS + 'min_rest = { at_least = "300ns", counts = "from_then" }\n'
    rules += '[exemptions]\nlimit_up = "one_side"\n'
    exemptions = ["1000,*,*,limit_up,start"]
    report = filled(tmp_path, "1500 buy 10", rules=rules, exemptions=exemptions)
    # the ask alone suffices, and has to rest from 1500
    assert report.reasons() == {"flicker": 300 + 300}
    again = filled(
        tmp_path,
        "1500 buy 10",
        rules=rules,
        exemptions=exemptions,
        quotes=[quote(1000), quote(1900)],
    )
    # the bid that comes back is another: rest from 1900
    assert again.reasons() == {"flicker": 300 + 300 + 100}


def test_a_fill_before_the_period_is_state_at_its_start(tmp_path: Path) -> None:
    report = filled(tmp_path, "800 buy 6", quotes=[quote(700)])
    assert report.times() == Times(lapsed=1000)


def test_a_fill_of_somebody_else_takes_nothing(tmp_path: Path) -> None:
    tables: dict[str, Any] = {"makers": ["M0,*", "M1,K9"], "quotes": [quote(1000)]}
    lines = ["1200,M1,C0,buy,1,10", "1300,M9,C0,sell,1,10"]
    report = judge(tmp_path, SHRINKS, fills=lines, **tables)
    assert report.times() == Times(quoted=1000)
    assert report.records["applied"] == 2 + 1 + 2


def test_an_unknown_quote_stays_unknown(tmp_path: Path) -> None:
    report = filled(
        tmp_path, "1300 buy 6", quotes=[quote(1000), quote(1200, "1.00005"), quote(1600)]
    )
    assert report.times() == Times(quoted=200 + 400, unknown=400)


def test_of_several_accounts_the_filled_one_shrinks(tmp_path: Path) -> None:
    rules = SHRINKS.replace("5", "15") + '[accounts]\nrollup = "union"\n'
    tables: dict[str, Any] = {
        "accounts": ["A,M0", "B,M0"],
        "headers": {"accounts": "account,maker"},
        "quotes": [quote(1000, maker="A"), quote(1000, maker="B")],
        "fills": ["1200,A,C0,sell,1.0001,4", "1300,A,C0,sell,1.0001,2", "1600,A,C0,buy,1.0000,10"],
    }
    report = judge(tmp_path, rules, **tables)
    # asks of 20, 16 and 14 at one price
    assert report.times() == Times(quoted=300, lapsed=700)
    tables["quotes"] = [quote(1000, maker="A"), quote(1000, "0.9999", maker="B")]
    wide = '[spread]\nterms = [{ absolute = "0.0001" }]\n'
    tables["fills"] = ["1600,A,C0,buy,1.0000,10"]
    report = judge(tmp_path, SHRINKS + '[accounts]\nrollup = "union"\n' + wide, **tables)
    # the bid that is left is B's, a tick lower: two ticks wide
    assert (report.times(), report.reasons()) == (Times(600, 400), {"spread": 400})


def test_a_rest_that_a_fill_begins_counts_back_too(tmp_path: Path) -> None:
    rules = SHRINKS + 'min_rest = { at_least = "300ns", counts = "retroactive" }\n'
    rules += '[exemptions]\nlimit_up = "one_side"\n'
    exemptions = ["1000,*,*,limit_up,start"]
    report = filled(tmp_path, "1500 buy 10", rules=rules, exemptions=exemptions)
    assert report.times() == Times(quoted=1000)
    tables = {"exemptions": exemptions, "quotes": [quote(1000), quote(1690)]}
    report = filled(tmp_path, "1500 buy 10", rules=rules, **tables)
    # what the fill left stood for 190 ns only; the quote of 1690 rests long enough
    assert report.reasons() == {"flicker": 190}


def test_a_fill_lets_another_account_lead_while_a_feed_is_waited_for(tmp_path: Path) -> None:
    rules = (
        SHRINKS
        + 'min_rest = { at_least = "300ns", counts = "from_then" }\n[accounts]\nrollup = "best"\n'
    )
    lower = partial(quote, bid="0.9999", ask="1.0000", maker="B")
    tables: dict[str, Any] = {
        "accounts": ["A,M0", "B,M0"],
        "headers": {"accounts": "account,maker"},
        "quotes": [lower(1000), quote(1001, maker="A"), lower(1900, bid_size=9)],
        "feed": ["1100,*,*,down", "1200,*,*,up"],
    }  # fmt: skip
    # of equals the earlier name leads, A; B does from the fill on, which tells nobody that the feed is whole again
    report = judge(tmp_path, rules, fills=["1500,A,C0,buy,1.0000,2"], **tables)
    # lapsed until what stands at 1900 has stood since 1500: 100 from the open; then A's rest is not over by 1100
    assert (report.times(), report.reasons()) == (
        Times(quoted=100, lapsed=100, unknown=800),
        {"flicker": 100},
    )
