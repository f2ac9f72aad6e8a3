"""An engine that is looked at while it works: the same verdicts, and what the signals are made of beside them.

The engine's own state is never touched: watching reads estimates at instants of event time, and rows as they pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mm_monitor.core.batch import Batch, Decoded
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import (
    Control,
    DeadLetter,
    ExemptionRecord,
    PeriodRecord,
    PhaseRecord,
    RfqRecord,
    SessionRecord,
)
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.watch.messages import Messages
from mm_monitor.core.watch.papers import Papers
from mm_monitor.core.watch.seconds import Seconds, seconds_of


class Watch:
    """What was seen of one rulebook's makers."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.reference = evaluator, evaluator.reference
        self.messages = Messages(self.reference)
        self.papers = Papers(self.reference)
        self.seconds = Seconds(evaluator)

    def next_day(self) -> None:
        """Begin anew: another trading date."""
        self.messages, self.seconds = Messages(self.reference), Seconds(self.evaluator)
        self.papers = self.papers.next_day()


class WatchedEngine(Engine):
    """`arrive` is to be called with every delivery, before its rows are merged; `watches` is in the order of rulebooks.

    With `daily` each trading date begins at nothing; without, all that is played is one.
    """

    def __init__(
        self,
        rulebooks: Sequence[Rulebook],
        reference: Reference,
        sources: Mapping[int, tuple[str, int]],
        *,
        daily: bool = False,
        **how: Any,
    ) -> None:
        super().__init__(rulebooks, reference, sources, **how)
        self.watches = [Watch(evaluator) for evaluator in self.evaluators]
        self._daily = daily

    def arrive(self, decoded: Decoded, part: int) -> None:
        """What a source delivers, in its order."""
        for watch in self.watches:
            watch.papers.arrive(decoded.rows, part)
            watch.papers.letters(decoded.dead)

    def play(self, batch: Batch) -> list[DeadLetter]:
        """As `Engine.play`; stops at every whole second to look."""
        for watch in self.watches:
            watch.messages.take(batch)
            watch.seconds.note(batch.rows)
        dead: list[DeadLetter] = []
        for second, rows in seconds_of(batch.rows):
            for watch in self.watches:
                watch.seconds.look_until(second)
            dead += super().play(Batch(rows, batch.controls))
        return dead

    def control(self, record: Control, *, more: bool = False) -> DeadLetter | None:
        """As `Engine.control`; looks before what a record is about to change."""
        usable = self._defect(record) is None
        for watch in self._addressed(record):
            if isinstance(record, ExemptionRecord) and usable:
                watch.papers.claim(record, watch.evaluator)
            elif isinstance(record, RfqRecord) and usable:
                watch.papers.request(record, watch.evaluator)
            elif isinstance(record, SessionRecord):
                watch.papers.session(record)
            elif self._ends_period(record):
                watch.seconds.end(record.ts)
        letter = super().control(record, more=more)
        if isinstance(record, PeriodRecord) and record.edge == "roll" and self._daily:
            for watch in self._addressed(record):
                watch.next_day()
        if letter is not None:
            for watch in self.watches:
                watch.papers.letters([letter], forged=isinstance(record, ExemptionRecord))
        return letter

    def _addressed(self, record: Control) -> Iterator[Watch]:
        rulebook = getattr(record, "rulebook", "")
        return (w for w in self.watches if rulebook in ("", w.evaluator.rulebook.id))

    def _ends_period(self, record: Control) -> bool:
        if isinstance(record, PhaseRecord):
            return self.phases_judge and record.scope == ALL and record.phase == "closed"
        return isinstance(record, PeriodRecord) and record.edge == "end"
