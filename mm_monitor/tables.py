"""Reads TOML tables by a schema and reports everything that is wrong with them at once.

A schema is data: a mapping of names to `Key`. A parser takes (value, place) and returns what the
value means; it raises `UnitError` with the requirement that the value fails, or `Recorded` when it
has written its errors down itself.
"""

from __future__ import annotations

import datetime
import json
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

from mm_monitor.errors import ConfigError, ConfigErrors, InputError
from mm_monitor.units import UnitError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile("pass|secret|token", re.IGNORECASE)
LATER = "not implemented yet"


class Recorded(Exception):
    """A signal between parsers: what is wrong was already written to the place's errors."""


class _Invalid(Enum):
    INVALID = 0


INVALID = _Invalid.INVALID  # what `attempt` returns for a value that cannot be used


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a value stands, and the list to which all errors of that file go."""

    file: str
    errors: list[ConfigError]
    path: str = ""

    def key(self, name: str) -> Place:
        """The place of a key of this table: `spread.terms`."""
        name = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        return Place(self.file, self.errors, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Place:
        """The place of an element of this list: `spread.terms[1]`."""
        return Place(self.file, self.errors, f"{self.path}[{index}]")

    def wrong(self, requirement: str, value: object = None) -> None:
        """Write down that the value here fails a requirement."""
        self.errors.append(ConfigError(self.path, requirement, value, file=self.file))


Parser = Callable[[object, Place], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a schema.

    `keys` are those of the table that it holds, or with `many` of each table in its list; the
    documentation walks them.
    """

    parse: Parser
    default: Any = None
    required: bool = False
    implemented: bool = True
    doc: str = ""
    keys: Mapping[str, Key] | None = None
    many: bool = False


def read_toml(data: bytes, file: str) -> dict[str, Any]:
    """Parse TOML bytes. Raises ConfigErrors with line and column of the first syntax error."""
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigErrors(
            [ConfigError("TOML", "UTF-8 text", data[error.start : error.end], file=file)]
        ) from None
    except (ValueError, RecursionError) as error:  # ValueError: also integers without end
        raise ConfigErrors([ConfigError("TOML", str(error), file=file)]) from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises InputError with the system's own reason, and for a device, which may have no end."""
    try:
        if stat.S_ISCHR(path.stat().st_mode):
            raise InputError("a file, and no device", file=str(path))
        return path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or str(error), file=str(path)) from None


def read_table(value: object, keys: Mapping[str, Key], place: Place) -> dict[str, Any]:
    """The parsed values of a table, defaults filled in. Raises Recorded if any of it is wrong."""
    if not isinstance(value, dict):
        raise UnitError("a table")
    before = len(place.errors)
    for name in value:
        if name not in keys:
            place.key(name).wrong(_unknown(name, keys), _shown(name, value[name]))
    values = {name: _read_key(value, name, key, place.key(name)) for name, key in keys.items()}
    if len(place.errors) > before:
        raise Recorded
    return values


def attempt(parse: Parser, value: object, place: Place) -> Any:
    """What the value means, or INVALID with its error written down."""
    try:
        return parse(value, place)
    except UnitError as error:
        place.wrong(str(error), _shown("", value))
    except Recorded:
        pass
    return INVALID


def walk(
    keys: Mapping[str, Key], prefix: str = "", *, implemented: bool = True
) -> Iterator[tuple[str, Key]]:
    """Every key of a schema with its path (`spread.terms[].relative`), depth first.

    What stands below a key that is not implemented is not implemented either.
    """
    for name, key in keys.items():
        path = f"{prefix}.{name}" if prefix else name
        known = implemented and key.implemented
        yield path, replace(key, implemented=known)
        if key.keys is not None:
            inner = f"{path}[]" if key.many else path
            yield from walk(key.keys, inner, implemented=known)


def _read_key(table: dict[str, Any], name: str, key: Key, place: Place) -> Any:
    if name not in table:
        if key.required:
            place.wrong("required, and missing")
        return key.default
    if not key.implemented:
        place.wrong(LATER, _shown(name, table[name]))
        return key.default
    return attempt(key.parse, table[name], place)


def _shown(name: str, value: object) -> object:
    """A value as an error may show it: a table would bury the message, a secret is not to leak."""
    return None if isinstance(value, dict) or _SECRET.search(name) else value


def _unknown(name: str, keys: Mapping[str, Key]) -> str:
    near = get_close_matches(name, keys, n=1)
    return f"unknown key (did you mean {near[0]}?)" if near else "unknown key"


# Parsers ------------------------------------------------------------------------------------------


def unit(read: Callable[[object], Any], *, positive: bool = False) -> Parser:
    """A parser of one of the forms of `mm_monitor.units`; `positive` refuses zero."""

    def parse(value: object, place: Place) -> Any:
        result = read(value)
        if positive and getattr(result, "num", result) == 0:
            raise UnitError("more than zero")
        return result

    return parse


def text(value: object, place: Place) -> str:
    """Any text, the empty one too."""
    if not isinstance(value, str):
        raise UnitError("text")
    return value


def filled(value: object, place: Place) -> str:
    """Text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise UnitError("text that is not empty")
    return value


def boolean(value: object, place: Place) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise UnitError("true or false")
    return value


def integer(low: int, high: int) -> Parser:
    """A parser of integers in [low, high]."""

    def parse(value: object, place: Place) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UnitError(f"an integer from {low} to {high}")
        return value

    return parse


def choice(*options: str, later: tuple[str, ...] = ()) -> Parser:
    """A parser of a closed list of words; those in `later` are known and not implemented yet."""

    def parse(value: object, place: Place) -> str:
        if isinstance(value, str) and value in later:
            raise UnitError(LATER)
        if not isinstance(value, str) or value not in options:
            raise UnitError("one of " + ", ".join(options))
        return value

    return parse


def iso_date(value: object, place: Place) -> str:
    """A TOML date as ISO text."""
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise UnitError("a date such as 2025-10-01, without quotes")
    return value.isoformat()


def list_of(parse_item: Parser, what: str, *, at_least: int = 0, distinct: bool = True) -> Parser:
    """A parser of lists of `what`; the errors of all items are kept, each with its index."""

    def parse(value: object, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < at_least:
            some = f"a list of at least {at_least} of" if at_least else "a list of"
            raise UnitError(f"{some} {what}")
        items = tuple(attempt(parse_item, item, place.item(i)) for i, item in enumerate(value))
        if INVALID in items:
            raise Recorded
        if distinct and len(set(items)) < len(items):
            raise UnitError(f"a list of {what} without repetition")
        return items

    return parse


def table_of(keys: Mapping[str, Key], build: Callable[[dict[str, Any], Place], Any]) -> Parser:
    """A parser of one table; `build` makes of its values what they mean, or raises UnitError."""

    def parse(value: object, place: Place) -> Any:
        return build(read_table(value, keys, place), place)

    return parse
