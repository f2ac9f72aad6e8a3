"""The command about who may see what: token."""

from __future__ import annotations

from typing import Annotated

import typer

from mm_monitor.cli_words import Json, print_json
from mm_monitor.errors import MonitorError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: mm-monitor token --maker M0 2>> tokens")(token)


def token(
    maker: Annotated[
        str,
        typer.Option(
            help="The maker that may see its own numbers; empty: operations, who see all."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a token: it goes to standard output, and the line for `http.tokens_file` to standard error."""
    from mm_monitor.web.access import new_token

    if maker != maker.strip() or "\n" in maker:
        raise MonitorError(f"--maker: a name without space around it, got {maker!r}")
    secret, line = new_token(maker)
    if as_json:
        print_json({"token": secret, "line": line})
        return
    typer.echo(secret)
    typer.echo(line, err=True)
