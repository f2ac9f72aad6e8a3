"""Several accounts of one maker as one quote, in plain Python: the specification of `cext/accounts.pyx`.

Every account has a place, a row of the table of standing quotes; each row in turn becomes what the accounts amount to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import QUOTE_BAD, Rows
from mm_monitor.core.model import MAX_SIZE, Kind

Indices = NDArray[np.int32]


class Quote(NamedTuple):
    """A side of size 0 is not there, whatever its price."""

    bid: int
    ask: int
    bid_size: int
    ask_size: int

    @property
    def sides(self) -> int:
        """How many there are."""
        return (self.bid_size != 0) + (self.ask_size != 0)


def fold_accounts(
    rows: Rows, wanted: NDArray[np.uint8], quotes: NDArray[np.void], own: Indices, place: Indices,
    first: Indices, members: Indices, best: bool,
) -> None:  # fmt: skip
    """Take every good quote that is `wanted` into its account's place and make it the maker's effective quote.

    quotes (places, contracts) HELD; own (makers,), -1 = no accounts; place by account number, [0] unused; first
    (makers + 1,) into members, which are in the order in which accounts are preferred.
    """
    for i in range(len(rows)):
        row = rows[i]
        maker, contract = int(row["maker"]), int(row["contract"])
        good = row["kind"] == Kind.QUOTE and not row["flags"] & QUOTE_BAD
        if not (wanted[i] and good) or maker < 0 or own[maker] < 0:
            continue
        mine = place[int(row["account"])] if row["account"] else own[maker]
        quotes[mine, contract] = (row["a"], row["b"], row["a_size"], row["b_size"])
        held = [
            Quote(*(int(x) for x in quotes[p, contract])) for p in members[first[maker] : first[maker + 1]]
        ]  # fmt: skip
        effective = best_of(held) if best else union_of(held)
        row["a"], row["b"] = effective.bid, effective.ask
        row["a_size"], row["b_size"] = effective.bid_size, effective.ask_size


def union_of(held: Sequence[Quote]) -> Quote:
    """The best bid and the best ask of all, each with the sum of the sizes at that price."""
    bid = max((q.bid for q in held if q.bid_size), default=0)
    ask = min((q.ask for q in held if q.ask_size), default=0)
    bid_size = sum(q.bid_size for q in held if q.bid == bid)
    ask_size = sum(q.ask_size for q in held if q.ask == ask)
    return Quote(bid, ask, min(bid_size, MAX_SIZE), min(ask_size, MAX_SIZE))


def best_of(held: Sequence[Quote]) -> Quote:
    """The quote with more sides, then the narrower, then the one with the larger least size, then the first."""
    return max(held, key=_rank)


def _rank(quote: Quote) -> tuple[int, int, int]:
    if quote.sides < 2:
        return quote.sides, 0, 0
    return 2, quote.bid - quote.ask, min(quote.bid_size, quote.ask_size)
