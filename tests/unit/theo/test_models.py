"""From doubles to theos, and from quotes to a smile."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.model import MAX_PRICE
from mm_monitor.theo.models import (
    MODELS,
    Market,
    Options,
    delta_units,
    implied_vols,
    prices,
    to_units,
)
from mm_monitor.theo.smile import Point, Smile, fit


@pytest.mark.criterion("NUM-02")
@given(st.floats(0, 9e10))
def test_a_computed_theo_is_rounded_half_even_from_the_exact_double(value: float) -> None:
    with localcontext() as context:
        context.prec = 1200
        exact = Decimal(value).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
        assert to_units(value) == int(exact.scaleb(8))


@pytest.mark.criterion("NUM-02")
def test_ties_go_to_the_even_unit() -> None:
    tie = 2.0**-9  # 0.001953125 is 195312.5 units
    assert [to_units(tie), to_units(3 * tie)] == [195312, 585938]
    assert delta_units(-tie) == -195312


def test_what_is_no_theo_is_none() -> None:
    assert [to_units(x) for x in (math.nan, math.inf, -1e-300, 1e11)] == [None] * 4
    assert to_units(-0.0) == 0
    assert to_units(9.2e10) == MAX_PRICE


def test_every_model_has_a_version_and_its_carry() -> None:
    assert [model.label for model in MODELS.values()] == ["black76/1", "bsm/1", "bjs2002/1"]
    carries = [Market(model, 0.05, 0.02).carry for model in MODELS.values()]
    assert carries == [0.0, pytest.approx(0.03), pytest.approx(0.03)]


@pytest.mark.parametrize("name", MODELS)
def test_vols_and_prices_are_each_others_inverse(name: str) -> None:
    market = Market(MODELS[name], 0.05, 0.02)
    options = Options(
        np.array([1, -1], np.int8), np.full(2, 100.0), np.array([105.0, 98.0]), np.full(2, 0.5)
    )
    vols = np.array([0.2, 0.3])
    price, delta = prices(market, options, vols)
    assert implied_vols(market, options, price) == pytest.approx(vols, rel=1e-9)
    assert delta[0] > 0 > delta[1]


# The smile -------------------------------------------------------------------------------------


def test_a_parabola_is_found_again() -> None:
    points = [Point(m / 10, 0.2 - 0.05 * m / 10 + 0.3 * (m / 10) ** 2) for m in range(-4, 5)]
    smile = fit(points)
    assert smile is not None
    assert smile.coefficients == pytest.approx((0.2, -0.05, 0.3))
    assert smile.vol(0.9) == smile.vol(0.4)  # flat beyond what was fitted
    assert smile.covers(-0.4)
    assert not smile.covers(0.41)


def test_few_points_give_a_line_or_a_constant() -> None:
    line = fit([Point(0.0, 0.2), Point(0.2, 0.24)])
    assert line is not None
    assert line.vol(0.1) == pytest.approx(0.22)
    flat = fit([Point(0.1, 0.2), Point(0.1, 0.3)])
    assert flat is not None
    assert 0.2 < flat.vol(5.0) == flat.vol(-5.0) < 0.3
    assert fit([]) is None
    assert fit([Point(0.0, math.nan)]) is None


def test_strikes_that_are_almost_one_give_a_constant() -> None:
    smile = fit([Point(0.1, 0.2), Point(0.1 + 1e-15, 0.2), Point(0.1 + 2e-15, 0.2)])
    assert smile is not None
    assert smile.vol(0.1) == pytest.approx(0.2)


def test_a_vol_never_falls_to_nothing() -> None:
    assert Smile((-1.0, 0.0, 0.0), 0.0, 0.0).vol(0.0) == 1e-4
