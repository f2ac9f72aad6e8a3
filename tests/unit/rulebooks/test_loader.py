"""Loading: exact numbers out of good files, every error of bad ones at once, by path."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest

from mm_monitor.core.rulebook import (
    Band,
    Burn,
    Calendar,
    Cell,
    DatedRelief,
    Meaning,
    PhaseAt,
    Ratio,
    RequiredSet,
    Rfq,
    Signals,
    SpreadTerm,
)
from mm_monitor.errors import ConfigErrors, InputError
from mm_monitor.rulebooks import describe, lint, load, names, parse
from mm_monitor.rulebooks.schema import RULEBOOK
from mm_monitor.tables import Key
from tests.unit.rulebooks.texts import SOUND, spoilt

GOLDEN = sorted(Path("tests/data/golden").glob("*/rulebook.toml"))
MINIMAL = 'id = "m"\nversion = 1\nsource = "example"\n[presence]\nrequired = "90%"\n'


def messages(data: bytes) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(data, file="r.toml")
    return str(caught.value).splitlines()


def test_every_number_is_exact() -> None:
    rulebook = parse(SOUND.encode())
    assert rulebook.calendar == Calendar(
        timezone="Asia/Shanghai",
        days=(0, 1, 2, 3, 4),
        holidays=frozenset({"2025-10-01"}),
        phases=(PhaseAt(34_200, "continuous"), PhaseAt(54_000, "closed")),
        special={"2025-12-31": (PhaseAt(34_200, "continuous"), PhaseAt(41_400, "closed"))},
    )
    assert (rulebook.min_size, rulebook.max_age) == (10, 30_000_000_000)
    assert (rulebook.size_difference, rulebook.size_difference_of) == (Ratio(1, 2), "smaller")
    assert rulebook.zero_bid_below == 100_000
    assert rulebook.terms == (
        SpreadTerm("relative", of="theo", ratio=Ratio(3, 100)),
        SpreadTerm("ticks", ticks=2),
        SpreadTerm("absolute", absolute=500_000_000),
    )
    assert (rulebook.grace, rulebook.off_theo) == (1_000_000_000, Band(absolute=5_000_000))
    assert (rulebook.theo_max_age, rulebook.when_missing) == (5_000_000_000, "hold")
    assert (rulebook.required, rulebook.judged_by) == (Ratio(1999, 2000), "coverage")
    assert rulebook.coverage_required == Ratio(49, 50)
    assert rulebook.longest_permitted == 1_800_000_000_000
    assert rulebook.stress_relief == Ratio(2, 1)
    assert rulebook.exemptions == {
        "halt": Meaning("exclude"),
        "drill": Meaning("deem"),
        "limit_up": Meaning("one_side"),
        "fast_market": Meaning("relax", Ratio(3, 2)),
    }


def test_the_digest_is_of_the_bytes_of_the_file() -> None:
    assert parse(SOUND.encode()).sha256 == sha256(SOUND.encode()).hexdigest()
    assert parse(SOUND.encode() + b"\n").sha256 != parse(SOUND.encode()).sha256


def test_what_is_left_out_is_not_tested() -> None:
    rulebook = parse(MINIMAL.encode())
    assert rulebook.required == Ratio(9, 10)
    left_out = (rulebook.calendar, rulebook.min_size, rulebook.max_age, rulebook.off_theo)
    assert left_out == (None, None, None, None)
    assert (rulebook.terms, rulebook.exemptions, rulebook.effective) == ((), {}, "")
    assert (rulebook.combine, rulebook.when_missing) == ("max", "unknown")
    assert rulebook.judged_by == "ratio_of_sums"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_the_golden_rulebooks_load(path: Path) -> None:
    assert load(path).sha256 == sha256(path.read_bytes()).hexdigest()


def test_coverage_means_every_contract_if_it_says_no_more() -> None:
    text = spoilt('coverage_required = "98%"\n', "")
    assert parse(text).coverage_required == Ratio(1, 1)


# Shipped ------------------------------------------------------------------------------------------


def test_shipped_rulebooks_are_listed() -> None:
    assert names() == [
        "all-keys-example", "cn-interbank-bonds", "eurex-basis", "hkex-index-pmm", "hkex-stock-options",
        "miax-plmm", "mifid2-rts8", "nasdaq-options-lmm", "nasdaq-options-mm", "nse-les", "szse-2025",
        "twse-mm", "vega-sla",
    ]  # fmt: skip


def test_szse_2025_has_what_its_source_says_and_nothing_else() -> None:
    rulebook = load("szse-2025")
    bare = parse(MINIMAL.encode())
    said = {"calendar", "terms", "required", "id", "title", "effective", "source", "sha256"}
    others = [name for name in rulebook.__slots__ if name not in said]
    assert [getattr(rulebook, n) for n in others] == [getattr(bare, n) for n in others]
    assert rulebook.required == Ratio(9, 10)
    assert rulebook.terms == (
        SpreadTerm("relative", of="theo", ratio=Ratio(3, 100)),
        SpreadTerm("ticks", ticks=1),
    )
    assert not rulebook.verified
    assert rulebook.calendar is not None
    assert rulebook.calendar.holidays == frozenset()
    assert "深证会〔2025〕273号" in rulebook.source


def test_the_example_of_every_key_is_judged_by() -> None:
    assert load("all-keys-example").id == "all-keys-example"


@pytest.fixture
def all_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key of the schema as it will be read once the engine implements it."""

    def switch_on(keys: Mapping[str, Key]) -> None:
        for name, key in keys.items():
            monkeypatch.setitem(keys, name, replace(key, implemented=True))
            switch_on(key.keys or {})

    switch_on(RULEBOOK)


@pytest.mark.usefixtures("all_switched_on")
def test_every_number_of_the_example_reaches_the_rulebook() -> None:
    text = (files("mm_monitor.rulebooks") / "all-keys-example.toml").read_text()
    rulebook = parse(text.replace('"am_pm", "1s", "250us"', "").encode())
    bare = parse(MINIMAL.encode())
    same = {name for name in bare.__slots__ if getattr(rulebook, name) == getattr(bare, name)}
    assert same == {
        "version", "verified", "checked", "required", "required_time", "judged_by", "rest_counts",
        "windows", "am_pm", "at_risk_every", "combine", "when_missing",
    }  # fmt: skip
    assert (rulebook.min_rest, rulebook.fills_shrink) == (5_000_000, True)
    assert rulebook.terms[2:] == (
        SpreadTerm("absolute", absolute=500_000_000),
        SpreadTerm("underlying", ratio=Ratio(3, 1)),
        SpreadTerm("table", of="bid", table=(
            Cell(price_to=200_000_000, days_to=30, absolute=25_000_000),
            Cell(200_000_000, 1_000_000_000, 30, ratio=Ratio(1, 10)),
        )),
    )  # fmt: skip
    assert rulebook.dated_relief == (DatedRelief("2026-03-02", "2026-04-30", Ratio(2, 1)),)
    assert rulebook.required_set == RequiredSet(
        kinds=("call", "put"), months=4, min_days=1, max_days=270,
        exclude=("adjusted", "added_today", "quarterly"), strikes=5, within=Ratio(1, 10),
        delta=(Ratio(1, 10), Ratio(9, 10)),
    )  # fmt: skip
    assert rulebook.at_risk == (Burn(3_600_000_000_000, 300_000_000_000, Ratio(6, 1)),)
    assert (rulebook.days_required, rulebook.days_tolerated) == (Ratio(4, 5), 3)
    assert rulebook.rfq == Rfq(20_000_000_000, 20_000_000_000, Ratio(7, 10), True, 5)
    assert rulebook.signals == Signals(300, 20_000, Ratio(1, 2), 1_000_000_000_000_000)
    assert rulebook.missing == ("the fee that is waived",)


HEAD = 'id = "m"\nversion = 1\nsource = "s"\n'
UNSOUND = {
    "[spread]\nterms = [{ multiple = \"3\" }]": (
        "spread.terms[0].of: required with `multiple`: one of underlying_spread"
    ),
    "[spread]\nterms = [{ table = [{ absolute = \"1\" }], of = \"ask\" }]": (
        "spread.terms[0].of: one of theo, bid, got 'ask'"
    ),
    "[spread]\nterms = [{ table = [{ days_from = 3, days_to = 3, absolute = \"1\" }], of = \"bid\" }]": (
        "spread.terms[0].table[0]: days_from below days_to"
    ),
    "[spread]\nterms = [{ table = [{}], of = \"bid\" }]": (
        "spread.terms[0].table[0]: exactly one of absolute, relative"
    ),
    "[spread]\nrelief = [{ from = 2026-02-02, to = 2026-02-01, multiple = \"2\" }]": (
        "spread.relief[0]: from at most to"
    ),
    "[required_set]\nmin_days = 9\nmax_days = 8": "required_set: min_days at most max_days",
    "[required_set]\ndelta = { from = \"0.9\", to = \"0.1\" }": "required_set.delta: from at most to",
    "[required_set]\nexclude = [\"a b\"]": (
        "required_set.exclude[0]: a name of letters, digits, '.', '_' and '-', got 'a b'"
    ),
    "[presence]\nat_risk = [{ long = \"1m\", short = \"2m\", burn = \"6\" }]": (
        "presence.at_risk[0]: short at most long"
    ),
    "[quote.min_rest]\nat_least = \"0s\"\ncounts = \"from_then\"": (
        "quote.min_rest.at_least: more than zero, got '0s'"
    ),
}  # fmt: skip


@pytest.mark.usefixtures("all_switched_on")
@pytest.mark.parametrize(("text", "message"), UNSOUND.items(), ids=range(len(UNSOUND)))
def test_values_that_contradict_each_other_are_refused(text: str, message: str) -> None:
    assert messages((HEAD + text).encode()) == [f"r.toml: {message}"]


def test_a_path_is_a_file_and_a_wrong_name_names_the_right_ones(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(SOUND)
    assert load(file) == load(str(file)) == parse(SOUND.encode())
    with pytest.raises(InputError, match=r"one of all-keys-example, .*, vega-sla, got 'szse-2026'"):
        load("szse-2026")
    with pytest.raises(InputError, match="directory"):
        load(tmp_path)


# Refusals -----------------------------------------------------------------------------------------

REFUSED = {
    ('version = 1\n', ""): "version: required, and missing",
    ('version = 1\n', "version = true\n"): "version: an integer from 1 to 2147483647, got True",
    ('id = "example"', 'id = "a|b"'): (
        "id: a name of letters, digits, '.', '_' and '-', got 'a|b'"
    ),
    ("effective = 2025-08-01", 'effective = "2025-08-01"'): (
        "effective: a date such as 2025-10-01, without quotes, got '2025-08-01'"
    ),
    ('min_size = 10', "min_sise = 10"): (
        "quote.min_sise: unknown key (did you mean min_size?), got 10"
    ),
    ('min_size = 10', "min_size = 10.0"): (
        "quote.min_size: an integer from 0 to 2147483647, got 10.0"
    ),
    ('"30s"', '"30"'): "quote.max_age: a duration such as \"250us\" or \"5s\", got '30'",
    ('"30s"', '"0s"'): "quote.max_age: more than zero, got '0s'",
    ('"30s"', '"0.5ns"'): "quote.max_age: a duration of whole nanoseconds, got '0.5ns'",
    ('"0.0010"', "0.0010"): (
        "quote.zero_bid_below: a price as text, such as \"0.05\", got 0.001"
    ),
    ('"0.0010"', '"0.000000001"'): (
        "quote.zero_bid_below: a price with at most 8 decimals, got '0.000000001'"
    ),
    ('{ ticks = 2 }', '{ relative = "3 %", of = "bid" }'): (
        "spread.terms[1].relative: a percentage such as \"3%\" or \"99.5%\", got '3 %'"
    ),
    ('{ ticks = 2 }', '{ relative = "3%" }'): (
        "spread.terms[1].of: required with `relative`: one of theo, bid, ask, mid"
    ),
    ('{ ticks = 2 }', '{ ticks = 2, of = "bid" }'): (
        "spread.terms[1].of: nothing, with `ticks`, got 'bid'"
    ),
    ('{ ticks = 2 }', '{ ticks = 2, absolute = "1" }'): (
        "spread.terms[1]: exactly one of relative, ticks, absolute, table, multiple"
    ),
    ('{ ticks = 2 }', '{ ticks = 0 }'): (
        "spread.terms[1].ticks: an integer from 1 to 2147483647, got 0"
    ),
    ('{ ticks = 2 }', '{ table = [], of = "bid" }'): (
        "spread.terms[1].table: a list of at least 1 of cells, got []"
    ),
    ('{ ticks = 2 }', '"1 tick"'): "spread.terms[1]: a table, got '1 tick'",
    ('of = "theo" }', 'of = "last" }'): (
        "spread.terms[0].of: one of theo, bid, ask, mid, got 'last'"
    ),
    ('combine = "max"', 'combine = "sum"'): "spread.combine: one of max, min, got 'sum'",
    ('{ absolute = "0.05" }', '{ absolute = "0.05", relative = "1%" }'): (
        "spread.off_theo: exactly one of absolute, relative"
    ),
    ('"hold"', '"zero"'): (
        "theo.when_missing: one of unknown, skip_spread, exclude, hold, got 'zero'"
    ),
    ('"99.95%"', "0.9995"): (
        "presence.required: a percentage such as \"3%\" or \"99.5%\", got 0.9995"
    ),
    ('"99.95%"', '"33.33333333333%"'): (
        "presence.required: fewer digits (too fine: both parts of the fraction must be at most "
        "2^33), got '33.33333333333%'"
    ),
    ('required = "99.95%"\n', ""): 'presence.required: required with judged_by = "coverage"',
    ('"coverage"', '"contracts"'): (
        'presence.contracts_required: required with judged_by = "contracts"'
    ),
    ('["session"]', '["session", "noon"]'): (
        "presence.windows[1]: \"session\", \"am_pm\" or a duration such as \"1s\", got 'noon'"
    ),
    ('relief = "2"', 'relief = "0"'): "stress.relief: more than zero, got '0'",
    ('halt = "exclude"', 'halt = "ignore"'): (
        'exemptions.halt: "exclude", "deem", "one_side" or { relax = "2" }, got \'ignore\''
    ),
    ('{ relax = "1.5" }', "{ }"): "exemptions.fast_market.relax: required, and missing",
    ('"Asia/Shanghai"', '"Asia/Shenzhen"'): (
        "calendar.timezone: an IANA time zone such as \"Asia/Shanghai\", got 'Asia/Shenzhen'"
    ),
    ('"Asia/Shanghai"', '"Asia"'): (
        "calendar.timezone: an IANA time zone such as \"Asia/Shanghai\", got 'Asia'"
    ),
    ('"mon", "tue"', '"mon", "mon"'): (
        "calendar.days: a list of weekdays without repetition, "
        "got ['mon', 'mon', 'wed', 'thu', 'fri']"
    ),
    ('"mon", "tue"', '"mon", "tues"'): (
        "calendar.days[1]: one of mon, tue, wed, thu, fri, sat, sun, got 'tues'"
    ),
    ('{ at = "15:00", phase = "closed" }]\n\n', '{ at = "15:60", phase = "closed" }]\n\n'): (
        "calendar.phases[1].at: a time of day such as \"09:30\"; half past two of the night after "
        "is \"26:30\", got '15:60'"
    ),
    ('{ at = "15:00", phase = "closed" }]\n\n', '{ at = "15:00", phase = "shut" }]\n\n'): (
        "calendar.phases[1].phase: one of closed, opening_auction, continuous, break, "
        "closing_auction, halt, breaker_auction, got 'shut'"
    ),
    ("[2025-10-01]", "[2025-10-01T00:00:00]"): (
        "calendar.holidays[0]: a date such as 2025-10-01, without quotes, "
        "got datetime.datetime(2025, 10, 1, 0, 0)"
    ),
    ("[lapse]\nlongest_permitted", "lapse.shortest"): (
        "presence.lapse: unknown key"
    ),
    ("[lapse]", "[rfq]\nstay = \"20s\"\n[lapse]"): "rfq.respond_within: required, and missing",
    ("[lapse]", "[laps]"): (
        "laps: unknown key (did you mean lapse?)"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_spoilt_key_is_named_with_requirement_and_value(
    change: tuple[str, str], message: str
) -> None:
    assert messages(spoilt(*change)) == [f"r.toml: {message}"]


def test_all_errors_of_a_file_are_told_at_once() -> None:
    data = b'version = 0\nsource = ""\n[presence]\nrequired = "many"\n[quote]\nmin_size = -1\n'
    assert [message.split(": ")[1] for message in messages(data)] == [
        "id", "version", "source", "quote.min_size", "presence.required",
    ]  # fmt: skip


def test_what_is_no_toml_is_told_with_its_line() -> None:
    assert messages(b"id = \n") == ["r.toml: TOML: Invalid value (at line 1, column 6)"]
    assert messages(b'id = "\xff"') == ["r.toml: TOML: UTF-8 text, got b'\\xff'"]
    assert messages(b"a=" + b"[" * 100_000)[0].startswith("r.toml: TOML: ")


# Sources ------------------------------------------------------------------------------------------


def test_a_number_without_a_source_is_refused() -> None:
    text = spoilt('source = "example"\n', "")
    assert messages(text) == ["r.toml: source: required, and missing (or one in every table)"]


def test_every_table_may_have_a_source_of_its_own() -> None:
    head = 'id = "m"\nversion = 1\n'
    lapse, presence = '[lapse]\nlongest_permitted = "1s"\n', '[presence]\nsource = "B"\n'
    assert messages(f"{head}{lapse}{presence}".encode()) == [
        "r.toml: lapse.source: required without a source for the whole file"
    ]
    assert parse(f'{head}{lapse}source = "A"\n{presence}'.encode()).source == (
        "lapse: A; presence: B"
    )
    inner = SOUND.replace("{ ticks = 2 }", '{ ticks = 2, source = "C" }')
    assert parse(inner.encode()).source == "example; spread.terms[1]: C"


def test_every_table_may_say_whether_it_was_compared_with_the_text() -> None:
    inner = SOUND.replace("{ ticks = 2 }", "{ ticks = 2, verified = false }")
    text = inner.replace('halt = "exclude"', 'verified = true\nhalt = "exclude"')
    rulebook = parse(text.encode())
    assert rulebook.verified
    assert rulebook.checked == {"spread.terms[1]": False, "exemptions": True}
    assert "verified" not in rulebook.exemptions
    assert [finding.path for finding in lint(rulebook)] == ["spread.terms[1].verified"]
    assert messages(SOUND.replace("[lapse]", "[lapse]\nverified = 1").encode()) == [
        "r.toml: lapse.verified: true or false, got 1"
    ]


def test_numbers_that_no_source_gives_are_listed_and_shown() -> None:
    rulebook = parse(SOUND.replace("version = 1", 'version = 1\nmissing = ["the fee"]').encode())
    assert rulebook.missing == ("the fee",)
    assert "missing, for no source gives it: the fee" in describe(rulebook).splitlines()
