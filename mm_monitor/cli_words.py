"""What several commands share: the option for JSON and its printing, and rulebooks by name with their completion."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def rulebook_names(incomplete: str) -> list[str]:
    """Shipped rulebooks that begin so, for a shell to complete."""
    from mm_monitor.rulebooks import names

    return [name for name in names() if name.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
Rules = Annotated[
    str,
    typer.Option(help="Shipped rulebook by name, or a TOML file.", autocompletion=rulebook_names),
]
Silent = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
RulesArgument = Annotated[
    str, typer.Argument(help="Name or TOML file.", autocompletion=rulebook_names)
]


def print_json(value: Any) -> None:
    """One object, keys sorted."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))
