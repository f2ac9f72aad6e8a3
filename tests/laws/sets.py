"""Is a contract in a required set? OBL-01 read aloud, one contract at a time, in fractions and dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from mm_monitor.core.rulebook import Ratio, RequiredSet


@dataclass(frozen=True)
class Listed:
    """What is known of a contract now."""

    klass: str
    kind: str = ""
    strike: Fraction | None = None
    expiry: date | None = None
    flags: frozenset[str] = frozenset()
    live: bool = True
    delta: Fraction | None = None


def owed(
    rules: RequiredSet, it: Listed, everyone: Sequence[Listed], day: date, spot: Fraction | None
) -> bool:
    """Of the contracts of all classes, on that trading date, with that spot of its class."""
    mates = [other for other in everyone if other.live and other.klass == it.klass]
    return all(
        (
            not rules.kinds or it.kind in rules.kinds,
            not set(rules.exclude) & it.flags,
            _in_months(rules.months, it, mates, day),
            _in_days(rules, it, day),
            _near(rules, it, mates, spot),
            _in_delta(rules.delta, it.delta),
        )
    )


def _in_months(count: int | None, it: Listed, mates: Sequence[Listed], day: date) -> bool:
    if count is None:
        return True
    ahead = [mate.expiry for mate in mates if mate.expiry is not None and mate.expiry >= day]
    nearest = sorted({(expiry.year, expiry.month) for expiry in ahead})[:count]
    return it.expiry is not None and (it.expiry.year, it.expiry.month) in nearest


def _in_days(rules: RequiredSet, it: Listed, day: date) -> bool:
    left = float("inf") if it.expiry is None else (it.expiry - day).days
    least, most = rules.min_days, rules.max_days
    if rules.below_months is not None and not _before(it.expiry, day, rules.below_months):
        return False
    return (least is None or left >= least) and (most is None or left <= most)


def _before(expiry: date | None, day: date, months: int) -> bool:
    """Counted month by month; the 31st of a month without one is its last day."""
    if expiry is None:
        return False
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    if (expiry.year, expiry.month) != (year, month):
        return (expiry.year, expiry.month) < (year, month)
    return expiry.day < day.day and (expiry + timedelta(days=1)).month == month


def _by_money(count: tuple[int, int], it: Listed, mates: Sequence[Listed], spot: Fraction) -> bool:
    """Among the nearest strikes out of the money, or in it."""

    def out(strike: Fraction) -> bool:
        return strike >= spot if it.kind == "call" else strike <= spot

    if it.strike is None or it.kind not in ("call", "put") or not it.live:
        return False
    alike = {m.strike for m in mates if (m.expiry, m.kind) == (it.expiry, it.kind)}
    side = [s for s in alike if s is not None and out(s) == out(it.strike)]
    side.sort(key=lambda strike: abs(strike - spot))
    return it.strike in side[: count[0] if out(it.strike) else count[1]]


def _near(rules: RequiredSet, it: Listed, mates: Sequence[Listed], spot: Fraction | None) -> bool:
    asked = (rules.strikes, rules.nearest, rules.within)
    if spot is None or all(rule is None for rule in asked):
        return True
    if it.strike is None:
        return False
    if rules.nearest is not None and not _by_money(rules.nearest, it, mates, spot):
        return False
    if rules.within is not None and abs(it.strike - spot) > _fraction(rules.within) * spot:
        return False
    if rules.strikes is None:
        return True
    found = {mate.strike for mate in mates if mate.expiry == it.expiry}
    ladder = sorted(strike for strike in found if strike is not None)
    if it.strike not in ladder:
        return False
    centre = min(ladder, key=lambda strike: (abs(strike - spot), strike))
    return abs(ladder.index(it.strike) - ladder.index(centre)) <= rules.strikes


def _in_delta(bounds: tuple[Ratio, Ratio] | None, delta: Fraction | None) -> bool:
    if bounds is None or delta is None:
        return True
    return _fraction(bounds[0]) <= abs(delta) <= _fraction(bounds[1])


def _fraction(ratio: Ratio) -> Fraction:
    return Fraction(ratio.num, ratio.den)
