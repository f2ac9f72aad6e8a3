"""The json codec: what counts, what is dead-lettered alone, and that no bytes make it raise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs.json import MAX_ELEMENTS, JsonCodec
from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING
from mm_monitor.core.model import BadReason, Kind
from tests.unit.codecs.samples import chunk, dumps, quote, reference

CODEC = JsonCodec()


def test_an_object_and_an_array() -> None:
    got = CODEC.decode(
        chunk("quotes", dumps(quote()), dumps([quote(maker="A7"), quote(contract="C1",
              bid_price="1.05", ask_price=None, ask_size=0)])),
        reference(),
    )  # fmt: skip
    assert got.dead == []
    assert got.rows["offset"].tolist() == [100, 101, 101]
    assert got.rows["sub"].tolist() == [0, 0, 1]
    assert got.rows["maker"].tolist() == [0, 1, 0]
    assert got.rows["contract"].tolist() == [0, 0, 1]
    assert got.rows["a"].tolist() == [2_750_000, 2_750_000, 105_000_000]
    assert got.rows["b"].tolist() == [2_860_000, 2_860_000, 0]
    assert got.rows["b_size"].tolist() == [20, 20, 0]
    assert set(got.rows["part"].tolist()) == {5}
    assert set(got.rows["kind"].tolist()) == {Kind.QUOTE}


@pytest.mark.criterion("NUM-02")
@pytest.mark.parametrize(
    "bid", [b'"0.0275"', b"0.0275", b"2.75e-02", b"275E-4", b'"0.02\\u003750"', b"0.02750000"]
)
def test_prices_are_read_from_their_digits(bid: bytes) -> None:
    value = dumps(quote()).replace(b'"0.0275"', bid)
    assert CODEC.decode(chunk("quotes", value), reference()).rows["a"].tolist() == [2_750_000]


@pytest.mark.parametrize("price", [None, ""])
def test_an_absent_side(price: str | None) -> None:
    value = dumps(quote(bid_price=price, bid_size=0))
    got = CODEC.decode(chunk("quotes", value), reference())
    assert (got.rows["a_size"][0], got.rows["a"][0], got.dead) == (0, 0, [])


BAD = [
    ({"ts_event": -1}, BadReason.BAD_TIME, False),
    ({"ts_event": 2**63}, BadReason.BAD_TIME, False),
    ({"ts_event": "1000"}, BadReason.BAD_TIME, False),
    ({"ts_event": 1.5}, BadReason.BAD_TIME, False),
    ({"ts_event": True}, BadReason.BAD_TIME, False),
    ({"contract": "C9"}, BadReason.UNKNOWN_CONTRACT, False),
    ({"contract": "C9", "maker": "M9"}, BadReason.UNKNOWN_CONTRACT, False),
    ({"bid_price": "1e18"}, BadReason.BAD_PRICE, True),
    ({"bid_price": 1e18}, BadReason.BAD_PRICE, True),
    ({"bid_price": "abc"}, BadReason.BAD_PRICE, True),
    ({"bid_price": "NaN"}, BadReason.BAD_PRICE, True),
    ({"bid_price": [1]}, BadReason.BAD_PRICE, True),
    ({"bid_price": True}, BadReason.BAD_PRICE, True),
    ({"ask_price": "1.123456789"}, BadReason.BAD_PRICE, True),
    ({"ask_price": "0.02865"}, BadReason.OFF_TICK, True),
    ({"ask_price": "0"}, BadReason.NON_POSITIVE_PRICE, True),
    ({"ask_price": "-0.0001"}, BadReason.NON_POSITIVE_PRICE, True),
    ({"ask_price": None}, BadReason.SIZE_WITHOUT_PRICE, True),
    ({"ask_price": ""}, BadReason.SIZE_WITHOUT_PRICE, True),
    ({"ask_size": -1}, BadReason.BAD_SIZE, True),
    ({"ask_size": 2**31}, BadReason.BAD_SIZE, True),
    ({"ask_size": 10**30}, BadReason.BAD_SIZE, True),
    ({"ask_size": 1.5}, BadReason.BAD_SIZE, True),
    ({"ask_size": "20"}, BadReason.BAD_SIZE, True),
    ({"ask_size": None}, BadReason.BAD_SIZE, True),
    ({"ask_size": 0, "ask_price": "0.00005"}, BadReason.OFF_TICK, True),
    ({"ask_size": ...}, BadReason.UNDECODABLE, True),
    ({"bid_price": ...}, BadReason.UNDECODABLE, True),
    ({"maker": ...}, BadReason.UNDECODABLE, False),
    ({"maker": 7}, BadReason.UNDECODABLE, False),
    ({"contract": None}, BadReason.UNDECODABLE, False),
    ({"bid_price": "abc", "maker": "M9"}, BadReason.BAD_PRICE, False),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("change", "reason", "changed"), BAD)
def test_one_bad_element_is_dead_lettered_alone(
    change: dict[str, Any], reason: BadReason, changed: bool
) -> None:
    bad = quote(**change)
    got = CODEC.decode(chunk("quotes", dumps([quote(), bad, quote(maker="M1")])), reference())
    (dead,) = got.dead
    assert dead.reason == reason
    assert (dead.raw.topic, dead.raw.partition, dead.raw.offset) == ("mm.quotes", 3, 100)
    assert dead.raw.value == dumps(bad)
    assert dead.detail.startswith("element 1: ")
    good = got.rows[got.rows["flags"] == 0]
    assert good["sub"].tolist() == [0, 2]
    rest = got.rows[got.rows["flags"] == QUOTE_BAD]
    assert len(rest) == changed
    if changed:
        assert rest[0].tolist() == (1_000, 100, 0, 0, 0, 0, 0, 0, 5, 1, Kind.QUOTE, QUOTE_BAD, 0)
        assert dead.maker == "M0"


@pytest.mark.criterion("TAPE-04")
def test_an_unknown_maker_is_no_defect() -> None:
    got = CODEC.decode(chunk("quotes", dumps(quote(maker="nobody"))), reference())
    assert (got.rows["maker"].tolist(), got.dead) == ([-1], [])


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(
    "value",
    [b"", b"null", b"7", b'"x"', b"{", b"[", b"[{}", b"\xff\xfe", b"[" * 100_000, b"{}x", b"NaN",
     b'{"ts_event":1,"x":' + b"[" * 100_000],
)  # fmt: skip
def test_a_record_that_is_no_json_of_ours(value: bytes) -> None:
    got = CODEC.decode(chunk("quotes", value, dumps(quote())), reference())
    assert [d.reason for d in got.dead] == [BadReason.UNDECODABLE]
    assert got.rows["offset"].tolist() == [101]


def test_an_array_longer_than_a_row_can_count() -> None:
    value = b"[" + b",".join([b"{}"] * (MAX_ELEMENTS + 1)) + b"]"
    got = CODEC.decode(chunk("quotes", value), reference())
    assert [d.reason for d in got.dead] == [BadReason.UNDECODABLE]


def theo(value: Any, **changes: Any) -> bytes:
    return dumps({"ts_event": 5, "contract": "C1", "theo": value, **changes})


@pytest.mark.criterion("NUM-02")
@given(st.decimals(0, 10**6, places=12))
def test_theos_are_rounded_half_even(value: Decimal) -> None:
    got = CODEC.decode(chunk("theo", theo(f"{value:f}")), reference())
    assert got.rows["a"].tolist() == [round(value * 10**8)]


@pytest.mark.parametrize("value", [None, ""])
def test_a_theo_is_withdrawn(value: str | None) -> None:
    got = CODEC.decode(chunk("theo", theo(value)), reference())
    assert got.rows[0].tolist() == (5, 100, 0, 0, 0, 0, -1, 1, 5, 0, Kind.THEO, THEO_MISSING, 0)


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize("value", ["-0.000000001", "nan", "1e18", [1], False, 92_000_000_001])
def test_a_bad_theo_changes_nothing(value: Any) -> None:
    got = CODEC.decode(chunk("theo", theo(value), theo("1")), reference())
    assert [d.reason for d in got.dead] == [BadReason.BAD_THEO]
    assert got.rows["offset"].tolist() == [101]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
              st.sampled_from(["C0", "M0", "0.0275", 40])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
almost_quotes = st.dictionaries(st.sampled_from(list(quote())), json_values).map(
    lambda change: quote(**change)
)


@pytest.mark.criterion("TAPE-04")
@given(
    st.lists(
        st.one_of(
            st.binary(), json_values.map(dumps), almost_quotes.map(dumps),
            st.lists(almost_quotes, max_size=4).map(dumps),
            st.builds(lambda q, n: dumps(q)[:-n], almost_quotes, st.integers(1, 60)),
        ),
        max_size=4,
    ),
    st.sampled_from(["quotes", "theo"]),
)  # fmt: skip
def test_no_bytes_make_it_raise(values: list[bytes], feed: str) -> None:
    got = CODEC.decode(chunk(feed, *values), reference())
    assert len({(r["offset"], r["sub"]) for r in got.rows}) == len(got.rows)
    for letter in got.dead:
        assert letter.detail
        assert len(letter.detail) < 400


def test_a_theo_may_say_where_it_came_from() -> None:
    theo = {"ts_event": 5, "contract": "C0", "theo": "0.1"}
    via = {"source": "fit", "version": "bsm/1", "quality": "inside"}
    known = reference()
    got = CODEC.decode(
        chunk("theo", dumps([theo, theo | via, theo | {"source": 7}, theo | via])), known
    )
    assert got.dead == []
    assert got.rows["a_size"].tolist() == [0, 1, 0, 1]
    assert known.theo_vias == [("", "", ""), ("fit", "bsm/1", "inside")]
