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
        str | None,
        typer.Option(
            help="The maker that may see its own numbers; without it: operations, who see all."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token: it goes to standard output, and the line for `http.tokens_file` to standard error."""
    from mm_monitor.web.access import new_token

    # An empty name is a variable that was not set: it must not open everything.
    if maker is not None and (maker != maker.strip() or len(maker.splitlines()) != 1):
        raise MonitorError(f"--maker: a name in one line, without space around it, got {maker!r}")
    secret, line = new_token(maker or "")
    if as_json:
        print_json({"token": secret, "line": line})
        return
    typer.echo(secret)
    typer.echo(line, err=True)
