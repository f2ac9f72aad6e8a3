"""Secrets: where one is kept, and reading it. The configuration only names the place, and nothing here says the secret.

A place is a file, or `env:NAME` for an environment variable, so that every key for a secret is told both in one way.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mm_monitor.errors import ConfigError

_FROM_ENVIRONMENT = "env:"


def variable_of(place: str) -> str | None:
    """The name of the environment variable that a place stands for; None: it is a file."""
    named = place.startswith(_FROM_ENVIRONMENT)
    return place.removeprefix(_FROM_ENVIRONMENT) if named else None


def is_place(place: str) -> bool:
    """Can a secret be kept there? A variable has a name that a shell can set."""
    name = variable_of(place)
    return name is None or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def read_secret(key: str, place: str) -> str:
    """The secret without the newline at its end: a file is read anew, a variable is as the process began with it.

    ConfigError names `key` and the place where there is nothing, or no text.
    """
    name = variable_of(place)
    what = "a file" if name is None else "an environment variable"
    try:
        text = Path(place).read_text(encoding="utf-8") if name is None else os.environ.get(name)
        if text is None:
            raise ConfigError(key, f"{what} that is set", place)
        text.encode("utf-8")  # other bytes of a variable would fail later, in words that have them
    except OSError as error:
        raise ConfigError(key, f"{what} that can be read ({error.strerror})", place) from None
    except UnicodeError:  # whose text has the bytes
        raise ConfigError(key, f"{what} of UTF-8", place) from None
    secret = text.rstrip("\r\n")
    if not secret:
        raise ConfigError(key, f"{what} that is not empty", place)
    return secret
