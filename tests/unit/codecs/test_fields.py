"""Text fields against Decimal arithmetic, and everything that is no number."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mm_monitor.codecs import fields
from mm_monitor.core.model import MAX_PRICE, BadReason
from mm_monitor.errors import DecodeError

EXACT = Context(prec=200)
digits = st.text("0123456789", max_size=14)


def plain(sign: str, whole: str, part: str, point: bool) -> str:
    return f"{sign}{whole}.{part}" if point or part else f"{sign}{whole}"


decimals = st.builds(
    plain,
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", min_size=1, max_size=12),
    digits,
    st.booleans(),
)


@pytest.mark.criterion("NUM-02")
@given(decimals)
def test_price_equals_decimal_arithmetic(text: str) -> None:
    exact = EXACT.multiply(Decimal(text), Decimal(10**8))
    if exact % 1 or abs(exact) > MAX_PRICE:
        with pytest.raises(DecodeError) as error:
            fields.parse_price(text)
        assert error.value.reason == BadReason.BAD_PRICE
    else:
        assert fields.parse_price(text) == exact


@pytest.mark.criterion("NUM-02")
@given(decimals)
@example("0.000000005")
@example("0.000000015")
@example("1.0000000050")
@example("0.0000000050000001")
@example("-0.0")
@example("-0.0000000001")
@example("99.999999995")
def test_theo_is_rounded_half_even(text: str) -> None:
    exact = Decimal(text)
    rounded = exact.quantize(Decimal("1e-8"), rounding=ROUND_HALF_EVEN, context=EXACT)
    scaled = EXACT.multiply(rounded, Decimal(10**8))
    if exact < 0 or scaled > MAX_PRICE:
        with pytest.raises(DecodeError) as error:
            fields.parse_theo(text)
        assert error.value.reason == BadReason.BAD_THEO
    else:
        assert fields.parse_theo(text) == scaled


BAD_NUMBERS = [
    "1e18", "1E5", "nan", "NaN", "inf", "-inf", "Infinity", " 1", "1 ", "1\n", "1_0", "\u0661",
    "\uff11", "1,0", "0x1", "--1", "+-1", ".", "-", "+", "", "1.2.3", "abc", "1\x00", "١.٥",
]  # fmt: skip


@pytest.mark.criterion("NUM-02")
@pytest.mark.parametrize("text", BAD_NUMBERS)
@pytest.mark.parametrize(
    ("parse", "reason"),
    [
        (fields.parse_price, BadReason.BAD_PRICE),
        (fields.parse_theo, BadReason.BAD_THEO),
        (fields.parse_size, BadReason.BAD_SIZE),
        (fields.parse_time, BadReason.BAD_TIME),
    ],
)
def test_what_is_no_number(text: str, parse: Callable[[str], int], reason: BadReason) -> None:
    with pytest.raises(DecodeError) as error:
        parse(text)
    assert error.value.reason == reason


@pytest.mark.criterion("NUM-02")
@pytest.mark.parametrize(
    ("text", "value"),
    [("92000000000", MAX_PRICE), ("-92000000000.00000000", -MAX_PRICE), (".5", 50_000_000),
     ("5.", 500_000_000), ("+0.0001", 10_000), ("-0", 0), ("0.01000000000000", 1_000_000),
     ("000000000000000000001", 10**8)],
)  # fmt: skip
def test_prices_at_the_edges(text: str, value: int) -> None:
    assert fields.parse_price(text) == value


@pytest.mark.criterion("NUM-02")
@pytest.mark.parametrize("text", ["92000000000.00000001", "-92000000001", "1" * 20, "1" * 100_000])
def test_prices_out_of_range(text: str) -> None:
    with pytest.raises(DecodeError, match="outside") as error:
        fields.parse_price(text)
    assert len(str(error.value)) < 250


@given(st.integers(0, 2**63 - 1))
def test_times_and_sizes_are_their_text(value: int) -> None:
    assert fields.parse_time(str(value)) == value
    if value < 2**31:
        assert fields.parse_size(str(value)) == value


@pytest.mark.parametrize("text", ["9223372036854775808", "-1", "+1", "1.0", "9" * 10_000])
def test_times_beyond_int64(text: str) -> None:
    with pytest.raises(DecodeError):
        fields.parse_time(text)
    assert fields.time_or_bad(text) == -1


def test_sizes_end_at_int32() -> None:
    assert fields.parse_size("2147483647") == 2**31 - 1
    with pytest.raises(DecodeError):
        fields.parse_size("2147483648")


@given(st.text())
def test_the_cache_never_raises(text: str) -> None:
    assert isinstance(fields.price_cache()[text], int)
    assert isinstance(fields.theo_cache()[text], int)
    assert isinstance(fields.size_cache()[text], int)


def test_the_cache_is_bounded() -> None:
    cache = fields.price_cache()
    for i in range(70_000):
        assert cache[f"{i}.5"] == i * 10**8 + 50_000_000
    assert len(cache) <= 65_536


@given(st.integers(-MAX_PRICE, MAX_PRICE))
def test_price_text_is_exact(value: int) -> None:
    assert fields.parse_price(fields.price_text(value)) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [("1e-05", "0.00001"), ("1.5E+3", "1500"), ("-2e2", "-200"), ("1e999", "1e999"), ("7", "7")],
)
def test_json_exponents_are_written_out(number: str, text: str) -> None:
    assert fields.plain_notation(number) == text
