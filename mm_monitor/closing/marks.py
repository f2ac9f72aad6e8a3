"""Which dates of a journal are over and not closed yet, beside the tapes: `DATE.closed` once all is done.

`DATE.closing` has a byte for each attempt that was begun and neither ended well nor was called off. Of several
processes one works at a time, whoever started them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mm_monitor.recording.frames import ENDING

CLOSED, BEGUN = ".closed", ".closing"
LOCK = "closing.lock"


def over(directory: Path, date: str) -> list[Path]:
    """Tapes of dates before `date` that are not closed, oldest first."""
    found = sorted(directory.glob(f"????-??-??{ENDING}"))
    return [tape for tape in found if tape.stem < date and not is_closed(tape)]


def is_closed(tape: Path) -> bool:
    """Has all been done for this date?"""
    return tape.with_suffix(CLOSED).exists()


def mark_closed(tape: Path) -> None:
    """All has been done, and is on the disk. OSError."""
    with tape.with_suffix(CLOSED).open("wb") as file:
        os.fsync(file.fileno())
    sync_directory(tape.parent)
    tape.with_suffix(BEGUN).unlink(missing_ok=True)


def attempts(tape: Path) -> int:
    """How often closing was begun in vain, over all lives of the service."""
    try:
        return tape.with_suffix(BEGUN).stat().st_size
    except OSError:
        return 0


def begin(tape: Path) -> None:
    """Count an attempt before it is made: what takes the service with it must not be tried for ever. OSError."""
    with tape.with_suffix(BEGUN).open("ab") as file:
        file.write(b".")


def call_off(tape: Path) -> None:
    """The last attempt was ended by us and says nothing."""
    with suppress(OSError):
        os.truncate(tape.with_suffix(BEGUN), max(0, attempts(tape) - 1))


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Wait until nobody else closes a date of this journal, and be the one. OSError."""
    lock = os.open(directory / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def sync_directory(directory: Path) -> None:
    """That files are there, and by which name, must be on the disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    with suppress(OSError):  # some file systems know no such thing
        os.fsync(descriptor)
    os.close(descriptor)
