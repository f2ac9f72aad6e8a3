"""A capture directory as an importer fills it: tables of text, written line by line, and what was made of the input.

Contracts and makers are those that the input names, unless a file lists the contracts with their classes and ticks.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mm_monitor.errors import InputError, MonitorError
from mm_monitor.sources.csv_lines import csv_chunks
from mm_monitor.sources.table import REQUIRED

Tell = Callable[[str, int, int], None]
Side = tuple[str, str]  # price and size as text; an absent side is ("", "0")
ABSENT: Side = ("", "0")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to write, and what is known of contracts: their file, or one tick for all, each its own class."""

    out: Path
    tick: str
    contracts: Path | None = None


@dataclass(slots=True)
class Counted:
    """What became of the input: lines written by table, lines left out by why (`FILE:LINE` of the first)."""

    written: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def leave(self, why: str, place: str) -> None:
        """Count a line that is not used."""
        self.left_out[why] += 1
        self.first.setdefault(why, place)

    def plain(self) -> dict[str, Any]:
        """For programs."""
        left = [{"why": why, "lines": count, "first": self.first[why]}
                for why, count in sorted(self.left_out.items())]  # fmt: skip
        return {"written": dict(sorted(self.written.items())), "left_out": left}


class Tables:
    """Open tables of a new capture: `line` writes into any of `REQUIRED`. MonitorError if OUT has a capture already."""

    def __init__(self, target: Target) -> None:
        self._target, self.counted = target, Counted()
        self._files: dict[str, IO[str]] = {}
        self._writers: dict[str, Any] = {}
        self._contracts: dict[str, None] = {}
        self._makers: dict[str, None] = {}

    def __enter__(self) -> Tables:
        out = self._target.out
        if out.is_dir() and any(out.glob("*.csv")):
            raise MonitorError(f"--out: a directory without tables, got {out}")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MonitorError(f"--out: {out}: cannot be written: {error.strerror}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for file in self._files.values():
                file.close()

    def line(self, table: str, *fields: object) -> None:
        """Write a line, its fields in the order of the table's required columns."""
        if table not in self._files:
            file = (self._target.out / f"{table}.csv").open("w", encoding="utf-8", newline="")
            self._files[table] = file
            self._writers[table] = csv.writer(file, lineterminator="\n")
            self._writers[table].writerow(REQUIRED[table])
        self._writers[table].writerow(fields)
        self.counted.written[table] += 1

    def quote(self, ts: int | str, maker: str, contract: str, bid: Side, ask: Side) -> None:
        """Write a quote; its maker and contract become known."""
        self._contracts[contract] = self._makers[maker] = None
        self.line("quotes", ts, maker, contract, *bid, *ask)

    def know(self, maker: str = "", contract: str = "") -> None:
        """A maker or contract that is there, though nothing was quoted."""
        if maker:
            self._makers[maker] = None
        if contract:
            self._contracts[contract] = None

    def _finish(self) -> None:
        for maker in sorted(self._makers):
            self.line("makers", maker, "*")
        if self._target.contracts is not None:
            for row in contracts_of(self._target.contracts):
                self.line("contracts", *row)
        else:
            for contract in sorted(self._contracts):
                self.line("contracts", contract, contract, self._target.tick)
        if not self.counted.written["quotes"]:
            why = ", ".join(
                f"{one['why']} ({one['first']})" for one in self.counted.plain()["left_out"]
            )
            raise InputError(f"quotes that can be used; left out: {why or 'nothing'}")


@contextmanager
def text_of(path: Path) -> Iterator[IO[str]]:
    """A file of lines, for csv. InputError if it cannot be read, or what is read of it is not UTF-8 or no csv."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputError(f"text of UTF-8 ({error.reason})", file=str(path)) from None
    except csv.Error as error:
        raise InputError(f"lines of csv ({error})", file=str(path)) from None


def contracts_of(path: Path) -> Iterable[Sequence[str]]:
    """contract, class, tick of every line. InputError for a file without these columns."""
    for chunk in csv_chunks(path, REQUIRED["contracts"]):
        for odd in chunk.odd:
            raise InputError(odd.detail, file=str(path), line=odd.number)
        yield from zip(*(chunk.names(name) for name in REQUIRED["contracts"]), strict=True)
