"""The smile of one expiry: vol as a parabola over moneyness, fitted to what makers quote.

Each contract counts once, by the median of its makers' mids, so that no single maker moves the fit far. Plain sums in a
fixed order: the same quotes give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite

LEAST_VOL = 1e-4


@dataclass(frozen=True, slots=True)
class Point:
    """One contract's vol at its moneyness ln(strike / forward) / sqrt(years)."""

    moneyness: float
    vol: float


@dataclass(frozen=True, slots=True)
class Smile:
    """vol = c0 + c1 m + c2 m^2 between the moneyness `low` and `high`, flat beyond."""

    coefficients: tuple[float, float, float]
    low: float
    high: float

    def vol(self, moneyness: float) -> float:
        """The vol there, never under 0.0001."""
        m = min(max(moneyness, self.low), self.high)
        c0, c1, c2 = self.coefficients
        return max(c0 + c1 * m + c2 * m * m, LEAST_VOL)

    def covers(self, moneyness: float) -> bool:
        """Is it between the points that were fitted?"""
        return self.low <= moneyness <= self.high


def fit(points: Sequence[Point]) -> Smile | None:
    """Least squares, each point weighted by how much its price tells of vol; None without a usable point.

    One moneyness gives a constant, two a line.
    """
    usable = [p for p in points if isfinite(p.vol) and p.vol > 0]
    if not usable:
        return None
    places = sorted({p.moneyness for p in usable})
    degree = min(2, len(places) - 1)
    sums, moments = [0.0] * (2 * degree + 1), [0.0] * (degree + 1)
    for point in usable:
        distance = point.moneyness / point.vol  # in deviations
        weight = max(exp(-0.5 * distance * distance), 1e-9)
        power = weight
        for k in range(2 * degree + 1):
            sums[k] += power
            if k <= degree:
                moments[k] += power * point.vol
            power *= point.moneyness
    solved = _solve([[sums[i + j] for j in range(degree + 1)] for i in range(degree + 1)], moments)
    if solved is None:
        return fit([Point(0.0, p.vol) for p in usable]) if degree else None
    c = (*solved, 0.0, 0.0)
    return Smile((c[0], c[1], c[2]), places[0], places[-1])


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gaussian elimination with the largest pivot first; None for a matrix without a clear one."""
    n = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(n):
        best = max(range(i, n), key=lambda k: abs(rows[k][i]))
        if abs(rows[best][i]) < 1e-14 * abs(matrix[0][0]):
            return None
        rows[i], rows[best] = rows[best], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    solved = [0.0] * n
    for i in reversed(range(n)):
        known = sum(rows[i][j] * solved[j] for j in range(i + 1, n))
        solved[i] = (rows[i][n] - known) / rows[i][i]
    return solved
