"""Whose windows a record concerns that came too late to be applied (TAPE-03)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import (
    Control,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    PhaseRecord,
    ReferenceRecord,
    StressRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.reference import ALL

if TYPE_CHECKING:
    from mm_monitor.core.evaluator import Evaluator

Pairs = set[tuple[int, int]]  # index of the maker, index of the contract


def concerned(evaluator: Evaluator, rows: Rows, controls: Sequence[Control]) -> Pairs:
    """Obligations that these rows and control records would have touched, had they come in time."""
    book = evaluator.book
    quotes = rows[rows["kind"] == Kind.QUOTE]
    found = set(zip(quotes["maker"].tolist(), quotes["contract"].tolist(), strict=True))
    theos = np.unique(rows["contract"][rows["kind"] == Kind.THEO])
    mask = np.isin(book.slot_con, theos)
    for record in controls:
        for scope, maker in _names(evaluator, record):
            if evaluator.reference.contract_index.get(scope, -1) < len(book.slots):
                mask |= evaluator.effects.slots(scope, maker)
    found.update(zip(book.slot_maker[mask].tolist(), book.slot_con[mask].tolist(), strict=True))
    return found


def _names(evaluator: Evaluator, record: Control) -> Iterator[tuple[str, str]]:
    """Scope and maker of a record that can change what a slot accrues under this rulebook."""
    if isinstance(record, PhaseRecord | StressRecord):
        if getattr(record, "rulebook", "") in ("", evaluator.rulebook.id):
            yield record.scope, ALL
    elif isinstance(record, ExemptionRecord):
        if record.kind in evaluator.rulebook.exemptions:
            yield record.scope, record.maker
    elif isinstance(record, FeedRecord):
        yield record.scope, record.maker
    elif isinstance(record, FillRecord):
        yield record.contract, record.maker
    elif isinstance(record, UnderlyingRecord):
        yield record.klass, ALL
    elif isinstance(record, VolRecord):
        yield record.contract or record.klass, ALL
    elif isinstance(record, ReferenceRecord):
        row = record.row
        if record.table == "contracts":
            yield row.get("contract", ""), ALL
        else:
            yield row.get("class", ""), row.get("maker", "")
