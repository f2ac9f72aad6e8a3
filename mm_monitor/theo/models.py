"""Option models by name, and the one place where a double becomes a theo.

A theo is int64 in units of 10^-8, rounded half to even from the exact value of the double.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import MAX_PRICE, PRICE_SCALE
from mm_monitor.kernels import price_columns, vol_columns
from mm_monitor.kernels.reference_pricing import AMERICAN, EUROPEAN

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """A model under its name; `version` grows with every change that can change a price."""

    name: str
    kernel: int
    on_future: bool  # the underlying's price is a future's: no carry
    version: int = 1

    @property
    def label(self) -> str:
        """What a theo record carries: `bsm/1`."""
        return f"{self.name}/{self.version}"


MODELS = {
    "black76": Model("black76", EUROPEAN, on_future=True),
    "bsm": Model("bsm", EUROPEAN, on_future=False),
    "bjs2002": Model("bjs2002", AMERICAN, on_future=False),
}


@dataclass(frozen=True, slots=True)
class Market:
    """The model and the rates under which options are priced; per year, continuous."""

    model: Model
    rate: float = 0.0
    dividend: float = 0.0

    @property
    def carry(self) -> float:
        """Growth of the forward."""
        return 0.0 if self.model.on_future else self.rate - self.dividend


@dataclass(frozen=True, slots=True)
class Options:
    """Columns of options: `sign` int8, 1 for a call and -1 for a put; prices as doubles; time in years."""

    sign: NDArray[np.int8]
    spot: Doubles
    strike: Doubles
    years: Doubles

    def __len__(self) -> int:
        return len(self.sign)


def prices(market: Market, options: Options, vol: Doubles) -> tuple[Doubles, Doubles]:
    """Price and delta of each option; NaN where the inputs make no sense."""
    n = len(options)
    price, delta = np.zeros(n), np.zeros(n)
    rate, carry = np.full(n, market.rate), np.full(n, market.carry)
    price_columns(market.model.kernel, options.sign, options.spot, options.strike, options.years,
                  rate, carry, vol, price, delta)  # fmt: skip
    return price, delta


def implied_vols(market: Market, options: Options, price: Doubles) -> Doubles:
    """The vol that gives each price; NaN where none does."""
    n = len(options)
    vol = np.zeros(n)
    rate, carry = np.full(n, market.rate), np.full(n, market.carry)
    vol_columns(market.model.kernel, options.sign, options.spot, options.strike, options.years,
                rate, carry, price, vol)  # fmt: skip
    return vol


def to_units(value: float) -> int | None:
    """A double as int64 10^-8, half to even; None for what is no theo (NaN, negative, out of range)."""
    if not isfinite(value) or value < 0:
        return None
    units = round(Fraction(value) * PRICE_SCALE)
    return units if units <= MAX_PRICE else None


def delta_units(value: float) -> int:
    """A delta in units of 10^-8, half to even."""
    return round(Fraction(value) * PRICE_SCALE)
