"""BRCH-03: breaches that have one cause, as one.

Lapses, or wide spreads, of one maker under one rulebook have one cause if they began at one instant, or with the same
disconnect. The breaches topic still has each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mm_monitor.core.model import Breach
from mm_monitor.formats import rfc3339

NAMED = 20  # contracts that a group names; the count is of all


def cause_of(breach: Breach) -> str:
    """What made it, as text that stays the same while it goes on; "" for a breach that stands by itself."""
    cause, began = breach.evidence.get("cause"), breach.evidence.get("began")
    if isinstance(cause, Mapping):
        when = rfc3339(int(str(cause["ts_event"])))
        return " ".join(filter(None, (str(cause["kind"]), str(cause.get("account", "")), when)))
    return rfc3339(began) if isinstance(began, int) else ""


def by_cause(breaches: Iterable[Breach]) -> list[Breach]:
    """Those breaches, each group of one cause as a breach of its own, in the order of their first members.

    A group has the id of its first member, lasts from the first start until all are over, and has as evidence its
    `cause`, the `count` of its breaches, how many are `open`, `contracts` (at most NAMED) and the first one's evidence.
    Its contract is empty unless it has one.
    """
    groups: dict[tuple[str, str, str, str], list[Breach]] = {}
    for breach in breaches:
        cause = cause_of(breach) or breach.id
        groups.setdefault((breach.rulebook, breach.kind, breach.maker, cause), []).append(breach)
    return [_as_one(members) for members in groups.values()]


def _as_one(members: list[Breach]) -> Breach:
    members = sorted(members, key=lambda breach: (breach.start, breach.contract))
    first, cause = members[0], cause_of(members[0])
    if not cause:
        return first
    contracts, classes = [b.contract for b in members], {b.klass for b in members}
    ends = [b.end for b in members if b.end is not None]
    evidence = {
        "cause": cause, "count": len(members), "open": len(members) - len(ends),
        "contracts": sorted(contracts)[:NAMED], "first": dict(first.evidence),
    }  # fmt: skip
    return replace(
        first,
        contract=first.contract if len(members) == 1 else "",
        klass=first.klass if len(classes) == 1 else "",
        end=max(ends) if len(ends) == len(members) else None,
        evidence=evidence,
    )
