"""Listings, adjustments and appointments on the tape, and rulebooks of several tiers (OBL-01); by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.core.batch import Batch, empty_rows
from mm_monitor.core.engine import Engine, Records
from mm_monitor.core.model import ExemptionRecord, Kind, PhaseRecord
from mm_monitor.rulebooks import load, parse
from mm_monitor.sources.reference_files import load_reference
from tests.acceptance.captures import (
    ONE_SESSION,
    Report,
    Times,
    gone,
    judge,
    quote,
    rulebook,
    write,
)
from tests.acceptance.judging import judged

pytestmark = pytest.mark.criterion("OBL-01")


def listing(ts: int, contract: str, tick: str = "0.0001", klass: str = "K0") -> str:
    """A line of reference.csv that lists or adjusts a contract."""
    return f"{ts},contracts,add,{contract},{klass},{tick},,"


def delisting(ts: int, contract: str) -> str:
    return f"{ts},contracts,remove,{contract},,,,"


def appointment(ts: int, maker: str, klass: str = "*", action: str = "add") -> str:
    return f"{ts},makers,{action},,{klass},,{maker},"


def test_a_listing_obliges_from_its_own_instant(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        reference=[listing(1400, "C1")],
        quotes=[quote(1000), quote(1200, contract="C1"), quote(1500, contract="C1")],
    )
    assert report.times(contract="C0") == Times(quoted=1000)
    # obliged [1400, 2000), absent until 1500; the quote of 1200 is on an unknown contract
    assert report.times(contract="C1") == Times(lapsed=100, quoted=500)
    assert report.records["dead_letter"] == 1
    assert report.maker()["contracts_required"] == 2
    assert report.hole("C1") == 100


def test_a_quote_at_the_instant_of_the_listing_counts(tmp_path: Path) -> None:
    # kinds at one instant: reference before quote
    report = judge(tmp_path, reference=[listing(1400, "C1")], quotes=[quote(1400, contract="C1")])
    assert report.times(contract="C1") == Times(quoted=600)


def test_a_delisting_ends_the_obligation_and_keeps_what_was(tmp_path: Path) -> None:
    report = judge(
        tmp_path, reference=[delisting(1600, "C0")], contracts=["C0,K0,0.0001", "C1,K0,0.0001"],
        quotes=[quote(1100), quote(1700)],
    )  # fmt: skip
    assert report.times() == Times(lapsed=100, quoted=500)
    assert report.row()["presence"] == "0.833333333"  # 500 of 600
    assert report.records == {"applied": 2 + 1, "no_obligation": 1}


def test_a_listing_is_born_into_what_its_class_is_in(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        '[exemptions]\ntechnical = "exclude"\n',
        phases=[*ONE_SESSION, "1200,K0,halt", "1500,K0,continuous"],
        exemptions=["1300,K0,M0,technical,start", "1600,K0,M0,technical,end"],
        feed=["1300,K0,*,down", "1700,K0,*,up", "1700,K0,*,synced"],
        reference=[listing(1400, "C1")],
    )
    # listed at 1400 in a halt: obliged from 1500; exempt [1500, 1600); unknown [1600, 1700)
    assert report.times(contract="C1") == Times(exempt=100, unknown=100, lapsed=300)


def test_an_adjustment_changes_the_tick_for_what_comes_after(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        "[spread]\nterms = [{ ticks = 1 }]\n",
        reference=[listing(1500, "C0", tick="0.0005")],
        quotes=[quote(1000, "1.0000", "1.0005")],
    )
    # five of the old ticks are too wide; from 1500 on it is one tick, and the quote is judged anew
    assert report.times() == Times(lapsed=500, quoted=500)


@pytest.mark.parametrize(
    ("before", "after", "dead"), [("0.0005", "0.0001", 0), ("0.0001", "0.0005", 1)]
)
def test_an_adjusted_tick_is_the_grid_of_later_quotes(
    tmp_path: Path, before: str, after: str, dead: int
) -> None:
    report = judge(
        tmp_path,
        contracts=[f"C0,K0,{before}"],
        reference=[listing(1500, "C0", tick=after)],
        quotes=[quote(1600, "1.0000", "1.0001")],
    )
    assert report.records.get("dead_letter", 0) == dead


def test_a_quote_off_an_adjusted_tick_leaves_the_slot_unknown(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        reference=[listing(1200, "C0", tick="0.0002")],
        quotes=[quote(1000), quote(1400, "1.0000", "1.0005"), quote(1700, "1.0000", "1.0002")],
    )
    assert report.times() == Times(quoted=400 + 300, unknown=300)
    assert report.records == {"applied": 2 + 2, "dead_letter": 1}


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize("tick", ["0.0001", "0.0002"])
def test_an_off_tick_price_beside_size_zero_is_a_bad_record_also_once_adjusted(
    tmp_path: Path, tick: str
) -> None:
    # of a contract that is adjusted (or listed again with the tick it had) as of any other
    for reference in ([], [listing(1200, "C0", tick=tick)]):
        quotes = [quote(1000), "1400,M0,C0,1.0000,10,1.00015,0", gone(1600)]
        report = judge(tmp_path, reference=reference, quotes=quotes)
        assert report.times() == Times(quoted=400, unknown=200, lapsed=400)
        assert report.records["dead_letter"] == 1
    # an absent price, and one on the tick, are fine beside size 0
    quotes = [quote(1400, "1.0000", ""), "1500,M0,C0,,0,1.0002,0"]
    report = judge(tmp_path, reference=[listing(1200, "C0", tick=tick)], quotes=quotes)
    assert report.reasons() == {"absent": 900, "one_sided": 100}
    assert "dead_letter" not in report.records


def test_choice_an_adjustment_cannot_move_a_contract_to_another_class(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        makers=["M0,K0", "M1,K1"],
        contracts=["C0,K0,0.0001", "C1,K1,0.0001"],
        reference=[listing(1500, "C0", klass="K1")],
        quotes=[quote(1000)],
    )
    assert report.times("M0", "C0") == Times(quoted=1000)
    assert report.records == {"applied": 3, "dead_letter": 1}


def test_choice_accounts_are_no_records_of_the_tape(tmp_path: Path) -> None:
    for name, lines in (
        ("contracts", ["C0,K0,0.0001"]),
        ("makers", ["M0,*"]),
        ("phases", ONE_SESSION),
    ):
        write(tmp_path, name, lines)
    write(tmp_path, "quotes", [quote(1300, maker="A0")])
    header = "ts_event,table,action,account,maker"
    write(tmp_path, "reference", ["1200,accounts,add,A0,M0"], header=header)
    report = Report(judged(tmp_path, rulebook(tmp_path)))
    assert report.times() == Times(lapsed=1000)
    assert report.records == {"applied": 2, "dead_letter": 1, "no_obligation": 1}


def test_an_appointment_obliges_from_its_own_instant_until_it_ends(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        reference=[appointment(1300, "M1", "K0"), appointment(1800, "M1", "K0", "remove")],
        quotes=[quote(1200, maker="M1"), quote(1500, maker="M1")],
    )
    # absent until 1500; the quote of 1200 was nobody's duty
    assert report.times("M1") == Times(lapsed=200, quoted=300)
    assert report.records == {"applied": 2 + 1, "no_obligation": 1}


@pytest.mark.parametrize("row", [("nobody", "K0"), ("M0", "K0"), ("M1", "K1"), ("M1", "K9")])
def test_a_dismissal_from_no_appointment_is_a_dead_letter(
    tmp_path: Path, row: tuple[str, str]
) -> None:
    report = judge(
        tmp_path, makers=["M0,*", "M1,K0"], quotes=[quote(1000)],
        reference=[appointment(1500, *row, "remove")],
    )  # fmt: skip
    assert report.records == {"applied": 1 + 2, "dead_letter": 1}  # two phases too
    assert report.times() == Times(quoted=1000)


@pytest.mark.criterion("OBL-01")
def test_a_quote_of_a_dismissed_maker_is_counted_and_ignored(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        reference=[
            appointment(1300, "M1", "K0"),
            appointment(1600, "M1", "K0", "remove"),
            appointment(1800, "M1", "K0"),
        ],
        quotes=[quote(1700, maker="M1")],
    )
    assert report.times("M1") == Times(lapsed=300 + 200)
    assert report.records == {"applied": 2, "no_obligation": 1}


def test_an_appointment_to_every_class_covers_later_listings(tmp_path: Path) -> None:
    report = judge(
        tmp_path,
        reference=[listing(1500, "C9", klass="K9")],
        quotes=[quote(1600, contract="C9")],
    )
    assert report.times(contract="C9") == Times(lapsed=100, quoted=400)


def test_a_row_that_cannot_take_effect_is_a_dead_letter(tmp_path: Path) -> None:
    bad = [listing(1100, "C1", tick="0"), listing(1200, "C1", klass=""), delisting(1300, "C9")]
    report = judge(tmp_path, reference=bad, quotes=[quote(1000)])
    assert report.records == {"applied": 3, "dead_letter": 3}
    assert [r["contract"] for r in report.raw["obligations"]] == ["C0"]


def test_choice_what_stood_at_a_delisting_stands_at_the_next_listing_of_the_day(
    tmp_path: Path,
) -> None:
    report = judge(
        tmp_path,
        reference=[delisting(1300, "C0"), listing(1600, "C0")],
        quotes=[quote(1000), gone(1400)],
    )
    # the withdrawal of 1400 has no obligation; obliged [1000, 1300) and [1600, 2000)
    assert report.times() == Times(quoted=300 + 400)


# Accounts ----------------------------------------------------------------------------------------


def test_a_maker_may_quote_through_several_accounts(tmp_path: Path) -> None:
    for name, lines in (
        ("contracts", ["C0,K0,0.0001"]),
        ("makers", ["M0,*"]),
        ("phases", ONE_SESSION),
    ):
        write(tmp_path, name, lines)
    write(tmp_path, "accounts", ["A0,M0", "A1,M0"], header="account,maker")
    write(
        tmp_path,
        "quotes",
        [quote(1100, maker="A0"), gone(1400, maker="A1"), quote(1600, maker="M0")],
    )
    report = Report(judged(tmp_path, rulebook(tmp_path)))
    # one maker, one quote: what account A1 withdraws, A0 had quoted
    assert report.times() == Times(lapsed=100 + 200, quoted=300 + 400)
    assert [r["maker"] for r in report.raw["makers"]] == ["M0"]


# Makers of several tiers --------------------------------------------------------------------------

TIERS = ["M0,*,", "M1,K0,gold", "M2,K0,silver"]


def tier(directory: Path, name: str) -> Report:
    """The capture of `TIERS` under the rulebook of that id."""
    book = rulebook(directory)
    book.write_text(book.read_text().replace('id = "hand"', f'id = "{name}"'))
    return Report(judged(directory, book))


def test_makers_of_another_tier_are_judged_by_their_own_rulebook(tmp_path: Path) -> None:
    write(tmp_path, "contracts", ["C0,K0,0.0001"])
    write(tmp_path, "makers", TIERS, header="maker,class,rulebook")
    write(tmp_path, "phases", ONE_SESSION)
    write(tmp_path, "quotes", [quote(1000, maker=m) for m in ("M0", "M1", "M2")])
    gold, silver = tier(tmp_path, "gold"), tier(tmp_path, "silver")
    assert [r["maker"] for r in gold.raw["makers"]] == ["M0", "M1"]
    assert [r["maker"] for r in silver.raw["makers"]] == ["M0", "M2"]
    assert gold.records == silver.records == {"applied": 2 + 2, "no_obligation": 1}
    assert load(tmp_path / "rulebook.toml").id == "silver"


def two_tiers(directory: Path) -> Engine:
    """`gold` (one tick) and `silver` (two); at 1000 quotes of M0, M1, M2, two ticks wide, and of nobody."""
    write(directory, "contracts", ["C0,K0,0.0001"])
    write(directory, "makers", TIERS, header="maker,class,rulebook")
    books = []
    for name, ticks, kind in (("gold", 1, "drill"), ("silver", 2, "holiday")):
        rules = f'[spread]\nterms = [{{ ticks = {ticks} }}]\n[exemptions]\n{kind} = "deem"\n'
        text = rulebook(directory, rules).read_text().replace('id = "hand"', f'id = "{name}"')
        books.append(parse(text.encode()))
    engine = Engine(books, load_reference(directory), {}, calendar=False, phases_judge=True)
    assert engine.control(PhaseRecord(1000, "*", "continuous")) is None
    rows = empty_rows(4)
    rows["maker"] = [engine.reference.find_maker(name) for name in ("M0", "M1", "M2", "M9")]
    rows["a"], rows["b"], rows["a_size"], rows["b_size"] = 100_000_000, 100_020_000, 1, 1
    rows["ts"], rows["offset"], rows["kind"] = 1000, range(4), Kind.QUOTE
    engine.apply(Batch(rows))
    return engine


def test_one_engine_judges_by_several_rulebooks_at_once(tmp_path: Path) -> None:
    engine = two_tiers(tmp_path)
    # a kind that one of them names is known, and means nothing to the other
    assert engine.control(ExemptionRecord(1700, "*", "*", "drill", "start")) is None
    assert engine.control(ExemptionRecord(1700, "*", "*", "siesta", "start")) is not None
    gold, silver = engine.at(2000)
    assert [(r.maker, r.quoted) for r in gold.maker_rows] == [("M0", 300), ("M1", 300)]
    assert [(r.maker, r.quoted) for r in silver.maker_rows] == [("M0", 1000), ("M2", 1000)]


def test_a_quote_that_any_rulebook_wants_has_an_obligation(tmp_path: Path) -> None:
    # M1 and M2 are obliged under one of the two; the fourth quote is nobody's
    assert two_tiers(tmp_path).records == Records(applied=3, no_obligation=1)
