"""A rulebook with other numbers: `spread.terms[0].relative=2.5%` set in the table of its file.

The changed table is read by the same schema as the file, so a what-if rulebook obeys what a rulebook obeys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import ConfigError
from mm_monitor.rulebooks.loader import from_table, source_bytes
from mm_monitor.tables import read_toml

_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[(\d+)\]")


def changed(name_or_path: str, settings: Sequence[str]) -> Rulebook:
    """The rulebook with every `PATH=VALUE` of `settings` set, in order.

    Its sha256 is of the file's bytes and the settings. Raises ConfigError for a path that leads nowhere, ConfigErrors
    for a rulebook that the schema then refuses.
    """
    data, file = source_bytes(name_or_path)
    table = read_toml(data, file)
    for setting in settings:
        _set(table, setting)
    digest = sha256(data + "\n".join(settings).encode()).hexdigest()
    return from_table(table, digest, file=f"{file} with {', '.join(settings)}")


def _set(table: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    steps = _steps(path.strip())
    if not equals or not steps:
        raise ConfigError("--set", 'PATH=VALUE such as spread.terms[0].relative="2.5%"', setting)
    place: Any = table
    for step, following in pairwise(steps):
        place = _enter(place, step, following, setting)
    last = steps[-1]
    _check(place, last, setting)
    before = place[last] if isinstance(last, int) else place.get(last)
    place[last] = text.strip().strip('"') if isinstance(before, str) else _value(text.strip())


def _steps(path: str) -> list[str | int]:
    found: list[str | int] = []
    at = 0
    while at < len(path):
        if path[at] == "." and at:
            at += 1
        match = _STEP.match(path, at)
        if match is None:
            return []
        found.append(match[1] if match[1] is not None else int(match[2]))
        at = match.end()
    return found


def _enter(place: Any, step: str | int, following: str | int, setting: str) -> Any:
    """The table or list at `step`; a table that is not there yet is made."""
    if isinstance(step, str) and isinstance(place, dict) and step not in place:
        place[step] = [] if isinstance(following, int) else {}
    _check(place, step, setting)
    return place[step]


def _check(place: Any, step: str | int, setting: str) -> None:
    if isinstance(step, int):
        if not isinstance(place, list) or step >= len(place):
            raise ConfigError("--set", f"there is no element [{step}]", setting)
    elif not isinstance(place, dict):
        raise ConfigError("--set", f"{step!r} is not in a table", setting)


def _value(text: str) -> Any:
    """TOML where it is TOML, else the text itself, so that 2.5% needs no quotes."""
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
    return text if isinstance(value, float) else value
