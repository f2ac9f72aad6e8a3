"""What commands share: their order in the help, the option for JSON and its printing, rulebooks' names for a shell."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

_ORDER = (
    "demo", "simulate", "replay", "explain", "report", "run", "check-config", "doctor", "top",
    "rules", "whatif", "price", "import", "exempt", "maintenance", "acknowledge", "reconcile", "revise",
)  # fmt: skip


class FirstThingsFirst(TyperGroup):
    """Lists commands in the order in which they are met; those that it does not know come last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, the well-known first."""
        names = super().list_commands(ctx)
        return [
            *(name for name in _ORDER if name in names),
            *(name for name in names if name not in _ORDER),
        ]


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
