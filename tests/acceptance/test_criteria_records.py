"""TAPE-04: what is a dead letter, what it still tells, and what is counted instead; by hand."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mm_monitor.replay import replay
from mm_monitor.rulebooks import load
from tests.acceptance.captures import ONE_SESSION, Times, judge, quote, rulebook, write

pytestmark = pytest.mark.criterion("TAPE-04")
KINDS = '[exemptions]\ntechnical = "exclude"\n'


def reasons(
    directory: Path, rules: str = "", **tables: Sequence[str]
) -> list[tuple[str, int, str]]:
    """File, line and reason of every dead letter of a capture."""
    given = {
        "contracts": ["C0,K0,0.0001"], "makers": ["M0,*"], "quotes": [], "phases": ONE_SESSION,
    }  # fmt: skip
    for name, lines in (given | tables).items():
        write(directory, name, lines)
    letters = io.StringIO()
    asyncio.run(replay(directory, load(rulebook(directory, rules)), dead_letters=letters))
    found = [json.loads(line) for line in letters.getvalue().splitlines()]
    return sorted((letter["topic"], letter["offset"], letter["reason"]) for letter in found)


BAD_QUOTES = {
    "1100,M0,C0,1.0000,10,1.0001": "undecodable",
    "1100,M0,C0,1.0000,10,1.0001,10,10": "undecodable",
    "-1,M0,C0,1.0000,10,1.0001,10": "bad_time",
    "noon,M0,C0,1.0000,10,1.0001,10": "bad_time",
    "1100,M0,C9,1.0000,10,1.0001,10": "unknown_contract",
    "1100,M0,C0,1.0000,-1,1.0001,10": "bad_size",
    "1100,M0,C0,1.0000,1.5,1.0001,10": "bad_size",
    f"1100,M0,C0,1.0000,{2**31},1.0001,10": "bad_size",
    "1100,M0,C0,,10,1.0001,10": "size_without_price",
    "1100,M0,C0,0,10,1.0001,10": "non_positive_price",
    "1100,M0,C0,-0.0001,10,1.0001,10": "non_positive_price",
    "1100,M0,C0,1.00005,10,1.0001,10": "off_tick",
    "1100,M0,C0,92000000001,10,1.0001,10": "bad_price",
    "1100,M0,C0,nan,10,1.0001,10": "bad_price",
}


@pytest.mark.parametrize("line", BAD_QUOTES)
def test_a_quote_that_cannot_be_used(tmp_path: Path, line: str) -> None:
    # the header is line 1: the bad quote is line 3, and the good ones around it are not lost
    quotes = [quote(1000), line, quote(1200)]
    assert reasons(tmp_path, quotes=quotes) == [("quotes.csv", 3, BAD_QUOTES[line])]


def test_other_records_that_cannot_be_used(tmp_path: Path) -> None:
    found = reasons(
        tmp_path,
        KINDS,
        theo=["1000,C0,-0.0001", "1000,C9,1", "1000,C0,92000000001", "1000,C0,x"],
        phases=[*ONE_SESSION, "1100,C9,halt", "1100,C0,lunch"],
        exemptions=[
            "1100,*,M0,holiday,start",
            "1100,*,M0,technical,begin",
            "1100,K9,M0,technical,start",
        ],
        feed=["1100,*,*,sideways", "1100,K9,*,down"],
        stress=["1100,*,begin", "1100,K9,start"],
    )
    assert found == [
        ("exemptions.csv", 2, "unknown_kind"),
        ("exemptions.csv", 3, "unknown_action"),
        ("exemptions.csv", 4, "unknown_scope"),
        ("feed.csv", 2, "unknown_action"),
        ("feed.csv", 3, "unknown_scope"),
        ("phases.csv", 4, "unknown_scope"),
        ("phases.csv", 5, "unknown_phase"),
        ("stress.csv", 2, "unknown_action"),
        ("stress.csv", 3, "unknown_scope"),
        ("theo.csv", 2, "bad_theo"),
        ("theo.csv", 3, "unknown_contract"),
        ("theo.csv", 4, "bad_theo"),
        ("theo.csv", 5, "bad_theo"),
    ]


def test_records_of_conduct_that_cannot_be_used(tmp_path: Path) -> None:
    found = reasons(
        tmp_path,
        fills=["1100,M0,C0,buy,1,5", "1100,M0,C9,buy,1,5", "1100,M0,C0,hold,1,5",
               "1100,M0,C0,buy,-1,5", "1100,M0,C0,buy,1,0", "1100,M0,C0,buy,1"],
        positions=["1100,M0,K0,-5,10", "1100,M0,K9,5,10", "1100,M0,K0,x,10", "1100,M0,K0,5,-10"],
        sessions=["1100,M0,A1,logon", "1100,M0,A1,gone", "-1,M0,A1,logon"],
        rejects=["1100,M0,price_band", "1100,M0,"],
    )  # fmt: skip
    assert found == [
        ("fills.csv", 3, "unknown_contract"),
        ("fills.csv", 4, "unknown_action"),
        ("fills.csv", 5, "non_positive_price"),
        ("fills.csv", 6, "bad_size"),
        ("fills.csv", 7, "undecodable"),
        ("positions.csv", 3, "unknown_class"),
        ("positions.csv", 4, "bad_position"),
        ("positions.csv", 5, "bad_position"),
        ("rejects.csv", 3, "undecodable"),
        ("sessions.csv", 3, "unknown_action"),
        ("sessions.csv", 4, "bad_time"),
    ]


def test_records_of_conduct_are_counted_and_change_no_verdict(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        quotes=[quote(1000)],
        fills=["1100,M0,C0,buy,1,5", "1100,M9,C0,sell,1,5"],
        positions=["1100,M0,K0,-5,10"],
        sessions=["1100,M0,,disconnect"],
        rejects=["1100,M0,price_band"],
    )
    assert report.times() == Times(quoted=1000)
    assert report.records == {"applied": 2 + 1 + 2 + 1 + 1 + 1}


def test_a_bad_quote_says_that_the_quote_changed_but_not_to_what(tmp_path: Path) -> None:
    bad = quote(1300, "1.00005")
    report = judge(tmp_path, quotes=[quote(1000), bad, quote(1700)])
    assert report.times() == Times(quoted=300 + 300, unknown=400)
    assert report.records == {"applied": 2 + 2, "dead_letter": 1}


def test_a_bad_quote_ends_a_lapse(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1300, "1.00005")])
    assert report.times() == Times(lapsed=300, unknown=700)
    assert report.row()["longest_lapse_ns"] == 300


def test_a_bad_quote_without_time_maker_or_contract_tells_nothing(tmp_path: Path) -> None:
    bad = ["x" + quote(1300), quote(1300, contract="C9"), quote(1300, "1.00005", maker="M9")]
    report = judge(tmp_path, quotes=[quote(1000), *bad])
    assert report.times() == Times(quoted=1000)
    assert report.records == {"applied": 3, "dead_letter": 3}


def test_a_bad_theo_leaves_the_last_one_standing(tmp_path: Path) -> None:
    rules = '[spread]\nterms = [{ relative = "3%", of = "theo" }]\n'
    report = judge(
        tmp_path,
        rules,
        quotes=[quote(1000, "1.0000", "1.0300")],
        theo=["1000,C0,1.0000", "1500,C0,-1"],
    )
    assert report.times() == Times(quoted=1000)


def test_a_quote_without_an_obligation_is_counted_and_ignored(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), quote(1300, "2.0000", "1.0000", maker="M9")])
    assert report.times() == Times(quoted=1000)
    assert report.records == {"applied": 3, "no_obligation": 1}


def test_choice_only_a_good_quote_ends_what_a_bad_one_began(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        quotes=[quote(1000), quote(1200, "1.00005"), quote(1800)],
        feed=["1300,*,*,down", "1400,*,*,up", "1500,*,*,synced"],
    )
    # `synced` settles the feed at 1500, not the bad quote of 1200
    assert report.times() == Times(quoted=200 + 200, unknown=600)


def test_choice_records_after_the_period_are_counted_like_all_others(tmp_path: Path) -> None:
    report = judge(
        tmp_path, quotes=[quote(1000), quote(2500), quote(2600, "1.00005"), quote(2700, maker="M9")]
    )
    assert report.times() == Times(quoted=1000)
    assert report.records == {"applied": 2 + 2, "dead_letter": 1, "no_obligation": 1}
