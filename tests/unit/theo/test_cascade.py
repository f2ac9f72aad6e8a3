"""Which source a theo comes from, how old it is, and what it owes to the maker that is judged by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.theo.cascade import Cascade, Settings, Theo, known_sources
from mm_monitor.theo.models import MODELS, Market
from mm_monitor.theo.terms import BadTerms, ExpiryClock, Terms, terms_of

S = 1_000_000_000
DAY = 86_400 * S
CALL, PUT, FAR, ETF = range(4)
SETTINGS = Settings(Market(MODELS["black76"]), max_age=10 * S, vol_max_age=100 * S)


def cascade(**changes: Any) -> Cascade:
    made = Cascade(replace(SETTINGS, **changes))
    for contract, sign in ((CALL, 1), (PUT, -1)):
        made.list(contract, Terms("K0", sign, 3.0, "2025-08-27", 30 * DAY))
    made.list(FAR, Terms("K0", 1, 3.0, "2025-09-24", 60 * DAY))
    made.list(ETF, None)
    return made


def units(text: float) -> int:
    return round(text * PRICE_SCALE)


def quoted(made: Cascade, ts: int, contract: int, maker: int, mid: float) -> None:
    made.quote(ts, contract, maker, units(mid - 0.001), 10, units(mid + 0.001), 10)


def found(made: Cascade, t: int) -> dict[int, Theo]:
    return {theo.contract: theo for theo in made.look(t)}


def sources(made: Cascade, t: int) -> dict[int, str]:
    return {contract: theo.source for contract, theo in found(made, t).items()}


@pytest.mark.criterion("VAL-12")
def test_the_first_fresh_source_wins() -> None:
    made = cascade()
    made.underlying(0, "K0", units(3.0))
    quoted(made, 0, CALL, 0, 0.07)
    assert sources(made, 1) == {CALL: "fit", PUT: "fit"}
    made.surface_vol(S, "K0", "2025-08-27", 0.2)
    made.surface_vol(S, "K0", "2025-09-24", 0.2)
    assert sources(made, S) == {CALL: "surface", PUT: "surface", FAR: "surface"}
    made.own_vol(2 * S, PUT, 0.25)
    made.underlying(2 * S, "K0", units(3.0))
    assert sources(made, 2 * S) == {CALL: "surface", PUT: "vol", FAR: "surface"}
    made.feed(3 * S, CALL, theo=1)
    made.underlying(3 * S, "K0", units(3.01))
    assert sources(made, 3 * S) == {PUT: "vol", FAR: "surface"}


@pytest.mark.criterion("VAL-12")
def test_a_feed_that_stops_is_missed_at_its_age_and_one_withdrawn_at_once() -> None:
    made = cascade()
    made.surface_vol(0, "K0", "2025-08-27", 0.2)
    made.feed(0, CALL, theo=1)
    made.feed(0, PUT, theo=1)
    made.look(0)
    made.underlying(9 * S, "K0", units(3.0))
    assert found(made, 9 * S) == {}
    made.feed(9 * S, PUT, theo=None)
    assert sources(made, 9 * S) == {PUT: "surface"}
    assert found(made, 10 * S - 1) == {}
    assert sources(made, 10 * S) == {CALL: "surface"}
    assert made.idle


def test_only_what_has_changed_is_priced_again() -> None:
    made = cascade()
    made.underlying(0, "K0", units(3.0))
    made.surface_vol(0, "K0", "2025-08-27", 0.2)
    made.surface_vol(0, "K0", "2025-09-24", 0.2)
    assert len(made.look(0)) == 3
    assert made.look(S) == []
    made.surface_vol(S, "K0", "2025-09-24", 0.2)
    assert sources(made, S) == {FAR: "surface"}


def test_the_age_is_that_of_the_oldest_input() -> None:
    made = cascade()
    made.own_vol(0, CALL, 0.2)
    made.underlying(4 * S, "K0", units(3.0))
    assert found(made, 5 * S)[CALL].age == 5 * S
    made.underlying(6 * S, "K0", units(3.0))
    made.own_vol(7 * S, CALL, 0.2)
    assert found(made, 7 * S)[CALL].age == S


def test_what_has_lost_its_inputs_is_withdrawn_once() -> None:
    made = cascade()
    made.underlying(0, "K0", units(3.0))
    made.own_vol(0, CALL, 0.2)
    assert found(made, 0)[CALL].theo is not None
    made.underlying(S, "K0", None)
    assert found(made, S) == {CALL: Theo(S, CALL, None)}
    made.underlying(2 * S, "K0", 0)
    assert found(made, 2 * S) == {}


def test_inputs_grow_too_old_half_open() -> None:
    made = cascade()
    made.own_vol(0, CALL, 0.2)
    made.underlying(0, "K0", units(3.0))
    assert CALL in found(made, 10 * S - 1)
    made.own_vol(S, CALL, 0.2)
    assert found(made, 10 * S)[CALL].theo is None


def test_an_expired_option_has_no_theo() -> None:
    made = cascade(max_age=100 * DAY, vol_max_age=100 * DAY)
    made.own_vol(0, CALL, 0.2)
    made.underlying(0, "K0", units(3.5))
    assert found(made, 30 * DAY - 1)[CALL].theo == units(0.5)
    made.underlying(30 * DAY, "K0", units(3.5))
    assert found(made, 30 * DAY)[CALL].theo is None


def test_the_fit_owes_nothing_to_the_maker_left_out() -> None:
    def fitted(left_out: int, odd: float) -> Theo:
        made = cascade(left_out=left_out)
        made.underlying(0, "K0", units(3.0))
        for maker, mid in ((0, 0.07), (1, 0.0702), (2, odd)):
            quoted(made, 0, CALL, maker, mid)
        return found(made, 0)[CALL]

    assert fitted(2, 0.09) == fitted(2, 0.05)
    assert fitted(2, 0.09).theo == pytest.approx(units(0.0701), abs=2)
    assert fitted(-1, 0.09).theo == pytest.approx(units(0.0702), abs=2)  # the median, not the mean


def test_a_contract_that_nobody_quotes_is_priced_by_those_beside_it() -> None:
    made = cascade()
    made.underlying(0, "K0", units(3.0))
    quoted(made, 0, CALL, 0, 0.07)
    theos = found(made, 0)
    assert theos[PUT].theo == theos[CALL].theo  # at the money of a future, by parity
    assert theos[PUT].quality == "inside"
    made.list(FAR, Terms("K0", 1, 3.3, "2025-08-27", 30 * DAY))
    assert found(made, 0)[FAR].quality == "outside"
    made.quote(S, CALL, 0, 0, 0, 0, 0)
    assert [theo.theo for theo in found(made, S).values()] == [None, None, None]


def test_sources_can_be_left_out() -> None:
    made = cascade(sources=("surface",))
    made.underlying(0, "K0", units(3.0))
    made.feed(0, CALL, theo=1)
    made.own_vol(0, CALL, 0.3)
    quoted(made, 0, CALL, 0, 0.07)
    made.surface_vol(0, "K0", "2025-08-27", 0.2)
    assert sources(made, 0) == {CALL: "surface", PUT: "surface"}
    assert known_sources(["fit", "feed"]) == ("feed", "fit")
    with pytest.raises(ValueError, match="'guess'"):
        known_sources(["guess"])


def test_a_contract_follows_its_row() -> None:
    made = cascade()
    made.underlying(0, "K0", units(3.0))
    made.own_vol(0, CALL, 0.2)
    before = found(made, 0)[CALL].theo
    made.list(CALL, Terms("K0", 1, 2.9, "2025-08-27", 30 * DAY))
    after = found(made, 0)[CALL].theo
    assert before is not None
    assert after is not None
    assert after > before
    made.list(CALL, None)
    made.underlying(S, "K0", units(3.0))
    assert CALL not in found(made, S)


# Terms -----------------------------------------------------------------------------------------

ROW = {"contract": "C", "class": "K0", "kind": "call", "strike": "3", "expiry": "1970-01-02"}


def test_an_option_expires_at_its_time_of_day() -> None:
    assert terms_of(ROW, ExpiryClock()) == Terms("K0", 1, 3.0, "1970-01-02", 2 * DAY)
    shanghai = terms_of(ROW, ExpiryClock(15 * 3600, "Asia/Shanghai"))
    assert shanghai is not None
    assert shanghai.expires == DAY + 7 * 3600 * S
    assert terms_of({**ROW, "kind": "etf", "strike": ""}, ExpiryClock()) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("strike", ""), ("strike", "NaN"), ("strike", "-1"), ("strike", "x"), ("expiry", ""), ("expiry", "27/8")],
)  # fmt: skip
def test_terms_that_cannot_be_priced_name_their_column(column: str, value: str) -> None:
    with pytest.raises(BadTerms, match=f"column {column}.*{value!r}"):
        terms_of({**ROW, column: value}, ExpiryClock())


def test_sources_are_asked_in_the_order_given_and_the_feed_first() -> None:
    order = known_sources(["surface", "feed", "vol", "surface"])
    assert order == ("feed", "surface", "vol")
    made = cascade(sources=order)
    made.underlying(0, "K0", units(3.0))
    made.own_vol(0, CALL, 0.25)
    made.own_vol(0, FAR, 0.25)
    made.surface_vol(0, "K0", "2025-08-27", 0.2)
    assert sources(made, 0) == {CALL: "surface", PUT: "surface", FAR: "vol"}
