"""What would change under other numbers: two reports of one capture, before and after.

Verdicts that flip, by maker; contracts that lose or gain their last compliant maker; market holes that grow or shrink.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table

from mm_monitor.screens import COLOURS, percent

SCHEMA = "mm-monitor/whatif/1"
Report = Mapping[str, Any]


def difference(before: Report, after: Report, changes: list[str]) -> dict[str, Any]:
    """What differs between two reports (docs/report.md) of the same capture; `changes` says what was set."""
    return {
        "schema": SCHEMA,
        "changes": changes,
        "before": before["rulebook"],
        "after": after["rulebook"],
        "makers": _makers(before, after),
        "obligations": _obligations(before, after),
        "contracts": _contracts(before, after),
        "breaches": {"before": len(before["breaches"]), "after": len(after["breaches"])},
    }


def _makers(before: Report, after: Report) -> list[dict[str, Any]]:
    old = {row["maker"]: row for row in before["makers"]}
    flips = _flips(before, after)
    return [
        {
            "maker": row["maker"],
            "before": {key: old[row["maker"]][key] for key in ("presence", "coverage", "verdict")},
            "after": {key: row[key] for key in ("presence", "coverage", "verdict")},
            "flips": old[row["maker"]]["verdict"] != row["verdict"],
            "obligations_flipped": sum(key[0] == row["maker"] for key in flips),
        }
        for row in after["makers"]
        if row["maker"] in old
    ]


def _flips(before: Report, after: Report) -> dict[tuple[str, str], tuple[str, str]]:
    old = {(row["maker"], row["contract"]): row["verdict"] for row in before["obligations"]}
    pairs = {
        (row["maker"], row["contract"]): (old.get((row["maker"], row["contract"])), row["verdict"])
        for row in after["obligations"]
    }
    return {key: (was, now) for key, (was, now) in pairs.items() if was and was != now}


def _obligations(before: Report, after: Report) -> list[dict[str, str]]:
    flips = _flips(before, after)
    return [
        {"maker": key[0], "contract": key[1], "before": flips[key][0], "after": flips[key][1]}
        for key in sorted(flips)
    ]


def _liquidity(report: Report) -> dict[str, int]:
    """Compliant makers of each contract."""
    found: dict[str, int] = {row["contract"]: 0 for row in report["contracts"]}
    for row in report["obligations"]:
        found[row["contract"]] += row["verdict"] == "compliant"
    return found


def _contracts(before: Report, after: Report) -> list[dict[str, Any]]:
    """Contracts of which the number of compliant makers, or the market hole, differs."""
    had, has = _liquidity(before), _liquidity(after)
    holes = {row["contract"]: row["market_hole_ns"] for row in before["contracts"]}
    rows = [
        {
            "contract": row["contract"],
            "compliant_before": had.get(row["contract"], 0),
            "compliant_after": has[row["contract"]],
            "market_hole_ns_before": holes.get(row["contract"], 0),
            "market_hole_ns_after": row["market_hole_ns"],
            "liquidity": _change(had.get(row["contract"], 0), has[row["contract"]]),
        }
        for row in after["contracts"]
    ]
    return [row for row in rows if _differs(row)]


def _differs(row: Mapping[str, Any]) -> bool:
    return bool(
        row["compliant_before"] != row["compliant_after"]
        or row["market_hole_ns_before"] != row["market_hole_ns_after"]
    )


def _change(before: int, after: int) -> str:
    if before and not after:
        return "lost"
    return "gained" if after and not before else "kept"


def whatif_tables(found: Mapping[str, Any]) -> Group:
    """For the terminal: makers whose verdict flips first, and the contracts that lose their liquidity."""
    makers = Table(title="what if " + ", ".join(found["changes"]), expand=False)
    for name in ("maker", "before", "after", "flips", "obligations flipped"):
        makers.add_column(name, justify="right" if name == "obligations flipped" else "left")
    for row in sorted(found["makers"], key=lambda r: (not r["flips"], r["maker"])):
        flips = "[bold]yes[/]" if row["flips"] else "no"
        makers.add_row(row["maker"], _cell(row["before"]), _cell(row["after"]), flips,
                       str(row["obligations_flipped"]))  # fmt: skip
    lost = [row for row in found["contracts"] if row["liquidity"] == "lost"]
    breaches = found["breaches"]
    makers.caption = (
        f"{sum(row['flips'] for row in found['makers'])} makers and {len(found['obligations'])} obligations flip; "
        f"breaches {breaches['before']} -> {breaches['after']}; "
        f"{len(lost)} contracts lose their last compliant maker"
    )
    return Group(makers, _lost_table(lost)) if lost else Group(makers)


def _cell(entry: Mapping[str, Any]) -> str:
    return f"{percent(entry['presence'])} [{COLOURS[entry['verdict']]}]{entry['verdict']}[/]"


def _lost_table(lost: list[dict[str, Any]]) -> Table:
    table = Table(title="contracts without a compliant maker", expand=False)
    for name in ("contract", "compliant before", "market hole before (s)", "after (s)"):
        table.add_column(name, justify="left" if name == "contract" else "right")
    for row in lost:
        seconds = (row["market_hole_ns_before"], row["market_hole_ns_after"])
        table.add_row(
            row["contract"], str(row["compliant_before"]), *(f"{ns / 1e9:,.3f}" for ns in seconds)
        )
    return table
