"""Writes the evidence log: a file a day of our clock, hash-chained, sealed when its day is over.

The format is `verifier.py`'s. Every entry has a salt, so that the hash of one that is withheld says nothing of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from mm_monitor.errors import MonitorError
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.evidence.verifier import NOTHING, SIGNED, Fault, chained, follow

NS = 1_000_000_000
_log = structlog.get_logger("mm_monitor.evidence")
Entry = Mapping[str, Any]


def logs_of(directory: Path) -> list[Path]:
    """The logs of a directory, oldest first."""
    return sorted(directory.glob("evidence-????-??-??.log"))


class EvidenceLog:
    """The one writer of a directory. Its methods block until the disk has what they wrote; `now` is our clock, ns."""

    def __init__(self, directory: Path, key: SealingKey, log_id: str) -> None:
        self._directory, self._key, self._id = directory, key, log_id
        self._lock = self._file = -1  # descriptors
        self._day, self._last, self._size = "", NOTHING, 0
        self._first: Entry = {}
        self._ids: set[str] = set()
        self._before: set[str] = set()  # ids of the log before this one

    def open(self, now: int) -> None:
        """Take the directory and go on with its newest log.

        MonitorError if the directory cannot be used, if another process writes there, or if the newest log is not
        what was written.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._directory / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = logs_of(self._directory)
            while found and not self._resume(found.pop()):
                continue
            self._before = _ids_in(found[-1]) if found else set()
            self.roll(now)
        except BlockingIOError:
            raise MonitorError(
                f"{self._directory}: another process writes evidence there"
            ) from None
        except OSError as error:
            where = error.filename or self._directory
            raise MonitorError(f"evidence.directory: {where}: {error.strerror}") from None

    def append(self, entries: Sequence[Entry], now: int) -> None:
        """Write entries in one go. OSError: none counts as written.

        One whose `id` this day's log has, or the one before, is passed over: whoever was killed before he knew that it
        was written hands it over again, maybe on another day.
        """
        self.roll(now)
        new = {entry.get("id", str(i)): entry for i, entry in enumerate(entries)}
        known = (self._ids, self._before)
        fresh = [e for id_, e in new.items() if not any(id_ in ids for ids in known)]
        lines = self._lines(fresh)
        self._put(*lines)
        self._ids.update(id_ for id_, entry in new.items() if "id" in entry)

    def roll(self, now: int) -> None:
        """Seal the log of a day that is over and begin the next; a clock that was set back ends no day."""
        today = datetime.fromtimestamp(now // NS, UTC).date()
        if self._file >= 0 and today.isoformat() > self._day:
            self._seal()
        if self._file < 0:
            self._begin(today)
        if not self._size:
            self._put(*self._lines([self._first]))
            _sync(self._directory)

    def close(self) -> None:
        """Release the directory; the day is sealed when it is over. Idempotent."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _begin(self, day: date) -> None:
        previous = ""
        if self._day:
            day = max(day, date.fromisoformat(self._day) + timedelta(days=1))
            previous = self._last.decode()
        path = self._directory / f"evidence-{day}.log"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._first = {"entry": "begin", "date": str(day), "log": self._id, "previous": previous}
        self._before, self._ids = self._ids, set()
        self._day, self._last, self._size = str(day), NOTHING, 0

    def _seal(self) -> None:
        seal = {"entry": "seal", "date": self._day, "key": self._key.public}
        text, last = self._lines([seal])
        self._put(text + self._signature(last), last)
        self._let_go()

    def _signature(self, last: bytes) -> bytes:
        return b"signature " + self._key.sign(SIGNED + last) + b"\n"

    def _let_go(self) -> None:
        os.close(self._file)
        self._file = -1

    def _lines(self, entries: Sequence[Entry]) -> tuple[bytes, bytes]:
        """The entries as chained lines, and the hash of the last."""
        last, text = self._last, bytearray()
        for entry in entries:
            salted = {**entry, "salt": secrets.token_hex(16)}
            body = json.dumps(salted, separators=(",", ":"), sort_keys=True).encode()
            last = chained(last, body)
            text += last + b" " + body + b"\n"
        return bytes(text), last

    def _put(self, text: bytes, last: bytes) -> None:
        """Text to the disk; what a write that failed left is cut off first."""
        if os.fstat(self._file).st_size != self._size:
            os.ftruncate(self._file, self._size)
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)
        self._size, self._last = self._size + len(text), last

    def _resume(self, path: Path) -> bool:
        """Go on with this log unless it is empty; half a line, which a killed process left, counts as not written."""
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            _log.warning("evidence_cut_off", file=str(path), bytes=len(data) - len(whole))
        if not whole:
            path.unlink()
            return False
        lines = whole.splitlines()
        signed = lines.pop() if lines[-1].startswith(b"signature ") else b""
        try:
            self._last, bodies = follow(lines)
            entries = [json.loads(body) for body in bodies]
        except Fault as fault:
            raise MonitorError(f"{path}: {fault}; verify it, and move it away") from None
        self._day, self._size = path.stem.removeprefix("evidence-"), len(whole)
        self._ids = {entry["id"] for entry in entries if "id" in entry}
        if not signed:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
            if entries[-1]["entry"] == "seal":  # killed before it was signed
                self._put(self._signature(self._last), self._last)
                self._let_go()
        return True


def _ids_in(path: Path) -> set[str]:
    """Ids of a log that is over; of one that was changed since as far as it can be read, for nothing hangs on it."""
    found = set()
    for line in path.read_bytes().splitlines():
        with suppress(ValueError, RecursionError):
            entry = json.loads(line[65:])
            if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                found.add(entry["id"])
    return found


def _sync(directory: Path) -> None:
    """That a new file exists must be on the disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    with suppress(OSError):  # some file systems know no such thing
        os.fsync(descriptor)
    os.close(descriptor)
