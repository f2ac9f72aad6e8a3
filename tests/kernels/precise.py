"""The printed formulas at 50 digits, term by term as their authors give them: what the kernels are held against."""

from __future__ import annotations

from typing import Any

from mpmath import erfc, exp, log, mp, mpf, quad, sqrt

mp.dps = 50


def cdf(x: Any) -> Any:
    return erfc(-x / sqrt(mpf(2))) / 2


def european(
    sign: int, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> Any:
    """Haug (2007) 1.1.6, the generalised formula."""
    s, k, t, r, b, v = map(mpf, (spot, strike, years, rate, carry, vol))
    d1 = (log(s / k) + (b + v * v / 2) * t) / (v * sqrt(t))
    d2 = d1 - v * sqrt(t)
    return sign * (s * exp((b - r) * t) * cdf(sign * d1) - k * exp(-r * t) * cdf(sign * d2))


def both(a: Any, b: Any, rho: Any) -> Any:
    """The bivariate normal distribution, by Plackett's identity."""

    def density(y: Any) -> Any:
        return exp(-(a * a - 2 * y * a * b + b * b) / (2 * (1 - y * y))) / (
            2 * mp.pi * sqrt(1 - y * y)
        )

    return cdf(a) * cdf(b) + quad(density, [0, rho / 2, rho])


def _phi(s: Any, t: Any, gamma: Any, h: Any, i: Any, r: Any, b: Any, v: Any) -> Any:
    lam = (-r + gamma * b + gamma * (gamma - 1) * v * v / 2) * t
    d = -(log(s / h) + (b + (gamma - mpf(1) / 2) * v * v) * t) / (v * sqrt(t))
    kappa = 2 * b / (v * v) + 2 * gamma - 1
    mirror = (i / s) ** kappa * cdf(d - 2 * log(i / s) / (v * sqrt(t)))
    return exp(lam) * s**gamma * (cdf(d) - mirror)


def _psi(
    s: Any, t2: Any, gamma: Any, h: Any, i2: Any, i1: Any, t1: Any, r: Any, b: Any, v: Any
) -> Any:
    half = mpf(1) / 2
    d1, d2 = v * sqrt(t1), v * sqrt(t2)
    m1, m2 = (b + (gamma - half) * v * v) * t1, (b + (gamma - half) * v * v) * t2
    e1, e2 = (log(s / i1) + m1) / d1, (log(i2 * i2 / (s * i1)) + m1) / d1
    e3, e4 = (log(s / i1) - m1) / d1, (log(i2 * i2 / (s * i1)) - m1) / d1
    f1, f2 = (log(s / h) + m2) / d2, (log(i2 * i2 / (s * h)) + m2) / d2
    f3, f4 = (log(i1 * i1 / (s * h)) + m2) / d2, (log(s * i1 * i1 / (h * i2 * i2)) + m2) / d2
    rho = sqrt(t1 / t2)
    lam = -r + gamma * b + gamma * (gamma - 1) * v * v / 2
    kappa = 2 * b / (v * v) + 2 * gamma - 1
    return (
        exp(lam * t2)
        * s**gamma
        * (
            both(-e1, -f1, rho)
            - (i2 / s) ** kappa * both(-e2, -f2, rho)
            - (i1 / s) ** kappa * both(-e3, -f3, -rho)
            + (i1 / i2) ** kappa * both(-e4, -f4, -rho)
        )
    )


def _american_call(s: Any, k: Any, t: Any, r: Any, b: Any, v: Any) -> Any:
    half = mpf(1) / 2
    beta = (half - b / v**2) + sqrt((b / v**2 - half) ** 2 + 2 * r / v**2)
    endless, least = beta / (beta - 1) * k, max(k, r / (r - b) * k)
    t1 = (sqrt(mpf(5)) - 1) / 2 * t

    def trigger(years: Any) -> Any:
        h = -(b * years + 2 * v * sqrt(years)) * k * k / ((endless - least) * least)
        return least + (endless - least) * (1 - exp(min(h, mpf(0))))

    i2 = trigger(t)
    i1 = min(trigger(t1), i2)
    if s >= i2:
        return s - k
    a1, a2 = (i1 - k) * i1**-beta, (i2 - k) * i2**-beta

    def phi(gamma: Any, h: Any, i: Any) -> Any:
        return _phi(s, t1, gamma, h, i, r, b, v)

    def psi(gamma: Any, h: Any) -> Any:
        return _psi(s, t, gamma, h, i2, i1, t1, r, b, v)

    one, none = mpf(1), mpf(0)
    return (
        a2 * s**beta - a2 * phi(beta, i2, i2) + phi(one, i2, i2) - phi(one, i1, i2)
        - k * phi(none, i2, i2) + k * phi(none, i1, i2) + a1 * phi(beta, i1, i2)
        - a1 * psi(beta, i1) + psi(one, i1) - psi(one, k) - k * psi(none, i1) + k * psi(none, k)
    )  # fmt: skip


def american(
    sign: int, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> Any:
    """Bjerksund and Stensland (2002) as printed; never less than the European price or the exercise value."""
    s, k, t, r, b, v = map(mpf, (spot, strike, years, rate, carry, vol))
    plain = european(sign, spot, strike, years, rate, carry, vol)
    if sign < 0:
        s, k, r, b = k, s, r - b, -b
    printed = plain if b >= r else _american_call(s, k, t, r, b, v)
    return max(printed, plain, s - k)
