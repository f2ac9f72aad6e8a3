"""Every interval of one obligation on a recorded day: what it counted as, why, and what would have been valid.

The capture runs through the same engine as in a replay, one instant at a time, and the slot is read after each. What
falls due by time alone is looked for at its own instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from mm_monitor.core.batch import Batch, Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.explain import Standing, failures, spread_limit
from mm_monitor.core.model import Kind
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.timetable import TIMETABLE_PART, decoded
from mm_monitor.errors import InputError
from mm_monitor.kernels import layout
from mm_monitor.replay import Progress, open_capture, timetable_of
from mm_monitor.slot_look import standing_of, state_of
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.studies.advice import would_be_valid

SUMS = {
    "quoted": "quoted",
    "deemed": "quoted",
    "lapsed": "lapsed",
    "exempt": "exempt",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """What an obligation counts as from `ts` on, and everything that it hangs on."""

    ts: int
    state: str  # quoted | deemed | lapsed | exempt | unknown | not_obliged
    reason: str  # primary, of a lapse
    failed: tuple[tuple[str, str], ...]  # every failing test, by how much
    quote: Standing | None
    quote_ts: int
    source: int  # part and offset of the quote
    theo_source: int
    limit: int | None  # 10^-8, rounded down
    advice: tuple[str, ...]
    theo_via: dict[str, object] | None = None  # where the theo came from, as its record says

    def same(self, other: Moment) -> bool:
        """Is it one interval with `other`? A theo that only moves the limit does not end one."""
        mine = (
            self.state,
            self.reason,
            [name for name, _ in self.failed],
            self.quote_ts,
            self.source,
        )
        return mine == (
            other.state, other.reason, [name for name, _ in other.failed], other.quote_ts, other.source
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeline:
    """The moments of one obligation over `period`; each lasts until the next, the last until the end."""

    maker: str
    contract: str
    rulebook: Rulebook
    period: tuple[int, int]
    moments: tuple[Moment, ...]
    files: dict[int, str]  # part -> file name

    def intervals(self) -> Iterator[tuple[int, int, Moment]]:
        """Start, end and what it was, without gaps; none is empty."""
        ends = [*(moment.ts for moment in self.moments[1:]), self.period[1]]
        for moment, end in zip(self.moments, ends, strict=True):
            yield moment.ts, end, moment

    def sums(self) -> dict[str, int]:
        """ns by what the report calls them; lapsed time also by reason."""
        found = dict.fromkeys(("quoted", "lapsed", "exempt", "unknown"), 0)
        for start, end, moment in self.intervals():
            if moment.state in SUMS:
                found[SUMS[moment.state]] += end - start
        return found


async def timeline(
    capture: Path, rulebook: Rulebook, maker: str, contract: str, progress: Progress | None = None
) -> Timeline:
    """The timeline of one obligation. InputError for a capture, maker or contract that cannot be judged."""
    reference, source = open_capture(capture)
    await source.start()
    records, period = timetable_of(source, rulebook, capture)
    _must_exist(reference, rulebook, maker, contract, capture)
    reference.appointments = [a for a in reference.appointments if a.maker == maker]
    merge = Merge()
    merge.push(Delivery(TIMETABLE_PART, decoded(records, 0), 0))
    while not source.finished:
        for delivery in await source.poll():
            merge.push(delivery)
        if progress is not None:
            progress("reading", *source.progress)
    await source.stop()
    # Only states are read, so nothing is paid for requirements.
    alone = replace(rulebook, required=None)
    engine = Engine([alone], reference, source.part_names, calendar=source.star_phases is None)
    reader = _Reader(engine, maker, contract)
    moments = reader.read(merge.release(AFTER_ALL), period)
    files = {part: name for part, (name, _) in source.part_names.items()}
    return Timeline(maker, contract, rulebook, period, tuple(_joined(moments)), files)


def _must_exist(
    reference: Reference, rulebook: Rulebook, maker: str, contract: str, capture: Path
) -> None:
    if contract not in reference.contract_index:
        names = sorted(reference.contract_index)
        known = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise InputError(f"a contract of the capture ({known})", file=str(capture), value=contract)
    appointed = {a.maker for a in reference.appointments if a.rulebook in ("", rulebook.id)}
    if maker not in appointed:
        known = ", ".join(sorted(appointed)[:10]) or "nobody"
        raise InputError(
            f"a maker appointed under {rulebook.id!r} ({known})", file=str(capture), value=maker
        )


def _joined(moments: list[Moment]) -> list[Moment]:
    """Without moments that lasted no time, and without those that change nothing."""
    lasting = [a for a, b in pairwise(moments) if a.ts < b.ts] + moments[-1:]
    found: list[Moment] = []
    for moment in lasting:
        if not found or not found[-1].same(moment):
            found.append(moment)
    return found


class _Reader:
    """Feeds an engine instant by instant and looks at one slot."""

    def __init__(self, engine: Engine, maker: str, contract: str) -> None:
        self.engine, self.maker = engine, maker
        self.contract = engine.reference.contract_index[contract]

    @property
    def evaluator(self) -> Evaluator:
        return self.engine.evaluators[0]

    def read(self, batch: Batch, period: tuple[int, int]) -> list[Moment]:
        """The moments from the start of `period` to its end."""
        rows = self._wanted(batch.rows)
        found: list[Moment] = []
        self.engine.foresee(Batch(rows, batch.controls))
        edges = np.flatnonzero(np.diff(rows["ts"])) + 1
        for start, end in pairwise([0, *edges.tolist(), len(rows)]):
            t = int(rows["ts"][start])
            if t >= period[1]:
                break
            found += [m for m in self._fallen_due(t) if m.ts >= period[0]]
            self.engine.apply(Batch(rows[start:end], batch.controls))
            if t >= period[0]:
                found.append(self._moment(t))
        found += [m for m in self._fallen_due(period[1]) if m.ts >= period[0]]
        return found  # never empty: the timetable has a record at the start

    def _wanted(self, rows: Rows) -> Rows:
        """Control records, and of quotes and theos those of the contract."""
        wanted: Rows = rows[(rows["kind"] < Kind.THEO) | (rows["contract"] == self.contract)]
        return wanted

    def _fallen_due(self, until: int) -> Iterator[Moment]:
        """What expires before `until`, one instant after the other."""
        accruals = self.evaluator.accruals
        which = np.array([self.contract], dtype=np.int32)
        due = int(accruals.cons["due"][self.contract])
        while due < until:
            con = accruals.cons[which]
            accruals.set_clocks(which, due, con["e_run"].copy(), con["n_run"].copy())
            yield self._moment(due)
            following = int(accruals.cons["due"][self.contract])
            if following <= due:
                return
            due = following

    def _moment(self, t: int) -> Moment:
        evaluator = self.evaluator
        index = evaluator.reference.maker_index.get(self.maker, -1)
        slot = evaluator.book.keys().get((index, self.contract))
        if slot is None:
            return Moment(t, "not_obliged", "", (), None, layout.LONG_AGO, -1, -1, None, ())
        row, con = evaluator.accruals.slots[slot], evaluator.accruals.cons[self.contract]
        quote = standing_of(evaluator, self.contract, row, con)
        state, reason = state_of(row, con)
        rulebook = evaluator.rulebook
        failed = tuple(failures(quote, rulebook).items()) if state in ("lapsed", "unknown") else ()
        limit = spread_limit(quote, rulebook)
        units = None if limit is None else limit.numerator // limit.denominator
        return Moment(
            t, state, reason, failed, quote, int(row["quote_ts"]), int(row["src"]), int(con["theo_src"]), units,
            tuple(would_be_valid(quote, rulebook, [name for name, _ in failed], reason)),
            evaluator.edges.via(int(con["theo_via"])),
        )  # fmt: skip
