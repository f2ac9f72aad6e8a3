"""What is watched of a maker beside its quotes: positions, sessions, refusals, messages. Measured, never judged.

Each of them is optional: of whom nothing was fed there is no row, and the reports say `not_assessed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor import kernels
from mm_monitor.core.batch import Rows
from mm_monitor.core.book import Book
from mm_monitor.core.model import (
    ConductRecord,
    FillRecord,
    PositionRecord,
    SessionRecord,
)
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.hedging import Hedging, HedgingRow
from mm_monitor.core.rules.programme import Programme, ProgrammeRow
from mm_monitor.core.rules.stability import RejectRow, SessionRow, Stability


@dataclass(frozen=True, slots=True)
class ConductView:
    """All of it as of an instant, of the makers of one rulebook; each sorted by maker."""

    hedging: tuple[HedgingRow, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    rejects: tuple[RejectRow, ...] = ()
    programme: tuple[ProgrammeRow, ...] = ()


class Conduct:
    """The watch of one rulebook. Makers nobody knows are not followed."""

    def __init__(self, rulebook: Rulebook, reference: Reference) -> None:
        self.reference = reference
        self.hedging, self.stability = Hedging(), Stability()
        signals = rulebook.signals
        self.programme = Programme(signals, reference) if signals is not None else None

    def lay_out(self, book: Book) -> None:
        """Slots are others."""
        if self.programme is not None:
            self.programme.lay_out(book)

    def record(self, record: ConductRecord) -> None:
        """Take in a record, in the order of the tape; what it names exists, but for the maker."""
        index = self.reference.find_maker(record.maker)
        if index < 0:
            return
        maker = self.reference.makers[index]
        if isinstance(record, FillRecord):
            contract = self.reference.contract_index[record.contract]
            self.hedging.fill(record.ts, maker, self.reference.contracts[contract].klass)
            if self.programme is not None:
                number = self.reference.account_number(record.maker)
                self.programme.fill(index, number, contract, record.side, record.size)
        elif isinstance(record, PositionRecord):
            self.hedging.position(record.ts, maker, record.klass, record.net_delta, record.limit)
        elif isinstance(record, SessionRecord):
            self.stability.session(record.ts, maker, record.account, record.status)
        else:
            self.stability.reject(maker, record.reason)

    def heard(self, rows: Rows) -> None:
        """Count the quotes, good or bad, among rows of the tape."""
        if not self.stability.judging:
            return
        counts = np.zeros(len(self.reference.makers), dtype=np.int64)
        kernels.count_quotes(rows, counts)
        for index in np.flatnonzero(counts).tolist():
            self.stability.submit(self.reference.makers[index], int(counts[index]))
        if self.programme is not None:
            self.programme.heard(rows)

    def trade(self, t: int, makers: frozenset[str]) -> None:
        """From `t` on just these makers have a contract in continuous trading."""
        self.stability.trade(t, makers)

    def begin(self, t: int) -> None:
        """A period begins."""
        self.hedging.begin(t)
        if self.programme is not None:
            self.programme.begin()
        self.stability.begin(t)

    def resume(self, t: int) -> None:
        """The period goes on after its end was taken back."""
        self.hedging.resume(t)
        if self.programme is not None:
            self.programme.judging = True
        self.stability.resume(t)

    def end(self, t: int) -> None:
        """The period is over."""
        self.hedging.end(t)
        if self.programme is not None:
            self.programme.judging = False
        self.stability.end(t)

    def roll(self) -> None:
        """Another trading date."""
        self.stability.roll()

    def cause(self, maker: str, t: int) -> dict[str, object] | None:
        """Why a lapse may have begun at `t`: the disconnect that kept a session of the maker away then."""
        found = self.stability.away(maker, t)
        if found is None:
            return None
        return {"kind": "disconnect", "account": found[0], "ts_event": found[1].start}

    def view(self, t: int, makers: Sequence[str]) -> ConductView:
        """As of `t`, of these makers. Changes nothing."""
        return ConductView(
            hedging=self.hedging.rows(t, makers),
            sessions=self.stability.session_rows(t, makers),
            rejects=self.stability.reject_rows(makers),
            programme=self.programme.rows(makers) if self.programme is not None else (),
        )

    def state(self) -> dict[str, Any]:
        """All that decides what will be said."""
        return {
            "hedging": self.hedging.state(),
            "stability": self.stability.state(),
            "programme": self.programme.state() if self.programme is not None else None,
        }

    def restore(self, state: Mapping[str, Any], moved: NDArray[np.int64]) -> None:
        """Inverse of `state`, after `lay_out`; `moved` are the slots where those of then are now."""
        self.hedging.restore(state["hedging"])
        self.stability.restore(state["stability"])
        if self.programme is not None:
            self.programme.restore(state["programme"], moved)
