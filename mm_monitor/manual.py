"""The manual page, made of the commands themselves: `python -m mm_monitor.manual > docs/mm-monitor.1`.

Installed as `man mm-monitor`; a test holds the file to what this says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from mm_monitor.cli import app

HEAD = """.TH MM-MONITOR 1 "" "mm-monitor" "User Commands"
.SH NAME
mm-monitor \\- who keeps a market maker's quoting obligation, exactly
.SH SYNOPSIS
.B mm-monitor
.I COMMAND
[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]
.SH DESCRIPTION
Reads market makers' quotes from Kafka or from a recording and says for each maker and contract whether the promise was
kept. Results go to standard output, everything said to a person to standard error.
.SH COMMANDS"""
TAIL = """.SH EXIT STATUS
.TP
0
It worked; a verdict of breached is a result, not a failure.
.TP
1
The answer is no (such as an error that rules lint found); or a bug, with its traceback.
.TP
2
Bad input, configuration or usage: one sentence with place, requirement and value.
.TP
130
Interrupted.
.SH SEE ALSO
The pages in docs/ of the source: commands.md has an example of each command, configuration.md every key
of the service."""


def page() -> str:
    """The whole page in roff, with a line break at its end."""
    parts = [HEAD]
    for name, command in _commands(get_command(app), "mm-monitor"):
        parts += [f".SS {_roff(name)}", _roff(_sentences(command.help or ""))]
        if command.epilog:
            parts += [".PP", _roff(command.epilog)]
        for parameter in command.params:
            if not getattr(parameter, "hidden", False):
                parts += [".TP", _spelled(parameter), _roff(getattr(parameter, "help", "") or "")]
    return "\n".join([*parts, TAIL, ""])


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by the words that start it."""
    inner = getattr(command, "commands", {})
    if not inner:
        yield path, command
    for name, one in inner.items():
        yield from _commands(one, f"{path} {name}")


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f".I {_roff(parameter.name.upper())}"
    value = "" if getattr(parameter, "is_flag", False) else " \\fIVALUE\\fR"
    return ".B " + _roff(", ".join(parameter.opts)) + value


def _sentences(text: str) -> str:
    """The paragraphs of a help text without its examples, each on a line."""
    paragraphs = [part for part in text.split("\n\n") if not part.startswith("\b")]
    return " ".join(" ".join(part.split()) for part in paragraphs)


def _roff(text: str) -> str:
    """Text in which nothing is an instruction to roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
