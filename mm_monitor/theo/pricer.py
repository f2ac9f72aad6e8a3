"""Theos of a tape that runs: records pass through here in their order, and the theos that they lack come in between.

It looks at whole multiples of an interval of event time, before the quotes of that instant. Each look is handed to
`keep` before anything is judged by it; looks that were kept by a run before this one are taken as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mm_monitor.core.batch import (
    COMPUTED_PART,
    QUOTE_BAD,
    THEO_DELTA,
    THEO_MISSING,
    Batch,
    Rows,
    empty_rows,
)
from mm_monitor.core.model import (
    PRICE_SCALE,
    Control,
    Kind,
    ReferenceRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.reference_rows import BadRow, contract_of
from mm_monitor.theo.cascade import Cascade, Theo
from mm_monitor.theo.terms import BadTerms, ExpiryClock, Terms, terms_of

FIELDS = ("ts", "kind", "contract", "maker", "a", "a_size", "b", "b_size", "flags")
ALWAYS = (Kind.REFERENCE, Kind.UNDERLYING, Kind.VOL, Kind.THEO)


@dataclass(frozen=True, slots=True)
class KeptLook:
    """A look as it was written down: names in the place of numbers, for it outlives the process."""

    ts: int
    theos: Sequence[
        tuple[str, int | None, int | None, str, str, str, int]
    ]  # as `Theo` from `contract` on

    @classmethod
    def of(cls, ts: int, theos: Sequence[Theo], reference: Reference) -> KeptLook:
        """What is to be written of a look."""
        names = [reference.contracts[one.contract].name for one in theos]
        return cls(ts, [(name, one.theo, one.delta, one.source, one.version, one.quality, one.age)
                        for name, one in zip(names, theos, strict=True)])  # fmt: skip

    def read(self, reference: Reference) -> list[Theo]:
        """The theos again; those of contracts that nobody knows any more are left out."""
        found = []
        for name, theo, delta, source, version, quality, age in self.theos:
            contract = reference.contract_index.get(name)
            if contract is not None:
                found.append(Theo(self.ts, contract, theo, delta, source, version, quality, age))
        return found


@dataclass(frozen=True, slots=True)
class Hours:
    """Theos are looked at every whole multiple of `every` (ns) from `since` on; `clock` says when options expire."""

    clock: ExpiryClock
    every: int
    since: int = 0


class Pricer:
    """Between the merge and the engine. `keep` says whether a look was kept; one that was not is not judged by."""

    def __init__(
        self,
        cascade: Cascade,
        reference: Reference,
        hours: Hours,
        keep: Callable[[int, Sequence[Theo]], bool],
        kept: Iterable[KeptLook] = (),
    ) -> None:
        """`kept`: the looks of runs before this one, in the order of time; those before `since` are left out."""
        self.cascade, self._reference, self._hours, self._keep = cascade, reference, hours, keep
        self._kept = (look for look in kept if look.ts >= hours.since)
        self._next = next(self._kept, None)
        self._due: int | None = None
        self._looked = -1  # instant of the last look
        wanted = [*ALWAYS, *([Kind.QUOTE] if "fit" in cascade.settings.sources else [])]
        self._told = np.isin(np.arange(len(Kind)), wanted)
        self.unpriced: set[str] = set()  # contracts whose terms no model can price
        for index, contract in enumerate(reference.contracts):
            cascade.list(index, self._terms(contract) if reference.live[index] else None)

    def price(self, batch: Batch) -> Batch:
        """A piece of the tape with the theos of its time in their places."""
        rows, looks = batch.rows, []
        if not len(rows):
            return batch
        bad = (rows["kind"] == Kind.QUOTE) & (rows["flags"] & QUOTE_BAD != 0)
        told = rows[self._told[rows["kind"]] & ~bad]
        for ts, kind, *what in zip(*(told[name].tolist() for name in FIELDS), strict=True):
            looks += self._before(ts, kind)
            self._tell(ts, kind, what, batch)
            if self._due is None:
                self._due = self._multiple(ts)
        looks += self._before(int(rows["ts"][-1]), int(rows["kind"][-1]))
        return Batch(_inserted(rows, looks), batch.controls) if looks else batch

    def until(self, watermark: int) -> Batch:
        """The theos of instants before `watermark`, when every record before it has passed."""
        looks = self._before(watermark, 0)
        return Batch(np.concatenate(looks) if looks else empty_rows(0))

    def state(self) -> dict[str, Any]:
        """All that the next look depends on, for a checkpoint."""
        return {
            "cascade": self.cascade.state(),
            "due": self._due,
            "looked": self._looked,
            "since": self._hours.since,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, on a fresh pricer; of the looks that were kept only later ones are still to come."""
        self.cascade.restore(state["cascade"])
        self._due, self._looked = state["due"], state["looked"]
        self._hours = replace(self._hours, since=state["since"])
        while self._next is not None and self._next.ts <= self._looked:
            self._next = next(self._kept, None)

    # -- looks ----------------------------------------------------------------------------------

    def _multiple(self, ts: int) -> int:
        """The first instant to look at, at `ts` or later."""
        every = self._hours.every
        return -(-max(ts, self._hours.since) // every) * every

    def _before(self, ts: int, kind: int) -> list[Rows]:
        """The theos that come before a record of that instant and kind, a piece for every look that gave one."""
        pieces = []
        while (due := self._due if self._next is None else self._next.ts) is not None:
            if (due, Kind.QUOTE) > (ts, kind):
                break
            theos = self._look(due)
            if theos:
                pieces.append(rows_of(theos, self._reference))
        return pieces

    def _look(self, due: int) -> Sequence[Theo]:
        self._looked = due
        every = self._hours.every
        if self._next is not None:
            theos: Sequence[Theo] = self._next.read(self._reference)
            self.cascade.settle(due, theos)
            self._next = next(self._kept, None)
            self._due = (due // every + 1) * every
            return theos
        theos = self.cascade.look(due)
        if theos and not self._keep(due, theos):
            self.cascade.again(theos)
            theos = ()
        self._due = None if self.cascade.idle else due + every
        return theos

    # -- records --------------------------------------------------------------------------------

    def _tell(self, ts: int, kind: int, what: list[int], batch: Batch) -> None:
        contract, maker, a, a_size, b, b_size, flags = what
        if kind == Kind.QUOTE:
            self.cascade.quote(ts, contract, maker, a, a_size, b, b_size)
        elif kind == Kind.THEO:
            self.cascade.feed(ts, contract, None if flags & THEO_MISSING else a)
        else:
            self._control(batch.controls[a])

    def _control(self, record: Control) -> None:
        if isinstance(record, UnderlyingRecord):
            self.cascade.underlying(record.ts, record.klass, record.price)
        elif isinstance(record, ReferenceRecord) and record.table == "contracts":
            self._reference_record(record)
        elif isinstance(record, VolRecord):
            vol = None if record.vol is None else record.vol / PRICE_SCALE
            contract = self._reference.contract_index.get(record.contract)
            if contract is not None:
                self.cascade.own_vol(record.ts, contract, vol)
            elif not record.contract:
                self.cascade.surface_vol(record.ts, record.klass, record.expiry, vol)

    def _reference_record(self, record: ReferenceRecord) -> None:
        """A listing, adjustment or removal; what the engine refuses is passed over here too."""
        index = self._reference.contract_index.get(record.row.get("contract", ""))
        if index is None:
            return
        if record.action == "remove":
            self.cascade.list(index, None)
            return
        try:
            contract = contract_of(record.row)
        except BadRow:
            return
        if contract.klass == self._reference.contracts[index].klass:
            self.cascade.list(index, self._terms(contract))

    def _terms(self, contract: Contract) -> Terms | None:
        row = {"class": contract.klass, "kind": contract.kind, "strike": contract.strike,
               "expiry": contract.expiry}  # fmt: skip
        self.unpriced.discard(contract.name)
        try:
            return terms_of(row, self._hours.clock)
        except BadTerms:
            self.unpriced.add(contract.name)
            return None


def rows_of(theos: Sequence[Theo], reference: Reference) -> Rows:
    """Theos of one look as rows of the tape."""
    rows = empty_rows(len(theos))
    for i, theo in enumerate(theos):
        flags = THEO_MISSING if theo.theo is None else 0
        flags |= THEO_DELTA if theo.delta is not None else 0
        via = reference.via((theo.source, theo.version, theo.quality))
        rows[i] = (theo.ts, i, theo.theo or 0, theo.delta or 0, via, 0, -1, theo.contract,
                   COMPUTED_PART, 0, Kind.THEO, flags, 0)  # fmt: skip
    return rows


def _inserted(rows: Rows, pieces: Sequence[Rows]) -> Rows:
    """`rows` with each piece of theos behind the theos of its instant, before its quotes."""
    out, done = [], 0
    for piece in pieces:
        ts = int(piece["ts"][0])
        first, last = np.searchsorted(rows["ts"], [ts, ts + 1]).tolist()
        place = first + int(np.searchsorted(rows["kind"][first:last], Kind.QUOTE))
        out += [rows[done:place], piece]
        done = place
    return np.concatenate([*out, rows[done:]])
