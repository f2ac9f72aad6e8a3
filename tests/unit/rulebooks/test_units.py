"""Percentages, durations, prices, clock times: exact, or refused with what was wanted."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.rulebook import MAX_RATIO_PART, Ratio
from mm_monitor.units import (
    MAX_NS,
    UnitError,
    clock,
    duration,
    multiple,
    percent,
    price,
    show_clock,
    show_duration,
    show_multiple,
    show_percent,
    show_price,
)


@pytest.mark.criterion("NUM-02")
@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0),
        ("0.1", 10_000_000),
        ("0.00000001", 1),
        ("92000000000", 92 * 10**17),
        ("0.29", 29_000_000),  # 0.29 * 10^8 is 28999999.999999996 in binary
    ],
)
def test_a_price_is_exact(text: str, units: int) -> None:
    assert price(text) == units


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1ns", 1), ("250us", 250_000), ("50ms", 50_000_000), ("5s", 5_000_000_000),
        ("30m", 1_800_000_000_000), ("1.5h", 5_400_000_000_000), ("0.001us", 1), ("0s", 0),
        ("0.1m", 6_000_000_000), ("9223372036854775807ns", MAX_NS),
    ],
)  # fmt: skip
def test_a_duration_is_exact(text: str, ns: int) -> None:
    assert duration(text) == ns


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("3%", Ratio(3, 100)), ("100%", Ratio(1, 1)), ("0%", Ratio(0, 1)),
        ("33.333%", Ratio(33_333, 100_000)), ("99.9999999%", Ratio(999_999_999, 10**9)),
    ],
)  # fmt: skip
def test_a_percentage_is_a_reduced_fraction(text: str, ratio: Ratio) -> None:
    assert percent(text) == ratio


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (percent, "3"), (percent, "-3%"), (percent, "3 %"), (percent, "3e1%"), (percent, 3),
        (percent, "٣%"), (percent, ".5%"), (percent, "%"), (percent, "0.0000001%\n"),
        (percent, "99.99999999%"), (percent, "9" * 30 + "%"),
        (multiple, "x2"), (multiple, 2), (multiple, 1.5), (multiple, "0.0000000001"),
        (duration, "5"), (duration, "fast"), (duration, "5 s"), (duration, "5S"), (duration, 5),
        (duration, "0.5ns"), (duration, "0.0000001ms"), (duration, "9223372036854775808ns"),
        (duration, "-1s"), (duration, "1d"), (duration, True), (duration, None),
        (price, "0.000000001"), (price, "92000000000.00000001"), (price, "1e5"), (price, "NaN"),
        (price, "-1"), (price, 1), (price, ""),
        (clock, "9:30"), (clock, "09:60"), (clock, "09:30:60"), (clock, "48:01"), (clock, 930),
    ],
)  # fmt: skip
def test_what_is_not_exact_is_refused(read: Callable[[object], object], text: object) -> None:
    with pytest.raises(UnitError):
        read(text)


def test_a_clock_time_is_seconds_after_midnight() -> None:
    assert [clock(text) for text in ("00:00", "09:30", "14:57:30", "24:00", "26:30")] == [
        0, 34_200, 53_850, 86_400, 95_400,
    ]  # fmt: skip


@given(st.integers(0, MAX_NS))
def test_durations_come_back(ns: int) -> None:
    assert duration(show_duration(ns)) == ns


@given(st.integers(0, 92 * 10**17))
def test_prices_come_back(units: int) -> None:
    assert price(show_price(units)) == units
    assert Decimal(show_price(-units)) == -Decimal(show_price(units))


@given(st.integers(0, 48 * 3600))
def test_clock_times_come_back(seconds: int) -> None:
    assert clock(show_clock(seconds)) == seconds


@given(st.decimals(0, 8_000, places=6))
def test_ratios_come_back(value: Decimal) -> None:
    text = f"{value:f}"
    share = Fraction(value) / 100
    if max(share.numerator, share.denominator) <= MAX_RATIO_PART:
        ratio = percent(f"{text}%")
        assert Fraction(ratio.num, ratio.den) == share
        assert percent(show_percent(ratio)) == ratio
    assert multiple(show_multiple(multiple(text))) == multiple(text)


def test_what_has_no_decimal_is_shown_as_a_fraction() -> None:
    assert (show_percent(Ratio(1, 3)), show_multiple(Ratio(4, 3))) == ("100/3 %", "4/3")
