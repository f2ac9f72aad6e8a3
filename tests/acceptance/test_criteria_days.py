"""A calendar that speaks for the market: roll-over (OBL-05), the rest of the day and what is out of reach (PRES-04).

Instants are local times in Shanghai; sums are in seconds unless they say ns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.captures import Found, Report, Times, gone, quote, rulebook, write
from tests.acceptance.judging import judged

NS = 10**9
TEN_SECONDS = (
    '[calendar]\ntimezone = "Asia/Shanghai"\ndays = ["mon", "tue", "wed", "thu", "fri"]\n'
    'phases = [{ at = "10:00", phase = "continuous" }, { at = "10:00:10", phase = "closed" }]\n'
)


def at(time: str, day: str = "2025-08-05") -> int:
    """Instant of a local time, by default of a Tuesday."""
    return (
        int(
            datetime.fromisoformat(f"{day}T{time}")
            .replace(tzinfo=ZoneInfo("Asia/Shanghai"))
            .timestamp()
        )
        * NS
    )


OPEN = at("10:00")
CLOSE = OPEN + 10 * NS


def after(seconds: float) -> int:
    """Instant so long after the open of the ten seconds."""
    return OPEN + round(seconds * NS)


def capture(
    directory: Path, rules: str | Path, presence: str = 'required = "90%"', **tables: Sequence[str]
) -> Report:
    """Judge a capture in which no line speaks for `*`."""
    given = {"contracts": ["C0,K0,0.0001"], "makers": ["M0,*"]}
    for name, lines in (given | tables).items():
        write(directory, name, lines)
    book = (
        rulebook(directory, rules, presence) if isinstance(rules, str) and "\n" in rules else rules
    )
    return Report(judged(directory, book))


def unreachable(start: int, end: int) -> Found:
    return Found("presence_unreachable", "M0", "", start, end)


# OBL-05 -------------------------------------------------------------------------------------------


@pytest.mark.criterion("OBL-05")
def test_two_trading_dates_of_szse(tmp_path: Path) -> None:
    wednesday = "2025-08-06"
    report = capture(
        tmp_path,
        "szse-2025",
        quotes=[
            quote(at("09:00")),  # before the first phase of its date: state at its start
            quote(at("15:30")),  # after the close: still Tuesday's, gone at midnight
            quote(at("10:00", wednesday)),
        ],
    )
    assert report.raw["period"] == {"start": at("09:15"), "end": at("15:00", wednesday)}
    # 14 220 s of continuous trading a day; Tuesday all quoted, Wednesday absent 09:30 to 10:00
    assert report.times() == Times(quoted=(14_220 + 12_420) * NS, lapsed=1_800 * NS)
    assert report.row()["lapses"] == 1
    # sums of both dates: 26 640 of 28 440 s, 1 044 s more than 90 %
    row = report.row()
    assert (row["presence"], row["slack_ns"], row["verdict"]) == (
        "0.936708860",
        1_044 * NS,
        "compliant",
    )
    # but each date is judged: on Wednesday 1 422 s may be lost, and one ns more may not
    assert report.breaches() == [
        unreachable(at("09:30", wednesday) + 1_422 * NS + 1, at("15:00", wednesday)),
        Found("presence", "M0", "", at("15:00", wednesday), at("15:00", wednesday)),
    ]


@pytest.mark.criterion("OBL-05")
def test_theo_exemptions_stress_and_halts_carry_over_and_quotes_do_not(tmp_path: Path) -> None:
    rules = (
        TEN_SECONDS
        + '[spread]\nterms = [{ relative = "3%", of = "theo" }]\n[stress]\nrelief = "2"\n'
        + '[exemptions]\nfast = { relax = "2" }\n'
    )
    wednesday = 86_400 * NS
    report = capture(
        tmp_path,
        rules,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        theo=[f"{OPEN},C0,1.0000"],
        exemptions=[f"{OPEN},*,M0,fast,start"],
        stress=[f"{OPEN},*,start"],
        phases=[f"{OPEN},C1,halt"],
        # 3 % * 2 * 2 = 0.1200
        quotes=[
            quote(OPEN, "1.0000", "1.1200"),
            quote(wednesday + after(4), "1.0000", "1.1200"),
            quote(wednesday + after(7), "1.0000", "1.1201"),
        ],
    )
    assert report.times() == Times(quoted=(10 + 3) * NS, lapsed=(4 + 3) * NS)
    assert report.times(contract="C1") == Times()  # halted on both dates


@pytest.mark.criterion("OBL-05")
def test_the_lunch_break_pauses_a_lapse_and_the_night_ends_it(tmp_path: Path) -> None:
    wednesday = "2025-08-06"
    report = capture(
        tmp_path,
        "szse-2025",
        quotes=[
            quote(at("09:15")), gone(at("11:00")), quote(at("13:30")), gone(at("14:57") - 1),
            quote(at("09:30", wednesday) + 5),
        ],
    )  # fmt: skip
    # [11:00, 11:30) and [13:00, 13:30) are one lapse; 1 ns on Tuesday and 5 ns on Wednesday two
    row = report.row()
    assert (row["lapses"], row["longest_lapse_ns"], row["lapsed_ns"]) == (
        3,
        3_600 * NS,
        3_600 * NS + 6,
    )


@pytest.mark.criterion("OBL-05")
@pytest.mark.criterion("OBL-03")
def test_choice_a_feed_that_is_down_stays_down_over_the_night_and_a_gap_is_forgotten(
    tmp_path: Path,
) -> None:
    wednesday = 86_400 * NS
    report = capture(
        tmp_path,
        TEN_SECONDS,
        makers=["M0,*", "M1,*"],
        quotes=[quote(OPEN), quote(OPEN, maker="M1"), quote(wednesday + after(9))],
        feed=[
            f"{after(2)},*,M0,down", f"{after(3)},*,M1,down", f"{after(4)},*,M1,up",
            f"{wednesday + after(6)},*,M0,up",
        ],
    )  # fmt: skip
    # M0: unknown from 2 s on, on Wednesday until its quote at 9 s
    assert report.times("M0") == Times(quoted=(2 + 1) * NS, unknown=(8 + 9) * NS)
    # M1: waits for a snapshot when Tuesday ends; on Wednesday it is known to be absent
    assert report.times("M1") == Times(quoted=3 * NS, unknown=7 * NS, lapsed=10 * NS)


@pytest.mark.criterion("OBL-05")
def test_trading_dates_without_a_quote_are_not_judged(tmp_path: Path) -> None:
    friday = 3 * 86_400 * NS
    saturday = 4 * 86_400 * NS
    quotes = [quote(OPEN), quote(friday + OPEN), quote(saturday + OPEN)]
    report = capture(tmp_path, TEN_SECONDS, quotes=quotes)
    # Tuesday and Friday: neither the two dates between them, nor the Saturday
    assert report.times() == Times(quoted=20 * NS)
    assert report.raw["period"] == {"start": OPEN, "end": friday + CLOSE}


@pytest.mark.criterion("OBL-01")
def test_lines_for_the_market_take_the_place_of_the_calendar(tmp_path: Path) -> None:
    phases = [f"{after(2)},*,continuous", f"{after(5)},*,closed"]
    report = capture(tmp_path, TEN_SECONDS, phases=phases, quotes=[quote(after(3))])
    assert report.times() == Times(lapsed=1 * NS, quoted=2 * NS)
    assert [b.kind for b in report.breaches()] == ["presence"]  # R = 0: nothing was unreachable


# PRES-04: ten seconds, of which one may be lost ---------------------------------------------------


@pytest.mark.criterion("PRES-04")
@pytest.mark.criterion("BRCH-01")
@pytest.mark.parametrize(
    ("lost", "found"),
    [
        (NS, []),
        (NS + 1, [unreachable(after(1) + 1, CLOSE), Found("presence", "M0", "", CLOSE, CLOSE)]),
    ],
)
def test_out_of_reach_one_ns_after_the_last_slack_is_gone(
    tmp_path: Path, lost: int, found: list[Found]
) -> None:
    report = capture(tmp_path, TEN_SECONDS, quotes=[quote(OPEN + lost)])
    assert report.breaches() == found


@pytest.mark.criterion("PRES-04")
def test_the_crossing_is_where_the_loss_is_and_not_where_the_records_are(tmp_path: Path) -> None:
    quotes = [quote(OPEN)]
    for k in range(1, 9):  # out for 0.2 s of every second, from k to k + 0.2
        quotes += [gone(after(k)), quote(after(k + 0.2))]
    report = capture(tmp_path, TEN_SECONDS, quotes=quotes)
    # 5 * 0.2 = 1 s is lost when the fifth outage ends; the first ns of the sixth is too much
    assert report.breaches()[0] == unreachable(after(6) + 1, CLOSE)


@pytest.mark.criterion("PRES-04")
def test_unknown_time_takes_slack_and_puts_nothing_out_of_reach(tmp_path: Path) -> None:
    report = capture(tmp_path, TEN_SECONDS, quotes=[quote(OPEN)], feed=[f"{after(5)},*,*,down"])
    assert report.times() == Times(quoted=5 * NS, unknown=5 * NS)
    assert report.row()["slack_ns"] == -4 * NS
    assert (report.maker()["verdict"], report.breaches()) == ("indeterminate", [])


@pytest.mark.criterion("PRES-04")
def test_a_halt_cuts_the_rest_of_the_day_and_its_end_gives_it_back(tmp_path: Path) -> None:
    report = capture(
        tmp_path,
        TEN_SECONDS,
        quotes=[quote(after(0.5))],
        phases=[f"{after(2)},C0,halt", f"{after(3)},C0,continuous"],
    )
    # at 2 s: quoted 1.5, R = 0, so 1.5 < 90 % of 2; at 3 s: 1.5 + 7 >= 90 % of (2 + 7)
    assert report.breaches() == [unreachable(after(2), after(3))]
    assert report.times() == Times(lapsed=NS // 2, quoted=8 * NS + NS // 2)


@pytest.mark.criterion("PRES-04")
def test_choice_out_of_reach_may_begin_again_after_it_ended(tmp_path: Path) -> None:
    report = capture(
        tmp_path,
        TEN_SECONDS,
        quotes=[quote(after(0.5)), gone(after(5))],
        phases=[f"{after(2)},C0,halt", f"{after(3)},C0,continuous"],
    )
    # 9 s are obliged, 0.9 may be lost: 0.5 at first, 0.4 from 5 s on
    assert report.breaches("presence_unreachable") == [
        unreachable(after(2), after(3)), unreachable(after(5.4) + 1, CLOSE),
    ]  # fmt: skip


@pytest.mark.criterion("PRES-04")
def test_choice_an_exclusion_in_force_does_not_cut_the_rest_of_the_day(tmp_path: Path) -> None:
    report = capture(
        tmp_path,
        TEN_SECONDS + '[exemptions]\ntechnical = "exclude"\n',
        quotes=[quote(after(0.95))],
        exemptions=[f"{after(2)},*,M0,technical,start"],
    )
    # at 2 s R is 8 s as if the exclusion ended at once; every ns that it goes on takes 0.1 ns of
    # slack, of which 0.05 s are left: out of reach after 0.5 s of it
    assert report.breaches("presence_unreachable") == [unreachable(after(2.5) + 1, CLOSE)]


@pytest.mark.criterion("PRES-04")
@pytest.mark.parametrize(
    ("presence", "start"),
    [
        # C1 is never quoted. Sums: of 20 s 2 may be lost, one ns of C1 at a time
        ('judged_by = "ratio_of_sums"', after(2) + 1),
        # all contracts must pass: when C1 has lost a tenth of its own 10 s
        ('judged_by = "coverage"', after(1) + 1),
        # half of them suffice
        ('judged_by = "coverage"\ncoverage_required = "50%"', None),
        # the mean of 1 and 1 - x falls below 0.9 when x exceeds 0.2
        ('judged_by = "mean_of_ratios"', after(2) + 1),
    ],
)
def test_out_of_reach_at_the_level_that_judges(
    tmp_path: Path, presence: str, start: int | None
) -> None:
    report = capture(
        tmp_path,
        TEN_SECONDS,
        'required = "90%"\n' + presence,
        contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        quotes=[quote(OPEN)],
    )
    found = [unreachable(start, CLOSE)] if start else []
    assert report.breaches("presence_unreachable") == found
