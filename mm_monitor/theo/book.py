"""The market-wide book as a fit sees it: every maker's two-sided quotes, and per contract the median of their mids.

One maker can be left out: then the vol by which its quotes are judged owes nothing to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mm_monitor.core.model import PRICE_SCALE


class MidBook:
    """Standing mids by contract and maker, both by index; in half units of 10^-8, so that they are whole."""

    def __init__(self, left_out: int = -1) -> None:
        self._left_out = left_out
        self._mids: dict[int, dict[int, int]] = {}

    def state(self) -> list[tuple[int, int, int]]:
        """Contract, maker, mid: all that stand, for a checkpoint."""
        return [(c, m, mid) for c, mids in self._mids.items() for m, mid in mids.items()]

    def restore(self, state: Iterable[tuple[int, int, int]]) -> None:
        """Inverse of `state`, on a fresh book."""
        for contract, maker, mid in state:
            self._mids.setdefault(contract, {})[maker] = mid

    def quote(
        self, contract: int, maker: int, bid: int, bid_size: int, ask: int, ask_size: int
    ) -> bool:
        """Take a quote in; says whether a mid came, moved or went."""
        if maker == self._left_out or maker < 0:
            return False
        mids = self._mids.setdefault(contract, {})
        before = mids.get(maker)
        if bid_size > 0 and ask_size > 0 and bid < ask:
            mids[maker] = bid + ask
        else:
            mids.pop(maker, None)
        return before != mids.get(maker)

    def mids(self, contracts: Iterable[int]) -> Iterator[tuple[int, float]]:
        """Of each contract that anybody quotes, the median mid as a double."""
        for contract in contracts:
            mids = self._mids.get(contract)
            if mids:
                yield contract, _median(sorted(mids.values())) / (4 * PRICE_SCALE)


def _median(values: list[int]) -> int:
    """Twice the median of sorted integers: whole, whatever their number."""
    middle = len(values) // 2
    return values[middle] + values[-1 - middle]
