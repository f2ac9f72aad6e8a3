"""Checkpoints in SQLite, the embedded default: two files, and a whole record goes into the one that the last did not.

So whatever befalls one file, the other has the record before. A record is one transaction in write-ahead mode with
synchronous=FULL: when `write` returns it survives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.errors import CheckpointError

FILES = ("checkpoint-a.sqlite", "checkpoint-b.sqlite")
DIFFERENCES = 2  # kept beside their whole record
WAL_BYTES = 16 << 20  # what the log of a file is cut back to
_TABLE = "CREATE TABLE IF NOT EXISTS record (serial INTEGER PRIMARY KEY, base INTEGER NOT NULL, data BLOB NOT NULL)"


class SqliteStore:
    """The two files in `directory`, which is made if it is not there."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        """CheckpointError (`storage`) where nothing can be kept. A file that is no database is set aside."""
        self._directory = directory
        self._problems: list[str] = []
        self._open: list[sqlite3.Connection] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                self._open.append(self._opened(directory / name))
            self._miss_what_is_gone()
        except (OSError, sqlite3.Error) as error:
            self.close()
            cause = error.strerror if isinstance(error, OSError) else error
            raise CheckpointError("storage", f"{directory}: {cause}") from None

    def write(self, entry: Entry) -> None:
        """See the protocol."""
        holder = self._holder_of(entry)
        try:
            with holder:  # one transaction
                holder.execute("BEGIN IMMEDIATE")
                if entry.serial == entry.base:
                    holder.execute("DELETE FROM record")
                values = (entry.serial, entry.base, entry.data)
                holder.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", values)
                holder.execute(
                    "DELETE FROM record WHERE serial != base AND serial NOT IN "
                    "(SELECT serial FROM record WHERE serial != base ORDER BY serial DESC LIMIT ?)",
                    (DIFFERENCES,),
                )
        except (OSError, sqlite3.Error) as error:
            with suppress(sqlite3.Error):
                holder.rollback()
            raise CheckpointError("storage", f"{self._directory}: {error}") from None

    def entries(self) -> Iterator[Entry]:
        """See the protocol."""
        found = [(serial, file) for file in self._open for serial in self._serials(file)]
        for serial, file in sorted(found, key=lambda pair: pair[0], reverse=True):
            try:
                row = file.execute(
                    "SELECT base, data FROM record WHERE serial = ?", (serial,)
                ).fetchone()
            except sqlite3.Error as error:
                self._problems.append(f"record {serial} in {self._directory}: {error}")
                continue
            if row is not None and isinstance(row[1], bytes):
                yield Entry(serial, int(row[0]), row[1])

    def problems(self) -> list[str]:
        """See the protocol."""
        told, self._problems = self._problems, []
        return told

    def close(self) -> None:
        """See the protocol."""
        for file in self._open:
            with suppress(sqlite3.Error):
                file.close()
        self._open.clear()

    def _holder_of(self, entry: Entry) -> sqlite3.Connection:
        """A whole record goes where the newest is not; a difference to its whole record."""
        newest = [max(self._serials(file), default=-1) for file in self._open]
        if entry.serial == entry.base:
            return self._open[newest.index(min(newest))]
        for file in self._open:
            if entry.base in self._serials(file):
                return file
        raise CheckpointError(
            "storage", f"{self._directory}: record {entry.base} is no longer there"
        )

    def _serials(self, file: sqlite3.Connection) -> list[int]:
        try:
            return [serial for (serial,) in file.execute("SELECT serial FROM record")]
        except sqlite3.Error as error:
            self._problems.append(f"{self._directory}: {error}")
            return []

    def _opened(self, path: Path) -> sqlite3.Connection:
        try:
            return _connected(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # not the file's fault: rights, room
                raise
        self._set_aside(path)
        return _connected(path)

    def _miss_what_is_gone(self) -> None:
        """Both files are made together: one that is new while the other has records has been lost or cut."""
        if any(self._serials(file) for file in self._open):
            for name, file in zip(FILES, self._open, strict=True):
                if not file.execute("PRAGMA user_version").fetchone()[0]:
                    self._problems.append(f"{self._directory / name}: what was in it is gone")
        for file in self._open:
            file.execute("PRAGMA user_version=1")

    def _set_aside(self, path: Path) -> None:
        """Out of the way, and kept for whoever wants to know."""
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._problems.append(f"{path}: no database that can be read; kept as {aside.name}")


def _connected(path: Path) -> sqlite3.Connection:
    """Any thread may use it, one at a time. It is written to once, so that what cannot be is known at once."""
    file = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    try:
        file.execute("PRAGMA locking_mode=EXCLUSIVE")  # two services must not share a directory
        file.execute("PRAGMA journal_mode=WAL").fetchone()
        file.execute("PRAGMA synchronous=FULL")
        file.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        problem = file.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        file.execute(_TABLE)
        file.execute("BEGIN IMMEDIATE")
        file.execute("PRAGMA application_id=1296909136")  # MMCP
        file.execute("COMMIT")
    except sqlite3.Error:
        file.close()
        raise
    return file
