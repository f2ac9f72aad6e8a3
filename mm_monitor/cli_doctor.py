"""The command that looks a deployment over: doctor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mm_monitor.cli_words import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: mm-monitor doctor --config monitor.toml")(doctor)


def doctor(
    config: Annotated[Path, typer.Option(help="The service's TOML file.")], as_json: Json = False
) -> None:
    """Look a deployment over: what was found, whether it is good, what to do; exit code 1 if something is not."""
    from mm_monitor import doctor as examination
    from mm_monitor import logs

    logs.configure("critical")
    findings = asyncio.run(examination.examine(config))
    bad = sum(not finding.good for finding in findings)
    if as_json:
        print_json({"good": not bad, "findings": examination.as_json(findings)})
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.good else 'BAD'}  {finding.check}: {finding.found}")
            if not finding.good:
                typer.echo(f"     -> {finding.do}")
        typer.echo(f"{len(findings)} findings, {bad} bad")
    if bad:
        raise typer.Exit(1)
