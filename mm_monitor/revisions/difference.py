"""What a revision changes in the report, obligation by obligation, with what may have changed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mm_monitor.revisions.changes import Change, concerning

Row = Mapping[str, Any]
Report = Mapping[str, Any]
GONE: Row = {}


def difference(
    before: Report, after: Report, changes: Sequence[Change], *, rulebook: bool = False
) -> dict[str, Any]:
    """Rows of the two reports that are not equal, by what they are about; with `rulebook` the rules changed too.

    Each has `was` and `is` with the keys that differ (all of them where there is no row), obligations also `because`:
    the changes that concern them.
    """

    def reasons(row: Row) -> list[dict[str, Any]]:
        found = concerning(changes, row["maker"], row["contract"], row["class"])
        return [*found, {"what": "rulebook"}] if rulebook or not found else found

    return {
        "records": _changed(before["records"], after["records"]),
        "obligations": _rows(before, after, "obligations", ("maker", "contract"), reasons),
        "makers": _rows(before, after, "makers", ("maker",)),
        "contracts": _rows(before, after, "contracts", ("contract",)),
        "breaches": breach_differences(before["breaches"], after["breaches"]),
    }


def is_empty(found: Mapping[str, Any]) -> bool:
    """Does it change nothing but counts of records?"""
    return not any(found[name] for name in ("obligations", "makers", "contracts", "breaches"))


def _rows(
    before: Report, after: Report, table: str, keys: tuple[str, ...],
    because: Callable[[Row], object] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    was, now = ({tuple(row[k] for k in keys): row for row in one[table]} for one in (before, after))
    found = []
    for key in sorted({*was, *now}):
        changed = _changed(was.get(key, GONE), now.get(key, GONE))
        if changed is None:
            continue
        entry: dict[str, Any] = dict(zip(keys, key, strict=True)) | changed
        if because is not None:
            entry["because"] = because(now.get(key) or was[key])
        found.append(entry)
    return found


def _changed(was: Row, now: Row) -> dict[str, Any] | None:
    """What differs, None if nothing does."""
    names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    if not names:
        return None
    return {
        "was": {name: was[name] for name in names if name in was},
        "is": {name: now[name] for name in names if name in now},
    }


def breach_differences(before: Sequence[Row], after: Sequence[Row]) -> list[dict[str, Any]]:
    """Breaches that a revision withdraws (with their successor, if there is one), opens or changes."""
    was, now = ({row["id"]: row for row in one} for one in (before, after))
    new = [row for row in after if row["id"] not in was]
    found: list[dict[str, Any]] = []
    for row in before:
        if row["id"] not in now:
            found.append({"action": "withdrawn", "breach": row, "successor": successor(row, new)})
        elif dict(row) != dict(now[row["id"]]):
            found.append({"action": "updated", "breach": now[row["id"]], "was": row})
    return found + [{"action": "opened", "breach": row} for row in new]


def successor(row: Row, new: Sequence[Row]) -> str | None:
    """The new breach of the same rule, maker and contract that began nearest to where this one did."""
    same = [n for n in new if all(n[k] == row[k] for k in ("kind", "maker", "contract"))]
    nearest = min(same, key=lambda n: (abs(n["start"] - row["start"]), n["start"]), default=None)
    return None if nearest is None else str(nearest["id"])
