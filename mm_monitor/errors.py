"""Every error a user can cause, so that the CLI can turn each into one sentence and an exit code.

All of them derive from `MonitorError`; its text names what was wrong, where, and what it was.
"""

from __future__ import annotations


class MonitorError(Exception):
    """Base of all errors that are the input's fault, not the program's. Exit code 2."""


def unwritable(error: OSError) -> str:
    """Why something cannot be written, in words of who asked: what is no directory "exists" only to `mkdir`."""
    if isinstance(error, FileExistsError):
        return "it is there, and is no directory"
    return error.strerror or str(error)


class InputError(MonitorError):
    """A file, line or column that cannot be used.

    The message reads `FILE:LINE: column COLUMN: REQUIREMENT, got VALUE`, with the parts that are known.
    """

    def __init__(
        self,
        requirement: str,
        *,
        file: str = "",
        line: int = 0,
        column: str = "",
        value: object = None,
    ) -> None:
        where = file + (f":{line}" if line else "")
        parts = [where] if where else []
        if column:
            parts.append(f"column {column}")
        tail = requirement if value is None else f"{requirement}, got {value!r}"
        super().__init__(": ".join([*parts, tail]))
        self.file, self.line, self.column, self.value = file, line, column, value


class ConfigError(MonitorError):
    """A key of a configuration or rulebook file: `PATH: REQUIREMENT, got VALUE`."""

    def __init__(
        self, path: str, requirement: str, value: object = None, *, file: str = ""
    ) -> None:
        tail = requirement if value is None else f"{requirement}, got {value!r}"
        super().__init__(f"{file}: {path}: {tail}" if file else f"{path}: {tail}")
        self.path, self.requirement, self.value, self.file = path, requirement, value, file


class ConfigErrors(MonitorError):
    """All that is wrong with one file, so that a person mends it in one go. `errors` is never empty."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class DecodeError(MonitorError):
    """Bytes that are no record. `reason` is one of `mm_monitor.core.model.BadReason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class SnapshotError(MonitorError):
    """A snapshot that cannot be restored: wrong magic, schema, length or checksum."""


class CheckpointError(MonitorError):
    """A checkpoint that cannot be used or written. `reason`: damaged | schema | settings | storage | deposed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"checkpoint: {detail}")
        self.reason = reason
