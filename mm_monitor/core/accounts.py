"""Makers that quote through several accounts: what they amount to, as one rulebook reads it (OBL-01).

A row of a maker with accounts is replaced by the maker's effective quote before anything judges it; where no maker has
an account nothing is done. Accounts and their makers come from the reference, the standing quotes are the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.batch import Rows, empty_rows
from mm_monitor.core.book import Book
from mm_monitor.core.model import Kind
from mm_monitor.core.reference import Reference
from mm_monitor.kernels.layout import HELD

Key = tuple[int, int]  # maker, number of the account; 0 = the maker's own name


class Accounts:
    """`rollup` is union or best; "" means that a quote of any account replaces the maker's.

    Places are given to accounts as they appear, and kept.
    """

    def __init__(self, rollup: str, reference: Reference) -> None:
        self.rollup, self.reference = rollup, reference
        self.places: dict[Key, int] = {}
        self.quotes = np.zeros((0, 0), dtype=HELD)
        self._seen = (-1, -1, -1)

    def fold(self, rows: Rows, book: Book, live: NDArray[np.bool_]) -> Rows:
        """The rows with each maker's effective quote; quotes of who is not obliged stay as they are."""
        if not self.rollup or not self.reference.accounts or not len(rows):
            return rows
        self._fit()
        folded, wanted = rows.copy(), book.obliged(rows, live)
        kernels.fold_accounts(
            folded, wanted.astype(np.uint8), self.quotes, self._own, self._place, self._first,
            self._members, self.rollup == "best",
        )  # fmt: skip
        return folded

    def shrink(self, maker: int, number: int, contract: int, side: str, size: int) -> Rows | None:
        """One row with what is left of the account's quote after a fill; None for a maker without accounts."""
        if not self.rollup or not self.reference.accounts:
            return None
        self._fit()
        if self._own[maker] < 0:
            return None
        place = int(self._place[number] if number else self._own[maker])
        held, row = self.quotes[place, contract], empty_rows(1)
        row["kind"], row["maker"], row["contract"] = Kind.QUOTE, maker, contract
        row["account"], row["a"], row["b"] = number, held["bid"], held["ask"]
        row["a_size"] = max(0, int(held["bid_size"]) - (size if side == "buy" else 0))
        row["b_size"] = max(0, int(held["ask_size"]) - (size if side == "sell" else 0))
        return row

    def withdraw(self, makers: NDArray[np.int32], contracts: NDArray[np.int32]) -> None:
        """All accounts of these makers on these contracts, pair by pair, are known to be absent."""
        if not self.places:
            return
        self._fit()
        for maker, contract in zip(makers.tolist(), contracts.tolist(), strict=True):
            mine = self._members[self._first[maker] : self._first[maker + 1]]
            self.quotes[mine, contract] = np.zeros((), dtype=HELD)

    def clear(self) -> None:
        """Nobody quotes anything."""
        self.quotes[:] = np.zeros((), dtype=HELD)

    def state(self) -> dict[str, object]:
        """All that a snapshot has to keep."""
        keys = sorted(self.places)
        return {"keys": keys, "quotes": self.quotes[[self.places[key] for key in keys]]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self.places = {(maker, number): i for i, (maker, number) in enumerate(state["keys"])}
        self.quotes, self._seen = state["quotes"].copy(), (-1, -1, -1)

    def _fit(self) -> None:
        """Places for accounts and contracts that are new, and whose they are now."""
        reference = self.reference
        seen = (reference.account_changes, len(reference.makers), len(reference.contracts))
        if seen == self._seen:
            return
        self._seen = seen
        held: dict[int, list[tuple[str, int]]] = {}
        for account, owner in reference.accounts.items():
            maker = reference.maker_index.get(owner)
            if maker is not None and account != owner:
                held.setdefault(maker, []).append((account, reference.account_numbers[account]))
        for maker, accounts in held.items():
            accounts.append((reference.makers[maker], 0))
            for _, number in accounts:
                self.places.setdefault((maker, number), len(self.places))
        self._grow(len(self.places), len(reference.contracts))
        self._index(held)

    def _grow(self, places: int, contracts: int) -> None:
        before = self.quotes
        self.quotes = np.zeros((places, contracts), dtype=HELD)
        self.quotes[: before.shape[0], : before.shape[1]] = before

    def _index(self, held: Mapping[int, list[tuple[str, int]]]) -> None:
        """The columns that the kernel reads; a maker's places are in the order of the names."""
        makers, numbers = len(self.reference.makers), len(self.reference.account_numbers) + 1
        self._own = np.full(makers, -1, dtype=np.int32)
        self._place = np.full(numbers, -1, dtype=np.int32)
        lists: list[list[int]] = [[] for _ in range(makers)]
        for maker, accounts in held.items():
            self._own[maker] = self.places[maker, 0]
            lists[maker] = [self.places[maker, number] for _, number in sorted(accounts)]
            for _, number in accounts:
                if number:
                    self._place[number] = self.places[maker, number]
        self._first = np.cumsum([0, *map(len, lists)], dtype=np.int32)
        self._members = np.array([place for mine in lists for place in mine], dtype=np.int32)
