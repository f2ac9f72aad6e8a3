"""VAL-09 counted back: before a quote is judged it must be known whether its prices will stand long enough.

A scout runs at the head of the tape and looks at nothing but rests; the engine behind it gets the same tape `delay`
later, each quote marked by how its rest ends. So lapses, holes and all else are of final states, without special cases.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import LATE, RESTLESS, Batch, Rows, empty_rows, is_control
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import (
    Control,
    DeadLetter,
    Kind,
    PeriodRecord,
    RawRecord,
    ReferenceRecord,
)
from mm_monitor.core.params import Params
from mm_monitor.core.reference import Reference
from mm_monitor.core.reference_rows import BadRow, announce
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.core.engine import Engine

Key = tuple[int, int, int]  # maker, contract, instant at which prices began to stand
EVER = 2**63 - 1


class Scout(Evaluator):
    """Rests of one rulebook: which are cut short, and which are reached only after their period has ended."""

    def __init__(
        self,
        rulebook: Rulebook,
        reference: Reference,
        sources: Mapping[int, tuple[str, int]],
        schedule: Schedule | None = None,
    ) -> None:
        """As every evaluator."""
        self.cut: set[Key] = set()
        self.late: set[Key] = set()
        super().__init__(rulebook, reference, sources, schedule)

    def _params_of_day(self) -> Params:
        params = super()._params_of_day()
        params.param["rests"] = layout.RESTS_SCOUT
        return params

    def notice(self, edges: list[NDArray[np.void]], noticed_at: int) -> None:
        """Take down the rests that are decided."""
        for chunk in edges:
            told = chunk[
                (chunk["kind"] == layout.REST_ENDS) | (chunk["kind"] == layout.REST_STANDS)
            ]
            ends = (told["kind"] == layout.REST_ENDS).tolist()
            for key, over in zip(self._keys(told["slot"], told["n"]), ends, strict=True):
                (self.cut.add if over else self.cut.discard)(key)

    def _keys(self, slots: NDArray[np.int32], since: NDArray[np.int64]) -> list[Key]:
        makers, contracts = self.book.slot_maker[slots], self.book.slot_con[slots]
        return list(zip(makers.tolist(), contracts.tolist(), since.tolist(), strict=True))

    def _period_roll(self, record: PeriodRecord) -> None:
        super()._period_roll(record)
        self.ledger.clear()  # the engine behind keeps the days

    def _period_end(self, record: PeriodRecord) -> None:
        if self.in_period:
            self.accruals.settle(record.ts)
            rests = self.accruals.rests
            slots = np.flatnonzero(rests["fresh"] != layout.RESTED).astype(np.int32)
            self.late.update(self._keys(slots, rests["rest_ts"][slots]))
        super()._period_end(record)

    def follow(self, evaluator: Evaluator) -> None:
        """Stand where an evaluator of the engine behind stands, which has tracked the same rests."""
        self.conditions.phases.update(evaluator.conditions.phases)
        self.conditions.feed.update(evaluator.conditions.feed)
        self.members = [set(group) for group in evaluator.members]
        self.trading_date, self.day = evaluator.trading_date, evaluator.day
        self.period, self.final, self.last = evaluator.period, evaluator.final, evaluator.last
        self.accounts.restore(evaluator.accounts.state())
        self.lay_out()
        for key, debt in evaluator.effects.owed.items():
            self.effects.owed[key][:] = debt
        mine, its = self.accruals, evaluator.accruals
        for name in ("bid", "ask", "bid_size", "ask_size", "quote_ts", "src", "unk"):
            mine.slots[name] = its.slots[name]
        ended = its.slots["state"] == layout.NONE
        mine.slots["state"] = np.where(ended, layout.NONE, layout.LAPSED)
        for name in ("rest_ts", "was_at", "was_bid", "was_ask", "was_rest"):
            mine.rests[name] = its.rests[name]
        mine.wait_to_rest(evaluator.last)
        self._restate(np.ones(len(self.book.slot_con), dtype=np.bool_), evaluator.last)

    def forget(self, until: int) -> None:
        """Quotes up to `until` have been judged."""
        self.cut = {key for key in self.cut if key[2] > until}
        self.late = {key for key in self.late if key[2] > until}


def scouted(rulebooks: Sequence[Rulebook]) -> list[Rulebook]:
    """What a scout must know of the rulebooks that count rests back: no test, no requirement, but the rest.

    A quote that is changed at the very instant has not reached it, so that the next one decides.
    """
    kept = ("id", "version", "sha256", "fills_shrink", "accounts")
    return [
        Rulebook(
            min_rest=min(book.min_rest + 1, EVER), **{name: getattr(book, name) for name in kept}
        )
        for book in rulebooks
        if book.min_rest is not None and book.rest_counts == "retroactive"
    ]


class Rests:
    """The tape between the scout and the engine. `scout` is an engine of `Scout`s with a reference of its own."""

    def __init__(self, scout: Engine, reference: Reference) -> None:
        self.scout, self.reference = scout, reference
        self.delay = max(book.min_rest or 0 for book in (e.rulebook for e in scout.evaluators))
        self.head = layout.LONG_AGO  # every record before this instant has been seen
        self.waiting: deque[Batch] = deque()
        self.over = False  # the tape has ended, or all of it was foreseen: nothing waits

    def take(self, batch: Batch) -> list[DeadLetter]:
        """Let the scout see a piece of the tape, at least one row; it then waits to be released."""
        self._name_all(batch)
        letters = self.scout.apply(batch)
        self.waiting.append(batch)
        self.head = max(self.head, int(batch.rows["ts"][-1]))
        return letters

    def _name_all(self, batch: Batch) -> None:
        """Indices are the same on both sides: names get them when they are announced, in that order."""
        for control in batch.controls.values():
            if isinstance(control, ReferenceRecord):
                try:
                    announce(self.reference, control)
                except BadRow:
                    continue  # the scout says so at the record's own instant
        own = self.scout.reference
        for contract in self.reference.contracts[len(own.contracts) :]:
            own.live[own.add_contract(contract)] = False
        for maker in self.reference.makers[len(own.makers) :]:
            own.maker(maker)

    @property
    def decided(self) -> int:
        """Rests that began up to here are decided: all is known that could have cut them short."""
        return EVER if self.over else max(self.head, layout.LONG_AGO + self.delay) - self.delay

    def release(self) -> list[Batch]:
        """What is decided leaves, in order."""
        pieces = []
        while self.waiting:
            batch = self.waiting.popleft()
            n = int(np.searchsorted(batch.rows["ts"], self.decided, side="right"))
            if n:
                pieces.append(Batch(batch.rows[:n], batch.controls))
            if n < len(batch.rows):
                self.waiting.appendleft(Batch(batch.rows[n:], batch.controls))
                break
        return pieces

    def judged(self) -> None:
        """All that was released has been judged."""
        for scout in self._scouts():
            scout.forget(self.decided)

    def _scouts(self) -> list[Scout]:
        return [e for e in self.scout.evaluators if isinstance(e, Scout)]

    def marked(self, rows: Rows, rulebook: str) -> Rows:
        """The same rows, quotes marked by how their rest ends under one rulebook."""
        scout = next((s for s in self._scouts() if s.rulebook.id == rulebook), None)
        if scout is None or not (scout.cut or scout.late):
            return rows
        since = np.array(sorted({key[2] for key in scout.cut | scout.late}), dtype=np.int64)
        which = np.flatnonzero((rows["kind"] == Kind.QUOTE) & np.isin(rows["ts"], since))
        if not len(which):
            return rows
        rows = rows.copy()
        columns = (rows[name][which].tolist() for name in ("maker", "contract", "ts"))
        for i, key in zip(which.tolist(), zip(*columns, strict=True), strict=True):
            if key in scout.cut:
                rows["flags"][i] |= RESTLESS
            elif key in scout.late:
                rows["flags"][i] |= LATE
        return rows

    def flags(self, key: Key, rulebook: str) -> int:
        """How a rest ends under one rulebook, as the flags of its quote would say."""
        scout = next((s for s in self._scouts() if s.rulebook.id == rulebook), None)
        if scout is not None and key in scout.cut:
            return RESTLESS
        return LATE if scout is not None and key in scout.late else 0

    def state(self) -> dict[str, Any]:
        """What waits, however the tape was cut: for a snapshot. All that the scout knows follows from it."""
        rows = np.concatenate([empty_rows(0), *(batch.rows for batch in self.waiting)])
        kept: list[Control] = []
        places = np.flatnonzero(is_control(rows)).tolist()
        found = (batch.controls[int(row["a"])] for batch in self.waiting
                 for row in batch.rows[is_control(batch.rows)])  # fmt: skip
        for i, control in zip(places, found, strict=True):
            rows["a"][i] = len(kept)
            kept.append(_bare(control))
        return {"head": self.head, "over": self.over, "rows": rows, "controls": kept}

    def restore(self, state: Mapping[str, Any], engine: Engine) -> None:
        """Inverse of `state`: the scout sees again what the restored `engine` has not judged yet."""
        self.scout = engine.new_scout(deepcopy(engine.reference))
        self.scout.position = engine.position
        for scout in self._scouts():
            scout.follow(next(e for e in engine.evaluators if e.rulebook.id == scout.rulebook.id))
        if len(state["rows"]):
            self.take(Batch(state["rows"], dict(enumerate(state["controls"]))))
        self.head, self.over = state["head"], state["over"]
        self.judged()


def _bare(control: Control) -> Control:
    """A control whose record is kept as no more than its address and bytes."""
    raw = getattr(control, "raw", None)
    if raw is None or isinstance(control, PeriodRecord):
        return control
    return replace(control, raw=RawRecord(*(getattr(raw, f.name) for f in fields(RawRecord))))
