"""One thing that is wrong or odd in a rulebook that loads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend (`level` error) or to know (warning), at a key of the file."""

    level: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.path}: {self.message}"


def error(path: str, message: str) -> Finding:
    """A rule that nobody can keep, or that cannot be meant."""
    return Finding("error", path, message)


def warning(path: str, message: str) -> Finding:
    """Something that may be meant."""
    return Finding("warning", path, message)
