"""How fast makers respond, beside whether they quote: requests, the first moments after a start, the burn rate.

All of it is read from totals at fixed instants and from edges of watched slots; it changes no accrual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import BreachKind, FillRecord, RfqRecord
from mm_monitor.core.rules.at_risk import Budget
from mm_monitor.core.rules.profile import Profile
from mm_monitor.core.rules.rfq import Requests, Tally
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import ProfileRow, RfqRow
from mm_monitor.kernels import layout

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator

ASKED = (layout.VALID, layout.UNKNOWN)  # and lapsed: states in which a slot owes an answer


class Response:
    """What one evaluator knows of it. `meet_*` are its moments."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        rule, book = evaluator.rulebook.rfq, evaluator.rulebook
        self.requests = None if rule is None else Requests(rule, self._remind)
        self.profile = Profile()
        self._shown: tuple[int, list[ProfileRow]] | None = None  # of which changes of the profile
        self.budget = Budget(book.at_risk, book.at_risk_every, book.required)

    # -- the period -----------------------------------------------------------------------------

    def clear(self) -> None:
        """Another trading date, or the period anew: nothing is known of it."""
        for name in ("rfq", "starts", "probe", "risk"):
            self.evaluator.moments.forget(name)
        if self.requests is not None:
            self.requests.clear()
            self.evaluator.accruals.slots["watched"] = 0
        self.profile.clear()

    def begin(self, t: int) -> None:
        """A period begins at `t`."""
        self.clear()
        slots = self.evaluator.accruals.slots  # what stands is judged by this date's limits,
        slots["was"] = slots["now"]  # and turns from here on
        if self.budget.pairs:
            self.budget.begin(t)
            self._look_after(t)

    def resume(self, t: int, ended: int) -> None:
        """The period goes on at `t` after it was thought over since `ended`: nothing accrued in between."""
        if not self.budget.pairs:
            return
        sums = self._spent(t)
        at = self.budget.next_sums(ended - 1)
        while at < t:
            self.budget.looked(at, sums)
            at = self.budget.next_sums(at)
        self.evaluator.moments.forget("risk")
        self._look_after(t - 1)

    def _look_after(self, t: int) -> None:
        """Meet the next look once its instant is over: the period may end at it, and then nothing is at risk."""
        self.evaluator.moments.add(self.budget.next_sums(t) + 1, "risk")

    def end(self, t: int) -> None:
        """The period is over at `t`: what is not decided never will be."""
        if self.requests is None:
            return
        e = self.evaluator
        for contract in sorted({contract for _, contract in self.requests.open}):
            self.meet_rfq(t, contract)
        self._release(list(self.requests.open))
        self.requests.give_up(list(self.requests.open))
        for maker in e.views.makers:
            tally = self.requests.tallies.get(e.reference.maker_index[maker])
            if tally is not None and self.requests.fails(tally):
                numbers = {
                    name: getattr(tally, name) for name in ("asked", "answered", "undecided")
                }
                e.breaches.open(BreachKind.RFQ, maker, "", "", t, "", numbers, t)

    def fill(self, record: FillRecord) -> None:
        """RESP-01: what turns at this instant may be the fill's doing."""
        e = self.evaluator
        contract, maker = (
            e.reference.contract_index[record.contract],
            e.reference.find_maker(record.maker),
        )
        first = int(e.book.slot0[contract])
        held = e.book.slot_maker[first : first + int(e.book.slots[contract])].tolist()
        if maker in held:
            e.before(record.ts)
            self._heard(e.accruals.note_fill(first + held.index(maker), record.ts), record.ts)

    def _heard(self, edges: list[NDArray[np.void]], t: int) -> None:
        e = self.evaluator
        e.notice(edges, t)
        self.hear(edges)
        e.last = max(e.last, t)

    # -- requests for quotes --------------------------------------------------------------------

    def _remind(self, t: int, contract: int) -> None:
        self.evaluator.moments.add(t, "rfq", contract)

    def request(self, record: RfqRecord) -> None:
        """RESP-02: ask those who are obliged, or those of them that the record names."""
        e = self.evaluator
        if self.requests is None or not e.in_period:
            return
        contract = e.reference.contract_index[record.contract]
        e.before(record.ts)
        self._heard(e.accruals.settle_contract(contract, record.ts), record.ts)
        slots = self._asked(contract, record)
        a = e.accruals
        a.slots["watched"][slots] = 1
        makers, now = e.book.slot_maker[slots].tolist(), a.slots["now"][slots].tolist()
        quoted = (a.slots["quote_ts"][slots] == record.ts).tolist()
        self.requests.ask(record.rfq_id, record.ts, contract, zip(makers, now, quoted, strict=True))

    def _asked(self, contract: int, record: RfqRecord) -> NDArray[np.int64]:
        e = self.evaluator
        con, first = e.accruals.cons[contract], int(e.book.slot0[contract])
        slots = np.arange(first, first + int(e.book.slots[contract]), dtype=np.int64)
        if not con["n_run"] or not con["live"]:
            return slots[:0]
        state = e.accruals.slots["state"][slots]
        owed = np.isin(state, ASKED) | ((state >= layout.LAPSED) & (state < layout.DEEMED))
        if record.makers:
            named = [e.reference.find_maker(name) for name in record.makers]
            owed &= np.isin(e.book.slot_maker[slots], named)
        return slots[owed]

    def clocks_set(self, t: int) -> None:
        """RESP-01: a lapse that began at `t` is measured if it is owed from then on, whichever came first."""
        a = self.evaluator.accruals
        turned = np.flatnonzero(a.replies["at"] == t)
        state = a.slots["state"][turned]
        owed = a.cons["n_run"][self.evaluator.book.slot_con[turned]] > 0
        a.replies["lapsed"][turned] = owed & (state >= layout.LAPSED) & (state < layout.DEEMED)

    def hear(self, edges: list[NDArray[np.void]]) -> None:
        """Edges of watched slots, in the order of time."""
        if self.requests is None or not self.requests.open:
            return
        book = self.evaluator.book
        for chunk in edges:
            kinds = chunk["kind"]
            for edge in chunk[(kinds == layout.WATCHED) | (kinds == layout.ANSWERED)]:
                slot = int(edge["slot"])
                subject = int(book.slot_maker[slot]), int(book.slot_con[slot])
                quoted = int(edge["kind"]) == layout.ANSWERED
                self.requests.hear(subject, int(edge["n"]), int(edge["state"]), quoted)

    def meet_rfq(self, t: int, contract: int) -> None:
        """Something about a request on `contract` can be decided."""
        assert self.requests is not None
        e = self.evaluator
        self.hear(e.scratch.settle_like(e.accruals, np.array([contract]), t))
        self._release(self.requests.decide(t, contract))

    def _release(self, subjects: list[tuple[int, int]]) -> None:
        if subjects:
            e = self.evaluator
            keys = e.book.keys_of(subjects)
            e.accruals.slots["watched"][keys] = 0

    def relaid(self) -> None:
        """The slots were laid out anew: obligations that have ended owe no answer, and none can be said of them."""
        if self.requests is None or not self.requests.open:
            return
        e = self.evaluator
        subjects = list(self.requests.open)
        ended = e.accruals.slots["state"][e.book.keys_of(subjects)] == layout.NONE
        gone = [subject for subject, over in zip(subjects, ended.tolist(), strict=True) if over]
        self._release(gone)
        self.requests.give_up(gone)

    # -- profile and budget -----------------------------------------------------------------------

    def before(self, t: int) -> None:
        """A phase or stress is about to change at `t`."""
        e = self.evaluator
        stressed = np.flatnonzero(e.effects.stress > 0).tolist()
        if self.profile.before(t, e.conditions.phases, stressed):
            e.moments.add(t + 1, "starts")

    def meet_starts(self, t: int, _: None) -> None:
        """The instant of such changes is over: what began at it?"""
        e, change = self.evaluator, self.profile.take_change()
        if change is None or not e.in_period:
            return
        was_running = e.effects.running(change.phases) > 0
        spoken = np.zeros(len(was_running), dtype=np.bool_)
        for scope in change.phases:
            spoken |= e.effects.contracts(scope)
        was_stressed = np.zeros(len(was_running), dtype=np.bool_)
        was_stressed[change.stressed] = True
        began = {
            "resumption": (e.accruals.cons["e_run"] > 0) & ~was_running & spoken,
            "stress": (e.effects.stress > 0) & ~was_stressed,
        }
        for kind, mask in began.items():
            if mask.any():
                contracts = np.flatnonzero(mask).tolist()
                sums = self._sums(e.totals_at(change.t), contracts)
                for at, code in self.profile.start(kind, change.t, contracts, sums):
                    e.moments.add(at, "probe", code)

    def meet_probe(self, t: int, code: int) -> None:
        """So long after a start."""
        contracts = self.profile.contracts(code)
        if contracts is None:
            return
        e = self.evaluator
        self.profile.probe(code, self._sums(e.totals_at(t), contracts) if e.in_period else None)

    def _sums(
        self, totals: Totals, contracts: list[int] | None = None
    ) -> dict[int, tuple[int, int, int]]:
        """Quoted, required and unknown time by maker, over those contracts or all."""
        book = self.evaluator.book
        wanted = np.zeros(len(self.evaluator.accruals.cons), dtype=np.bool_)
        wanted[slice(None) if contracts is None else contracts] = True
        chosen = wanted[book.slot_con]
        makers = book.slot_maker[chosen]
        out = np.zeros((book.makers, 3), dtype=np.int64)
        for k, column in enumerate((totals.quoted, totals.required, totals.unknown)):
            np.add.at(out[:, k], makers, column[chosen])
        rows = out.tolist()
        held = np.flatnonzero(np.bincount(makers)).tolist()
        return {m: (rows[m][0], rows[m][1], rows[m][2]) for m in held}

    def meet_risk(self, now: int, _: None) -> None:
        """PRES-04: a look at how fast the budget burns, as of the instant that is just over."""
        if not self.evaluator.in_period:
            return
        t = now - 1
        sums = self._spent(t)
        if self.budget.looks(t):
            self._judge_risk(t, sums)
        self.budget.looked(t, sums)
        self._look_after(t)

    def _spent(self, t: int) -> dict[int, tuple[int, int]]:
        """Lapsed and required time by maker."""
        sums = self._sums(self.evaluator.totals_at(t))
        return {m: (required - quoted - unknown, required)
                for m, (quoted, required, unknown) in sums.items()}  # fmt: skip

    def _judge_risk(self, t: int, sums: Mapping[int, tuple[int, int]]) -> None:
        e = self.evaluator
        for maker in e.views.makers:
            index = e.reference.maker_index[maker]
            evidence = self.budget.burning(t, index, sums.get(index, (0, 0)))
            if evidence is None:
                e.breaches.close(BreachKind.PRESENCE_AT_RISK, maker, "", t, t)
            elif not e.breaches.is_open(BreachKind.PRESENCE_AT_RISK, maker, ""):
                e.breaches.open(BreachKind.PRESENCE_AT_RISK, maker, "", "", t, "", evidence, t)

    # -- pictures and snapshots -------------------------------------------------------------------

    def rfq_rows(self) -> list[RfqRow]:
        """What became of requests so far, by maker; none where the rulebook has no such duty."""
        if self.requests is None:
            return []
        index = self.evaluator.reference.maker_index
        rows = []
        for name in self.evaluator.views.makers:
            maker = index[name]
            x = self.requests.tallies.get(maker) or Tally()
            waiting = self.requests.waiting(maker)
            rows.append(RfqRow(name, x.asked, x.answered, x.undecided, waiting, list(x.latency)))
        return rows

    def profile_rows(self) -> list[ProfileRow]:
        """Presence in the first moments after starts so far, by maker."""
        if self._shown is None or self._shown[0] != self.profile.changes:
            names = self.evaluator.reference.makers
            rows = [ProfileRow(names[m], *row) for m, row in self.profile.rows()]
            rows.sort(key=lambda row: (row.maker, row.kind, row.first))
            self._shown = self.profile.changes, rows
        return self._shown[1]

    def state(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "requests": None if self.requests is None else self.requests.state(),
            "profile": self.profile.state(),
            "budget": self.budget.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        if self.requests is not None:
            self.requests.restore(state["requests"])
        self.profile.restore(state["profile"])
        self.budget.restore(state["budget"])
