"""Where the tables of a directory are: `NAME.csv` or `NAME.parquet`, never both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mm_monitor.errors import InputError
from mm_monitor.sources.csv_lines import csv_chunks
from mm_monitor.sources.parquet import parquet_chunks
from mm_monitor.sources.table import REQUIRED, TableChunk

ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """A file of the capture."""

    path: Path
    name: str
    chunks: Callable[[], Iterator[TableChunk]]  # opens the file; InputError if it cannot be read

    @property
    def size(self) -> int:
        """Bytes, for progress."""
        return self.path.stat().st_size


def find_table(directory: Path, name: str) -> Table | None:
    """The table's file, whichever format, or None. InputError if there are two, or what is there is no file."""
    paths = [directory / f"{name}{ending}" for ending in ENDINGS]
    found = [p for p in paths if p.exists() or p.is_symlink()]
    if len(found) > 1:
        raise InputError(f"only one of {found[0].name} and {found[1].name} may be there",
                         file=str(directory))  # fmt: skip
    if not found:
        return None
    path = found[0]
    if not path.is_file():
        what = "a link to nothing" if not path.exists() else "no file"
        raise InputError(f"must be a file, and is {what}", file=str(path))
    if path.suffix == ".csv":
        return Table(path, name, lambda: csv_chunks(path, REQUIRED[name]))
    return Table(path, name, lambda: parquet_chunks(path, name))


def need_table(directory: Path, name: str) -> Table:
    """The table's file; InputError if it is not there."""
    if not directory.is_dir():
        raise InputError("no such directory", file=str(directory))
    table = find_table(directory, name)
    if table is None:
        raise InputError(
            f"file is missing (or {name}.parquet)", file=str(directory / f"{name}.csv")
        )
    return table
