"""Builds the immutable pictures (`core/view.py`) from settled arrays and their totals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.book import Book
from mm_monitor.core.breaches import in_order
from mm_monitor.core.conduct import ConductView
from mm_monitor.core.model import Breach, Verdict
from mm_monitor.core.params import fraction
from mm_monitor.core.pieces import Pieces, whole
from mm_monitor.core.reference import Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.judging import Pair, Part, pair_of
from mm_monitor.core.rules.presence import (
    Groups,
    class_parts,
    presence_rows,
    slot_slack,
    stretch_parts,
)
from mm_monitor.core.rules.unreachable import Held
from mm_monitor.core.rules.windows import stretch_columns, window_columns
from mm_monitor.core.stretches import Stretches
from mm_monitor.core.totals import Totals, totals_in_pieces
from mm_monitor.core.view import (
    Ints,
    ObligationColumns,
    PresenceRow,
    ProfileRow,
    RfqRow,
    StatusView,
    StressColumns,
)
from mm_monitor.kernels import layout


class LimitUse(Sequence[int]):
    """PRES-08 sums of 96 bits, made into Python integers only where somebody looks."""

    def __init__(self, high: NDArray[np.uint32], low: NDArray[np.uint64]) -> None:
        self._high, self._low = high, low

    @property
    def parts(self) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """High 32 and low 64 bits."""
        return self._high, self._low

    def __len__(self) -> int:
        return len(self._low)

    @overload
    def __getitem__(self, i: int) -> int: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[int]: ...
    def __getitem__(self, i: int | slice) -> int | Sequence[int]:
        if isinstance(i, slice):
            return LimitUse(self._high[i], self._low[i])
        return (int(self._high[i]) << 64) + int(self._low[i])


@dataclass(frozen=True, slots=True)
class Said:
    """What a picture shows beside its slots, as of its instant: nothing here changes afterwards."""

    breaches: Sequence[Breach]  # in any order
    provisional: frozenset[tuple[int, int]]  # maker, contract
    conduct: ConductView
    rfq: Sequence[RfqRow]
    profile: Sequence[ProfileRow]
    stretches: Stretches | None


class ViewBuilder:
    """Pictures of one layout. `makers` are those appointed under the rulebook, by name."""

    def __init__(self, rulebook: Rulebook, reference: Reference, book: Book) -> None:
        self.rulebook, self.reference, self.book = rulebook, reference, book
        names = {a.maker for a in reference.appointments if a.rulebook in ("", rulebook.id)}
        names |= {reference.makers[m] for m in np.unique(book.slot_maker).tolist()}
        self.makers = sorted(names)
        maker_of = [reference.maker_index[name] for name in self.makers]
        self.maker_slots = [np.flatnonzero(book.slot_maker == m) for m in maker_of]
        self.by_maker = Groups(self.maker_slots)
        self.pairs = _pair_numbers(reference, book)
        self.held = Held(self.maker_slots, book.cls[book.slot_con], self.pairs)
        held = list(self._groups())
        self.class_names = [(maker, klass) for maker, klass, _ in held]
        self.by_class = Groups([slots for _, _, slots in held])
        self.cells = (
            np.array(
                [reference.class_index[klass] for _, klass in self.class_names], dtype=np.int64
            ),
            np.array([reference.maker_index[name] for name, _ in self.class_names], dtype=np.int64),
        )
        self.contracts = tuple(c.name for c in reference.contracts)
        self.classes = tuple(reference.classes)
        position = np.zeros(max(1, len(reference.makers)), dtype=np.int32)
        position[maker_of] = np.arange(len(maker_of))
        self.maker_column = position[book.slot_maker][book.order]
        self.contract_column = book.slot_con[book.order]
        self.by_name = sorted(range(len(self.contracts)), key=self.contracts.__getitem__)

    def _groups(self) -> Iterable[tuple[str, str, NDArray[np.int64]]]:
        slot_cls = self.book.cls[self.book.slot_con]
        for maker, slots in zip(self.makers, self.maker_slots, strict=True):
            held = {self.reference.classes[k]: k for k in np.unique(slot_cls[slots]).tolist()}
            for name in sorted(held):
                yield maker, name, slots[slot_cls[slots] == held[name]]

    def build(
        self, settled: Accruals, remaining: Ints, t: int, *, estimate: bool, exact: bool, trading_date: str,
        period: tuple[int | None, int | None], unreachable: frozenset[str], said: Said,
    ) -> Pieces[StatusView]:  # fmt: skip
        """The picture as of `t`, in pieces; `exact` sums means of ratios exactly however long that takes.

        `settled`, which nobody may touch meanwhile, is at `t`; `remaining` is by contract.
        """
        totals = yield from totals_in_pieces(settled, remaining)
        yield
        holes = settled.cons["hole"].tolist()
        classes = yield from self._class_rows(totals, exact=exact)
        columns = yield from self._columns(settled, totals, t, said)
        makers: list[PresenceRow] = []
        if self.reference.share is None:
            makers = yield from self._maker_rows(
                totals, self._parts(totals, classes, said.stretches),
                exact=exact, unreachable=unreachable,
            )  # fmt: skip
        return StatusView(
            rulebook_id=self.rulebook.id,
            rulebook_version=self.rulebook.version,
            rulebook_sha256=self.rulebook.sha256,
            required=fraction(self.rulebook.required) if self.rulebook.required else None,
            judged_by=self.rulebook.judged_by,
            at=t,
            estimate=estimate,
            trading_date=trading_date,
            period_start=period[0],
            period_end=period[1],
            makers=self.makers,
            contracts=self.contracts,
            classes=self.classes,
            obligations=columns,
            maker_rows=makers,
            class_rows=classes,
            market_hole=[(self.contracts[c], holes[c]) for c in self.by_name],
            latency=settled.latency[self.cells],
            rfq=said.rfq,
            profile=said.profile,
            breaches=in_order(said.breaches),
            conduct=said.conduct,
        )

    def _columns(
        self, settled: Accruals, totals: Totals, t: int, said: Said
    ) -> Pieces[ObligationColumns]:
        order, slots = self.book.order, settled.slots
        lapses, current = slots["lapses"].astype(np.int64), slots["current"].copy()
        valid_now = (slots["state"] == layout.VALID) & totals.running
        switches = 2 * lapses - (current > 0)
        late = np.zeros(len(order), dtype=np.bool_)
        if said.provisional:
            keys = self.book.keys()
            late[[keys[pair] for pair in said.provisional if pair in keys]] = True
        yield
        columns: dict[str, NDArray[Any]] = {
            "klass": self.book.cls[self.book.slot_con],
            "quoted": totals.quoted,
            "lapsed": totals.lapsed,
            "lapsed_by_reason": totals.by_reason,
            "exempt": totals.exempt,
            "unknown": totals.unknown,
            "remaining": totals.remaining,
            "slack": slot_slack(totals, self.rulebook.required, self.rulebook.required_time),
            "lapses": lapses,
            "longest_lapse": settled.past["longest"],
            "current_lapse": current,
            "last_valid": np.where(valid_now, t, slots["last_valid"]),
            "switches": switches,
            "state": totals.state,
            "obliged": (settled.cons["e_run"] > 0)[self.book.slot_con]
            & (slots["state"] != layout.NONE),
            "provisional": late,
        }
        picked: dict[str, NDArray[Any]] = {}
        for name, column in columns.items():
            yield
            picked[name] = _frozen(column.take(order, axis=0))  # row by row, not number by number
        use = LimitUse(slots["use_hi"][order], slots["use_lo"][order])
        yield
        stretches = said.stretches
        return ObligationColumns(
            maker=_frozen(self.maker_column),
            contract=_frozen(self.contract_column),
            limit_use=use,
            windows=window_columns(settled, totals, order),
            stretches=stretch_columns(stretches, totals, order) if stretches else (),
            stress=_stress_columns(settled, order),
            **picked,
        )

    def _class_rows(self, totals: Totals, *, exact: bool) -> Pieces[list[PresenceRow]]:
        return presence_rows(
            self.class_names, self.by_class, totals, self.rulebook, exact=exact, pairs=self.pairs
        )

    def _parts(
        self, totals: Totals, classes: Sequence[PresenceRow], stretches: Stretches | None
    ) -> Mapping[str, Sequence[Part]]:
        """By maker what judges it."""
        if self.rulebook.judged_by != "stretches" or stretches is None:
            return class_parts(classes)
        return stretch_parts(
            self.makers, self.by_maker, (sums for _, _, sums in stretches.sums(totals))
        )

    def _maker_rows(
        self, totals: Totals, parts: Mapping[str, Sequence[Part]], *, exact: bool,
        unreachable: Collection[str] = (),
    ) -> Pieces[list[PresenceRow]]:  # fmt: skip
        names = [(maker, "") for maker in self.makers]
        return presence_rows(
            names, self.by_maker, totals, self.rulebook, exact=exact, pairs=self.pairs,
            parts=parts, unreachable=unreachable,
        )  # fmt: skip

    def maker_verdicts(self, totals: Totals, stretches: Stretches | None = None) -> list[Verdict]:
        """Verdict of each maker by the rulebook's judged_by, exactly."""
        parts = self._parts(totals, whole(self._class_rows(totals, exact=True)), stretches)
        return [row.verdict for row in whole(self._maker_rows(totals, parts, exact=True))]

    def maker_evidence(self, k: int, totals: Totals) -> dict[str, object]:
        """The sums behind a maker-level breach."""
        required = self.rulebook.required
        alone = Groups([self.maker_slots[k]])
        names = [(self.makers[k], "")]
        row = whole(
            presence_rows(names, alone, totals, self.rulebook, exact=True, pairs=self.pairs)
        )[0]
        return {
            "quoted_ns": row.quoted,
            "unknown_ns": row.unknown,
            "required_ns": row.required_time,
            "remaining_ns": row.remaining,
            "slack_ns": row.slack,
            "contracts_required": row.contracts_required,
            "contracts_passed": row.contracts_passed,
            "required": str(fraction(required)) if required else None,
            "judged_by": self.rulebook.judged_by,
            "dominant_reason": row.dominant_reason,
        }

    @staticmethod
    def stamped(view: StatusView, t: int, estimate: bool) -> StatusView:
        """The same picture, shown later: after the end of a period nothing moves any more."""
        return replace(view, at=max(t, view.at), estimate=estimate)


def _stress_columns(settled: Accruals, order: Ints) -> StressColumns | None:
    if not len(settled.apart):
        return None
    rows = settled.apart[order]
    return StressColumns(*(rows[name].copy() for name in ("quoted", "lapsed", "unknown")))


def _pair_numbers(reference: Reference, book: Book) -> NDArray[np.int64]:
    """The number of each slot's call/put pair, -1 for a contract that is in none."""
    numbers: dict[Pair, int] = {}
    pairs = (pair_of(contract) for contract in reference.contracts)
    of_contract = [-1 if p is None else numbers.setdefault(p, len(numbers)) for p in pairs]
    return np.array(of_contract, dtype=np.int64)[book.slot_con]


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column = np.ascontiguousarray(column)
    column.flags.writeable = False
    return column
