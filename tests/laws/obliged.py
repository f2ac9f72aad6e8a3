"""When each maker was obliged on each contract, from the control records alone: OBL-01 read aloud, for law L1.

It knows no kernels, clocks or slots: between two records it asks of every pair whether it is obliged, and adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mm_monitor.core.model import Control, PeriodRecord, PhaseRecord, ReferenceRecord

Pair = tuple[str, str]


@dataclass
class Duty:
    """The duties of one rulebook's makers. `judged_by_phases`: no record says when a period starts, phases do."""

    rulebook: str
    judged_by_phases: bool
    classes: dict[str, str] = field(default_factory=dict)  # every contract ever heard of -> class
    live: set[str] = field(default_factory=set)
    appointed: set[Pair] = field(default_factory=set)  # (maker, class or *)
    phases: dict[str, str] = field(default_factory=dict)
    time: Counter[Pair] = field(default_factory=Counter)  # ns obliged in this period
    at: int = 0
    over: bool = False  # the period has ended
    begun: bool = False

    def obliges(self, maker: str, contract: str) -> bool:
        """Live, appointed, and every scope that has spoken of the contract last said `continuous`."""
        klass = self.classes[contract]
        # a scope is a contract if there is one of that name
        scopes = {"*", contract} | ({klass} if klass not in self.classes else set())
        said = [phase for scope, phase in self.phases.items() if scope in scopes]
        open_ = bool(said) and all(phase == "continuous" for phase in said)
        mine = {(maker, klass), (maker, "*")} & self.appointed
        return open_ and bool(mine) and contract in self.live

    def advance(self, t: int) -> None:
        """Add up to instant `t`."""
        if not self.over:
            makers = {maker for maker, _ in self.appointed}
            for pair in [(m, c) for m in makers for c in self.classes if self.obliges(m, c)]:
                self.time[pair] += t - self.at
        self.at = t

    def take(self, record: Control) -> None:
        """A control record at its instant."""
        self.advance(record.ts)
        if isinstance(record, ReferenceRecord):
            self._reference(record)
        elif isinstance(record, PhaseRecord) and record.rulebook in ("", self.rulebook):
            self._phase(record)
        elif isinstance(record, PeriodRecord) and record.rulebook in ("", self.rulebook):
            self._period(record.edge)

    def _phase(self, record: PhaseRecord) -> None:
        if record.scope not in {"*", *self.classes, *self.classes.values()}:
            return
        if self.judged_by_phases and record.scope == "*":
            if record.phase == "closed":
                self._period("end")
            elif self.over or not self.begun:
                self._period("resume" if self.over else "start")
        self.phases[record.scope] = record.phase

    def _period(self, edge: str) -> None:
        if edge in ("start", "roll"):
            self.time.clear()
        if edge == "end":
            self.over = self.begun
        else:
            self.over, self.begun = False, edge != "roll"

    def _reference(self, record: ReferenceRecord) -> None:
        row, adds = record.row, record.action == "add"
        if record.table == "contracts" and adds:
            self.classes[row["contract"]] = row["class"]
            self.live.add(row["contract"])
        elif record.table == "contracts":
            self.live.discard(row["contract"])
        elif adds:
            self.appointed.add((row["maker"], row["class"]))
        else:
            self.appointed.discard((row["maker"], row["class"]))


def obliged(duty: Duty, controls: Sequence[Control], t: int) -> Counter[Pair]:
    """ns that every pair was obliged in the period as of `t`, after those records in order."""
    for record in controls:
        duty.take(record)
    duty.advance(max(t, duty.at))
    return duty.time
