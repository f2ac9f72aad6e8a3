"""What became of the obliged time, second by second of event time, and what a sampler at whole minutes would have seen.

A look at an instant comes after all records of that instant, so any cut of the tape gives the same looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mm_monitor.core.batch import THEO_MISSING, Rows
from mm_monitor.core.book import Book
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import Kind, State
from mm_monitor.core.watch.columns import Ints, grown, previous

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

Pair = tuple[int, int]  # maker, class


@dataclass(slots=True)
class _Layout:
    """Which (maker, class) each slot of a book belongs to."""

    book: Book
    pairs: list[Pair]
    place: dict[Pair, int]
    of_slot: Ints


@dataclass(frozen=True, slots=True)
class Second:
    """One look: time required and lapsed since the look before, by pair; the moves of theo and stress by class."""

    ts: int
    place: dict[Pair, int]  # of a pair in the two columns that follow
    required: Ints
    lapsed: Ints
    moved: Ints  # sum of the absolute moves of theo in 10^-8
    stress: Ints  # 1 where any contract of the class was in stress as the second began


def seconds_of(rows: Rows) -> Iterator[tuple[int, Rows]]:
    """The rows in pieces, each with the second to which it still belongs."""
    if not len(rows):
        return
    ends = (rows["ts"] + (SECOND - 1)) // SECOND
    edges = np.flatnonzero(np.diff(ends)) + 1
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True):
        yield int(ends[start]), rows[start:end]


class Seconds:
    """Looks at one evaluator. Memory: 16 bytes for each pair and second in which anything is obliged."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.seconds: list[Second] = []
        self.looks = np.zeros(0, dtype=np.int64)  # obligations seen at whole minutes, by maker
        self.seen = np.zeros(0, dtype=np.int64)  # those of them that were valid
        self._next: int | None = None
        self._layout: _Layout | None = None
        self._before: tuple[int, dict[Pair, Pair]] = (0, {})  # days done, sums by pair
        self._open = False
        self._stress = np.zeros(0, dtype=np.int64)  # as of the last look
        self._theo = np.zeros(0, dtype=np.int64)
        self._moves: dict[int, Ints] = {}  # second -> by class, until it is looked at

    def end(self, t: int) -> None:
        """The judged period is about to end at `t`: everything before it has been applied."""
        self._look(t, last=True)

    def look_until(self, end: int) -> None:
        """Every second before the second `end` is over: look at those that were not."""
        if self._next is None:
            self._next = end
        while self._next < end:
            self._look(self._next * SECOND)
            self._next += 1
            if not self._open:  # while nothing is obliged nothing changes
                self._next = max(self._next, end)
                self._moves = {k: sums for k, sums in self._moves.items() if k >= end}

    def note(self, rows: Rows) -> None:
        """Remember how theo moves in rows that are about to be applied."""
        reference = self._evaluator.reference
        self._theo = grown(self._theo, (max(1, len(reference.contracts)),))
        at = (rows["kind"] == Kind.THEO) & (rows["flags"] != THEO_MISSING) & (rows["a"] > 0)
        contract, theo = rows["contract"][at].astype(np.int64), rows["a"][at].astype(np.int64)
        before = previous(contract, theo, self._theo)
        steps = np.where(before > 0, np.abs(theo - before), 0)
        classes = np.array([reference.class_index[c.klass] for c in reference.contracts], np.int64)
        ends = (rows["ts"][at] + (SECOND - 1)) // SECOND
        for second in np.unique(ends[steps > 0]).tolist():
            mine = (ends == second) & (steps > 0)
            sums = self._moves.setdefault(second, np.zeros(len(reference.classes), np.int64))
            sums = self._moves[second] = grown(sums, (len(reference.classes),))
            np.add.at(sums, classes[contract[mine]], steps[mine])

    def _look(self, t: int, *, last: bool = False) -> None:
        evaluator = self._evaluator
        was_open, self._open = self._open, bool(evaluator.accruals.cons["e_run"].any())
        moved = self._moves.pop(-(-t // SECOND), None)
        began, self._stress = self._stress, self._stressed()
        if not (was_open or self._open) or not evaluator.in_period:
            return
        totals = evaluator.totals_at(t, estimate=True)
        layout = self._pairs()
        sums = np.zeros((2, len(layout.pairs)), dtype=np.int64)
        np.add.at(sums[0], layout.of_slot, totals.required)
        np.add.at(sums[1], layout.of_slot, totals.lapsed)
        self._keep(t, layout, sums, moved, began)
        if t % MINUTE == 0 and not last:
            counted = totals.running & (totals.state != State.EXEMPT)
            self._sample(counted, counted & (totals.state == State.QUOTED))

    def _pairs(self) -> _Layout:
        book = self._evaluator.book
        if self._layout is None or self._layout.book is not book:
            keys = book.slot_maker.astype(np.int64) << 32 | book.cls[book.slot_con]
            distinct, of_slot = np.unique(keys, return_inverse=True)
            pairs = [(key >> 32, key & (2**32 - 1)) for key in distinct.tolist()]
            place = {pair: i for i, pair in enumerate(pairs)}
            self._layout = _Layout(book, pairs, place, of_slot.astype(np.int64))
        return self._layout

    def _stressed(self) -> Ints:
        evaluator = self._evaluator
        stress = np.zeros(len(evaluator.reference.classes), dtype=np.int64)
        stress[evaluator.book.cls[evaluator.accruals.cons["stress"] > 0]] = 1
        return stress

    def _keep(self, t: int, layout: _Layout, sums: Ints, moved: Ints | None, stress: Ints) -> None:
        evaluator = self._evaluator
        day, before = self._before
        if day != len(evaluator.ledger):  # another trading date: sums began at zero
            before = {}
        old = np.array([before.get(pair, (0, 0)) for pair in layout.pairs], np.int64).reshape(-1, 2)
        now = dict(zip(layout.pairs, zip(*sums.tolist(), strict=True), strict=True))
        self._before = (len(evaluator.ledger), now)
        classes = len(evaluator.reference.classes)
        steps = np.zeros(classes, np.int64) if moved is None else grown(moved, (classes,))
        required, lapsed = sums - old.T
        stress = grown(stress, (classes,))
        self.seconds.append(Second(t, layout.place, required, lapsed, steps, stress))

    def _sample(self, counted: Ints, valid: Ints) -> None:
        makers = self._evaluator.book.slot_maker
        n = max(1, len(self._evaluator.reference.makers))
        self.looks = grown(self.looks, (n,)) + np.bincount(makers[counted], minlength=n)
        self.seen = grown(self.seen, (n,)) + np.bincount(makers[valid], minlength=n)

    def series(self, pair: Pair) -> Iterator[tuple[int, int, int, int]]:
        """(required, lapsed, move of theo, stress) of every second in which the pair has required time."""
        for second in self.seconds:
            i = second.place.get(pair, -1)
            if i >= 0 and second.required[i]:
                yield (
                    int(second.required[i]), int(second.lapsed[i]),
                    int(second.moved[pair[1]]), int(second.stress[pair[1]]),
                )  # fmt: skip
