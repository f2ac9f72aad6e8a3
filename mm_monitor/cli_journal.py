"""The commands about the journal itself: journal rebuild."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mm_monitor.cli_words import Json, Silent, print_json


def register(app: typer.Typer, help_options: Mapping[str, Any]) -> None:
    """Add the group to the program."""
    journal = typer.Typer(help="The journal: what was judged, a file for each trading date.",
                          no_args_is_help=True, context_settings=dict(help_options))  # fmt: skip
    app.add_typer(journal, name="journal")
    journal.command(
        epilog="Example: mm-monitor journal rebuild monitor.toml --date 2025-08-01 --directory again"
    )(rebuild)


def rebuild(
    config: Annotated[Path, typer.Argument(help="The service's TOML file: brokers, topics, rulebooks.")],
    date: Annotated[str, typer.Option(help="Trading date, YYYY-MM-DD.")],
    directory: Annotated[Path, typer.Option(help="Where to write DATE.tape; must not be there yet.")],
    as_json: Json = False,
    quiet: Silent = False,
) -> None:  # fmt: skip
    """Read a date from Kafka by time and write its DATE.tape anew, to be revised or replayed."""
    from mm_monitor.config import load_config
    from mm_monitor.rebuild import rebuild as run
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import capture_progress

    read = load_config(config)
    books = [load(name) for name in read.rulebooks.names]
    with capture_progress(quiet or as_json, "reading") as progress:
        found = asyncio.run(run(read, books, date, directory, progress))
    if as_json:
        print_json({"file": str(found.path), "late": found.late, "dead": found.dead})
    elif not quiet:
        typer.echo(
            f"{found.path}: written; {found.late} records came too late, {found.dead} could not be used"
        )
