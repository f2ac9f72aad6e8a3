"""The simulated market: option contracts of an underlying and an integer model of their theo.

No Black-Scholes: theo = intrinsic value + a time value that is largest at the money and decays
smoothly away from it. It is exact in integers, so every machine makes the same session, and far
strikes are worth less than a tick or two, which is where the 1-tick term of the founding rule
matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import isqrt

import numpy as np

from mm_monitor.simulator.rows import Ints

TICK = 10_000  # 0.0001, in 10^-8
MICRO = 100  # the model works in 10^-6; one such unit is 100 of 10^-8
SPOT_TICK = 1_000  # 0.001, in 10^-6: the tick of an ETF
MULTIPLIER = 10_000
WEDNESDAY = 2
USUAL_STRIKES = 19  # per expiry


@dataclass(frozen=True, slots=True)
class Underlying:
    """A class of contracts: the name, first price and strike step (10^-6) of its underlying."""

    name: str
    spot: int
    strike_step: int


@dataclass(frozen=True, slots=True)
class Contract:
    """One option series. `strike` in 10^-6; `number` counts from 1 over all classes."""

    name: str
    klass: str
    kind: str  # call | put
    strike: int
    expiry: date
    number: int


def fourth_wednesday(year: int, month: int) -> date:
    """The expiry of the ETF options of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(WEDNESDAY - first.weekday()) % 7 + 21)


def expiries(today: date) -> list[date]:
    """The four listed expiries: this month, the next, and the two quarter ends after them."""
    found: list[date] = []
    year, month = today.year, today.month
    while len(found) < 4:
        expiry = fourth_wednesday(year, month)
        if expiry > today and (len(found) < 2 or month % 3 == 0):
            found.append(expiry)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def list_contracts(underlying: Underlying, today: date, count: int, first: int) -> list[Contract]:
    """`count` contracts: calls and puts, strikes outward from the money, up to four expiries.

    Few contracts use few expiries, so that even a small session reaches strikes worth less than a
    tick.
    """
    dates = expiries(today)[: max(1, min(4, count // 6))]
    strikes_each = -(-count // (2 * len(dates)))
    step = underlying.strike_step * max(1, USUAL_STRIKES // strikes_each)
    offsets = [(i + 1) // 2 * (1 if i % 2 else -1) for i in range(strikes_each)]
    strikes = [max(1, round(underlying.spot / step) + offset) * step for offset in offsets]
    series = [(k, e, s) for s in strikes for e in dates for k in ("call", "put")][:count]
    return [
        Contract(
            _symbol(underlying, kind, expiry, strike),
            underlying.name,
            kind,
            strike,
            expiry,
            first + i,
        )
        for i, (kind, expiry, strike) in enumerate(series)
    ]


def _symbol(underlying: Underlying, kind: str, expiry: date, strike: int) -> str:
    letter = "C" if kind == "call" else "P"
    return f"{underlying.name}{letter}{expiry:%y%m}M{strike // 1000:05d}"


class Pricing:
    """Theo of all contracts of one class as a function of the underlying's price."""

    def __init__(self, underlying: Underlying, contracts: list[Contract], today: date) -> None:
        days = [max(1, (contract.expiry - today).days) for contract in contracts]
        self._strike = np.array([contract.strike for contract in contracts], dtype=np.int64)
        self._sign = np.array([1 if c.kind == "call" else -1 for c in contracts], dtype=np.int64)
        # At the money: 0.4 * 25 % * spot * sqrt(years), with the root taken of an integer.
        roots = np.array([isqrt(10**8 * d // 365) for d in days], dtype=np.int64)
        self._at_money = underlying.spot * roots // 100_000
        self._width2 = (self._at_money * 3 // 2) ** 2
        # Every eighth contract is priced in hundredths: 3 % of its theo falls exactly on a tick.
        self._round = np.arange(len(contracts)) % 8 == 7

    def theos(self, spot: int) -> Ints:
        """Theo of each contract, int64 10^-8, when the underlying is at `spot` (10^-6)."""
        away = spot - self._strike
        value = self._at_money
        for _ in range(3):  # cubed: decays fast enough to be worthless a few strikes out
            value = value * self._width2 // (self._width2 + away * away)
        theo = np.maximum(self._sign * away, 0) + value
        rounded = np.maximum((theo + 5_000) // 10_000, 1) * 10_000
        theos: Ints = np.where(self._round, rounded, theo) * MICRO
        return theos


ETFS = (
    Underlying("159901", 2_800_000, 50_000),
    Underlying("159915", 2_200_000, 50_000),
    Underlying("159919", 4_000_000, 100_000),
    Underlying("159922", 6_000_000, 100_000),
)
