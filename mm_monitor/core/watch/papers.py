"""What makers claim: exemptions, records that must be refused, and clocks that disagree with the order of arrival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from mm_monitor.core.batch import Rows
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import (
    DeadLetter,
    ExemptionRecord,
    Kind,
    RfqRecord,
    SessionRecord,
    State,
)
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.watch.columns import grown

BACKDATED = 1_000_000_000  # ns behind the newest record that arrived before it
NEVER = -(2**62)
ON_OR_OFF = ("logon", "logoff", "disconnect")
LEAVES = ("exclude", "deem")  # what an exemption must mean to be worth claiming


class Papers:
    """Counts by maker's name, or (m,) as the reference numbers makers."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self.claims: Counter[str] = Counter()  # exemptions granted to one maker alone
        self.claims_in_lapse: Counter[str] = Counter()  # those that began while it was lapsed
        self.claims_logged_on: Counter[str] = Counter()  # while a session of it was on
        self.sessions: dict[str, dict[str, str]] = {}  # maker -> account -> last status
        self.alone: Counter[str] = Counter()  # requests for quotes to this maker and no other
        self.alone_there: Counter[str] = Counter()  # those that found a valid quote of it
        self.public: Counter[str] = Counter()  # requests to several
        self.public_there: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # records that could not be used
        self.forged: Counter[str] = Counter()  # exemptions among them
        self.arrived = np.zeros(0, dtype=np.int64)  # quotes, by maker
        self.backdated = np.zeros(0, dtype=np.int64)
        self.greatest = np.zeros(0, dtype=np.int64)  # ns by which a quote was behind
        self._newest: dict[int, int] = {}  # by part

    def next_day(self) -> Papers:
        """Nothing counted; sessions, and what arrived last, are as they were."""
        fresh = Papers(self._reference)
        fresh.sessions, fresh._newest = self.sessions, self._newest
        return fresh

    def claim(self, record: ExemptionRecord, evaluator: Evaluator) -> None:
        """An exemption is about to take effect; all before it has been applied."""
        meaning = evaluator.rulebook.exemptions.get(record.kind)
        if record.action != "start" or record.maker == ALL or meaning is None:
            return
        maker = self._reference.find_maker(record.maker)
        if meaning.effect not in LEAVES or maker < 0:
            return
        name = self._reference.makers[maker]
        totals = evaluator.totals_at(record.ts, estimate=True)
        concerned = evaluator.effects.slots(record.scope, record.maker) & totals.running
        self.claims[name] += 1
        self.claims_logged_on[name] += "logon" in self.sessions.get(name, {}).values()
        self.claims_in_lapse[name] += bool((totals.state[concerned] >= State.LAPSED).any())

    def request(self, record: RfqRecord, evaluator: Evaluator) -> None:
        """A request for quotes; the quotes of its instant have been applied."""
        totals = evaluator.totals_at(record.ts, estimate=True)
        owed = evaluator.effects.slots(record.contract, ALL) & totals.running
        there = totals.state == State.QUOTED
        asked = {self._reference.find_maker(name) for name in record.makers}
        for slot in np.flatnonzero(owed & (totals.state != State.EXEMPT)).tolist():
            maker = int(evaluator.book.slot_maker[slot])
            if asked and maker not in asked:
                continue
            name, alone = self._reference.makers[maker], asked == {maker}
            (self.alone if alone else self.public)[name] += 1
            (self.alone_there if alone else self.public_there)[name] += bool(there[slot])

    def session(self, record: SessionRecord) -> None:
        """A session of a maker is another; quote protection leaves it as it is."""
        maker = self._reference.find_maker(record.maker)
        if maker >= 0 and record.status in ON_OR_OFF:
            held = self.sessions.setdefault(self._reference.makers[maker], {})
            held[record.account] = record.status

    def letters(self, letters: Iterable[DeadLetter], *, forged: bool = False) -> None:
        """Records that could not be used; `forged`: they claimed an exemption."""
        for letter in letters:
            if letter.maker:
                self.refused[letter.maker] += 1
                self.forged[letter.maker] += forged

    def arrive(self, rows: Rows, part: int) -> None:
        """Quotes of one part in their order of arrival."""
        n = max(1, len(self._reference.makers))
        for name in ("arrived", "backdated", "greatest"):
            setattr(self, name, grown(getattr(self, name), (n,)))
        mine = rows[(rows["kind"] == Kind.QUOTE) & (rows["maker"] >= 0)]
        if not len(mine):
            return
        ts, maker = mine["ts"].astype(np.int64), mine["maker"]
        newest = np.maximum.accumulate(np.maximum(ts, self._newest.get(part, NEVER)))
        self._newest[part] = int(newest[-1])
        behind = newest - ts
        late = behind > BACKDATED
        self.arrived += np.bincount(maker, minlength=n)
        self.backdated += np.bincount(maker[late], minlength=n)
        np.maximum.at(self.greatest, maker, behind)
