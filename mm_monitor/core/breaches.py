"""The breaches of a trading date, by id: opening twice is opening once, however late it is noticed (BRCH-01).

Transitions are collected as events until they are drained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mm_monitor.core.model import Breach, BreachEvent, breach_id


@dataclass(slots=True)
class BreachBook:
    """Breaches of one rulebook. `found` is keyed by id."""

    rulebook: str
    version: int
    found: dict[str, Breach] = field(default_factory=dict)
    open_by_subject: dict[tuple[str, str, str], str] = field(
        default_factory=dict
    )  # kind, maker, contract -> id
    events: list[BreachEvent] = field(default_factory=list)
    of_makers: bool = (
        True  # False where only some classes are judged: whose sums are not here is not judged here
    )

    def open(
        self, kind: str, maker: str, contract: str, klass: str, start: int, reason: str,
        evidence: Mapping[str, object], noticed_at: int,
    ) -> Breach:  # fmt: skip
        """Record a breach that begins at `start`; a breach already known is left as it is."""
        key = breach_id(self.rulebook, self.version, kind, maker, contract, start)
        known = self.found.get(key)
        if known is not None:
            return known
        breach = Breach(
            key,
            self.rulebook,
            self.version,
            kind,
            maker,
            contract,
            klass,
            start,
            None,
            reason,
            evidence,
        )
        if not (contract or self.of_makers):
            return breach
        self.found[key] = breach
        self.open_by_subject[kind, maker, contract] = key
        self.events.append(BreachEvent("opened", breach, noticed_at))
        return breach

    def close(self, kind: str, maker: str, contract: str, end: int, noticed_at: int) -> None:
        """End the open breach of that subject, if there is one that began before `end`.

        An end that is noticed again may meet the next breach of the subject; it is not that one's end.
        """
        key = self.open_by_subject.get((kind, maker, contract))
        if key is None or self.found[key].start > end:
            return
        del self.open_by_subject[kind, maker, contract]
        breach = replace(self.found[key], end=end)
        self.found[key] = breach
        self.events.append(BreachEvent("closed", breach, noticed_at))

    def close_all(self, end: int, noticed_at: int) -> None:
        """End everything that is open: the period is over."""
        for kind, maker, contract in sorted(self.open_by_subject):
            self.close(kind, maker, contract, end, noticed_at)

    def withdraw(self, kind: str, noticed_at: int) -> None:
        """Take back every breach of a kind: what it said no longer holds (BRCH-02)."""
        for key in [key for key, breach in self.found.items() if breach.kind == kind]:
            self.events.append(BreachEvent("withdrawn", self.found.pop(key), noticed_at))

    def is_open(self, kind: str, maker: str, contract: str) -> bool:
        """Is a breach of that subject open now?"""
        return (kind, maker, contract) in self.open_by_subject

    def sorted(self) -> list[Breach]:
        """All breaches, by start, kind, maker, contract."""
        return in_order(self.found.values())

    def drain(self) -> list[BreachEvent]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def new_day(self) -> None:
        """Forget the day before; the ledger has it."""
        self.found.clear()
        self.open_by_subject.clear()


def in_order(breaches: Iterable[Breach]) -> list[Breach]:
    """By start, kind, maker, contract."""
    return sorted(breaches, key=lambda b: (b.start, b.kind, b.maker, b.contract))
