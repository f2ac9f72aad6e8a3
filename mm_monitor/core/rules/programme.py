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
    """Of one maker since the period began; amounts in 10^-8 of the currency, rounded down."""

    maker: str
    messages: int
    most_sliding: int  # greatest number in any [t, t + 1 s)
    most_calendar: int  # greatest number in a second of the clock
    submitted: int
    cancelled: int
    share: Fraction | None  # cancelled / submitted, None where nothing was submitted
    raised: tuple[str, ...]  # of SIGNALS


class Programme:
    """Counts of all makers, by their number in the reference."""

    def __init__(self, limits: Limits, reference: Reference) -> None:
        self.limits, self.reference = limits, reference
        self.judging = False
        self.multipliers: list[Fraction] = [Fraction(1)]
        self.parties = np.zeros(0, dtype=layout.PARTY)
        self.sums = np.zeros((0, 1), dtype=layout.SUMS)  # by party and multiplier
        self.standing = np.zeros(0, dtype=layout.STANDING)  # by slot
        self.group = np.zeros(0, dtype=np.int32)  # multiplier of a contract
        self.queue = np.zeros(_QUEUE, dtype=layout.HEARD)
        self.ring = np.zeros(2, dtype=np.int64)
        self.book: Book | None = None

    def lay_out(self, book: Book) -> None:
        """Slots, makers and contracts are others; what was counted stays."""
        old, self.book = self.book, book
        contracts = self.reference.contracts
        worth = [Fraction(contract.multiplier or "1") for contract in contracts]
        self.multipliers += sorted(set(worth) - set(self.multipliers))
        number = {multiplier: i for i, multiplier in enumerate(self.multipliers)}
        self.group = np.array([number[value] for value in worth], dtype=np.int32)
        parties = np.zeros(len(self.reference.makers), dtype=layout.PARTY)
        parties[: len(self.parties)] = self.parties
        sums = np.zeros((len(parties), len(self.multipliers)), dtype=layout.SUMS)
        sums[: self.sums.shape[0], : self.sums.shape[1]] = self.sums
        standing = np.zeros(len(book.slot_con), dtype=layout.STANDING)
        if old is not None:
            keys = book.keys()
            pairs = zip(old.slot_maker.tolist(), old.slot_con.tolist(), strict=True)
            standing[[keys[pair] for pair in pairs]] = self.standing
        self.parties, self.sums, self.standing = parties, sums, standing
        self._bind()

    def _bind(self) -> None:
        book = self.book
        assert book is not None
        self.kernel = kernels.Messages(
            self.parties, self.standing, self.sums.reshape(-1), self.queue, self.ring, book.slot0,
            book.cls, self.group, book.rank, book.makers, len(self.multipliers),
        )  # fmt: skip

    def heard(self, rows: Rows) -> None:
        """Count the quotes among rows of the tape."""
        at = 0
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

    def fill(self, maker: int, contract: int, side: str, size: int) -> None:
        """What was traded is not cancelled."""
        book = self.book
        if not self.judging or book is None:
            return
        slot, name = book.find(maker, contract), "bid_size" if side == "buy" else "ask_size"
        if slot >= 0:
            self.standing[name][slot] = max(0, int(self.standing[name][slot]) - size)

    def begin(self) -> None:
        """A period begins: all counts are zero, and what stands is not looked at."""
        self.judging = True
        for array in (self.parties, self.standing, self.sums):
            array.view(np.uint8)[...] = 0
        self.ring[:] = 0

    def rows(self, makers: Sequence[str]) -> tuple[ProgrammeRow, ...]:
        """Of these makers, sorted by name."""
        return tuple(self._row(maker) for maker in sorted(makers))

    def _row(self, maker: str) -> ProgrammeRow:
        index = self.reference.maker_index[maker]
        party = self.parties[index]
        submitted, cancelled = (self._amount(index, name) for name in ("submitted", "cancelled"))
        share = cancelled / submitted if submitted else None
        most = int(party["sliding_most"]), int(party["second_most"])
        return ProgrammeRow(
            maker, int(party["messages"]), *most, int(submitted), int(cancelled), share,
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
            "parties": self.parties,
            "sums": self.sums,
            "standing": self.standing,
            "heard": self._heard(),
        }

    def restore(self, state: Mapping[str, Any], moved: NDArray[np.int64]) -> None:
        """Inverse of `state`, after `lay_out`; `moved` are the slots where those of then are now."""
        self.judging, self.multipliers = state["judging"], list(state["multipliers"])
        self.sums = np.zeros((len(self.parties), len(self.multipliers)), dtype=layout.SUMS)
        self.parties[: len(state["parties"])] = state["parties"]
        self.sums[: len(state["sums"])] = state["sums"]
        number = {multiplier: i for i, multiplier in enumerate(self.multipliers)}
        worth = [Fraction(contract.multiplier or "1") for contract in self.reference.contracts]
        self.group = np.array([number[value] for value in worth], dtype=np.int32)
        self.standing[moved] = state["standing"]
        self._set_queue(state["heard"], max(_QUEUE, len(state["heard"])))
        self._bind()
