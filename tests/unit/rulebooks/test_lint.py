"""Lint: rules nobody can keep and impossible calendars are errors, oddities are warnings."""

import re
from dataclasses import replace

import pytest

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.core.rulebook import Burn, Cell, DatedRelief, Ratio, SpreadTerm
from mm_monitor.rulebooks import lint, load, parse
from mm_monitor.rulebooks.lint_tables import lint_tables
from tests.unit.rulebooks.texts import SOUND, spoilt

NS = 1_000_000_000
TERMS = '{ relative = "3%", of = "theo" }, { ticks = 2 }, { absolute = "5.00" }'
NIGHT = (
    'phases = [{ at = "21:00", day = -1, phase = "continuous" }, '
    '{ at = "26:30", day = -1, phase = "break" }, '
    '{ at = "09:30", phase = "continuous" }, { at = "15:00", phase = "closed" }]\n'
)
PHASES = 'phases = [{ at = "09:30", phase = "continuous" }, { at = "15:00", phase = "closed" }]\n'


def found(data: bytes) -> list[str]:
    return [str(finding) for finding in lint(parse(data))]


def test_a_sound_rulebook_has_no_findings() -> None:
    assert found(SOUND.encode()) == []
    assert found(spoilt(PHASES, NIGHT)) == []


def test_szse_2025_has_warnings_only() -> None:
    assert [(f.level, f.path) for f in lint(load("szse-2025"))] == [
        ("warning", "verified"),
        ("warning", "calendar.holidays"),
    ]


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize(
    ("combine", "terms", "finding"),
    [
        (
            "max",
            '{ relative = "3%", of = "theo" }',
            "error: spread.terms[0]: cannot be met at low prices: with tick 0.0001 even a spread "
            "of one tick passes only from theo 0.00333334 on; add a term { ticks = 1 }",
        ),
        (
            "max",
            '{ relative = "3%", of = "theo" }, { relative = "10%", of = "bid" }',
            "error: spread.terms[1]: cannot be met at low prices: with tick 0.0001 even a spread "
            "of one tick passes only from bid 0.001 on; add a term { ticks = 1 }",
        ),
        (
            "min",
            '{ relative = "3%", of = "theo" }, { relative = "10%", of = "bid" }, { ticks = 9 }',
            "error: spread.terms[0]: cannot be met at low prices: with tick 0.0001 even a spread "
            'of one tick passes only from theo 0.00333334 on; combine = "min" takes the smallest '
            "term, so no other term can help",
        ),
    ],
)
def test_a_limit_below_one_tick_cannot_be_met(combine: str, terms: str, finding: str) -> None:
    text = SOUND.replace('combine = "max"', f'combine = "{combine}"')
    assert found(spoilt(TERMS, terms, text)) == [finding]


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize("terms", ["{ ticks = 1 }", '{ ticks = 3 }, { absolute = "0.05" }'])
@pytest.mark.parametrize("combine", ["max", "min"])
def test_a_limit_that_does_not_shrink_can_be_met(combine: str, terms: str) -> None:
    text = SOUND.replace('combine = "max"', f'combine = "{combine}"')
    assert found(spoilt(TERMS, terms, text)) == []


FOUND = {
    ("verified = true\n", ""): "warning: verified",
    ("effective = 2025-08-01\n", ""): "warning: effective",
    ('"50%", of = "smaller"', '"100%", of = "larger"'): "warning: quote.max_size_difference",
    ('"99.95%"', '"100.01%"'): "error: presence.required: nobody can keep 100.01%",
    ('"98%"', '"101%"'): "error: presence.coverage_required: nobody can keep 101%",
    ('"98%"', '"0%"'): "warning: presence.coverage_required: 0% is kept by whoever does nothing",
    ('relief = "2"', 'relief = "0.5"'): "warning: stress.relief: 0.5 makes the limit narrower",
    ('relax = "1.5"', 'relax = "0.9"'): "warning: exemptions.fast_market.relax: 0.9 makes",
    ("holidays = [2025-10-01]\n", ""): "warning: calendar.holidays: none",
    ("[2025-10-01]", "[2025-12-31]"): (
        "warning: calendar.holidays: 2025-12-31 is also in `special`, which wins"
    ),
    ('{ at = "15:00", phase = "closed" }]\n\n', '{ at = "09:30", phase = "closed" }]\n\n'): (
        "error: calendar.phases[1].at: must be later than the phase before it"
    ),
    ('{ at = "15:00", phase = "closed" }]\n\n', '{ at = "15:00", phase = "break" }]\n\n'): (
        "error: calendar.phases[1].phase: the last phase must be `closed`, not `break`"
    ),
    ('{ at = "11:30", phase = "closed" }', '{ at = "11:30", phase = "break" }'): (
        "error: calendar.special[0].phases[1].phase: the last phase must be `closed`"
    ),
    (PHASES, 'phases = [{ at = "09:30", phase = "closed" }]\n'): (
        "error: calendar.phases: no `continuous` phase: nobody is ever obliged"
    ),
    (PHASES, NIGHT.replace('"26:30", day = -1', '"02:30"')): (
        "error: calendar.phases[0].phase: goes on until the trading date itself, through weekends"
    ),
    (PHASES, NIGHT.replace("21:00", "14:00")): (
        "error: calendar.phases: 2025-01-02 begins before 2025-01-01, the date before it, has ended"
    ),
    (PHASES, PHASES.replace("15:00", "34:00")): (
        "error: calendar.phases: 2025-01-02 begins before 2025-01-01, the date before it, has ended"
    ),
    ('{ absolute = "0.05" }', '{ relative = "10%" }'): "",  # the zero-bid rule frees makers there
}  # fmt: skip


@pytest.mark.parametrize(("change", "finding"), FOUND.items(), ids=range(len(FOUND)))
def test_a_flaw_is_found_at_its_key(change: tuple[str, str], finding: str) -> None:
    findings = found(spoilt(*change))
    assert [text for text in findings if not text.startswith(finding)] == []
    assert bool(findings) == bool(finding)


def test_a_band_that_frees_nobody_of_an_impossible_bid() -> None:
    text = SOUND.replace('{ absolute = "0.05" }', '{ relative = "10%" }')
    assert found(spoilt('zero_bid_below = "0.0010"\n', "", text)) == [
        "warning: spread.off_theo.relative: with tick 0.0001 no bid can be near a theo below "
        "0.00009091, and no quote.zero_bid_below frees makers of it there"
    ]


def test_a_budget_that_is_looked_at_without_end_is_pointed_out() -> None:
    book = replace(parse(SOUND.encode()), at_risk=(Burn(60 * NS, 5 * NS, Ratio(6, 1)),))
    often = replace(book, at_risk_every=NS - 1)
    said = {str(finding) for finding in lint(often)} - {str(finding) for finding in lint(book)}
    assert said == {
        "warning: presence.at_risk_every: more than once a second: each look adds up the time of "
        "all obligations"
    }
    assert {str(f) for f in lint(replace(book, at_risk_every=NS))} == set(map(str, lint(book)))


def test_what_does_nothing_is_said() -> None:
    text = re.sub("terms = .*\n|off_theo = .*\n|zero_bid_below = .*\n", "", SOUND)
    assert {finding.split(":")[1].strip() for finding in found(text.encode())} == {
        "spread.grace", "stress.relief", "exemptions.fast_market.relax",
        "theo.max_age", "theo.when_missing",
    }  # fmt: skip
    text = re.sub("terms = .*\n|grace = .*\n|relief = .*\n|fast_market = .*\n", "", SOUND)
    assert found(text.encode()) == [
        "warning: quote.zero_bid_below: frees makers of the bid, yet the ask has no spread rule to "
        "keep: is [spread] missing?"
    ]
    bare = b'id = "m"\nversion = 1\nsource = "s"\nverified = true\neffective = 2025-01-01\n'
    assert [finding.split(":")[1].strip() for finding in found(bare)] == [
        "presence.required",
        "calendar",
    ]


# Changes of the clocks ----------------------------------------------------------------------------


def _in_new_york(at: str) -> bytes:
    """Trading on Sundays too, when the clocks change there at two in the morning."""
    text = SOUND.replace("Asia/Shanghai", "America/New_York").replace('"mon", ', '"sun", "mon", ')
    return spoilt(PHASES, PHASES.replace("09:30", at), text)


def test_a_local_time_that_does_not_exist_is_an_error() -> None:
    finding = (
        "error: calendar.phases[0].at: 02:30 on 2025-03-09 does not exist in America/New_York, "
        "where the clocks change then"
    )
    assert found(_in_new_york("02:30")) == [finding]


def test_a_local_time_that_exists_twice_is_an_error() -> None:
    finding = (
        "error: calendar.phases[0].at: 01:30 on 2025-11-02 is ambiguous: it exists twice in "
        "America/New_York, where the clocks change then"
    )
    assert found(_in_new_york("01:30")) == [finding]


def test_clock_changes_on_dates_without_trading_do_not_matter() -> None:
    assert found(_in_new_york("02:30").replace(b'"sun", ', b"")) == []


def test_the_two_years_after_the_first_are_checked_too() -> None:
    """2027-03-14 is a Sunday on which New York skips 02:30; no other Sunday here trades."""
    text = _in_new_york("10:00").replace(b'"sun", ', b"")
    special = (
        b'special = [{ date = 2027-03-14, phases = [{ at = "02:30", phase = "continuous" }, '
        b'{ at = "04:00", phase = "closed" }] }]\nphases'
    )
    text = re.sub(rb"special = .*\n.*\n", b"", text).replace(b"phases", special, 1)
    assert [finding.split(" does")[0] for finding in found(text)] == [
        "error: calendar.special[0].phases[0].at: 02:30 on 2027-03-14"
    ]


def lint_of_table(*cells: Cell, ticks: bool = True) -> list[str]:
    table = SpreadTerm("table", of="bid", table=cells)
    terms = (table, SpreadTerm("ticks", ticks=1)) if ticks else (table,)
    found = map(str, lint_tables(replace(parse(SOUND.encode()), terms=terms)))
    return [finding for finding in found if "table" in finding]


TWO = 2 * PRICE_SCALE
NEAR = Cell(price_to=TWO, absolute=PRICE_SCALE // 4)
FAR = Cell(price_from=TWO, absolute=PRICE_SCALE * 2 // 5)


@pytest.mark.criterion("VAL-10")
@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        ((NEAR,), "error: spread.terms[0].table: gap: no cell for price 2, 0 days to expiry"),
        ((replace(NEAR, days_from=3), FAR), "gap: no cell for price 0, 0 days"),
        ((NEAR, FAR, FAR), "error: spread.terms[0].table[2]: overlaps [1] at price 2"),
    ],
)
def test_tables_have_one_cell_for_every_price_and_day(rows: tuple[Cell, ...], finding: str) -> None:
    assert finding in str(lint_of_table(*rows))
    assert lint_of_table(NEAR, FAR) == []


@pytest.mark.criterion("VAL-10")
def test_a_cell_below_one_tick_cannot_be_met_where_no_term_helps() -> None:
    three = Cell(ratio=Ratio(3, 100))
    assert lint_of_table(three) == []
    [finding] = lint_of_table(three, ticks=False)
    assert "table[0]: cannot be met at price 0.0001" in finding


def test_reliefs_and_ratios_that_the_kernels_refuse_are_found() -> None:
    fine = spoilt('relief = "2"', 'relief = "1.000000019"').replace(b'"3%"', b'"3.0000019%"')
    assert any(f.startswith("error: spread.terms[0]: times a relief") for f in found(fine))
    kinds = "".join(f'k{i} = {{ relax = "{i + 2}" }}\n' for i in range(256))
    assert any(
        "at most 255 different values of relax" in f for f in found((SOUND + kinds).encode())
    )
    far = spoilt("effective = 2025-08-01", "effective = 9998-01-01")
    assert any(f.startswith("error: effective: event time ends in 2262") for f in found(far))


def test_dated_reliefs_the_wrong_way_round_and_twice_are_found() -> None:
    reliefs = (
        DatedRelief("2020-03-05", "2020-03-01", Ratio(2, 1)),
        DatedRelief("2020-03-02", "2020-03-09", Ratio(3, 1)),
        DatedRelief("2020-03-09", "2020-03-10", Ratio(1, 2)),
    )
    found = map(str, lint_tables(replace(parse(SOUND.encode()), dated_relief=reliefs)))
    text = "\n".join(found)
    assert "error: spread.relief[0]: 2020-03-05 is after 2020-03-01" in text
    assert "warning: spread.relief[2]: 0.5 makes the limit narrower" in text
    assert "warning: spread.relief: 2020-03-09 has two reliefs" in text
