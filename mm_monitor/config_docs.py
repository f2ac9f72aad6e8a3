"""Renders `docs/configuration.md` from the sections of `mm_monitor.config`.

A test compares the file with what is rendered here, so that the two cannot drift apart.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from mm_monitor.config import SECTIONS

_HEAD = """\
# Configuration

`mm-monitor run --config monitor.toml` reads one TOML file. `mm-monitor check-config monitor.toml`
says what is wrong with it, all at once, each by path, requirement and value. Every key has a
default: an empty file is a good one. A key that is not listed here is refused. Start from
`deploy/monitor.example.toml`.

- **Durations** are text with a unit: `ns us ms s m h`, such as `"250us"` or `"1.5s"`.
- **Files and directories** are relative to the directory of the configuration file.
- **Secrets** are never in the file: a `...password_file` or `...token_file` names the file that holds one, or, as
  `"env:NAME"`, an environment variable ([which is better](security.md#secrets)).

This page is made from the code. After a change of keys:

```sh
.venv/bin/python -m mm_monitor.config_docs > docs/configuration.md
```
"""


def render_docs() -> str:
    """The page, Markdown with a final newline."""
    return "\n".join([_HEAD, *(line for name in SECTIONS for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    of = SECTIONS[name]
    yield f"## `[{name}]`"
    yield ""
    yield from (inspect.getdoc(of) or "").splitlines()
    yield ""
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for f in fields(of):
        yield f"| `{f.name}` | `{_toml(f.metadata['toml'])}` | {f.metadata['key'].doc} |"
    yield ""


def _toml(value: Any) -> str:
    """A default as it would stand in the file."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(render_docs())
