"""One recorded day under several rulebooks, maker by maker.

Every rulebook judges by its own replay, with its own calendar; only the reports are put side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from mm_monitor.screens import COLOURS, percent

SCHEMA = "mm-monitor/compare/1"
NOBODY: Mapping[str, Any] = {"presence": None, "coverage": None, "verdict": "not_assessed"}


def compare(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Reports (docs/report.md) of one capture under several rulebooks, as one object.

    `agree` says of each maker whether all rulebooks that assess it come to the same verdict.
    """
    makers = sorted({row["maker"] for report in reports for row in report["makers"]})
    return {
        "schema": SCHEMA,
        "rulebooks": [
            {**report["rulebook"], "period": report["period"], "breaches": len(report["breaches"])}
            for report in reports
        ],
        "makers": [_maker(name, reports) for name in makers],
    }


def _maker(name: str, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        next((row for row in report["makers"] if row["maker"] == name), NOBODY)
        for report in reports
    ]
    under = [
        {key: row[key] for key in ("presence", "coverage", "verdict")}
        | {"breaches": sum(b["maker"] == name for b in report["breaches"])}
        for row, report in zip(rows, reports, strict=True)
    ]
    assessed = {entry["verdict"] for entry in under} - {"not_assessed"}
    return {"maker": name, "agree": len(assessed) <= 1, "under": under}


def compare_table(compared: Mapping[str, Any]) -> Table:
    """For the terminal: a row a maker, a column a rulebook; makers on whom they differ first."""
    table = Table(title="one day under several rulebooks", expand=False)
    table.add_column("maker")
    for book in compared["rulebooks"]:
        table.add_column(f"{book['id']} v{book['version']}")
    table.add_column("agree")
    for row in sorted(compared["makers"], key=lambda r: (r["agree"], r["maker"])):
        cells = [
            f"{percent(entry['presence'])} [{COLOURS[entry['verdict']]}]{entry['verdict']}[/]"
            for entry in row["under"]
        ]
        table.add_row(row["maker"], *cells, "yes" if row["agree"] else "[red]no[/]")
    differ = sum(not row["agree"] for row in compared["makers"])
    table.caption = f"{differ} of {len(compared['makers'])} makers judged differently"
    return table
