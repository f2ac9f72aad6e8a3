"""Records that a revision judges by and the revision before did not, in words: the reasons of what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mm_monitor.core.batch import Rows, is_control
from mm_monitor.core.model import (
    Control,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    PeriodRecord,
    PositionRecord,
    ReferenceRecord,
    RejectRecord,
    RfqRecord,
    SessionRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.reference import ALL, Reference

PEOPLE = ("author", "reason", "approver", "note")  # members of a control record that are for people


@dataclass(slots=True)
class Change:
    """Records of one kind about one maker (`*` = all) and scope that were added or taken away."""

    what: str  # late | added | removed
    record: str  # quote, theo, exemption, ...
    maker: str
    scope: str
    records: int = 0
    first: int = 2**63 - 1
    last: int = -1
    said: dict[str, str] = field(default_factory=dict)  # by PEOPLE, of the last of them

    def concerns(self, maker: str, contract: str, klass: str) -> bool:
        """Might it change that obligation?"""
        return self.maker in (ALL, maker) and self.scope in (ALL, klass, contract)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a revision."""
        return {
            "what": self.what, "record": self.record, "maker": self.maker, "scope": self.scope,
            "records": self.records, "first": self.first, "last": self.last, **self.said,
        }  # fmt: skip


def changes_of(
    what: str, rows: Rows, controls: Sequence[Control], reference: Reference
) -> list[Change]:
    """The changes that these rows of the tape are, `a` of a control's row being its index in `controls`."""
    found: dict[tuple[str, str, str], Change] = {}
    for record, maker, scope, ts, said in _told(rows, controls, reference):
        key = record, maker, scope
        change = found.setdefault(key, Change(what, *key))
        change.records += 1
        change.first, change.last = min(change.first, ts), max(change.last, ts)
        change.said.update(said)
    return [found[key] for key in sorted(found)]


Told = tuple[str, str, str, int, dict[str, str]]


def _told(rows: Rows, controls: Sequence[Control], reference: Reference) -> Iterator[Told]:
    plain = rows[~is_control(rows)]
    for kind, maker, contract, ts in zip(
        *(plain[name].tolist() for name in ("kind", "maker", "contract", "ts")), strict=True
    ):
        name = reference.makers[maker] if kind == Kind.QUOTE and maker >= 0 else ALL
        scope = reference.contracts[contract].name if contract >= 0 else ALL
        yield Kind(kind).name.lower(), name, scope, ts, {}
    for key in rows["a"][is_control(rows)].tolist():
        record = controls[key]
        if not isinstance(record, PeriodRecord):
            yield (kind_of(record), *_about(record), record.ts, said_of(record))


def kind_of(record: Control) -> str:
    """The name of a control record's kind."""
    return type(record).__name__.removesuffix("Record").lower()


def _about(record: Control) -> tuple[str, str]:
    """Maker and scope that a control record names."""
    if isinstance(record, ExemptionRecord | FeedRecord):
        return record.maker, record.scope
    if isinstance(record, UnderlyingRecord):
        return ALL, record.klass
    if isinstance(record, VolRecord):
        return ALL, record.contract or record.klass
    if isinstance(record, RfqRecord):
        return ALL, record.contract
    if isinstance(record, FillRecord):
        return record.maker, record.contract
    if isinstance(record, PositionRecord):
        return record.maker, record.klass
    if isinstance(record, SessionRecord | RejectRecord):
        return record.maker, ALL
    if isinstance(record, ReferenceRecord):
        row = record.row
        return row.get("maker", ALL), row.get("contract") or row.get("class") or ALL
    return ALL, getattr(record, "scope", ALL)


def said_of(record: Control) -> dict[str, str]:
    """What a person said with a record: author, reason, approver, where its bytes have them."""
    raw = getattr(record, "raw", None)
    if raw is None or not raw.value.lstrip().startswith(b"{"):
        return {}
    try:
        members = json.loads(raw.value)
    except (ValueError, RecursionError):
        return {}
    return {name: str(members[name]) for name in PEOPLE if members.get(name)}


def plain(record: Control) -> Control:
    """A record without where it came from, so that equal ones are equal."""
    return record if isinstance(record, PeriodRecord) else replace(record, raw=None)


def concerning(
    changes: Iterable[Change], maker: str, contract: str, klass: str
) -> list[dict[str, Any]]:
    """Those that might have changed an obligation."""
    return [one.as_dict() for one in changes if one.concerns(maker, contract, klass)]
