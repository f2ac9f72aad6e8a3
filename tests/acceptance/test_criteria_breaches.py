"""Section 9 and BRCH-01: when each kind of breach starts and ends, and its id; by hand."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from mm_monitor.sinks.causes import by_cause
from tests.acceptance.captures import ONE_SESSION, Found, gone, judge, quote
from tests.acceptance.desk import desk

LAPSE = '[lapse]\nlongest_permitted = "300ns"\n'
GRACE = '[spread]\nterms = [{ ticks = 1 }]\ngrace = "100ns"\n'
KINDS = '[exemptions]\ntechnical = "exclude"\ndrill = "deem"\nfast = { relax = "3" }\n'
NO_PRESENCE = 'judged_by = "ratio_of_sums"'  # no requirement: breaches of slots only


def lapse(start: int, end: int) -> Found:
    return Found("lapse", "M0", "C0", start, end)


def spread(start: int, end: int) -> Found:
    return Found("spread", "M0", "C0", start, end)


@pytest.mark.criterion("BRCH-01")
def test_an_id_is_a_hash_of_what_the_breach_is(tmp_path: Path) -> None:
    report = judge(tmp_path, LAPSE, quotes=[quote(1000), gone(1200)])
    texts = ["hand|1|lapse|M0|C0|1500", "hand|1|presence|M0||2000"]
    assert [b["id"] for b in report.raw["breaches"]] == [
        sha256(text.encode()).hexdigest()[:32] for text in texts
    ]
    # printf 'hand|1|lapse|M0|C0|1500' | sha256sum
    assert report.raw["breaches"][0]["id"] == "0c75c2bb8ab4a22ce2c0e95674a8dc56"


# lapse --------------------------------------------------------------------------------------------


@pytest.mark.criterion("BRCH-01")
def test_a_lapse_breach_starts_when_the_permitted_gap_is_exceeded(tmp_path: Path) -> None:
    quotes = [quote(1000), gone(1100), quote(1400), gone(1500), quote(1801), gone(1900)]
    report = judge(tmp_path, LAPSE, presence=NO_PRESENCE, quotes=quotes)
    # [1100, 1400) is 300 ns: permitted. [1500, 1801) is one more: from 1800 on. [1900, ...) is short
    assert report.breaches() == [lapse(1800, 1801)]
    assert report.raw["breaches"][0]["reason"] == "absent"


def test_a_lapse_breach_that_is_open_at_the_end_ends_there(tmp_path: Path) -> None:
    report = judge(tmp_path, LAPSE, presence=NO_PRESENCE)
    assert report.breaches() == [lapse(1300, 2000)]


@pytest.mark.criterion("PRES-07")
def test_a_pause_moves_the_start_of_a_lapse_breach(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        LAPSE + KINDS,
        presence=NO_PRESENCE,
        phases=["1000,*,continuous", "1100,*,break", "1200,*,continuous", "2000,*,closed"],
        exemptions=["1250,*,M0,technical,start", "1400,*,M0,technical,end"],
        quotes=[quote(1700)],
    )
    # lapsed [1000, 1100), [1200, 1250), [1400, 1550): then 300 ns are used up
    assert report.breaches() == [lapse(1550, 1700)]


@pytest.mark.criterion("PRES-07")
def test_choice_a_lapse_that_pauses_at_its_limit_exceeds_it_on_resumption(tmp_path: Path) -> None:
    phases = ["1000,*,continuous", "1300,*,break", "1600,*,continuous", "2000,*,closed"]
    report = judge(tmp_path, LAPSE, presence=NO_PRESENCE, phases=phases, quotes=[quote(1700)])
    assert report.breaches() == [lapse(1600, 1700)]


@pytest.mark.criterion("PRES-07")
def test_deemed_and_unknown_time_end_a_lapse_breach(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        LAPSE + KINDS,
        presence=NO_PRESENCE,
        exemptions=["1350,*,M0,drill,start", "1360,*,M0,drill,end"],
        feed=["1700,*,*,down"],
    )
    assert report.breaches() == [lapse(1300, 1350), lapse(1660, 1700)]


def test_the_reason_of_a_lapse_breach_is_the_primary_one_at_its_start(tmp_path: Path) -> None:
    quotes = [quote(1000), gone(1100), quote(1350, bid=""), quote(1450, "1.0001", "1.0001")]
    report = judge(tmp_path, LAPSE, presence=NO_PRESENCE, quotes=quotes)
    assert report.breaches() == [lapse(1400, 2000)]
    assert report.raw["breaches"][0]["reason"] == "one_sided"


# spread -------------------------------------------------------------------------------------------


@pytest.mark.criterion("BRCH-01")
def test_a_spread_breach_starts_when_its_grace_is_exceeded(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        GRACE,
        presence=NO_PRESENCE,
        quotes=[
            quote(1000, "1.0000", "1.0002"), quote(1100),  # wide for 100 ns: within the grace
            quote(1200, "1.0000", "1.0002"), quote(1301),  # one ns more: from 1300 on
            quote(1400, "1.0000", "1.0002"), quote(1480, "1.0000", "1.0005"), quote(1600),
        ],
    )  # fmt: skip
    # the third time a new quote that is wide as well does not start it over: from 1500 on
    assert report.breaches() == [spread(1300, 1301), spread(1500, 1600)]
    assert {b["reason"] for b in report.raw["breaches"]} == {"spread"}


def test_a_grace_of_zero_opens_at_once_and_without_a_grace_there_is_none(tmp_path: Path) -> None:
    quotes = [quote(1000), quote(1400, "1.0000", "1.0002"), quote(1500)]
    at_once = GRACE.replace("100ns", "0ns")
    report = judge(tmp_path, at_once, presence=NO_PRESENCE, quotes=quotes)
    assert report.breaches() == [spread(1400, 1500)]
    never = "[spread]\nterms = [{ ticks = 1 }]\n"
    assert judge(tmp_path, never, presence=NO_PRESENCE, quotes=quotes).breaches() == []


def test_choice_a_wide_quote_is_wide_whichever_test_fails_first(tmp_path: Path) -> None:
    # too small as well, so its primary reason is `size`; it stands wide all the same
    rules = f"[quote]\nmin_size = 10\n{GRACE}"
    quotes = [quote(1000, "1.0000", "1.0002", bid_size=1), gone(1300)]
    report = judge(tmp_path, rules, presence=NO_PRESENCE, quotes=quotes)
    assert report.reasons() == {"size": 300, "absent": 700}
    assert report.breaches() == [spread(1100, 1300)]


def test_a_spread_breach_ends_when_the_limit_is_relaxed_to_it(tmp_path: Path) -> None:
    report = judge(
        tmp_path, GRACE + KINDS, presence=NO_PRESENCE, quotes=[quote(1000, "1.0000", "1.0003")],
        exemptions=["1500,*,M0,fast,start"],
    )  # fmt: skip
    assert report.breaches() == [spread(1100, 1500)]


# presence, without a calendar ---------------------------------------------------------------------


@pytest.mark.criterion("BRCH-01")
def test_presence_opens_at_the_end_of_the_period_for_the_maker(tmp_path: Path) -> None:
    report = judge(tmp_path, makers=["M0,*", "M1,*"], quotes=[quote(1100), quote(1101, maker="M1")])
    # M0 900 of 1000, M1 899
    assert report.breaches() == [Found("presence", "M1", "", 2000, 2000)]


@pytest.mark.criterion("PRES-05")
def test_presence_opens_at_the_level_that_judges(tmp_path: Path) -> None:
    contracts = ["C0,K0,0.0001", "C1,K0,0.0001"]
    quotes = [quote(1000), quote(1150, contract="C1")]  # 100 % and 85 %: 92.5 % in sum
    coverage = 'required = "90%"\njudged_by = "coverage"'
    assert judge(tmp_path, contracts=contracts, quotes=quotes).breaches() == []
    report = judge(tmp_path, presence=coverage, contracts=contracts, quotes=quotes)
    assert report.breaches() == [Found("presence", "M0", "", 2000, 2000)]


def test_breaches_are_sorted_by_start_kind_maker_contract(tmp_path: Path) -> None:
    report = judge(
        tmp_path, LAPSE + GRACE.replace("100ns", "300ns"), contracts=["C1,K0,0.0001", "C0,K0,0.0001"],
        makers=["M1,*", "M0,*"], quotes=[quote(1000, "1.0000", "1.0002")], phases=ONE_SESSION,
    )  # fmt: skip
    assert [(b.start, b.kind, b.maker, b.contract) for b in report.breaches()] == [
        (1300, "lapse", "M0", "C0"), (1300, "lapse", "M0", "C1"),
        (1300, "lapse", "M1", "C0"), (1300, "lapse", "M1", "C1"),
        (1300, "spread", "M0", "C0"),
        (2000, "presence", "M0", ""), (2000, "presence", "M1", ""),
    ]  # fmt: skip


# BRCH-03 ------------------------------------------------------------------------------------------


@pytest.mark.criterion("BRCH-03")
@pytest.mark.parametrize(
    ("rules", "wide"),
    [
        (LAPSE, ("", "")),
        ('[spread]\nterms = [{ ticks = 1 }]\ngrace = "100ns"\n', ("1.0000", "1.0002")),
    ],
)
def test_three_hundred_contracts_gone_at_one_instant_are_one_cause(
    tmp_path: Path, rules: str, wide: tuple[str, str]
) -> None:
    names = [f"C{i:03d}" for i in range(300)]
    lines = [quote(1000, contract=name) for name in names]
    lines += [quote(1100 + (i == 7), *wide, contract=name) for i, name in enumerate(names)]
    contracts = [f"{name},K0,0.0001" for name in names]
    d = desk(tmp_path, rules, presence=NO_PRESENCE, contracts=contracts, quotes=lines)
    d.play(1102)
    d.engine.advance(1600)
    found = list(d.view(1600).breaches)
    assert len(found) == 300
    assert sorted((b.contract, b.evidence["count"]) for b in by_cause(found)) == [
        ("", 299),
        ("C007", 1),
    ]
    assert {b.evidence["began"] for b in found} == {1100, 1101}
