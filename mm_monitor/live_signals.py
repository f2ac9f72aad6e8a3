"""Signals of the trading date so far, for whoever looks at a running service; one maker at a time: nobody waits.

A signal is a number to look at and never a breach (docs/signals.md); nothing here is on the way of a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mm_monitor.core.view import StatusView
from mm_monitor.core.watch.signals import Day, Kept, Key, Signal, signals_of
from mm_monitor.core.watch.watched import Watch, WatchedEngine


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one maker under one rulebook, as of `at` (ns of event time)."""

    rulebook: str
    maker: str
    trading_date: str
    at: int
    signals: Sequence[Signal]


class LiveSignals:
    """`told` of every maker that has had its turn on this trading date, by rulebook and maker."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        self._told: dict[tuple[str, str], Told] = {}
        self._turn: dict[str, int] = {}

    def watch(self, engine: WatchedEngine) -> None:
        """Tell of what this engine sees."""
        self._watches = {watch.evaluator.rulebook.id: watch for watch in engine.watches}

    def refresh(self, views: Sequence[StatusView]) -> None:
        """Look at the next maker of each rulebook, as of its newest picture."""
        for view in views:
            watch = self._watches.get(view.rulebook_id)
            if watch is None or not view.maker_rows:
                continue
            if watch.evaluator.trading_date != view.trading_date:
                continue  # a new date has begun since the picture was taken
            self._forget(view)
            turn = self._turn.get(view.rulebook_id, 0) % len(view.maker_rows)
            self._turn[view.rulebook_id] = turn + 1
            maker = view.maker_rows[turn].maker
            found = signals_of(Day(watch, _kept(view), dict(view.market_hole)), maker)
            told = Told(view.rulebook_id, maker, view.trading_date, view.at, found)
            self._told[view.rulebook_id, maker] = told

    def _forget(self, view: StatusView) -> None:
        """What was of another date, or of a maker who is gone."""
        makers = {row.maker for row in view.maker_rows}
        for key, told in list(self._told.items()):
            old = told.trading_date != view.trading_date or told.maker not in makers
            if told.rulebook == view.rulebook_id and old:
                del self._told[key]

    def told(self) -> Iterator[Told]:
        """Sorted by rulebook and maker."""
        return (self._told[key] for key in sorted(self._told))


def _kept(view: StatusView) -> Mapping[Key, Kept]:
    """What became of every obligation so far."""
    o = view.obligations
    columns = (o.maker, o.contract, o.klass, o.quoted, o.lapsed, o.unknown)
    return {
        (view.makers[maker], view.contracts[contract]): Kept(view.classes[klass], *times)
        for maker, contract, klass, *times in zip(*(c.tolist() for c in columns), strict=True)
    }
