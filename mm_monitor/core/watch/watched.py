"""An engine that is looked at while it works: the same verdicts, and what the signals are made of beside them.

The engine's own state is never touched: watching reads estimates at instants of event time, and rows as they pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm_monitor.core.batch import Batch, Decoded
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import (
    Control,
    DeadLetter,
    ExemptionRecord,
    PeriodRecord,
    RfqRecord,
    SessionRecord,
)
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.watch.messages import Messages
from mm_monitor.core.watch.papers import Papers
from mm_monitor.core.watch.seconds import Seconds


class WatchedEngine(Engine):
    """One rulebook's engine. `arrive` is to be called with every delivery, before its rows are merged."""

    def __init__(
        self,
        rulebook: Rulebook,
        reference: Reference,
        sources: Mapping[int, tuple[str, int]],
        **how: Any,
    ) -> None:
        super().__init__([rulebook], reference, sources, **how)
        self.messages = Messages(reference)
        self.papers = Papers(reference)
        self.seconds = Seconds(self.evaluators[0])

    def arrive(self, decoded: Decoded, part: int) -> None:
        """What a source delivers, in its order."""
        self.papers.arrive(decoded.rows, part)
        self.papers.letters(decoded.dead)

    def play(self, batch: Batch) -> list[DeadLetter]:
        """As `Engine.play`; stops at every whole second to look."""
        self.messages.take(batch)
        dead: list[DeadLetter] = []
        for rows in self.seconds.cut(batch.rows):
            dead += super().play(Batch(rows, batch.controls))
        return dead

    def control(self, record: Control, *, more: bool = False) -> DeadLetter | None:
        """As `Engine.control`; looks before what a record is about to change."""
        evaluator = self.evaluators[0]
        if isinstance(record, ExemptionRecord) and self._defect(record) is None:
            self.papers.claim(record, evaluator)
        elif isinstance(record, RfqRecord) and self._defect(record) is None:
            self.papers.request(record, evaluator)
        elif isinstance(record, SessionRecord):
            self.papers.session(record)
        elif isinstance(record, PeriodRecord) and record.edge == "end":
            self.seconds.end(record.ts)
        letter = super().control(record, more=more)
        if letter is not None:
            self.papers.letters([letter], forged=isinstance(record, ExemptionRecord))
        return letter
