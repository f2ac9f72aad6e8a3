"""One rulebook's judge: its obligations, what is on or off around them, and the breaches it found.

The engine hands it rows and resolved control records in tape order; nothing else changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accounts import Accounts
from mm_monitor.core.accrual import Accruals
from mm_monitor.core.batch import Rows
from mm_monitor.core.book import appointed, build_book
from mm_monitor.core.breaches import BreachBook
from mm_monitor.core.closing import judge_close
from mm_monitor.core.conditions import DOWN, Conditions, Effects, Mask
from mm_monitor.core.conduct import Conduct
from mm_monitor.core.crossings import Crossings
from mm_monitor.core.days import dated_relief, days_left, utc_date
from mm_monitor.core.edges import EdgeReader
from mm_monitor.core.late import concerned
from mm_monitor.core.model import (
    BreachEvent,
    BreachKind,
    Control,
    ExemptionRecord,
    FeedRecord,
    PeriodRecord,
    PhaseRecord,
    StressRecord,
    UnderlyingRecord,
)
from mm_monitor.core.moments import Moments
from mm_monitor.core.params import Params, bucket_of, build_params, day_breaks
from mm_monitor.core.pictures import picture
from mm_monitor.core.pieces import Pieces, ready, whole
from mm_monitor.core.reach import Reach
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.relayout import carry_over
from mm_monitor.core.remaining import foresee_phases, remaining
from mm_monitor.core.required import Membership
from mm_monitor.core.response import Response
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.sizes import least_sizes
from mm_monitor.core.stretches import Stretches
from mm_monitor.core.totals import Totals, read_totals
from mm_monitor.core.view import StatusView
from mm_monitor.core.views import ViewBuilder
from mm_monitor.kernels import layout


@dataclass(frozen=True, slots=True)
class Mark:
    """Where to go back to while a crossing is searched for."""

    accruals: Accruals
    counts: NDArray[np.int64]
    last: int


class Evaluator:
    """Everything of one rulebook. `sources` maps a part number to (topic, partition), for evidence."""

    def __init__(
        self,
        rulebook: Rulebook,
        reference: Reference,
        sources: Mapping[int, tuple[str, int]],
        schedule: Schedule | None = None,
    ) -> None:
        """`schedule` is the calendar by which the rest of the day is known; without one R = 0 (PRES-04)."""
        self.rulebook, self.reference, self.sources = rulebook, reference, sources
        self.schedule = schedule
        self.conditions = Conditions()
        # Did a calendar say the last phase of `*`? Then it also knows what follows.
        self.by_calendar = False
        self.breaches = BreachBook(rulebook.id, rulebook.version)
        self.counts = np.zeros(len(layout.COUNTS), dtype=np.int64)
        self.trading_date = ""
        self.day = ""  # by which days to expiry count: the trading date, without a calendar UTC's
        self.period: tuple[int | None, int | None] = (None, None)  # start, end once it is over
        self._shown: Accruals | None = None  # a copy that pictures in pieces are made of
        self.final: StatusView | None = None  # the picture at the end of the period
        self.ledger: list[StatusView] = []  # final pictures of the days before
        self.reach = Reach(self)
        self.moments = Moments(self._meet)
        self.response = Response(self)
        self.last = 0  # instant of the last record applied
        self.provisional: set[tuple[int, int]] = set()  # (maker, contract) that a late record named
        self.required = Membership(rulebook.required_set, reference)
        self.accounts = Accounts(rulebook.accounts, reference)
        self.stretches = Stretches() if rulebook.am_pm else None
        self.begin()

    def begin(self) -> None:
        """Before the first record: slots for who is appointed now."""
        self.members = appointed(self.reference, self.rulebook.id)
        self.breaches.of_makers = self.reference.share is None
        self.conduct = Conduct(self.rulebook, self.reference)
        self.lay_out()
        listed = np.array(self.reference.live, dtype=np.bool_)[self.book.slot_con]
        self.accruals.slots["state"][~listed] = layout.NONE  # announced, not listed yet
        self.accruals.count_held()
        self._restate(np.ones(len(self.book.slot_con), dtype=np.bool_), 0)

    def lay_out(self) -> None:
        """Slots for the members of every class, at zero."""
        self.book = build_book(
            self.reference, self.members, appointed(self.reference, self.rulebook.id)
        )
        self.params = self._params_of_day()
        self.accruals = Accruals(self.book, self.params)
        self.accruals.cons["tick"] = [contract.tick for contract in self.reference.contracts]
        self.accruals.cons["live"] = self.reference.live
        self.accruals.cons["bucket"] = self._buckets()
        self.accruals.cons["min_size"] = self._sizes()
        self.required.fit()
        self.accruals.cons["outside"] = ~self.required.mask
        self.conduct.lay_out(self.book)
        self.index()

    def _params_of_day(self) -> Params:
        return build_params(self.rulebook, self.book.makers, dated_relief(self.rulebook, self.day))

    def _buckets(self) -> NDArray[np.uint16]:
        """Bucket of days to expiry of every contract."""
        breaks = day_breaks(self.rulebook)
        days = [days_left(contract, self.day) for contract in self.reference.contracts]
        return np.array([bucket_of(breaks, n) for n in days], dtype=np.uint16)

    def _sizes(self) -> NDArray[np.int32]:
        return least_sizes(self.rulebook, self.reference, self.day)

    def index(self) -> None:
        """Everything that is derived from layout and conditions."""
        self._copy_anew()
        self.crossings = Crossings(self.accruals)
        self.effects = Effects.of(
            self.conditions, self.rulebook, self.reference, self.book, self.params.reliefs
        )
        self.edges = self._edge_reader()
        self.views = ViewBuilder(self.rulebook, self.reference, self.book)

    def _copy_anew(self) -> None:
        """The copies that are settled instead of the slots themselves: for looks, and for pictures in pieces."""
        self.scratch, self._shown = self.accruals.copy(), None

    def _edge_reader(self) -> EdgeReader:
        return EdgeReader(
            self.rulebook, self.reference, self.book, self.params.reliefs, self.sources, self.day,
            self.conduct.cause, self.accruals.cons["min_size"].tolist(),
        )  # fmt: skip

    # -- reading ------------------------------------------------------------------------------

    def totals_at(self, t: int, *, estimate: bool = False) -> Totals:
        """Totals at `t`, which must not lie before the last record. Changes nothing but the edges noticed.

        An estimate notices none: a record still to come may have an instant before `t`.
        """
        self.settle(self.scratch, t, estimate=estimate)
        return read_totals(self.scratch, remaining(self, t))

    def settle(self, copy: Accruals, t: int, *, estimate: bool) -> None:
        """Make `copy` what the slots are at `t`; as in `totals_at`."""
        copy.load(self.accruals)
        edges = copy.settle(t)
        if not estimate:
            self.notice(edges, t)
            if self.in_period:
                self.crossings.settled(copy, t)

    def at(self, t: int, *, estimate: bool = False, exact: bool = False) -> StatusView:
        """The picture as of `t` (TAPE-01); after the end of the period it stands still."""
        if self.final is not None:
            return self.views.stamped(self.final, t, estimate)
        return whole(picture(self, self.scratch, t, estimate=estimate, exact=exact))

    def picturing(self, t: int) -> Pieces[StatusView]:
        """`at` in pieces: all that it shows is copied now, one such picture at a time."""
        if self.final is not None:
            return ready(self.views.stamped(self.final, t, False))
        if self._shown is None:
            self._shown = self.accruals.copy()
        return picture(self, self._shown, t)

    def unreachable_names(self) -> frozenset[str]:
        """The makers who are out of reach."""
        return frozenset(self.views.makers[k] for k in self.reach.found)

    # -- rows ---------------------------------------------------------------------------------

    def apply(self, rows: Rows) -> None:
        """Apply quote and theo rows in tape order, and find what broke on the way, at its own instant."""
        self.conduct.heard(rows)
        live = self.accruals.cons["live"] > 0
        for piece in self.moments.cut(self.accounts.fold(rows, self.book, live)):
            self.reach.apply(piece)

    def take(self, rows: Rows) -> None:
        """Apply rows, at least one, looking at nothing but the edges that they bring."""
        edges = self.accruals.apply(rows, self.counts)
        self.last = int(rows["ts"][-1])
        self.crossings.doubt(rows["contract"])
        self.notice(edges, self.last)
        self.response.hear(edges)

    def mark(self) -> Mark:
        """The state as it is now, to go back to."""
        return Mark(self.accruals.copy(), self.counts.copy(), self.last)

    def rewind(self, mark: Mark, rows: Rows) -> None:
        """Go back to `mark`, and on by `rows`."""
        self.accruals.load(mark.accruals)
        self.counts[:], self.last = mark.counts, mark.last
        if len(rows):
            self.take(rows)

    @property
    def in_period(self) -> bool:
        """Is a trading date being judged now?"""
        return self.period[0] is not None and self.final is None

    @property
    def blank(self) -> bool:
        """Does nothing trade, is nothing quoted, every feed well? Then a change of slots leaves no instant behind."""
        slots, c = self.accruals.slots, self.conditions
        quoted = (slots["now"] != layout.V_FAILS) | (slots["was"] != layout.V_FAILS)
        idle = not self.in_period and "continuous" not in c.phases.values() and not c.feed
        return idle and not quoted.any()

    def notice(self, edges: list[NDArray[np.void]], noticed_at: int) -> None:
        """Make breaches of the edges of lapses, spreads and holes."""
        if edges and self.in_period:
            fresh = self.crossings.fresh(edges, self.book.slot_con)
            self.edges.notice(fresh, self.accruals, self.breaches, noticed_at)

    # -- time ---------------------------------------------------------------------------------

    def advance(self, watermark: int) -> None:
        """Every record before `watermark` has been applied: find what time alone has brought by then."""
        self._until(watermark)
        self.reach.look(watermark - 1)  # the period may end at the watermark itself
        if self.in_period:
            self._cross(watermark)

    def _cross(self, t: int) -> None:
        """Notice the edges before `t` that no row has brought."""
        which = self.crossings.find(t)
        if len(which):
            self.notice(self.scratch.settle_like(self.accruals, which, t), t)
            self.crossings.settled(self.scratch, t, which)

    def before(self, t: int) -> None:
        """Something is about to change at `t`: find what time alone has brought before."""
        self.crossings.doubt()
        self._until(t)
        self.reach.look(t - 1)

    def _until(self, t: int) -> None:
        if t > self.last:
            self.moments.reach(t)

    def _meet(self, t: int, name: str, detail: Any) -> None:
        if name == "phase":
            self._meet_phase(t)
        else:
            getattr(self.response, f"meet_{name}")(t, detail)

    def _meet_phase(self, t: int) -> None:
        """The calendar says another phase; the market need not follow it."""
        self.reach.look(t - 1)
        self.reach.touch(t)

    def open_maker(
        self, kind: BreachKind, k: int, start: int, totals: Totals, noticed_at: int
    ) -> None:
        """Open a breach of the maker at position `k` of the views."""
        evidence = self.views.maker_evidence(k, totals)
        self.breaches.open(kind, self.views.makers[k], "", "", start, "", evidence, noticed_at)

    # -- control records ----------------------------------------------------------------------

    def phase(self, record: PhaseRecord) -> None:
        """A scope enters a phase: clocks run or stop (OBL-01)."""
        self.before(record.ts)
        self.response.before(record.ts)
        self.conditions.phases[record.scope] = record.phase
        if record.scope == ALL:
            self.by_calendar = bool(record.rulebook)
            self._stretch(record.ts)
        self._set_clocks(record.ts)

    def _stretch(self, t: int) -> None:
        """Continuous trading of `*` may begin or end a stretch of the judged period."""
        if self.stretches is None or not self.in_period:
            return
        if self.conditions.phases.get(ALL) == "continuous":
            self.stretches.begin(t, partial(self.totals_at, t))
        else:
            self.stretches.end(t)

    def _set_clocks(self, t: int) -> None:
        e_run = self.effects.running(self.conditions.phases) & self.required.mask
        n_run = e_run & (self.effects.exclude_all == 0)
        cons = self.accruals.cons
        cons["outside"] = ~self.required.mask
        changed = (cons["e_run"] != e_run) | (cons["n_run"] != n_run)
        which = np.flatnonzero(changed).astype(np.int32)
        edges = self.accruals.set_clocks(which, t, _bytes(e_run[which]), _bytes(n_run[which]))
        self.after_control(edges, t)
        if len(which):
            self.response.clocks_set(t)
            self._note_trading(t)

    def _note_trading(self, t: int) -> None:
        """STAB-01: the makers of whom a contract is in continuous trading from `t` on."""
        on = (self.accruals.cons["e_run"] > 0)[self.book.slot_con]
        on &= self.accruals.slots["state"] != layout.NONE
        makers = np.unique(self.book.slot_maker[on]).tolist()
        self.conduct.trade(t, frozenset(self.reference.makers[m] for m in makers))

    def after_control(self, edges: list[NDArray[np.void]], t: int) -> None:
        """Something other than rows changed slots at `t` and wrote these edges."""
        self.notice(edges, t)
        self.response.hear(edges)
        self.last = max(self.last, t)
        self.crossings.doubt()
        self.reach.touch(t)

    def underlying(self, record: UnderlyingRecord) -> None:
        """The underlying of a class has a price: limits may follow its spread (VAL-10), the contracts around it be
        others (OBL-01)."""
        spread = None
        if record.bid_price is not None and record.ask_price is not None:
            spread = record.ask_price - record.bid_price
        if spread != self.conditions.underlying.get(record.klass):
            self.before(record.ts)
            self.conditions.say_spread(record.klass, spread)
            self.after_control(self._set_underlying(record.ts), record.ts)
        if self.required.spot(record.klass, record.price):
            self._owe(record.ts)

    def delta(self, contract: int, out: bool, t: int) -> None:
        """The delta of a contract left or entered the range of the required set at `t`."""
        if self.required.delta(contract, out):
            self._owe(t)

    def _owe(self, t: int) -> None:
        """Other contracts are owed from `t` on."""
        self.before(t)
        self._set_clocks(t)

    def exemption(self, record: ExemptionRecord) -> None:
        """An exemption starts or ends; kinds that this rulebook does not name mean nothing to it."""
        meaning = self.rulebook.exemptions.get(record.kind)
        key = (record.scope, record.maker, record.kind)
        starts = record.action == "start"
        if meaning is None or starts == (key in self.conditions.exemptions):
            return
        self.before(record.ts)
        (self.conditions.exemptions.add if starts else self.conditions.exemptions.discard)(key)
        mask = self.effects.exempt(record.scope, record.maker, meaning, 1 if starts else -1)
        if mask is None:
            self._set_clocks(record.ts)
        else:
            self._restate(mask, record.ts)

    def _restate(
        self, mask: Mask, t: int, unk: NDArray[np.uint8] | None = None, absent: Mask | None = None
    ) -> None:
        which = np.flatnonzero(mask).astype(np.int32)
        bits = self.accruals.slots["unk"][which] if unk is None else unk[which]
        gone = np.zeros(len(which), dtype=np.uint8) if absent is None else _bytes(absent[which])
        lost = which[gone > 0]
        self.accounts.withdraw(self.book.slot_maker[lost], self.book.slot_con[lost])
        edges = self.accruals.restate(
            which,
            t,
            np.ascontiguousarray(bits),
            self.effects.ex_bits(which),
            self.effects.relief(which),
            gone,
        )
        self.after_control(edges, t)

    def feed(self, record: FeedRecord) -> None:
        """A feed goes down, comes up, or is complete again (OBL-03)."""
        key, feed = (record.scope, record.maker), self.conditions.feed
        since = feed.get(key)
        mask, owed = self.effects.slots(*key), self.effects.owed
        unk, absent = (
            self.accruals.slots["unk"].copy(),
            np.zeros(len(self.book.slot_con), dtype=np.bool_),
        )
        for debt in owed.values():  # a quote on a healthy feed has settled what was owed
            debt &= unk & layout.WAIT > 0
        if record.status == "down" and since != DOWN:
            feed[key] = DOWN
            owed.pop(key, None)
            self.effects.down[mask] += 1
            unk[mask] |= layout.DOWN
        elif record.status == "up" and since == DOWN:
            feed[key] = record.ts
            owed[key] = mask
            self.effects.down[mask] -= 1
            unk[mask] |= layout.WAIT
            unk[mask & (self.effects.down == 0)] &= ~np.uint8(layout.DOWN)
        elif record.status == "synced" and since is not None and since != DOWN:
            del feed[key]
            absent = owed.pop(key)
            settled = absent & ~np.logical_or.reduce([absent & False, *owed.values()])
            unk[settled] &= ~np.uint8(layout.WAIT)
        else:
            return
        self.before(record.ts)
        self._restate(mask, record.ts, unk, absent)

    def stress(self, record: StressRecord) -> None:
        """Stress starts or ends in a scope; with relief the limits move (OBL-02)."""
        starts = record.action == "start"
        if starts == (record.scope in self.conditions.stress):
            return
        self.before(record.ts)
        self.response.before(record.ts)
        (self.conditions.stress.add if starts else self.conditions.stress.discard)(record.scope)
        mask = self.effects.contracts(record.scope)
        self.effects.stress[mask] += 1 if starts else -1
        which = np.flatnonzero(
            mask & ((self.effects.stress > 0) != (self.accruals.cons["stress"] > 0))
        )
        on = _bytes(self.effects.stress[which] > 0)
        self.after_control(
            self.accruals.set_stress(which.astype(np.int32), record.ts, on), record.ts
        )

    def enrol(self) -> list[set[int]]:
        """Makers appointed now, by class; who ever was stays a member."""
        now = appointed(self.reference, self.rulebook.id)
        before = [*self.members, *([set()] * len(now))]
        self.members = [old | new for old, new in zip(before, now, strict=False)]
        return now

    def _set_underlying(self, t: int) -> list[NDArray[np.void]]:
        if not self.rulebook.reads_underlying:
            return []
        spreads = self.effects.spreads(self.conditions.underlying)
        which = np.flatnonzero(self.accruals.cons["under"] != spreads).astype(np.int32)
        return self.accruals.set_underlying(which, t, spreads[which])

    def reference_changed(self, t: int) -> None:
        """A listing, adjustment or appointment took effect at `t`: lay the slots out anew, carrying state over."""
        self.before(t)
        self.notice(self.accruals.settle(t), t)
        now, names = self.enrol(), self.unreachable_names()
        old_accruals, old_book = self.accruals, self.book
        waits = self.accruals.slots["unk"] & np.uint8(layout.WAIT) > 0
        old_owed = {key: debt & waits for key, debt in self.effects.owed.items()}
        self.lay_out()
        moved = carry_over(old_accruals, old_book, self.accruals, self.book, self.reference, now, t)
        if self.stretches is not None:
            self.stretches.move(moved, len(self.book.slot_con))
        for (
            key,
            debt,
        ) in self.effects.owed.items():  # who comes anew into a feed that waits is waited for
            debt[moved[1]] = old_owed[key][moved[0]]
        self._copy_anew()
        self.reach.found = frozenset(k for k, name in enumerate(self.views.makers) if name in names)
        self._inherit(t)
        self.response.relaid()

    def _inherit(self, t: int) -> None:
        """New slots and contracts are born into the conditions that are on."""
        self._set_clocks(t)
        stress = np.flatnonzero(
            (self.effects.stress > 0) != (self.accruals.cons["stress"] > 0)
        ).astype(np.int32)
        self.accruals.set_stress(stress, t, _bytes(self.effects.stress[stress] > 0))
        self._set_underlying(t)
        unk = self.accruals.slots["unk"].copy()
        unk[self.effects.down > 0] |= layout.DOWN
        for debt in self.effects.owed.values():
            unk[debt & (self.accruals.slots["state"] != layout.NONE)] |= layout.WAIT
        self._restate(np.ones(len(unk), dtype=np.bool_), t, unk)
        self._note_trading(t)

    # -- periods ------------------------------------------------------------------------------

    def on_period(self, record: PeriodRecord) -> None:
        """Start, end or roll-over of a trading date's judged period (OBL-05)."""
        self.crossings.forget()
        getattr(self, f"_period_{record.edge}")(record)
        self.crossings.forget()

    def _period_roll(self, record: PeriodRecord) -> None:
        if self.period[0] is not None and self.final is None:
            self._period_end(record)
        if self.final is not None:
            self.ledger.append(self.final)
        self.accruals.zero(record.ts)
        self.conduct.roll()
        mask = np.ones(len(self.book.slot_con), dtype=np.bool_)
        unk = self.accruals.slots["unk"] & np.uint8(layout.DOWN)
        self.conditions.feed = {
            key: since for key, since in self.conditions.feed.items() if since == DOWN
        }
        self.effects.owed.clear()
        self.final, self.period = None, (None, None)
        self.reach.clear()
        self.response.clear()
        self.trading_date = record.trading_date
        foresee_phases(self, record.ts)
        self._begin_date(record, rolls=True)
        self.accounts.clear()
        self.breaches.new_day()
        self.provisional.clear()
        self._begin_day(record)
        if self.stretches is not None:
            self.stretches.clear()
        self._restate(mask, record.ts, unk, mask)
        self.accruals.forget_prices()

    def _period_start(self, record: PeriodRecord) -> None:
        self.trading_date = record.trading_date
        self._begin_date(record, rolls=False)
        self.accruals.zero(record.ts)
        self.period, self.final = (record.ts, None), None
        self.conduct.begin(record.ts)
        self.reach.begin(record.ts)
        if self._begin_day(record):
            self._restate(np.ones(len(self.book.slot_con), dtype=np.bool_), record.ts)
        self.response.begin(record.ts)
        if self.stretches is not None:
            self.stretches.clear()
            self._stretch(record.ts)

    def _begin_day(self, record: PeriodRecord) -> bool:
        """Days to expiry and dated relief are those of this date. True if quotes must be judged anew."""
        day = record.trading_date or utc_date(record.ts)
        changed, self.day = day != self.day, day
        if not changed or not self.rulebook.reads_date:
            return False
        self.params = self._params_of_day()
        self.accruals.use(self.params, self._buckets(), self._sizes())
        self._copy_anew()
        self.edges = self._edge_reader()
        return True

    def _begin_date(self, record: PeriodRecord, *, rolls: bool) -> None:
        self.required.begin(record.ts, record.trading_date, rolls=rolls)
        if (self.accruals.cons["outside"] == self.required.mask).any():
            self._set_clocks(record.ts)

    def _period_resume(self, record: PeriodRecord) -> None:
        """The market opened again after its close: what was said at the close is taken back."""
        ended = self.period[1] or record.ts
        self.period, self.final = (self.period[0], None), None
        for kind in (BreachKind.PRESENCE, BreachKind.STRESS_PRESENCE, BreachKind.RFQ):
            self.breaches.withdraw(kind, record.ts)
        self.conduct.resume(record.ts)
        self.response.resume(record.ts, ended)

    def _period_end(self, record: PeriodRecord) -> None:
        if self.period[0] is None or self.final is not None:
            return
        t = record.ts
        # what is lost at the last instant is a failed presence, no longer one out of reach
        self.before(t)
        self.response.end(t)
        self.period = (self.period[0], t)
        judge_close(self, t)
        self.breaches.close_all(t, t)
        if self.stretches is not None:
            self.stretches.end(t)
        self.conduct.end(t)
        self.final = whole(picture(self, self.scratch, t, exact=True))
        self.accruals.end_rests(t)

    # -- late records -------------------------------------------------------------------------

    def mark_late(self, rows: Rows, controls: Sequence[Control] = ()) -> None:
        """TAPE-03: the windows of the slots that late records concern are provisional."""
        self.provisional |= concerned(self, rows, controls)

    def drain(self) -> list[BreachEvent]:
        """Breach transitions since the last call."""
        return self.breaches.drain()


def _bytes(mask: Mask) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).astype(np.uint8)
