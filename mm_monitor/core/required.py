"""Which contracts of an appointed class are owed (OBL-01): the required set of one rulebook, contract by contract.

What hangs on dates and flags is evaluated when a trading date begins and when the reference changes. What follows spot
or delta is looked at when one of them leaves the range in which nothing can change, and then costs O(contracts).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import THEO_DELTA, Rows
from mm_monitor.core.model import PRICE_SCALE, Kind
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.rulebook import Ratio, RequiredSet

NS = 1_000_000_000
DAY = 86_400 * NS
ADDED_TODAY = "added_today"
NEVER, LONG_AGO = 2**63 - 1, -(2**63)

Mask = NDArray[np.bool_]
Range = tuple[int, int]  # both ends included


def expiry_of(contract: Contract) -> date | None:
    """The day on which a contract expires, None for one that never does."""
    return date.fromisoformat(contract.expiry) if contract.expiry else None


def strike_of(contract: Contract) -> int | None:
    """The strike in 10^-8, None for a contract that has none."""
    return int(Decimal(contract.strike) * PRICE_SCALE) if contract.strike else None


def date_at(ts: int) -> date:
    """The date in UTC: the trading date where no calendar names it."""
    return datetime.fromtimestamp(ts // NS, tz=UTC).date()


class Membership:
    """The contracts that are owed now. `mask` is (m,), an element for each contract of the reference.

    The day, the spots (10^-8, by class) and the contracts whose delta is out of range are its whole state.
    """

    def __init__(self, rules: RequiredSet | None, reference: Reference) -> None:
        self.rules, self.reference = rules or RequiredSet(), reference
        self.day: date | None = None  # the trading date
        self.since = LONG_AGO  # instant from which a listing is of today
        self.spots: dict[str, int] = {}
        self.delta_out: set[int] = set()
        self._steady: dict[str, Range] = {}  # spots among which nothing changes, by class
        self._sizes = _delta_range(self.rules.delta)
        self.mask: Mask = np.zeros(0, dtype=np.bool_)
        self.fit()

    @property
    def moves(self) -> bool:
        """Does spot decide?"""
        rules = self.rules
        return any(rule is not None for rule in (rules.strikes, rules.nearest, rules.within))

    def state(self) -> dict[str, object]:
        """All that a snapshot has to keep."""
        return {
            "day": self.day.isoformat() if self.day else "",
            "since": self.since,
            "spots": self.spots,
            "delta_out": sorted(self.delta_out),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self.day = date.fromisoformat(state["day"]) if state["day"] else None
        self.since, self.delta_out = state["since"], set(state["delta_out"])
        self.spots = dict(state["spots"])
        self.fit()

    def begin(self, ts: int, trading_date: str, *, rolls: bool) -> None:
        """A trading date begins at `ts`: it rolls over, or its judged period starts."""
        self.day = date.fromisoformat(trading_date) if trading_date else date_at(ts)
        if rolls or not trading_date:
            self.since = ts if rolls else ts // DAY * DAY
        self.fit()

    def fit(self) -> None:
        """Evaluate everything anew, for the reference as it is now."""
        contracts = self.reference.contracts
        self._of_class: dict[str, list[int]] = {}
        for index, contract in enumerate(contracts):
            self._of_class.setdefault(contract.klass, []).append(index)
        self._static = np.ones(len(contracts), dtype=np.bool_)
        self._near = np.ones(len(contracts), dtype=np.bool_)
        if self.rules != RequiredSet():
            for members in self._of_class.values():
                self._judge_static(members)
            for klass in self.spots:
                self._judge_spot(klass)
        self._join()

    def spot(self, klass: str, price: int | None) -> bool:
        """The underlying of `klass` has a price (10^-8), or None that is known. Did the set change?"""
        if not self.moves or self.spots.get(klass) == price:
            return False
        before = self.spots.pop(klass, None)
        if price is not None:
            self.spots[klass] = price
            low, high = self._steady.get(klass, (0, -1))
            if before is not None and low <= price <= high:
                return False
        self._judge_spot(klass)
        return self._join()

    def flips(self, rows: Rows) -> list[tuple[int, int, bool]]:
        """Theo rows at which a contract's delta leaves or enters the range: (row, contract, is it out).

        Nothing is changed: `delta` takes a flip in.
        """
        if self._sizes is None:
            return []
        which = np.flatnonzero(rows["kind"] == Kind.THEO)
        theos = rows[which]
        size = np.abs(theos["b"])
        out = (theos["flags"] & THEO_DELTA > 0) & (
            (size < self._sizes[0]) | (size > self._sizes[1])
        )
        order = np.argsort(theos["contract"], kind="stable")
        contract, out = theos["contract"][order], out[order]
        known = np.zeros(len(self.reference.contracts), dtype=np.bool_)
        known[list(self.delta_out)] = True
        before = known[contract]
        same = contract[1:] == contract[:-1]
        before[1:][same] = out[:-1][same]
        changed = np.flatnonzero(out != before)
        found = zip(which[order[changed]], contract[changed], out[changed], strict=True)
        return sorted((int(row), int(con), bool(gone)) for row, con, gone in found)

    def delta(self, contract: int, out: bool) -> bool:
        """The delta of a contract is out of range, or not known to be. Did the set change?"""
        (self.delta_out.add if out else self.delta_out.discard)(contract)
        return self._join()

    def _join(self) -> bool:
        """Put the criteria together. Did the set change?"""
        mask = self._static & self._near
        if self.delta_out:
            mask[list(self.delta_out)] = False
        changed = not np.array_equal(mask, self.mask)
        self.mask = mask
        return changed

    # -- dates and flags ----------------------------------------------------------------------

    def _judge_static(self, members: Sequence[int]) -> None:
        months = self._months(members)
        for index in members:
            contract = self.reference.contracts[index]
            expiry = expiry_of(contract)
            self._static[index] = (
                (not self.rules.kinds or contract.kind in self.rules.kinds)
                and (months is None or (expiry is not None and _month(expiry) in months))
                and self._in_days(expiry)
                and not self._flags(index, contract) & set(self.rules.exclude)
            )

    def _months(self, members: Iterable[int]) -> set[tuple[int, int]] | None:
        """The nearest months in which something that is listed expires, today or later."""
        if self.rules.months is None or self.day is None:
            return None
        listed = (self.reference.contracts[i] for i in members if self.reference.live[i])
        expiries = (expiry_of(contract) for contract in listed)
        found = {_month(day) for day in expiries if day is not None and day >= self.day}
        return set(sorted(found)[: self.rules.months])

    def _in_days(self, expiry: date | None) -> bool:
        if expiry is None:  # it has infinitely many
            return self.rules.max_days is None and self.rules.below_months is None
        if self.day is None:
            return True
        if self.rules.below_months is not None and expiry >= _later(
            self.day, self.rules.below_months
        ):
            return False
        days = (expiry - self.day).days
        least, most = self.rules.min_days, self.rules.max_days
        return (least is None or days >= least) and (most is None or days <= most)

    def _flags(self, index: int, contract: Contract) -> set[str]:
        flags = set(contract.flags.split())
        listed = self.reference.listed.get(index)
        return flags | {ADDED_TODAY} if listed is not None and listed >= self.since else flags

    # -- spot ---------------------------------------------------------------------------------

    def _judge_spot(self, klass: str) -> None:
        """Set `_near` of a class, and the range of spot in which it stands."""
        members, spot = self._of_class.get(klass, []), self.spots.get(klass)
        if spot is None:
            self._near[members] = True
            return
        strikes = {i: strike_of(self.reference.contracts[i]) for i in members}
        ranges = [(LONG_AGO, NEVER)]
        ladders = self._ladders(members, strikes)
        chosen: dict[str, set[int]] = {}
        for expiry, ladder in ladders.items():
            chosen[expiry], steady = _around(ladder, spot, self.rules.strikes or 0)
            ranges.append(steady)
        by_money, steady = self._by_money(members, strikes, spot)
        ranges.append(steady)
        for index in members:
            strike, near = strikes[index], self.rules.strikes is None
            if not near and strike is not None:
                near = strike in chosen.get(self.reference.contracts[index].expiry, ())
            near = near and (self.rules.nearest is None or index in by_money)
            if self.rules.within is not None and strike is not None:
                inside, steady = _within(strike, spot, self.rules.within)
                ranges.append(steady)
                near = near and inside
            self._near[index] = near and strike is not None
        self._steady[klass] = max(low for low, _ in ranges), min(high for _, high in ranges)

    def _by_money(
        self, members: Iterable[int], strikes: dict[int, int | None], spot: int
    ) -> tuple[set[int], Range]:
        """Contracts among the nearest out of and in the money, and for which spots that holds."""
        low, high = LONG_AGO, NEVER
        found: set[int] = set()
        if self.rules.nearest is None:
            return found, (low, high)
        groups: dict[tuple[str, str], dict[int, int]] = {}
        for index in members:
            contract, strike = self.reference.contracts[index], strikes[index]
            if (
                strike is not None
                and self.reference.live[index]
                and contract.kind in ("call", "put")
            ):
                groups.setdefault((contract.expiry, contract.kind), {})[index] = strike
        for (_, kind), group in groups.items():
            chosen, steady = _nearest(sorted(set(group.values())), spot, self.rules.nearest, kind)
            found |= {index for index, strike in group.items() if strike in chosen}
            low, high = max(low, steady[0]), min(high, steady[1])
        return found, (low, high)

    def _ladders(
        self, members: Iterable[int], strikes: dict[int, int | None]
    ) -> dict[str, list[int]]:
        """The distinct strikes of what is listed, ascending, by expiry."""
        if self.rules.strikes is None:
            return {}
        found: dict[str, set[int]] = {}
        for index in members:
            strike = strikes[index]
            if strike is not None and self.reference.live[index]:
                found.setdefault(self.reference.contracts[index].expiry, set()).add(strike)
        return {expiry: sorted(ladder) for expiry, ladder in found.items()}


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _around(ladder: Sequence[int], spot: int, count: int) -> tuple[set[int], Range]:
    """The strike nearest to spot (of two, the lower) and `count` on each side; and for which spots that holds."""
    at = min(range(len(ladder)), key=lambda i: (abs(ladder[i] - spot), ladder[i]))
    low = (ladder[at - 1] + ladder[at]) // 2 + 1 if at else LONG_AGO
    high = (ladder[at] + ladder[at + 1]) // 2 if at + 1 < len(ladder) else NEVER
    return set(ladder[max(0, at - count) : at + count + 1]), (low, high)


def _nearest(
    ladder: Sequence[int], spot: int, counts: tuple[int, int], kind: str
) -> tuple[set[int], Range]:
    """Strikes out of and in the money, so many of each; at spot is out of the money. And for which spots that holds."""
    otm, itm = counts
    if kind == "call":  # out of the money from spot upwards
        at = bisect_left(ladder, spot)
        chosen = ladder[max(0, at - itm) : at + otm]
        low = ladder[at - 1] + 1 if at else LONG_AGO
        return set(chosen), (low, ladder[at] if at < len(ladder) else NEVER)
    at = bisect_right(ladder, spot)
    chosen = ladder[max(0, at - otm) : at + itm]
    low = ladder[at - 1] if at else LONG_AGO
    return set(chosen), (low, ladder[at] - 1 if at < len(ladder) else NEVER)


def _later(day: date, months: int) -> date:
    """The same day of a month so many months on, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _within(strike: int, spot: int, share: Ratio) -> tuple[bool, Range]:
    """Is |strike - spot| <= share * spot; and for which spots is the answer the same?"""
    inside = abs(strike - spot) * share.den <= share.num * spot
    if strike <= 0 or spot <= 0:
        return inside, (spot, spot)
    low = -(-strike * share.den // (share.den + share.num))
    high = strike * share.den // (share.den - share.num) if share.num < share.den else NEVER
    if inside:
        return True, (low, high)
    return (False, (1, low - 1)) if spot < low else (False, (high + 1, NEVER))


def _delta_range(bounds: tuple[Ratio, Ratio] | None) -> Range | None:
    """Sizes of a delta, 10^-8, that are in range."""
    if bounds is None:
        return None
    low, high = bounds
    return -(-low.num * PRICE_SCALE // low.den), high.num * PRICE_SCALE // high.den
