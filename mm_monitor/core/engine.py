"""The engine: the one writer. Rows and control records in tape order go in; pictures and breaches come out.

It resolves each control record once (what it names must exist) and hands it to every rulebook's evaluator. Live, replay
and restart are this same object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from mm_monitor.core.batch import QUOTE_BAD, Batch, Rows, is_control
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.fills import take_fill
from mm_monitor.core.model import (
    BadReason,
    BreachEvent,
    ConductRecord,
    Control,
    DeadLetter,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    PeriodRecord,
    PhaseRecord,
    PositionRecord,
    RawRecord,
    ReferenceRecord,
    RejectRecord,
    RfqRecord,
    SessionRecord,
    StressRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.pieces import Pieces
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.reference_rows import BadRow, apply_reference
from mm_monitor.core.rests import Rests, Scout, scouted
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.share import Share
from mm_monitor.core.view import StatusView

Flip = tuple[Evaluator, int, bool]  # contract, is its delta out of range now?
_NOWHERE = RawRecord("", -1, -1, b"")


@dataclass(slots=True)
class Records:
    """What became of the records, of all rulebooks together."""

    applied: int = 0
    no_obligation: int = 0


class Engine:
    """Evaluators over one reference. `sources` maps a part number to (topic, partition), for evidence."""

    def __init__(
        self,
        rulebooks: Sequence[Rulebook],
        reference: Reference,
        sources: Mapping[int, tuple[str, int]],
        *,
        calendar: bool = True,
        phases_judge: bool = False,
        judge: type[Evaluator] = Evaluator,
    ) -> None:
        """`phases_judge`: no timetable says when a date is judged, the phases of `*` do: from its first to `closed`.

        With `calendar` False the rulebooks' calendars are not consulted for the rest of the day (R = 0)."""
        self.reference, self.sources = reference, sources
        self.phases_judge = phases_judge
        self.evaluators = [
            judge(
                book,
                reference,
                sources,
                Schedule(book.calendar) if calendar and book.calendar else None,
            )
            for book in rulebooks
        ]
        self.position = 0  # instant of the last record applied
        self.records = Records()
        self.kinds = {kind for book in rulebooks for kind in book.exemptions}
        self._laid_out = (len(reference.contracts), len(reference.makers))
        back = judge is Evaluator and scouted(rulebooks)
        self.rests = Rests(self.new_scout(deepcopy(reference)), reference) if back else None

    def new_scout(self, reference: Reference) -> Engine:
        """The engine that runs ahead of this one where rests count back (VAL-09), on a reference of its own."""
        books = scouted([evaluator.rulebook for evaluator in self.evaluators])
        scout = Engine(
            books,
            reference,
            self.sources,
            calendar=False,
            phases_judge=self.phases_judge,
            judge=Scout,
        )
        scout.kinds = self.kinds
        return scout

    def own(self, share: Share | None) -> None:
        """Judge only the classes of a share, and no maker as a whole; to be said before the first record."""
        self.reference.share = share
        for evaluator in self.evaluators:
            evaluator.begin()
        if self.rests is not None:
            self.rests.scout.own(share)

    def apply(self, batch: Batch) -> list[DeadLetter]:
        """Take a piece of the tape; returns the control records that name what does not exist.

        Where rests count back, what is judged by now is what was decided by this piece.
        """
        if self.rests is None or self.rests.over:
            return self.play(batch)
        if not len(batch.rows):
            return []
        letters = self.rests.take(batch)
        self._play_decided(self.rests)
        return letters

    def _play_decided(self, rests: Rests) -> None:
        for piece in rests.release():
            self.play(piece)
        rests.judged()

    def foresee(self, batch: Batch) -> None:
        """This is the whole tape: it decides every rest; the same rows are then judged as they are applied."""
        if self.rests is not None:
            self.rests.take(batch)
            self.rests.waiting.clear()
            self.rests.over = True

    def finish(self) -> None:
        """The tape has ended: what waited is judged by what is known."""
        if self.rests is not None:
            self.rests.over = True
            self._play_decided(self.rests)

    def play(self, batch: Batch) -> list[DeadLetter]:
        """Judge a piece of the tape now."""
        rows, dead = batch.rows, []
        if not len(rows):
            return []
        self._grow()
        at, flips = 0, self._flips(rows)
        for i in [*self._stops(batch, flips), len(rows)]:
            after = i + (i in flips)  # a theo whose delta matters is applied, and then its delta
            self._take(rows[at:after])
            if i in flips:
                for evaluator, contract, out in flips[i]:
                    evaluator.delta(contract, out, int(rows["ts"][i]))
            elif i < len(rows):
                letter = self.control(
                    batch.controls[int(rows["a"][i])], more=self._goes_on(rows, i)
                )
                if letter is not None:
                    dead.append(letter)
            at = i + 1
        self.position = int(rows["ts"][-1])
        return dead

    def _flips(self, rows: Rows) -> dict[int, list[Flip]]:
        """Theo rows whose delta changes what is owed under some rulebook."""
        found: dict[int, list[Flip]] = {}
        for evaluator in self.evaluators:
            for row, contract, out in evaluator.required.flips(rows):
                found.setdefault(row, []).append((evaluator, contract, out))
        return found

    @staticmethod
    def _stops(batch: Batch, flips: Mapping[int, object]) -> list[int]:
        """Rows at which something other than a slot changes."""
        controls: list[int] = []
        if batch.controls:
            controls = np.flatnonzero(is_control(batch.rows)).tolist()
        return sorted([*controls, *flips])

    def _goes_on(self, rows: Rows, i: int) -> bool:
        """Does another reference record follow before anything is judged? Then slots are laid out once, with it."""
        follows = i + 1 < len(rows) and rows["kind"][i + 1] == Kind.REFERENCE
        return bool(follows) and all(evaluator.blank for evaluator in self.evaluators)

    def _grow(self) -> None:
        """Names announced for later need their (idle) places before a row can carry them."""
        size = (len(self.reference.contracts), len(self.reference.makers))
        if size != self._laid_out:
            self._laid_out = size
            for evaluator in self.evaluators:
                evaluator.reference_changed(self.position)

    def _take(self, rows: Rows) -> None:
        """Hand quotes and theos to every evaluator, and count them."""
        counts = self.evaluators[0].counts
        before = counts.copy()
        for evaluator in self.evaluators:
            known = self.rests.marked(rows, evaluator.rulebook.id) if self.rests else rows
            evaluator.apply(known)
        quotes, theos, nobody = (counts - before)[:3].tolist()
        if len(self.evaluators) > 1:
            quotes, nobody = self._wanted(rows)
        self.records.applied += quotes + theos
        self.records.no_obligation += nobody

    def _wanted(self, rows: Rows) -> tuple[int, int]:
        """Quotes that any of several rulebooks wants, and the others."""
        quotes = rows[(rows["kind"] == Kind.QUOTE) & (rows["flags"] != QUOTE_BAD)]
        live = np.array(self.reference.live, dtype=np.bool_)
        wanted = np.zeros(len(quotes), dtype=np.bool_)
        for evaluator in self.evaluators:
            owed = live & (evaluator.accruals.cons["outside"] == 0)
            wanted |= evaluator.book.obliged(quotes, owed)
        return int(wanted.sum()), len(quotes) - int(wanted.sum())

    def control(self, record: Control, *, more: bool = False) -> DeadLetter | None:
        """Apply one control record to every evaluator now, or say what it names that does not exist.

        With `more` a reference record is taken in and the slots are left to the one that follows.
        """
        reason = self._defect(record)
        if reason is not None:
            raw, maker = getattr(record, "raw", None) or _NOWHERE, getattr(record, "maker", "")
            known = self.reference.find_maker(maker) >= 0
            return DeadLetter(raw, reason[0], reason[1], maker if known else "")
        self.position = max(self.position, record.ts)
        if isinstance(record, ReferenceRecord):
            return self._reference(record, more)
        addressee = getattr(record, "rulebook", "")
        for evaluator in self.evaluators:
            if addressee in ("", evaluator.rulebook.id):
                if self.phases_judge and isinstance(record, PhaseRecord) and record.scope == ALL:
                    _judge_by_phases(evaluator, record)
                else:
                    _hand_over(evaluator, record, self.rests)
        if not isinstance(record, PeriodRecord | VolRecord) and record.raw is not None:
            self.records.applied += 1
        return None

    def _defect(self, record: Control) -> tuple[BadReason, str] | None:
        if isinstance(record, PeriodRecord | ReferenceRecord):
            return None
        if isinstance(record, UnderlyingRecord):
            return self._unknown_class(record.klass)
        if isinstance(record, VolRecord) and not record.contract:
            return self._unknown_class(record.klass)
        if isinstance(record, RfqRecord | VolRecord):
            return self._unlisted(record)
        if isinstance(record, FillRecord | PositionRecord | SessionRecord | RejectRecord):
            return self._unknown(record)
        if not self.reference.knows_scope(record.scope):
            return (
                BadReason.UNKNOWN_SCOPE,
                f"scope must be *, a class or a contract, got {record.scope!r}",
            )
        if isinstance(record, ExemptionRecord) and record.kind not in self.kinds:
            known = ", ".join(sorted(self.kinds)) or "none"
            return (
                BadReason.UNKNOWN_KIND,
                f"kind must be one of the rulebook's ({known}), got {record.kind!r}",
            )
        return None

    def _unlisted(self, record: RfqRecord | FillRecord | VolRecord) -> tuple[BadReason, str] | None:
        if record.contract in self.reference.contract_index:
            return None
        return BadReason.UNKNOWN_CONTRACT, f"contract is not listed, got {record.contract!r}"

    def _unknown(self, record: ConductRecord) -> tuple[BadReason, str] | None:
        """What a record about a maker's conduct names that is not there; the maker may be anybody."""
        if isinstance(record, FillRecord):
            return self._unlisted(record)
        return self._unknown_class(record.klass) if isinstance(record, PositionRecord) else None

    def _unknown_class(self, klass: str) -> tuple[BadReason, str] | None:
        if klass in self.reference.class_index:
            return None
        return BadReason.UNKNOWN_CLASS, f"class must be that of a contract, got {klass!r}"

    def _reference(self, record: ReferenceRecord, more: bool) -> DeadLetter | None:
        for evaluator in self.evaluators:
            evaluator.before(record.ts)
        letter = None
        try:
            apply_reference(self.reference, record)
        except BadRow as error:
            letter = DeadLetter(record.raw or _NOWHERE, BadReason.BAD_REFERENCE, str(error))
        if not more:
            self._laid_out = (len(self.reference.contracts), len(self.reference.makers))
        for evaluator in self.evaluators:
            if more:
                evaluator.enrol()  # also who is dismissed before the slots are laid out
            else:
                evaluator.reference_changed(record.ts)
        return letter

    def advance(self, watermark: int) -> None:
        """Everything before `watermark` has been applied: find what time alone has brought before it."""
        if self.rests is not None and not self.rests.over:
            self.rests.head = max(self.rests.head, watermark)
            self._play_decided(self.rests)
            watermark = self.rests.decided
        for evaluator in self.evaluators:
            evaluator.advance(watermark)

    def at(self, t: int, *, estimate: bool = False) -> list[StatusView]:
        """One picture per rulebook as of `t` (TAPE-01). Changes no state.

        Where rests count back it is as of the last instant before `t` at which they are decided.
        """
        t = self._decided_by(t)
        return [evaluator.at(t, estimate=estimate) for evaluator in self.evaluators]

    def picturing(self, t: int) -> Pieces[list[StatusView]]:
        """`at` in pieces, between which the tape may go on: all of it is copied now. One at a time."""
        t = self._decided_by(t)
        return _one_by_one([evaluator.picturing(t) for evaluator in self.evaluators])

    def _decided_by(self, t: int) -> int:
        if self.rests is None or self.rests.over:
            return t
        return max(self.position, min(t - self.rests.delay, self.rests.decided))

    def drain(self) -> list[BreachEvent]:
        """Breach transitions since the last call, of all rulebooks."""
        return [event for evaluator in self.evaluators for event in evaluator.drain()]


def _one_by_one(pictures: Sequence[Pieces[StatusView]]) -> Pieces[list[StatusView]]:
    made = []
    for picture in pictures:
        made.append((yield from picture))
        yield
    return made


def _judge_by_phases(evaluator: Evaluator, record: PhaseRecord) -> None:
    """The first phase of `*` begins the judged period, `closed` ends it, a further one takes it up again."""
    if record.phase != "closed" and not evaluator.in_period:
        edge = "start" if evaluator.final is None else "resume"
        evaluator.on_period(PeriodRecord(record.ts, edge, evaluator.trading_date))
    if record.phase == "closed":
        evaluator.on_period(PeriodRecord(record.ts, "end", evaluator.trading_date))
    evaluator.phase(record)


def _hand_over(evaluator: Evaluator, record: Control, rests: Rests | None) -> None:
    if isinstance(record, PhaseRecord):
        evaluator.phase(record)
    elif isinstance(record, ExemptionRecord):
        evaluator.exemption(record)
    elif isinstance(record, FeedRecord):
        evaluator.feed(record)
    elif isinstance(record, StressRecord):
        evaluator.stress(record)
    elif isinstance(record, UnderlyingRecord):
        evaluator.underlying(record)
    elif isinstance(record, FillRecord | PositionRecord | SessionRecord | RejectRecord):
        evaluator.conduct.record(record)
        if isinstance(record, FillRecord):
            evaluator.response.fill(record)
            if evaluator.rulebook.fills_shrink:
                take_fill(evaluator, record, rests)
    elif isinstance(record, RfqRecord):
        evaluator.response.request(record)
    elif isinstance(record, PeriodRecord):
        evaluator.on_period(record)
