"""Explain, what-if and compare, on captures of known outcome: they say nothing that the report does not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mm_monitor.replay import replay
from mm_monitor.rulebooks import load
from mm_monitor.studies.settings import changed
from mm_monitor.studies.timeline import Timeline, timeline
from mm_monitor.studies.timeline_text import as_json, as_text, within
from tests.acceptance.captures import THREE_PERCENT, judge, quote
from tests.acceptance.test_cli import command

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES = sorted(p.parent for p in GOLDEN.glob("*/rulebook.toml"))


def line_of(capture: Path, maker: str = "M0", contract: str = "C0") -> Timeline:
    return asyncio.run(timeline(capture, load(capture / "rulebook.toml"), maker, contract))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_intervals_of_a_timeline_add_up_to_the_report(case: Path) -> None:
    book = load(case / "rulebook.toml")
    for row in asyncio.run(replay(case, book)).report["obligations"]:  # type: ignore[attr-defined]
        line = asyncio.run(timeline(case, book, row["maker"], row["contract"]))
        assert line.sums() == {name: row[f"{name}_ns"] for name in line.sums()}
        by_reason = dict.fromkeys(row["lapsed_by_reason_ns"], 0)
        for start, end, moment in line.intervals():
            assert start < end
            if moment.reason:
                by_reason[moment.reason] += end - start
        assert by_reason == row["lapsed_by_reason_ns"]


def test_an_interval_names_failing_tests_records_and_what_would_be_valid(tmp_path: Path) -> None:
    judge(
        tmp_path, THREE_PERCENT + '[quote]\nmin_size = 5\nmax_age = "300ns"\n',
        quotes=[quote(1100, "1.0000", "1.0400", 3), quote(1200)], theo=["1000,C0,1.0000"],
    )  # fmt: skip
    line = line_of(tmp_path)
    found = as_json(line, list(line.intervals()))["intervals"]
    assert [(i["start"], i["end"], i["state"], i["reason"]) for i in found] == [
        (1000, 1100, "lapsed", "absent"),
        (1100, 1200, "lapsed", "size"),
        (1200, 1500, "quoted", ""),
        (1500, 2000, "lapsed", "stale"),
    ]
    assert found[1]["failed_by"] == {"size": "2", "spread": "0.01"}
    assert found[1]["limit"] == "0.03"
    assert found[1]["quote"]["source"] == {"file": "quotes.csv", "line": 2}
    assert found[1]["would_be_valid"][1].startswith("at most 0.03 wide: with this bid an ask of at")
    assert found[1]["would_be_valid"][1].endswith(
        "at most 1.03, or with this ask a bid of at least 1.01"
    )
    assert found[3]["would_be_valid"] == ["a quote repeated within 300ns"]
    assert any(
        "failed: size by 2, spread by 0.01" in text
        for text in as_text(line, within(line, 1100, 1101))
    )


def test_explain_answers_for_one_instant_and_refuses_who_is_unknown(tmp_path: Path) -> None:
    judge(tmp_path, THREE_PERCENT, quotes=[quote(1100)], theo=["1000,C0,1.0000"])
    book = tmp_path / "rulebook.toml"
    done = command("explain", tmp_path, "M0", "C0", "--rulebook", book, "--at", "1050", "--json")
    assert done.returncode == 0, done.stderr
    [interval] = json.loads(done.stdout)["intervals"]
    assert (interval["start"], interval["end"], interval["reason"]) == (1000, 1100, "absent")
    for wrong, text in ((("M9", "C0"), "M9"), (("M0", "C9"), "C9")):
        done = command("explain", tmp_path, *wrong, "--rulebook", book)
        assert done.returncode == 2
        assert text in done.stderr


def test_what_if_says_which_verdicts_flip_and_which_contracts_lose_liquidity(
    tmp_path: Path,
) -> None:
    judge(
        tmp_path, THREE_PERCENT, quotes=[quote(1000, "1.0000", "1.0280")], theo=["1000,C0,1.0000"]
    )
    arguments = ("whatif", tmp_path, "--rulebook", tmp_path / "rulebook.toml", "-q", "--json")
    done = command(*arguments, "--set", "spread.terms[0].relative=2.5%")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["obligations"] == [
        {"maker": "M0", "contract": "C0", "before": "compliant", "after": "breached"}
    ]
    assert [row["liquidity"] for row in found["contracts"]] == ["lost"]
    assert found["contracts"][0]["market_hole_ns_after"] == 1000
    done = command(*arguments, "--theo=-10%")
    assert [row["flips"] for row in json.loads(done.stdout)["makers"]] == [True]
    done = command(*arguments, "--theo", "+10%")
    assert [row["flips"] for row in json.loads(done.stdout)["makers"]] == [False]


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("spread.terms[4].relative=1%", "no element [4]"),
        ("spread.width=1%", "spread.width"),
        ("nonsense", "PATH=VALUE"),
        ("presence.required=ninety", "presence.required"),
    ],
)
def test_a_setting_that_leads_nowhere_is_refused_by_its_name(
    tmp_path: Path, setting: str, text: str
) -> None:
    judge(tmp_path, THREE_PERCENT)
    done = command("whatif", tmp_path, "--rulebook", tmp_path / "rulebook.toml", "--set", setting)
    assert done.returncode == 2
    assert text in done.stderr


def test_a_setting_makes_another_rulebook_of_the_same_id(tmp_path: Path) -> None:
    judge(tmp_path, THREE_PERCENT)
    path = str(tmp_path / "rulebook.toml")
    was, now = load(path), changed(path, ["spread.terms[1].ticks=2", "lapse.longest_permitted=5s"])
    assert (now.id, now.terms[1].ticks, now.longest_permitted) == (was.id, 2, 5_000_000_000)
    assert now.sha256 != was.sha256


def test_compare_puts_reports_of_several_rulebooks_side_by_side(tmp_path: Path) -> None:
    judge(
        tmp_path, THREE_PERCENT, quotes=[quote(1000, "1.0000", "1.0280")], theo=["1000,C0,1.0000"]
    )
    book = (tmp_path / "rulebook.toml").read_text()
    (tmp_path / "tight.toml").write_text(book.replace('"hand"', '"tight"').replace("3%", "2%"))
    done = command(
        "rules", "compare", tmp_path, tmp_path / "rulebook.toml", tmp_path / "tight.toml", "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [b["id"] for b in found["rulebooks"]] == ["hand", "tight"]
    [maker] = found["makers"]
    assert not maker["agree"]
    assert [entry["verdict"] for entry in maker["under"]] == ["compliant", "breached"]
    done = command(
        "rules", "compare", tmp_path, tmp_path / "rulebook.toml", tmp_path / "tight.toml"
    )
    assert "1 of 1 makers judged differently" in done.stdout


def test_details_say_which_verdicts_hang_on_a_theo_one_percent_off(tmp_path: Path) -> None:
    """At theo 1.00 the limit is 0.03; at 0.99 it is 0.0297, so 0.0298 fails and 0.0297 passes."""
    judge(
        tmp_path, THREE_PERCENT + '[theo]\nsensitivity = "1%"\n', makers=["M0,*", "M1,*"],
        quotes=[quote(1000, "1.0000", "1.0298"), quote(1000, "1.0000", "1.0297", maker="M1")],
        theo=["1000,C0,1.0000"],
    )  # fmt: skip
    details = tmp_path / "details.json"
    done = command(
        "replay", tmp_path, "--rulebook", tmp_path / "rulebook.toml", "--details", details
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(details.read_text())
    for table in ("obligations", "makers"):
        assert [row["theo_sensitivity"] for row in found[table]] == [
            {
                "verdict": "compliant",
                "theo_lower": "breached",
                "theo_higher": "compliant",
                "flips": True,
            },
            {
                "verdict": "compliant",
                "theo_lower": "compliant",
                "theo_higher": "compliant",
                "flips": False,
            },
        ]
