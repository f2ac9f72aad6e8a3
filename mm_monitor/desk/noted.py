"""Orders as entries of the evidence log, when they take effect or come too late to."""

from __future__ import annotations

from typing import Any

from mm_monitor.core.model import Control, ExemptionRecord, FeedRecord
from mm_monitor.core.reference import ALL
from mm_monitor.revisions.changes import said_of


def order_entry(control: Control, *, late: bool) -> dict[str, Any] | None:
    """The entry of an exemption, or of a feed that a person declared down; None for all else. The same each time."""
    if not isinstance(control, ExemptionRecord | FeedRecord) or control.raw is None:
        return None
    said = said_of(control)
    if isinstance(control, FeedRecord) and not said:
        return None
    what = (
        {"entry": "exemption", "kind": control.kind, "action": control.action}
        if isinstance(control, ExemptionRecord)
        else {"entry": "maintenance", "status": control.status}
    )
    return {
        **what, **said, "ts_event": control.ts, "scope": control.scope, "late": late,
        "maker": "" if control.maker == ALL else control.maker, "for": control.maker,
        "source": {"topic": control.raw.topic, "partition": control.raw.partition, "offset": control.raw.offset},
    }  # fmt: skip
