"""RESP-02: who answered which request for quotes, how fast, and whether the answer stayed.

A request is decided by what the quote tests said at the end of each instant; what is heard twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np

from mm_monitor.core.rulebook import Rfq
from mm_monitor.kernels import layout
from mm_monitor.kernels.reference_reply import BOUNDS

Subject = tuple[int, int]  # maker, contract: indices in Reference
OPEN, ANSWERED, MISSED, UNDECIDED = range(4)


@dataclass(slots=True)
class Ask:
    """One request of one maker. `now` holds since `at`; `quoted`: did a quote come at `at`?"""

    id: str
    asked: int  # instant of the request
    maker: int
    contract: int
    at: int
    now: int  # layout.V_*
    quoted: bool
    answer: int = -1  # instant of the first answer
    outcome: int = OPEN


@dataclass(slots=True)
class Tally:
    """What became of a maker's requests. `latency` are counts by bucket and the sum, as in layout.LATENCIES."""

    asked: int = 0
    answered: int = 0
    undecided: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * layout.LATENCIES)


class Requests:
    """The requests of one period. `remind(t, contract)` asks for `decide(t, contract)` at that instant."""

    def __init__(self, rule: Rfq, remind: Callable[[int, int], None]) -> None:
        self.rule, self._remind = rule, remind
        self.open: dict[Subject, list[Ask]] = {}
        self.tallies: dict[int, Tally] = {}  # by maker

    def clear(self) -> None:
        """Another period."""
        self.open.clear()
        self.tallies.clear()

    def ask(self, id: str, t: int, contract: int, asked: Iterable[tuple[int, int, bool]]) -> None:
        """A request at `t` to makers: for each its index, V_* at the end of `t`, and whether it quoted at `t`."""
        for maker, now, quoted in asked:
            standing = self.rule.standing_quote_counts
            ask = Ask(id, t, maker, contract, t, now, quoted or standing)
            self.open.setdefault((maker, contract), []).append(ask)
            self.tallies.setdefault(maker, Tally()).asked += 1
        self._remind(t + self.rule.respond_within + 1, contract)

    def hear(self, subject: Subject, t: int, now: int, quoted: bool) -> None:
        """A turn or a quote of a watched slot at `t`."""
        for ask in self.open.get(subject, ()):
            if t < ask.at:
                continue  # heard before
            if t > ask.at:
                self._over(ask)
                ask.at, ask.quoted = t, False
            ask.now, ask.quoted = now, ask.quoted or quoted

    def decide(self, t: int, contract: int) -> list[Subject]:
        """Decide what can be decided at `t`, all before it having been heard; returns who is waited for no more."""
        gone = []
        for subject in [subject for subject in self.open if subject[1] == contract]:
            kept = [ask for ask in self.open[subject] if not self._decided(ask, t)]
            if kept:
                self.open[subject] = kept
            else:
                del self.open[subject]
                gone.append(subject)
        return gone

    def give_up(self, subjects: Iterable[Subject]) -> None:
        """What is still open of these cannot be decided any more."""
        for subject in subjects:
            for ask in self.open.pop(subject, ()):
                self._settle(ask, UNDECIDED)

    def _decided(self, ask: Ask, t: int) -> bool:
        if ask.at < t:
            self._over(ask)
        within, stay = ask.asked + self.rule.respond_within, ask.answer + self.rule.stay
        if ask.answer < 0 and t > within:
            self._settle(ask, MISSED)
        elif ask.answer >= 0 and t >= stay:
            self._settle(ask, ANSWERED)
        elif ask.answer >= 0 and t > within and ask.outcome == OPEN:
            self._remind(stay, ask.contract)
            return False
        return t > within

    def _over(self, ask: Ask) -> None:
        """The instant `ask.at` is over: what held at its end counts."""
        if ask.now in (layout.V_UNKNOWN, layout.V_HANGS):
            if ask.answer < 0 or ask.at < ask.answer + self.rule.stay:
                self._settle(ask, UNDECIDED)
        elif ask.answer < 0:
            if ask.now == layout.V_PASSES and ask.quoted:
                ask.answer = ask.at if ask.at <= ask.asked + self.rule.respond_within else -1
        elif ask.now == layout.V_FAILS and ask.at < ask.answer + self.rule.stay:
            self._settle(ask, MISSED)

    def _settle(self, ask: Ask, outcome: int) -> None:
        if ask.outcome != OPEN:
            return
        ask.outcome, tally = outcome, self.tallies[ask.maker]
        if outcome == UNDECIDED:
            tally.undecided += 1
        elif outcome == ANSWERED:
            took = ask.answer - ask.asked
            tally.answered += 1
            tally.latency[int(np.searchsorted(BOUNDS, took))] += 1
            tally.latency[-1] += took

    def waiting(self, maker: int) -> int:
        """Requests of a maker that are not decided yet."""
        own = (asks for subject, asks in self.open.items() if subject[0] == maker)
        return sum(ask.outcome == OPEN for asks in own for ask in asks)

    def fails(self, tally: Tally) -> bool:
        """Did a maker answer too few: is it in breach when the period is over?"""
        required = self.rule.required
        if required is None or tally.asked <= self.rule.deemed_fulfilled_up_to:
            return False
        return (tally.answered + tally.undecided) * required.den < required.num * tally.asked

    def state(self) -> tuple[list[Any], list[Any]]:
        """All of it as plain values."""
        asks = [astuple(ask) for subject in sorted(self.open) for ask in self.open[subject]]
        return asks, [(maker, *astuple(self.tallies[maker])) for maker in sorted(self.tallies)]

    def restore(self, state: tuple[list[Any], list[Any]]) -> None:
        """Inverse of `state`."""
        for values in state[0]:
            ask = Ask(*values)
            self.open.setdefault((ask.maker, ask.contract), []).append(ask)
        self.tallies = {maker: Tally(*numbers) for maker, *numbers in state[1]}
