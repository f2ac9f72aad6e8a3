"""Plain twin of the pricing kernel (cext/pricing.pyx): the same steps in the same order, hence the same bits.

The formulas are in docs/theo.md. A European price is taken out of the money, where nothing cancels, and brought in the
money through parity; an American one is the European price and what the right to exercise early adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import asin, copysign, cos, erfc, exp, expm1, inf, isfinite, log, log1p, nan, sin, sqrt

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Signs = NDArray[np.int8]

EUROPEAN, AMERICAN = 0, 1
HALVINGS = 60
SQRT_HALF = sqrt(0.5)
PI = 3.141592653589793
SQRT_TWO_PI = sqrt(2.0 * PI)
SPLIT = 0.5 * (sqrt(5.0) - 1.0)  # the first period's share of an American option's life
BUMP = 1e-4  # relative, for the delta of an American option
LEAST_VOL, MOST_VOL = 1e-4, 8.0
# Below these an American option is not worth exercising early: years, vol, rate less carry.
NO_TIME, NO_VOL, NO_RATE = 1e-9, 1e-6, 1e-12

# Gauss-Legendre on [-1, 1], the positive half: abscissa, weight.
_GAUSS = (
    (0.06405689286260563, 0.12793819534675216),
    (0.1911188674736163, 0.1258374563468283),
    (0.3150426796961634, 0.12167047292780339),
    (0.4337935076260451, 0.1155056680537256),
    (0.5454214713888396, 0.10744427011596563),
    (0.6480936519369755, 0.09761865210411388),
    (0.7401241915785544, 0.08619016153195327),
    (0.820001985973903, 0.0733464814110803),
    (0.8864155270044011, 0.05929858491543678),
    (0.9382745520027328, 0.04427743881741981),
    (0.9747285559713095, 0.028531388628933663),
    (0.9951872199970213, 0.0123412297999872),
)


def _nodes() -> list[tuple[float, float, float]]:
    """Of each angle at which the integrand is taken: its sine, 1 / (2 cos^2), its share of the integral."""
    angle = asin(sqrt(SPLIT))
    nodes = []
    for abscissa, weight in _GAUSS:
        for side in (1.0 + abscissa, 1.0 - abscissa):
            theta = 0.5 * angle * side
            nodes.append((sin(theta), 0.5 / (cos(theta) * cos(theta)), weight * angle / (4.0 * PI)))
    return nodes


NODES = _nodes()


def _exp(x: float) -> float:
    """As C has it: too much is infinite."""
    return exp(x) if x < 709.0 else _exp_far(x)


def _exp_far(x: float) -> float:
    try:
        return exp(x)
    except OverflowError:
        return inf


def cdf(x: float) -> float:
    """The normal distribution, with all its digits in the lower tail."""
    return 0.5 * erfc(-x * SQRT_HALF)


def log_ratio(a: float, b: float) -> float:
    """ln(a / b), with all its digits where a is near b."""
    q = a / b
    return log1p((a - b) / b) if 0.5 < q < 2.0 else log(q)


def scaled(exponent: float, x: float) -> float:
    """exp(exponent) * x, also where the first overflows and the product does not."""
    if x == 0.0:
        return 0.0
    if abs(exponent) < 300.0:
        return exp(exponent) * x
    return _exp(exponent + log(x)) if x > 0.0 else -_exp(exponent + log(-x))


# European --------------------------------------------------------------------------------------


def near_series(h: float, t: float) -> float:
    """[Y(h + t) - Y(h - t)] / 2 for Y = cdf / pdf by Taylor's series: nothing cancels however small t is."""
    y = cdf(h) * SQRT_TWO_PI * exp(0.5 * h * h)
    d0, d1 = y, 1.0 + h * y
    power, total = t, t * d1
    for n in range(1, 60):
        d0, d1 = d1, n * d0 + h * d1  # derivative n + 1
        power = power * t / (n + 1)
        if n % 2 == 0:
            term = power * d1
            total += term
            if abs(term) <= 1e-18 * total:
                break
    return total


def otm_value(x: float, s: float) -> float:
    """A call with ln(forward / strike) = x <= 0 and total deviation s, in units of sqrt(forward * strike)."""
    if s <= 0.0:
        return 0.0
    h, t = x / s, 0.5 * s
    if h < -37.0:
        return 0.0
    if t < 0.5 and -h * t < 1.0:
        value = 2.0 * exp(-0.5 * (h * h + t * t)) / SQRT_TWO_PI * near_series(h, t)
    else:
        value = _exp(0.5 * x) * cdf(h + t) - _exp(-0.5 * x) * cdf(h - t)
    return max(value, 0.0)


def european(
    sign: int, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> float:
    """Generalised Black-Scholes. On a future (Black-76) `carry` is 0, on a stock the rate less the dividend yield."""
    x = log_ratio(spot, strike) + carry * years
    value = strike * _exp(0.5 * x) * otm_value(-abs(x), vol * sqrt(years))
    if (sign > 0) == (x > 0.0):
        value += strike * abs(expm1(x))
    return value * _exp(-rate * years)


def european_delta(
    sign: int, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> float:
    """Change of the price per unit of the underlying's."""
    x = log_ratio(spot, strike) + carry * years
    s = vol * sqrt(years)
    limit = 0.0 if x == 0.0 else copysign(inf, x)
    d1 = x / s + 0.5 * s if s > 0.0 else limit
    return sign * cdf(sign * d1) * _exp((carry - rate) * years)


# American --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """What the parts of the early exercise value share."""

    years: float
    split: float  # time of the change of boundary
    carry: float
    variance: float  # per year
    dev_split: float  # deviation up to the change
    dev: float  # deviation up to expiry
    beta: float
    low: float  # ln(later boundary / spot)
    high: float  # ln(earlier boundary / spot)
    at_strike: float  # ln(strike / spot)

    def mu(self, gamma: float) -> float:
        """Drift of the logarithm under the measure that `gamma` names."""
        return self.carry + (gamma - 0.5) * self.variance

    def kappa(self, gamma: float) -> float:
        """Exponent of the reflections."""
        return 2.0 * self.carry / self.variance + 2.0 * gamma - 1.0


def both(a: float, b: float, negative: bool) -> float:
    """P(X < a, Y < b) for correlation sqrt(SPLIT), or its negative."""
    squares, product = a * a + b * b, 2.0 * a * b
    if negative:
        product = -product
    total = 0.0
    for sine, half_cos2, share in NODES:
        total += share * _exp((product * sine - squares) * half_cos2)
    return max(cdf(a) * cdf(b) + (-total if negative else total), 0.0)


def trigger(
    strike: float, least: float, excess: float, carry: float, vol: float, years: float
) -> float:
    """The boundary for a remaining life; it never falls under its value at expiry."""
    if excess <= 0.0:
        return least
    h = -(carry * years + 2.0 * vol * sqrt(years)) * strike * strike / (excess * least)
    return least - excess * expm1(min(h, 0.0))


def hit_early(c: Terms, gain: float) -> float:
    """Exercised at the first boundary before the change."""
    mu, kappa = c.mu(c.beta), c.kappa(c.beta)
    direct = cdf(-(c.high - mu * c.split) / c.dev_split)
    mirror = cdf((-c.high - mu * c.split) / c.dev_split)
    return gain * (scaled(-c.beta * c.high, direct) + scaled((kappa - c.beta) * c.high, mirror))


def at_change(c: Terms, gamma: float) -> float:
    """Exercised at the change, between the boundaries."""
    drift = c.mu(gamma) * c.split
    direct = cdf(-(c.low - drift) / c.dev_split) - cdf(-(c.high - drift) / c.dev_split)
    mirror = cdf((-c.high - drift) / c.dev_split) - cdf(
        (c.low - 2.0 * c.high - drift) / c.dev_split
    )
    return direct - scaled(c.kappa(gamma) * c.high, mirror)


def hit_late(c: Terms, gain: float) -> float:
    """Exercised at the second boundary after the change."""
    mu, kappa = c.mu(c.beta), c.kappa(c.beta)
    a, z, base, far = mu * c.split, mu * c.years, -c.beta * c.low, 2.0 * c.high - c.low
    total = scaled(base, both((c.low - a) / c.dev_split, (z - c.low) / c.dev, True))
    total -= scaled(base + kappa * c.high, both(-(far + a) / c.dev_split, (far + z) / c.dev, True))
    total += scaled(
        base + kappa * c.low, both((c.low + a) / c.dev_split, -(c.low + z) / c.dev, True)
    )
    total -= scaled(
        base + kappa * (c.low - c.high), both(-(far - a) / c.dev_split, (far - z) / c.dev, True)
    )
    return gain * total


def kept(c: Terms, gamma: float) -> float:
    """Never exercised before expiry, less the European's share: what the boundaries take away."""
    mu, kappa = c.mu(gamma), c.kappa(gamma)
    a, z, low, high, k = mu * c.split, mu * c.years, c.low, c.high, c.at_strike
    far = 2.0 * high - low

    def lost(e: float, upper: float, lower: float, negative: bool) -> float:
        return both(e, (upper - z) / c.dev, negative) - both(e, (lower - z) / c.dev, negative)

    e = (a - low) / c.dev_split
    total = lost(e, k, low, True) - cdf((z - low) / c.dev)
    e = -(far + a) / c.dev_split
    total -= scaled(kappa * high, lost(e, low - 2.0 * high, k - 2.0 * high, False))
    e = (low + a) / c.dev_split
    total -= scaled(kappa * low, lost(e, -low, k - 2.0 * low, True))
    e = -(far - a) / c.dev_split
    total += scaled(kappa * (low - high), lost(e, far, k + 2.0 * (high - low), True))
    return total


def american_call(
    spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> float:
    """Bjerksund and Stensland (2002): the value of exercising at two flat boundaries."""
    value = european(1, spot, strike, years, rate, carry, vol)
    if rate - carry < NO_RATE or vol < NO_VOL or years < NO_TIME:
        return max(value, spot - strike)
    variance = vol * vol
    p = 0.5 * variance + carry
    root = sqrt(p * p + 2.0 * variance * (rate - carry))
    u = 2.0 * (rate - carry) / (p + root) if p > 0.0 else (root - p) / variance  # beta - 1
    endless = strike * (1.0 + 1.0 / u)
    least = max(strike, rate / (rate - carry) * strike)
    split = SPLIT * years
    first = trigger(strike, least, endless - least, carry, vol, years)
    second = min(trigger(strike, least, endless - least, carry, vol, split), first)
    if spot >= first:
        return max(value, spot - strike)
    c = Terms(
        years, split, carry, variance, vol * sqrt(split), vol * sqrt(years), 1.0 + u,
        log_ratio(second, spot), log_ratio(first, spot), log_ratio(strike, spot),
    )  # fmt: skip
    early = hit_early(c, first - strike) + hit_late(c, second - strike)
    early += spot * _exp((carry - rate) * split) * at_change(c, 1.0)
    early -= strike * _exp(-rate * split) * at_change(c, 0.0)
    early += spot * _exp((carry - rate) * years) * kept(c, 1.0)
    early -= strike * _exp(-rate * years) * kept(c, 0.0)
    return max(value + max(early, 0.0), spot - strike)


def american(
    sign: int, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> float:
    """A put is a call on the strike, paid in the underlying; to the last bit it is worth its European."""
    if sign > 0:
        return american_call(spot, strike, years, rate, carry, vol)
    return max(
        american_call(strike, spot, years, rate - carry, -carry, vol),
        european(sign, spot, strike, years, rate, carry, vol),
    )


# Columns ---------------------------------------------------------------------------------------


def usable(
    sign: int,
    spot: float,
    strike: float,
    years: float,
    rate: float,
    carry: float,
    vol: float = 1.0,
) -> bool:
    """Is there a price for such inputs? Far beyond any market, and near enough that nothing overflows."""
    return (
        sign in (1, -1)
        and 1e-12 <= spot <= 1e12
        and 1e-12 <= strike <= 1e12
        and 0.0 <= years <= 1000.0
        and 0.0 <= vol <= 100.0
        and (abs(rate) + abs(carry)) * max(years, 1.0) <= 100.0
    )


Pricer = Callable[[int, float, float, float, float, float, float], float]


def _delta(model: int, sign: int, spot: float, *rest: float) -> float:
    strike, years, rate, carry, vol = rest
    if model == EUROPEAN:
        return european_delta(sign, spot, strike, years, rate, carry, vol)
    up = american(sign, spot * (1.0 + BUMP), strike, years, rate, carry, vol)
    down = american(sign, spot * (1.0 - BUMP), strike, years, rate, carry, vol)
    return (up - down) / (2.0 * BUMP * spot)


def _vol(pricer: Pricer, sign: int, *rest: float) -> float:
    """Prices never fall as vol rises: halve."""
    spot, strike, years, rate, carry, price = rest

    def at(vol: float) -> float:
        return pricer(sign, spot, strike, years, rate, carry, vol)

    low, high = LEAST_VOL, MOST_VOL
    if not at(low) < price < at(high):
        return nan
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if at(middle) < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _checked(model: int, columns: tuple[NDArray[np.generic], ...]) -> Pricer:
    if model not in (EUROPEAN, AMERICAN):
        raise ValueError(f"model: 0 (European) or 1 (American), got {model}")
    if len({len(column) for column in columns}) > 1:
        raise ValueError("columns: equal lengths wanted")
    return american if model == AMERICAN else european


def price_columns(
    model: int,
    sign: Signs,
    spot: Doubles,
    strike: Doubles,
    years: Doubles,
    rate: Doubles,
    carry: Doubles,
    vol: Doubles,
    price: Doubles,
    delta: Doubles,
) -> None:
    """Prices and deltas of options, written into `price` and `delta`; NaN where an input makes no sense.

    `model` 0 is European, 1 American (Bjerksund-Stensland 2002); `sign` is 1 for a call, -1 for a put; `years` to
    expiry; `rate`, `carry` and `vol` per year, continuous. On a future (Black-76) `spot` is its price and `carry` 0.
    ValueError for columns of unequal lengths or an unknown model.
    """
    inputs = (sign, spot, strike, years, rate, carry, vol)
    pricer = _checked(model, (*inputs, price, delta))
    for i, row in enumerate(zip(*(column.tolist() for column in inputs), strict=True)):
        good = usable(*row)
        price[i] = pricer(*row) if good else nan
        delta[i] = _delta(model, *row) if good else nan


def vol_columns(
    model: int,
    sign: Signs,
    spot: Doubles,
    strike: Doubles,
    years: Doubles,
    rate: Doubles,
    carry: Doubles,
    price: Doubles,
    vol: Doubles,
) -> None:
    """Vols under which the model gives these prices, written into `vol`; NaN where none from 0.0001 to 8 does.

    Arguments and errors as in `price_columns`.
    """
    inputs = (sign, spot, strike, years, rate, carry, price)
    pricer = _checked(model, (*inputs, vol))
    for i, row in enumerate(zip(*(column.tolist() for column in inputs), strict=True)):
        good = usable(*row[:6]) and isfinite(row[6])
        vol[i] = _vol(pricer, *row) if good else nan
