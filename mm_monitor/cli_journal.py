"""The commands about the journal itself: journal rebuild, journal export, journal close."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
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
    journal.command(
        epilog="Examples: mm-monitor journal export journal/2025-08-01.tape --out captures/2025-08-01 · "
        "mm-monitor journal export journal --date 2025-08-01 --out day1 --format parquet"
    )(export)
    journal.command(
        epilog="Example: mm-monitor journal close journal/2025-08-01.tape --rulebook szse-2025 --evidence evidence "
        "--captures captures"
    )(close)


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


def export(
    source: Annotated[Path, typer.Argument(help="A journal's DATE.tape, or a journal's directory.")],
    out: Annotated[Path, typer.Option(help="Directory to write the capture to; empty, or not there yet.")],
    date: Annotated[str, typer.Option(help="Which day of the directory, YYYY-MM-DD.")] = "",
    fmt: Annotated[str, typer.Option("--format", help="Of quotes and theos: csv, or parquet (needs pyarrow).")] = "csv",
    as_json: Json = False,
    quiet: Silent = False,
) -> None:  # fmt: skip
    """Write a day of a journal as a capture directory, which a replay judges to the same verdicts."""
    from mm_monitor.exporting import export as run
    from mm_monitor.exporting import tape_of
    from mm_monitor.screens import replay_progress

    tape = tape_of(source, date)
    with replay_progress(quiet or as_json) as progress:
        done = asyncio.run(run(tape, out, fmt, progress))
    if as_json:
        print_json({**asdict(done), "out": str(done.out)})
    elif not quiet:
        counts = ", ".join(f"{count:,} {table}" for table, count in sorted(done.written.items()))
        typer.echo(f"{out}: {counts}", err=True)
    for line in _not_in_it(done):
        typer.echo(f"{tape}: {line}", err=True)


def _not_in_it(done: Any) -> list[str]:
    """What of the day the capture has not: never left out in silence."""
    told = []
    if done.midway:
        told.append("begins in the middle of the date; the capture does, too")
    if done.gaps:
        told.append(f"{done.gaps:,} records that were judged are not in the journal")
    if done.late:
        told.append(f"{done.late:,} records came too late to be judged, and are not in the capture")
    return told


def close(
    tape: Annotated[Path, typer.Argument(help="A journal's DATE.tape of a date that is over.")],
    rulebook: Annotated[list[str], typer.Option(help="Each that judges: a shipped one by name, or a TOML file.")],
    evidence: Annotated[Path | None, typer.Option(help="The evidence log's directory: tell it the lapses.")] = None,
    captures: Annotated[Path | None, typer.Option(help="Directory for the capture DATE (needs pyarrow).")] = None,
    as_json: Json = False,
    quiet: Silent = False,
) -> None:  # fmt: skip
    """Do what a service does by itself once a date is over, and mark it. Exit code 1 if it is not over."""
    from mm_monitor.closing.work import NotOver, Wanted, close_date
    from mm_monitor.exporting import tape_of
    from mm_monitor.rulebooks import load
    from mm_monitor.screens import replay_progress

    wanted = Wanted(tape_of(tape, tape.stem), [load(name) for name in rulebook], evidence, captures)
    try:
        with replay_progress(quiet or as_json) as progress:
            done = asyncio.run(close_date(wanted, progress))
    except NotOver as error:
        typer.echo(f"mm-monitor: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        told = (
            {} if done is None else {**asdict(done), "capture": done.capture and str(done.capture)}
        )
        print_json({"before": done is None, **told})
    elif not quiet and done is None:
        typer.echo(f"{tape}: was closed before", err=True)
    elif not quiet and done is not None:
        where = "" if done.capture is None else f", {done.capture} written"
        typer.echo(f"{tape}: {done.lapses} lapses in {done.entries} entries{where}", err=True)
