"""What stands when a trading date begins because an earlier date said it: theos, halts, exemptions, feeds, positions.

Quotes do not (OBL-05). With it a recorded day can be judged without the days before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mm_monitor.core.batch import Batch, Rows, empty_rows, is_control
from mm_monitor.core.model import (
    Control,
    ExemptionRecord,
    FeedRecord,
    Kind,
    PhaseRecord,
    PositionRecord,
    SessionRecord,
    StressRecord,
    UnderlyingRecord,
)
from mm_monitor.core.reference import ALL

Key = tuple[str, ...]
_THEO = np.uint8(Kind.THEO)


class Standing:
    """The last theo of each contract, and the last word on everything else that outlives a date."""

    def __init__(self) -> None:
        self._theos = empty_rows(0)  # by contract; kind 0 = none yet
        self._controls: dict[Key, tuple[np.void, Control]] = {}

    def take(self, rows: Rows, batch: Batch) -> None:
        """Rows of the tape went by; `batch` has their controls."""
        theos = rows[rows["kind"] == _THEO]
        if len(theos):
            most = int(theos["contract"].max()) + 1
            if most > len(self._theos):
                self._theos = np.concatenate([self._theos, empty_rows(most - len(self._theos))])
            self._theos[theos["contract"]] = theos  # of several of a contract the last one stays
        if batch.controls:
            for row in rows[is_control(rows)]:
                self._control(row, batch.controls[int(row["a"])])

    def _control(self, row: np.void, record: Control) -> None:
        key = _key(record)
        if key is None:
            return
        if _ends(record):
            self._controls.pop(key, None)
        else:
            self._controls[key] = row, record

    def now(self) -> tuple[Rows, list[Control]]:
        """Rows of all that stands, in no order, and the controls that they name."""
        kept = list(self._controls.values())
        rows = np.array([row for row, _ in kept], dtype=self._theos.dtype)
        rows["a"] = np.arange(len(kept))
        theos = self._theos[self._theos["kind"] == Kind.THEO]
        return np.concatenate([theos, rows]), [record for _, record in kept]

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        rows, controls = self.now()
        return {"rows": rows, "controls": controls}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        rows = state["rows"]
        self.take(rows, Batch(rows, dict(enumerate(state["controls"]))))


def _key(record: Control) -> Key | None:
    """What a record speaks of; None where that ends with the date, or is told anew by the calendar."""
    if isinstance(record, PhaseRecord):
        return None if record.rulebook or record.scope == ALL else ("phase", record.scope)
    if isinstance(record, ExemptionRecord):
        return "exemption", record.scope, record.maker, record.kind
    if isinstance(record, FeedRecord):
        return "feed", record.scope, record.maker
    if isinstance(record, StressRecord):
        return "stress", record.scope
    if isinstance(record, UnderlyingRecord):
        return "underlying", record.klass
    if isinstance(record, PositionRecord):
        return "position", record.maker, record.klass
    if isinstance(record, SessionRecord):
        return "session", record.maker, record.account
    return None


def _ends(record: Control) -> bool:
    if isinstance(record, FeedRecord):
        return record.status != "down"  # what is owed after `up` is forgiven by a new date
    return isinstance(record, ExemptionRecord | StressRecord) and record.action == "end"
