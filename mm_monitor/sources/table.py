"""A table of a capture, csv or parquet alike: chunks of rows, each column read as what it is.

A row that is not even a row of the table is set apart with its bytes; all else is for the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import NumberCache
from mm_monitor.errors import InputError

Ints = NDArray[np.int64]

REQUIRED = {
    "contracts": ("contract", "class", "tick"),
    "makers": ("maker", "class"),
    "accounts": ("account", "maker"),
    "quotes": ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size"),
    "theo": ("ts_event", "contract", "theo"),
    "phases": ("ts_event", "scope", "phase"),
    "exemptions": ("ts_event", "scope", "maker", "kind", "action"),
    "feed": ("ts_event", "scope", "maker", "status"),
    "stress": ("ts_event", "scope", "action"),
    "reference": ("ts_event", "action"),
    "underlying": ("ts_event", "class", "price"),
    "vol": ("ts_event", "vol"),
    "rfqs": ("ts_event", "rfq_id", "contract"),
    "fills": ("ts_event", "maker", "contract", "side", "price", "size"),
    "positions": ("ts_event", "maker", "class", "net_delta", "limit"),
    "sessions": ("ts_event", "maker", "account", "status"),
    "rejects": ("ts_event", "maker", "reason"),
}


@dataclass(frozen=True, slots=True)
class OddLine:
    """A line that has not the table's columns: `index` into the chunk, or -1 if nothing is left."""

    index: int
    number: int
    value: bytes
    detail: str


class TableChunk(Protocol):
    """Consecutive rows of a table; every column has as many elements as `numbers`."""

    @property
    def numbers(self) -> Ints:
        """Line or row number of each row: its offset."""
        ...

    @property
    def odd(self) -> Sequence[OddLine]:
        """Rows that have not the table's columns."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the file that this chunk took."""
        ...

    def has(self, column: str) -> bool:
        """Is there such a column? Those of `REQUIRED` always are."""
        ...

    def times(self, column: str) -> Ints:
        """Times in ns, -1 where there is none."""
        ...

    def names(self, column: str) -> list[str]:
        """Text, "" where there is none."""
        ...

    def prices(self, column: str, cache: NumberCache) -> Ints:
        """10^-8, NULL where there is none, BAD where it is no price; text goes through `cache`."""
        ...

    def sizes(self, column: str) -> Ints:
        """Sizes, -1 where there is none."""
        ...

    def fields(self, index: int) -> dict[str, str]:
        """All columns of one row as text."""
        ...

    def value(self, index: int) -> bytes:
        """The bytes of one row, or its text as json where the file has no lines."""
        ...


def check_header(header: Sequence[str], required: Sequence[str], file: str, line: int) -> None:
    """InputError for a column that is missing or there twice."""
    for name in required:  # a handful of them
        if name not in header:
            raise InputError("required, but missing", file=file, line=line, column=name)
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise InputError("there more than once", file=file, line=line, column=name)
        seen.add(name)
