"""Programme-trading signals of makers: messages per second and day, and what was cancelled of what was submitted.

Counted within the period only where the rulebook has `[signals]`. Signals are for a person to look at: nothing here is
ever a breach. Amounts are exact sums of size * price * multiplier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.batch import Rows
from mm_monitor.core.book import Book
from mm_monitor.core.params import fraction
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Signals as Limits
from mm_monitor.kernels import layout

SIGNALS = ("per_second_sliding", "per_second_calendar", "per_day", "cancelled")
_QUEUE = 1024  # messages of the last second that there is room for at first


@dataclass(frozen=True, slots=True)
class ProgrammeRow:
    """Of one account since the period began; amounts in 10^-8 of the currency, rounded down."""

    maker: str
    account: str  # "" = the maker's own name
    messages: int
    most_sliding: int  # greatest number in any [t, t + 1 s)
    most_calendar: int  # greatest number in a second of the clock
    submitted: int
    cancelled: int
    share: Fraction | None  # cancelled / submitted, None where nothing was submitted
    raised: tuple[str, ...]  # of SIGNALS


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the arrays are laid out by: slots, makers and contracts of the book, and accounts behind them."""

    book: Book
    accounts: int
    contracts: int

    @property
    def slots(self) -> int:
        return len(self.book.slot_con)

    @property
    def parties(self) -> int:
        return self.book.makers + self.accounts


class Programme:
    """Counts of all makers by their number in the reference, and behind them of all accounts by theirs."""

    def __init__(self, limits: Limits, reference: Reference) -> None:
        self.limits, self.reference = limits, reference
        self.judging = False
        self.multipliers: list[Fraction] = [Fraction(1)]
        self.queue = np.zeros(_QUEUE, dtype=layout.HEARD)
        self.ring = np.zeros(2, dtype=np.int64)
        self.laid_out: _Layout | None = None

    def lay_out(self, book: Book) -> None:
        """Slots, makers, accounts and contracts are others; what was counted stays."""
        before = None if self.laid_out is None else self._counted()
        old, reference = self.laid_out, self.reference
        self.laid_out = _Layout(book, len(reference.account_numbers), len(book.slots))
        worth = [Fraction(contract.multiplier or "1") for contract in reference.contracts]
        self.multipliers += sorted(set(worth) - set(self.multipliers))
        self._empty(worth[: self.laid_out.contracts])
        if old is not None and before is not None:
            keys = book.keys()
            pairs = zip(old.book.slot_maker.tolist(), old.book.slot_con.tolist(), strict=True)
            self._carry(before, np.array([keys[pair] for pair in pairs], dtype=np.int64))
        self._bind()

    def _empty(self, worth: Sequence[Fraction]) -> None:
        """Arrays of the layout, all zero."""
        now = self.laid_out
        assert now is not None
        number = {multiplier: i for i, multiplier in enumerate(self.multipliers)}
        self.group = np.array([number[value] for value in worth], dtype=np.int32)
        self.parties = np.zeros(now.parties, dtype=layout.PARTY)
        self.sums = np.zeros((now.parties, len(self.multipliers)), dtype=layout.SUMS)
        self.standing = np.zeros(now.slots + now.accounts * now.contracts, dtype=layout.STANDING)

    def _counted(self) -> dict[str, Any]:
        """What was counted, apart from how it is laid out."""
        now = self.laid_out
        assert now is not None
        return {
            "makers": now.book.makers,
            "parties": self.parties,
            "sums": self.sums,
            "slots": self.standing[: now.slots],
            "accounts": self.standing[now.slots :].reshape(now.accounts, now.contracts),
            "heard": self._heard(),
        }

    def _carry(self, counted: Mapping[str, Any], moved: NDArray[np.int64]) -> None:
        """Put it where it belongs now; `moved` are the slots where those of then are."""
        now, makers = self.laid_out, counted["makers"]
        assert now is not None
        ahead = now.book.makers - makers  # so much further behind are the accounts
        where = np.arange(len(counted["parties"]))
        where[makers:] += ahead
        self.parties[where] = counted["parties"]
        self.sums[where, : counted["sums"].shape[1]] = counted["sums"]
        self.standing[moved] = counted["slots"]
        held, accounts = counted["accounts"], self.standing[now.slots :]
        accounts = accounts.reshape(now.accounts, now.contracts)
        accounts[: held.shape[0], : held.shape[1]] = held
        heard = counted["heard"].copy()
        heard["party"][heard["party"] >= makers] += ahead
        self._set_queue(heard, max(len(self.queue), len(heard)))

    def _bind(self) -> None:
        now = self.laid_out
        assert now is not None
        book = now.book
        self.kernel = kernels.Messages(
            self.parties, self.standing, self.sums.reshape(-1), self.queue, self.ring, book.slot0,
            book.cls, self.group, book.rank, book.makers, len(self.multipliers), now.slots,
        )  # fmt: skip

    def heard(self, rows: Rows) -> None:
        """Count the quotes among rows of the tape."""
        now, at = self.laid_out, 0
        if now is not None and now.accounts != len(self.reference.account_numbers):
            self.lay_out(now.book)
        while self.judging and (at := kernels.count_messages(self.kernel, rows, at)) < len(rows):
            self._set_queue(self._heard(), 2 * len(self.queue))
            self._bind()

    def _heard(self) -> NDArray[np.void]:
        """What the queue holds, in order."""
        head, length = self.ring.tolist()
        return np.roll(self.queue, -head)[:length]

    def _set_queue(self, heard: NDArray[np.void], room: int) -> None:
        self.queue = np.zeros(room, dtype=layout.HEARD)
        self.queue[: len(heard)] = heard
        self.ring[:] = 0, len(heard)

    def fill(self, maker: int, account: int, contract: int, side: str, size: int) -> None:
        """What was traded is not cancelled. `account` is 0 for a maker's own name."""
        now = self.laid_out
        if not self.judging or now is None:
            return
        at = now.book.find(maker, contract)
        if at >= 0 and account <= now.accounts:
            if account:
                at = now.slots + (account - 1) * now.contracts + contract
            name = "bid_size" if side == "buy" else "ask_size"
            self.standing[name][at] = max(0, int(self.standing[name][at]) - size)

    def begin(self) -> None:
        """A period begins: all counts are zero, and what stands is not looked at."""
        self.judging = True
        for array in (self.parties, self.standing, self.sums):
            array.view(np.uint8)[...] = 0
        self.ring[:] = 0

    def rows(self, makers: Sequence[str]) -> tuple[ProgrammeRow, ...]:
        """Of these makers, by name: each account, and the maker's own name if it sent anything or has none."""
        held: dict[str, list[tuple[str, int]]] = {}
        for account, maker in self.reference.accounts.items():
            number = self.reference.account_number(account)
            if number and self.laid_out is not None and number <= self.laid_out.accounts:
                held.setdefault(maker, []).append((account, self.laid_out.book.makers + number - 1))
        rows = []
        for maker in sorted(makers):
            own = self.reference.maker_index[maker]
            accounts = sorted(held.get(maker, []))
            if not accounts or self.parties["messages"][own]:
                rows.append(self._row(maker, "", own))
            rows += [self._row(maker, account, party) for account, party in accounts]
        return tuple(rows)

    def _row(self, maker: str, account: str, index: int) -> ProgrammeRow:
        party = self.parties[index]
        submitted, cancelled = (self._amount(index, name) for name in ("submitted", "cancelled"))
        share = cancelled / submitted if submitted else None
        most = int(party["sliding_most"]), int(party["second_most"])
        return ProgrammeRow(
            maker, account, int(party["messages"]), *most, int(submitted), int(cancelled), share,
            self._raised(int(party["messages"]), *most, cancelled, share),
        )  # fmt: skip

    def _amount(self, index: int, name: str) -> Fraction:
        """Exact, in 10^-8 of the currency."""
        sums = self.sums[index]
        parts = zip(sums[f"{name}_hi"].tolist(), sums[f"{name}_lo"].tolist(), strict=True)
        totals = ((high << 64) + low for high, low in parts)
        return sum((n * by for n, by in zip(totals, self.multipliers, strict=True)), Fraction(0))

    def _raised(
        self,
        messages: int,
        sliding: int,
        calendar: int,
        cancelled: Fraction,
        share: Fraction | None,
    ) -> tuple[str, ...]:
        limits = self.limits
        per_second, per_day = limits.per_second, limits.per_day
        met = (
            per_second is not None and sliding >= per_second,
            per_second is not None and calendar >= per_second,
            per_day is not None and messages >= per_day,
            self._cancels(cancelled, share),
        )
        return tuple(name for name, is_met in zip(SIGNALS, met, strict=True) if is_met)

    def _cancels(self, cancelled: Fraction, share: Fraction | None) -> bool:
        """Of share and amount, whichever are given must both be reached."""
        part, amount = self.limits.cancelled_share, self.limits.cancelled_amount
        if share is None or (part is None and amount is None):
            return False
        return (part is None or share >= fraction(part)) and (amount is None or cancelled >= amount)

    def state(self) -> dict[str, Any]:
        """All that decides what will be said."""
        return {
            "judging": self.judging,
            "multipliers": self.multipliers,
            "counted": self._counted(),
        }

    def restore(self, state: Mapping[str, Any], moved: NDArray[np.int64]) -> None:
        """Inverse of `state`, after `lay_out`; `moved` are the slots where those of then are now."""
        self.judging, self.multipliers = state["judging"], list(state["multipliers"])
        self._empty([Fraction(c.multiplier or "1") for c in self.reference.contracts])
        self._carry(state["counted"], moved)
        self._bind()
