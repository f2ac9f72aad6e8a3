"""The pricing kernel: its twin's bits, the printed digits, fifty-digit arithmetic, and what no model may break."""

from __future__ import annotations

import math
import random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.kernels import reference_pricing as plain
from mm_monitor.kernels.reference_pricing import AMERICAN, EUROPEAN
from tests.kernels import precise

MODULES = pytest.mark.parametrize("module", [kernels, plain], ids=["kernel", "twin"])
CALL, PUT = 1, -1
Option = tuple[
    int, float, float, float, float, float, float
]  # sign, spot, strike, years, rate, carry, vol

spots = st.floats(0.01, 1e5)
ratios = st.floats(0.3, 3.0)
years = st.floats(1e-4, 5.0)
vols = st.floats(0.01, 2.0)
signs = st.sampled_from([CALL, PUT])
rates = st.floats(-0.02, 0.2)
carries = st.floats(-0.15, 0.2)
options = st.builds(
    lambda sign, spot, ratio, t, rate, carry, vol: (sign, spot, spot * ratio, t, rate, carry, vol),
    signs, spots, st.one_of(ratios, st.just(1.0)), years, rates, st.one_of(carries, st.just(0.0)), vols,
)  # fmt: skip
anything = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 1e-12, 1e12, 1e-300, 1e300, math.inf, math.nan, 0.3, 100.0]),
)
odd = st.tuples(st.sampled_from([CALL, PUT, 0, 2]), *[anything] * 6)
models = st.sampled_from([EUROPEAN, AMERICAN])


def columns(rows: list[Option]) -> list[Any]:
    sign, *rest = zip(*rows, strict=True) if rows else [()] * 7
    return [np.array(sign, np.int8), *(np.array(column, np.float64) for column in rest)]


def priced(model: int, rows: list[Option], module: ModuleType = kernels) -> tuple[Any, Any]:
    price, delta = np.zeros(len(rows)), np.zeros(len(rows))
    module.price_columns(model, *columns(rows), price, delta)
    return price, delta


def price(model: int, *option: float) -> float:
    return float(priced(model, [option])[0][0])  # type: ignore[list-item]


# The twin --------------------------------------------------------------------------------------


@given(models, st.lists(st.one_of(options, odd), max_size=8))
def test_the_kernel_gives_its_twins_bits(model: int, rows: list[Option]) -> None:
    kernel, twin = priced(model, rows), priced(model, rows, plain)
    assert [a.tobytes() for a in kernel] == [a.tobytes() for a in twin]


@given(models, st.lists(st.one_of(options, odd), max_size=2))
def test_vols_are_the_twins_too(model: int, rows: list[Option]) -> None:
    found = []
    for module in (kernels, plain):
        vol = np.zeros(len(rows))
        module.vol_columns(model, *columns(rows), vol)
        found.append(vol.tobytes())
    assert found[0] == found[1]


@given(models, odd)
def test_what_makes_sense_has_a_price_and_nothing_else_has(model: int, row: Option) -> None:
    value, delta = priced(model, [row])
    assert plain.usable(*row) == bool(np.isfinite(value[0])) == bool(np.isfinite(delta[0]))
    assert not value[0] < 0


@MODULES
def test_columns_that_do_not_fit_are_refused(module: ModuleType) -> None:
    rows: list[Option] = [(CALL, 60, 65, 0.25, 0.08, 0.08, 0.3)]
    one, two = np.zeros(1), np.zeros(2)
    wrong: list[tuple[str, str, tuple[Any, ...]]] = [
        ("price_columns", "model", (2, *columns(rows), one, one)),
        ("price_columns", "equal lengths", (0, *columns(rows), two, one)),
        ("price_columns", "equal lengths", (0, *columns(rows), one, two)),
        ("vol_columns", "equal lengths", (0, *columns(rows * 2), one)),
        ("vol_columns", "model", (-1, *columns(rows), one)),
    ]
    for name, message, arguments in wrong:
        with pytest.raises(ValueError, match=message):
            getattr(module, name)(*arguments)
    read_only = columns(rows)
    for column in read_only:
        column.flags.writeable = False
    module.price_columns(0, *read_only, one, one.copy())


# Printed tables --------------------------------------------------------------------------------

# The value, as printed. Haug: The Complete Guide to Option Pricing Formulas, 2nd edition (2007).
# Hull: Options, Futures, and Other Derivatives, 10th edition (2018). NAG: example results of s30aac at
# support.nag.com/numeric/nl/nagdoc_30.3/examples/baseresults/s30aafe.r.html
EUROPEAN_PRINTED = [
    ("Haug 1.1.1", "2.1334", (CALL, 60, 65, 0.25, 0.08, 0.08, 0.30)),
    ("Haug 1.1.2", "2.4648", (PUT, 100, 95, 0.5, 0.10, 0.05, 0.20)),
    ("Haug 1.1.3, Black-76", "1.7011", (CALL, 19, 19, 0.75, 0.10, 0.0, 0.28)),
    ("Haug 1.1.3, Black-76", "1.7011", (PUT, 19, 19, 0.75, 0.10, 0.0, 0.28)),
    ("Haug 1.1.5", "0.0291", (CALL, 1.56, 1.6, 0.5, 0.06, -0.02, 0.12)),
    ("Haug 1.1.6", "4.0870", (PUT, 75, 70, 0.5, 0.10, 0.05, 0.35)),
    ("Hull example 15.6", "4.76", (CALL, 42, 40, 0.5, 0.10, 0.10, 0.20)),
    ("Hull example 15.6", "0.81", (PUT, 42, 40, 0.5, 0.10, 0.10, 0.20)),
    ("Hull example 17.1", "51.83", (CALL, 930, 900, 2 / 12, 0.08, 0.05, 0.20)),
    ("Hull example 18.6, Black-76", "1.12", (PUT, 20, 20, 4 / 12, 0.09, 0.0, 0.25)),
    ("NAG s30aac", "5.9198", (CALL, 55, 58, 0.7, 0.10, 0.10, 0.30)),
    ("NAG s30aac", "6.5506", (CALL, 55, 58, 0.8, 0.10, 0.10, 0.30)),
    ("NAG s30aac", "5.0809", (CALL, 55, 60, 0.7, 0.10, 0.10, 0.30)),
    ("NAG s30aac", "5.6992", (CALL, 55, 60, 0.8, 0.10, 0.10, 0.30)),
    ("NAG s30aac", "4.3389", (CALL, 55, 62, 0.7, 0.10, 0.10, 0.30)),
    ("NAG s30aac", "4.9379", (CALL, 55, 62, 0.8, 0.10, 0.10, 0.30)),
]
# Haug chapter 3, the table of options on futures under Bjerksund-Stensland 2002; the lines that
# github.com/dedwards25/Python_Option_Pricing quotes. NAG: example results of s30qcc at
# support.nag.com/numeric/nl/nagdoc_30.3/examples/baseresults/s30qcce.r.html
AMERICAN_PRINTED = [
    ("Haug 3.3", "0.8099", (CALL, 90, 100, 0.5, 0.10, 0.0, 0.15)),
    ("Haug 3.3", "6.7661", (CALL, 100, 100, 0.5, 0.10, 0.0, 0.25)),
    ("Haug 3.3", "15.5137", (CALL, 110, 100, 0.5, 0.10, 0.0, 0.35)),
    ("Haug 3.3", "10.5400", (PUT, 90, 100, 0.5, 0.10, 0.0, 0.15)),
    ("Haug 3.3", "6.7661", (PUT, 100, 100, 0.5, 0.10, 0.0, 0.25)),
    ("Haug 3.3", "5.8374", (PUT, 110, 100, 0.5, 0.10, 0.0, 0.35)),
    ("NAG s30qcc", "10.3340", (CALL, 110, 100, 0.25, 0.08, -0.04, 0.20)),
]
DELTA_PRINTED = [
    ("Haug 2.1", "0.5946", (CALL, 105, 100, 0.5, 0.10, 0.0, 0.36)),
    ("Haug 2.1", "-0.3566", (PUT, 105, 100, 0.5, 0.10, 0.0, 0.36)),
    ("Hull example 19.1", "0.522", (CALL, 49, 50, 20 / 52, 0.05, 0.05, 0.20)),
]


def as_printed(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


@MODULES
@pytest.mark.parametrize(("source", "printed", "option"), EUROPEAN_PRINTED)
def test_european_prices_as_printed(
    module: ModuleType, source: str, printed: str, option: Option
) -> None:
    assert as_printed(priced(EUROPEAN, [option], module)[0][0], printed) == printed, source


@MODULES
@pytest.mark.parametrize(("source", "printed", "option"), AMERICAN_PRINTED)
def test_american_prices_as_printed(
    module: ModuleType, source: str, printed: str, option: Option
) -> None:
    assert as_printed(priced(AMERICAN, [option], module)[0][0], printed) == printed, source


@MODULES
@pytest.mark.parametrize(("source", "printed", "option"), DELTA_PRINTED)
def test_deltas_as_printed(module: ModuleType, source: str, printed: str, option: Option) -> None:
    assert as_printed(priced(EUROPEAN, [option], module)[1][0], printed) == printed, source


# Fifty digits ----------------------------------------------------------------------------------


def off(found: float, exact: Any) -> float:
    return float(abs((found - exact) / exact))


@given(options)
def test_a_european_price_has_ten_digits_of_fifty(option: Option) -> None:
    exact = precise.european(*option)
    if exact > 1e-8 * option[1]:
        assert off(price(EUROPEAN, *option), exact) < 1e-10


def drawn(seed: int) -> Option:
    """Like a market's, with the far out of the money, the long, the short and the quiet in it."""
    rng = random.Random(seed)
    spot = math.exp(rng.uniform(math.log(0.05), math.log(5e4)))
    strike = spot * math.exp(rng.choice([rng.gauss(0, 0.02), rng.gauss(0, 0.3), 0.0]))
    rate = rng.uniform(0.0, 0.2)
    carry = rng.choice([0.0, rate, rate - rng.uniform(0, 0.15)])
    life = math.exp(rng.uniform(math.log(1e-4), math.log(5)))
    return (
        rng.choice([CALL, PUT]),
        spot,
        strike,
        life,
        rate,
        carry,
        math.exp(rng.uniform(-4.6, 0.7)),
    )


@pytest.mark.parametrize("seed", range(24))
def test_an_american_price_has_ten_digits_of_fifty(seed: int) -> None:
    option = drawn(seed)
    exact = precise.american(*option)
    if exact > 1e-8 * option[1]:
        assert off(price(AMERICAN, *option), exact) < 1e-10


@pytest.mark.parametrize("spread", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("moneyness", [1.0, 1.0 + 1e-7, 1.0 - 1e-6])
def test_a_small_deviation_cancels_nothing(spread: float, moneyness: float) -> None:
    option = (CALL, 100.0, 100.0 * moneyness, 1.0, 0.03, 0.0, spread)
    exact = precise.european(*option)
    if exact > 1e-8 * 100:
        assert off(price(EUROPEAN, *option), exact) < 1e-10


# What no model may break -----------------------------------------------------------------------


@given(options)
def test_put_call_parity(option: Option) -> None:
    _, spot, strike, life, rate, carry, vol = option
    rest = (spot, strike, life, rate, carry, vol)
    forward = math.exp((carry - rate) * life) * spot - math.exp(-rate * life) * strike
    difference = price(EUROPEAN, CALL, *rest) - price(EUROPEAN, PUT, *rest)
    assert difference == pytest.approx(forward, abs=1e-12 * (spot + strike) * 4)


@given(options)
def test_a_european_price_is_between_its_bounds(option: Option) -> None:
    sign, spot, strike, life, rate, carry, _ = option
    present, paid = spot * math.exp((carry - rate) * life), strike * math.exp(-rate * life)
    value = price(EUROPEAN, *option)
    rounding = 1e-13 * (present + paid)
    assert max(sign * (present - paid), 0.0) - rounding <= value
    assert value <= (present if sign > 0 else paid) + rounding


@given(options)
def test_an_american_option_is_worth_its_exercise_and_its_european(option: Option) -> None:
    sign, spot, strike, *_ = option
    value = price(AMERICAN, *option)
    assert value >= max(sign * (spot - strike), price(EUROPEAN, *option), 0.0)


@given(options, st.floats(1.0001, 3.0))
def test_a_european_price_rises_with_vol_and_falls_with_distance(option: Option, by: float) -> None:
    sign, spot, strike, life, rate, carry, vol = option
    value = price(EUROPEAN, *option)
    slack = 1e-13 * (value + spot * math.exp(-rate * life) * 1e-3)
    assert price(EUROPEAN, sign, spot, strike, life, rate, carry, vol * by) >= value - slack
    further = strike * by if sign > 0 else strike / by
    assert price(EUROPEAN, sign, spot, further, life, rate, carry, vol) <= value + slack


@given(options)
def test_the_delta_is_the_slope(option: Option) -> None:
    sign, spot, *rest = option
    step = spot * 1e-6
    slope = (
        price(EUROPEAN, sign, spot + step, *rest) - price(EUROPEAN, sign, spot - step, *rest)
    ) / (2 * step)
    deviation = option[6] * math.sqrt(option[3])
    assert float(priced(EUROPEAN, [option])[1][0]) == pytest.approx(
        slope, abs=1e-7 + 1e-11 / deviation**2
    )


@pytest.mark.parametrize("model", [EUROPEAN, AMERICAN])
@pytest.mark.parametrize("sign", [CALL, PUT])
def test_without_vol_or_time_the_intrinsic_value_is_left(model: int, sign: int) -> None:
    assert price(model, sign, 110.0, 100.0, 0.0, 0.05, 0.02, 0.2) == pytest.approx(
        max(10.0 * sign, 0)
    )
    forward = 110 * math.exp(-0.03) - 100 * math.exp(-0.05)
    floor = max(sign * forward, sign * 10.0 if model == AMERICAN else 0.0, 0.0)
    assert price(model, sign, 110.0, 100.0, 1.0, 0.05, 0.02, 0.0) == pytest.approx(floor)
    assert price(model, sign, 110.0, 100.0, 1.0, 0.05, 0.02, 1e-4) == pytest.approx(floor)


def test_without_a_reason_to_exercise_early_an_american_call_is_european() -> None:
    option = (CALL, 100.0, 105.0, 1.0, 0.05, 0.05, 0.3)
    assert price(AMERICAN, *option) == price(EUROPEAN, *option)
    assert price(AMERICAN, PUT, *option[1:]) > price(EUROPEAN, PUT, *option[1:])


@given(models, options)
def test_a_vol_gives_its_price_back(model: int, option: Option) -> None:
    rest = option[:6]
    value = price(model, *option)
    found = np.zeros(1)
    sign, spot, strike, life, rate, carry, given = columns([(*rest, value)])
    kernels.vol_columns(model, sign, spot, strike, life, rate, carry, given, found)
    if not math.isnan(found[0]):
        assert price(model, *rest, float(found[0])) == pytest.approx(
            value, rel=1e-9, abs=1e-13 * rest[1]
        )
    else:
        bounds = [price(model, *rest, edge) for edge in (plain.LEAST_VOL, plain.MOST_VOL)]
        assert not bounds[0] < value < bounds[1]
