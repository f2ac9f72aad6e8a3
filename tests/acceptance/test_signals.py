"""Signals by hand, in captures so small that the numbers can be done in the head, and their page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mm_monitor import pump
from mm_monitor.core.watch.signals import NAMES
from mm_monitor.simulator.games import STRATEGIES, Stage, chosen, perform, write_games
from tests.acceptance.captures import Report, gone, judge, quote
from tests.acceptance.judging import replayed
from tests.repo.source import ROOT

PAGE = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = ("0,*,continuous", f"{60 * MINUTE},*,closed")


def hour(directory: Path, quotes: list[str], rules: str = "", **tables: Any) -> Report:
    """An hour from the epoch on."""
    return judge(directory, rules, watch=True, quotes=quotes, phases=HOUR, **tables)


def at(minute: int, second: int = 0, ns: int = 0) -> int:
    """An instant of the hour."""
    return minute * MINUTE + second * SECOND + ns


def test_what_a_sampler_would_see(tmp_path: Path) -> None:
    """Ten seconds from each whole minute on: valid at each of the 60, a sixth of the time."""
    lines = [line for m in range(60) for line in (quote(at(m)), gone(at(m, 10)))]
    assert hour(tmp_path, lines).signal("sampling") == {
        "looks": 60, "seen": 60, "sampled": "1.000000000", "presence": "0.166666666", "raised": True
    }  # fmt: skip


def test_a_quote_at_the_instant_of_a_look_is_seen_and_one_after_it_is_not(tmp_path: Path) -> None:
    lines = [quote(at(1)), gone(at(2)), quote(at(3, ns=1)), gone(at(4, ns=1))]
    assert hour(tmp_path, lines).signal("sampling")["seen"] == 2  # at 1 and at 4


def test_lapses_at_the_close(tmp_path: Path) -> None:
    """The last six minutes are the close; it is away for three of them, and for one before."""
    lines = [quote(0), gone(at(30)), quote(at(31)), gone(at(57))]
    assert hour(tmp_path, lines).signal("lapse_at_close") == {
        "required_ns": 60 * MINUTE, "lapsed_ns": 4 * MINUTE, "lapsed_inside_ns": 3 * MINUTE,
        "share_of_lapsed": "0.750000000", "share_of_time": "0.100000000", "raised": True,
    }  # fmt: skip


def test_less_than_two_percent_is_not_worth_a_word(tmp_path: Path) -> None:
    assert not hour(tmp_path, [quote(0), gone(at(59))]).signal("lapse_at_close")["raised"]


def test_the_budget_in_stress(tmp_path: Path) -> None:
    """Three minutes of stress, away for all of them and for no other."""
    stress = [f"{at(20)},K0,start", f"{at(23)},K0,end"]
    lines = [quote(0), gone(at(20)), quote(at(23))]
    found = hour(tmp_path, lines, stress=stress).signal("budget_in_fast_market")
    assert (found["raised"], found["by_stress"], found["fast_seconds"]) == (True, 1, 180)
    assert found["lapsed_inside_ns"] == found["lapsed_ns"] == 3 * MINUTE


def test_the_budget_in_the_seconds_in_which_theo_moved_most(tmp_path: Path) -> None:
    """Theo moves once a minute by a tick, and in 20:00 to 23:00 each second by ten."""
    slow = [(at(m, 30), 1 + m % 2 / 10_000) for m in range(60) if not 20 <= m < 23]
    fast = [(at(20, s, 5), 1 + s % 2 / 1_000) for s in range(180)]
    theo = [f"{ts},C0,{price:.4f}" for ts, price in sorted(slow + fast)]
    lines = [quote(0), gone(at(20)), quote(at(23))]
    found = hour(tmp_path, lines, theo=theo).signal("budget_in_fast_market")
    assert (found["raised"], found["by_stress"]) == (True, 0)
    assert found["fast_seconds"] == 180 + 56  # from a tick to another, all that moved
    assert found["lapsed_inside_ns"] == found["lapsed_ns"] == 3 * MINUTE


def test_withdrawals_after_a_move(tmp_path: Path) -> None:
    """Twelve moves; it withdraws 1 ms after ten of them, 1 ms and 1 ns after two."""
    theo = [f"{at(m)},C0,{1 + m % 2 / 10_000:.4f}" for m in range(1, 14)]
    delays = [1_000_000] * 10 + [1_000_001] * 2
    lines = [quote(0)]
    for m, delay in enumerate(delays, 2):
        lines += [gone(at(m, ns=delay)), quote(at(m, 1))]
    found = hour(tmp_path, lines, theo=theo).signal("fade")
    assert (found["withdrawals"], found["after_a_move"], found["raised"]) == (12, 10, True)
    assert found["by_chance"] == "0.000018181"  # 12 ms of the 11 minutes between first and last


def test_presences_of_a_blink(tmp_path: Path) -> None:
    lengths = [1_000] * 6 + [3_000_000] * 5
    lines = [
        x for m, ns in enumerate(lengths) for x in (quote(at(m)), quote(at(m)), gone(at(m, ns=ns)))
    ]
    assert hour(tmp_path, lines).signal("ioc") == {
        "presences": 11, "median_ns": 1_000, "raised": True
    }  # fmt: skip


def test_one_lot_on_either_side(tmp_path: Path) -> None:
    sizes = [(1, 1000)] * 5 + [(1000, 1)] * 5 + [(2, 2)] * 10
    lines = [quote(at(m), bid_size=a, ask_size=b) for m, (a, b) in enumerate(sizes)]
    assert hour(tmp_path, lines).signal("one_lot") == {
        "two_sided": 20, "one_lot": 10, "share": "0.500000000", "raised": True
    }  # fmt: skip


def test_messages_by_second(tmp_path: Path) -> None:
    lines = [quote(0)] + [quote(at(m, ns=i)) for m in range(40) for i in range(1, 1801)]
    assert hour(tmp_path, [*lines, gone(at(45))]).signal("flood") == {
        "messages": 72_002, "per_required_second": "20.000555555",
        "per_quoted_second": "26.667407407", "raised": True,
    }  # fmt: skip


def test_a_theo_that_follows_one_maker(tmp_path: Path) -> None:
    """M0 moves its middle, theo follows; M1 follows theo."""
    lines, theo = [quote(0), quote(0, maker="M1")], ["0,C0,1.0"]
    for m in range(1, 13):
        up = m % 2
        bid, ask = f"1.00{up}0", f"1.00{up}1"
        lines += [quote(at(m), bid, ask), quote(at(m, ns=1_000_100), bid, ask, maker="M1")]
        theo.append(f"{at(m, ns=1_000_000)},C0,1.00{up}0")
    report = hour(tmp_path, lines, theo=theo, makers=["M0,*", "M1,*"])
    follows = {"contracts": 1, "share": "1.000000000", "raised": True}
    assert report.signal("self_moved_theo") == follows
    nothing = {"contracts": 0, "share": "0.000000000", "raised": False}
    assert report.signal("self_moved_theo", "M1") == nothing


def test_two_who_leave_together(tmp_path: Path) -> None:
    """M0 and M1 are away from 10 to 16, M2 alone from 20 to 26 on a contract where M0 stays."""
    lines = [quote(0), gone(at(10)), quote(at(16)), quote(0, maker="M1"), gone(at(10), maker="M1"),
             quote(at(16), maker="M1"), quote(0, contract="C1"), quote(0, maker="M2", contract="C1"),
             gone(at(20), maker="M2", contract="C1"), quote(at(26), maker="M2", contract="C1")]  # fmt: skip
    report = hour(
        tmp_path, lines, contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        makers=["M0,*", "M1,K0", "M2,K1"],
    )  # fmt: skip
    both = {"lapsed_ns": 6 * MINUTE, "market_empty_ns": 6 * MINUTE, "share": "1.000000000"}
    assert report.signal("rotation") == both | {"raised": True}
    assert report.signal("rotation", "M1") == both | {"raised": True}
    alone = {"lapsed_ns": 6 * MINUTE, "market_empty_ns": 0, "share": "0.000000000"}
    assert report.signal("rotation", "M2") == alone | {"raised": False}


def test_quotes_that_claim_to_be_older_than_they_are(tmp_path: Path) -> None:
    """Of 300 lines in the order of arrival ten are 2 s behind, and one exactly 1 s, which is not counted."""
    lines = [quote(at(0, i), maker="M1") for i in range(1, 290)]
    for i in range(10):
        lines.insert(200 + i, quote(at(0, 198, -SECOND * 2 // 2)))
    lines += [quote(at(0, 288))]
    report = hour(tmp_path, lines, makers=["M0,*", "M1,*"])
    found = report.signal("clock_backdate")
    assert found["quotes"] == 11
    assert (found["behind"], found["raised"]) == (10, True)
    assert report.signal("clock_backdate", "M1")["behind"] == 0


def test_lines_in_no_order_say_nothing_of_clocks(tmp_path: Path) -> None:
    lines = [quote(at(59 - m)) for m in range(60)]
    assert hour(tmp_path, lines).signal("clock_backdate")["raised"] is None


def test_an_excuse_that_came_after_the_lapse(tmp_path: Path) -> None:
    rules = '[exemptions]\ntechnical = "exclude"\n'
    times = {"M0": (at(10, 3), at(20)), "M1": (at(10), at(20))}
    exemptions = [
        f"{ts},*,{maker},technical,{action}"
        for maker, span in times.items()
        for ts, action in zip(span, ("start", "end"), strict=True)
    ]
    lines = [quote(0), gone(at(10)), quote(0, maker="M1"), gone(at(10), maker="M1")]
    sessions = ["0,M0,,logon", f"{at(10)},M1,,disconnect"]
    report = hour(
        tmp_path, lines, rules, exemptions=exemptions, makers=["M0,*", "M1,*"], sessions=sessions
    )
    assert report.signal("exemption_overlap") == {
        "exemptions": 1, "begun_in_lapse": 1, "while_logged_on": 1, "raised": True
    }  # fmt: skip
    assert report.signal("exemption_overlap", "M1")["while_logged_on"] == 0
    assert report.signal("exemption_overlap", "M1")["raised"] is False


def test_papers_of_a_kind_that_nobody_issues_and_records_that_are_none(tmp_path: Path) -> None:
    lines = [quote(0)] + [quote(at(m), bid="1.00005") for m in range(1, 11)]
    report = hour(tmp_path, lines, exemptions=[f"{at(1)},*,M0,vip,start"])
    assert report.signal("forged_exemption") == {"refused": 1, "raised": True}
    poison = {"refused": 10, "unknown_ns": 59 * MINUTE, "raised": True}
    assert report.signal("poison") == poison


# -- all of them ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    directory = tmp_path_factory.mktemp("games")
    return directory, write_games(perform(chosen("all"), Stage(3, minutes=10)), directory)


def test_every_strategy_raises_its_signals_and_no_honest_maker_any(
    games: tuple[Path, dict[str, object]],
) -> None:
    directory, truth = games
    done = replayed(directory, directory / "rulebook.toml", watch=True)
    raised = {
        row["maker"]: {one["name"] for one in row["signals"] if one["raised"]}
        for row in done.details["makers"]  # type: ignore[attr-defined]
    }
    for row in truth["makers"]:  # type: ignore[attr-defined]
        assert set(row["signals"]) <= raised[row["maker"]], row["maker"]
        assert row["label"] != "honest" or not raised[row["maker"]], row["maker"]
    allowed = [s for s in STRATEGIES.values() if s.verdict == "compliant" and not s.needs]
    assert all(raised[strategy.name] for strategy in allowed)


def test_who_watches_changes_nothing(games: tuple[Path, dict[str, object]]) -> None:
    directory, _ = games
    book = directory / "rulebook.toml"
    assert (
        replayed(directory, book, watch=True).report
        == replayed(directory, book, watch=False).report
    )


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_any_cut_of_the_tape_gives_the_same_signals(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "fade,theo-mover,technical,ioc,fast-market,rotation"
    write_games(perform(chosen(names), Stage(2, minutes=2)), tmp_path)
    book = tmp_path / "rulebook.toml"
    whole = replayed(tmp_path, book, watch=True).details
    monkeypatch.setattr(pump, "LEAST_SLICE", rows)
    monkeypatch.setattr(pump, "MOST_SLICE", rows)
    assert replayed(tmp_path, book, watch=True).details == whole


def test_every_signal_has_a_section_and_every_section_a_signal() -> None:
    part = PAGE.split("## How a maker keeps its obligation")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^### (\w+)$", part, re.MULTILINE)) == sorted(NAMES)


def test_every_number_has_a_line(tmp_path: Path) -> None:
    report = hour(tmp_path, [quote(0), gone(at(30))])
    for one in report.maker_detail()["signals"]:
        section = re.split(r"\n###? ", PAGE.split(f"### {one['name']}\n")[1])[0]
        cells = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
        written = {key.strip("` ") for cell in cells for key in cell.split(",")}
        assert written == set(one["numbers"]), one["name"]
