"""The commands that report on what was judged before: report month, rollup, merge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mm_monitor import cli_papers, cli_revisions
from mm_monitor.cli_words import Json, Rules, print_json
from mm_monitor.errors import InputError, MonitorError

_WEIGHT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def register(app: typer.Typer, help_options: Mapping[str, Any]) -> None:
    """Add the commands to the program."""
    reports = typer.Typer(help="Reports on days that were judged before.", no_args_is_help=True,
                          context_settings=dict(help_options))  # fmt: skip
    app.add_typer(reports, name="report")
    cli_papers.register(reports)
    cli_revisions.register_report(reports)
    reports.command(epilog="Example: mm-monitor report month ledger --month 2025-08")(month)
    reports.command(epilog="Example: mm-monitor report rollup monitor.toml ledger --follow")(rollup)
    reports.command(
        epilog="Example: mm-monitor report merge 1.jsonl 2.jsonl --rulebook szse-2025 --ledger ledger"
    )(merge)

    @reports.callback()
    def _reports() -> None:
        pass


def month(
    ledger: Annotated[Path, typer.Argument(help="Directory of days, as replay --ledger and the service write it.")],
    month: Annotated[str, typer.Option(help="Only this one, YYYY-MM.")] = "",
    weights: Annotated[
        Path | None, typer.Option(help="Csv file with columns date and weight; a date without one weighs 1.")
    ] = None,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Directory to write scorecards to.")] = None,
    formats: cli_papers.Formats = "html,csv,json",
    language: cli_papers.Language = "en",
    pdf_font: cli_papers.Font = None,
) -> None:  # fmt: skip
    """Roll the days of a ledger up into months, without replaying them."""
    from mm_monitor.ledger import read_ledger
    from mm_monitor.reports.month import months
    from mm_monitor.reports.report import to_bytes
    from mm_monitor.screens import month_tables

    if month and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise MonitorError(f"--month: YYYY-MM, got {month!r}")
    report = months(read_ledger(ledger), month, read_weights(weights) if weights else {})
    if not report["months"]:
        raise InputError(f"no day of {month}", file=str(ledger))
    if out is not None:
        wanted = cli_papers.chosen(formats, language)
        files = cli_papers.month_files(
            report, sorted(ledger.glob("*.json")), wanted, language, pdf_font
        )
        cli_papers.write_all(out, files)
    if as_json:
        typer.echo(to_bytes(report), nl=False)
        return
    if out is not None:
        return
    console = Console()
    for table in month_tables(report):
        console.print(table)


def rollup(
    config: Annotated[Path, typer.Argument(help="Configuration of the workers: brokers, topics.accruals, rulebooks.")],
    ledger: Annotated[Path, typer.Argument(help="Directory of days to write to.")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on, and write each day when its last worker is done.")
    ] = False,
) -> None:  # fmt: skip
    """Sum up what several workers judged, and judge the makers by it."""
    import asyncio

    from mm_monitor.config import load_config
    from mm_monitor.rollup_service import serve

    read = load_config(config)
    if not read.topics.accruals:
        raise MonitorError(f"{config}: topics.accruals: required for a roll-up")
    if not asyncio.run(serve(read, ledger, typer.echo, follow=follow)):
        raise typer.Exit(1)


def merge(
    accruals: Annotated[
        list[Path], typer.Argument(help="Files of replay --accruals, one of each share.")
    ],
    rulebook: Rules,
    ledger: Annotated[Path, typer.Option(help="Directory of days to write to.")],
    as_json: Json = False,
) -> None:
    """Sum up the shares of a replay, and judge the makers by it."""
    from mm_monitor.rollup import RollUp, read_lines
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import counted

    book, days = load(rulebook), []

    def told(date: str, name: str, what: str) -> None:
        days.append({"trading_date": date, "rulebook": name, "what": what})
        if not as_json:
            typer.echo(f"{date} {name}: {what}")

    roll = RollUp({book.id: book}, ledger, told)
    with counted("merging", len(accruals), quiet=as_json) as step:
        for path in accruals:
            read_lines(path, roll)
            step()
    waiting = roll.write()
    if as_json:
        print_json({"days": days})
    if waiting:
        raise typer.Exit(1)


def read_weights(path: Path) -> dict[str, Fraction]:
    """Weights by date. InputError names line, column and value."""
    from mm_monitor.sources.csv_lines import csv_chunks

    found: dict[str, Fraction] = {}
    for chunk in csv_chunks(path, ("date", "weight")):
        for odd in chunk.odd:
            raise InputError(odd.detail, file=str(path), line=odd.number)
        lines: Sequence[int] = chunk.numbers.tolist()
        for line, day, weight in zip(
            lines, chunk.names("date"), chunk.names("weight"), strict=True
        ):
            at: dict[str, Any] = {"file": str(path), "line": line}
            if not _is_date(day):
                raise InputError("a date such as 2025-08-01", column="date", value=day, **at)
            if day in found:
                raise InputError("there more than once", column="date", value=day, **at)
            if not _WEIGHT.fullmatch(weight):
                raise InputError("a number such as 2 or 1.5", column="weight", value=weight, **at)
            found[day] = Fraction(weight)
    return found


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
