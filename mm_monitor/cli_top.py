"""The command that watches a running service from a terminal: top."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from mm_monitor.errors import MonitorError
from mm_monitor.secret import read_secret

LINES = 20  # where nobody says how tall the terminal is


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: mm-monitor top · mm-monitor top --url https://monitor:8088 --once"
    )(top)


def top(
    url: Annotated[str, typer.Option(help="Where the service's HTTP port is.")] = "http://127.0.0.1:8088",
    token_file: Annotated[
        str, typer.Option(help="File with a token, or env:NAME, where the service wants one.")
    ] = "",
    cafile: Annotated[
        Path | None, typer.Option(help="Certificate (PEM) to trust, for https.")
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 1.0,
    lines: Annotated[int, typer.Option(help="Makers shown; 0: as many as the terminal has room for.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on standard output, for programs; looks once.")
    ] = False,
) -> None:  # fmt: skip
    """Who is worst now: a live table of makers and open breaches, from a running service."""
    from mm_monitor import top as board
    from mm_monitor.reports.report import to_bytes

    if every <= 0 or lines < 0:
        raise MonitorError("top: --every more than 0, --lines 0 or more")
    service = board.Service(url, _token(token_file), cafile)
    found = board.read(service)
    if as_json:
        typer.echo(to_bytes(found), nl=False)
        return
    console = Console()
    if once or not console.is_terminal:
        console.print(board.screen(found, lines or LINES))
        return
    with Live(board.screen(found, _room(lines, console)), console=console, screen=True) as live:
        while True:
            time.sleep(every)
            try:
                found = board.read(service)
                live.update(board.screen(found, _room(lines, console)))
            except MonitorError as error:  # it may come back; what was last seen would be a lie
                live.update(str(error))


def _room(lines: int, console: Console) -> int:
    return lines or max(console.height // 2 - 6, 5)


def _token(place: str) -> str:
    if not place:
        return ""
    return read_secret("--token-file", place).strip()
