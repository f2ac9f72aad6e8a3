"""The directory of names in the shapes that decoding wants: id tables, ticks, and its own changes.

A `Directory` is built from a `Reference` and stays true until the reference's version grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import parse_price, shown
from mm_monitor.codecs.verdicts import ticks_of
from mm_monitor.core.model import BadReason
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.reference_rows import BadRow, appointment_of, contract_of
from mm_monitor.errors import DecodeError

MAX_NUMBER = 2**32 - 1  # numeric ids are u32
CONTRACT_KINDS = ("", "call", "put", "future", "stock", "etf")
# Columns that name something: those of a row's key, and those that an added row must have.
REQUIRED = {
    "contracts": ("contract", "class"),
    "makers": ("maker", "class"),
    "accounts": ("account", "maker"),
}
NAMES = {"contracts": ("contract",), "makers": ("maker", "class"), "accounts": ("account",)}
_HASH = 2654435769


@dataclass(frozen=True, slots=True)
class IdTable:
    """Numeric id to index by open addressing: at most half full, index -1 marks a free cell."""

    keys: NDArray[np.uint32]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, numbers: Mapping[int, int]) -> IdTable:
        """Table of `numbers` (id -> index >= 0); as many cells as a power of two needs."""
        size = 1 << max(1, (2 * len(numbers)).bit_length())
        keys, values = np.zeros(size, np.uint32), np.full(size, -1, np.int32)
        for number, index in numbers.items():
            at = ((number * _HASH & MAX_NUMBER) >> 7) & (size - 1)
            while values[at] >= 0:
                at = (at + 1) & (size - 1)
            keys[at], values[at] = number, index
        return cls(keys, values)


@dataclass(frozen=True, slots=True)
class Directory:
    """What codecs look up; `ticks` (10^-8) is indexed by contract."""

    makers: IdTable
    contracts: IdTable
    ticks: NDArray[np.int64]

    @classmethod
    def of(cls, reference: Reference) -> Directory:
        """Tables of `reference` as it is now."""
        return cls(
            IdTable.of(reference.maker_numbers),
            IdTable.of(reference.contract_numbers),
            ticks_of(reference),
        )


class DirectoryCache:
    """The directory of the reference last asked for, rebuilt when its version grows."""

    def __init__(self) -> None:
        self._reference: Reference | None = None
        self._version = -1
        self._directory = Directory.of(Reference())

    def of(self, reference: Reference) -> Directory:
        """Directory of `reference` as it is now."""
        if reference is not self._reference or reference.version != self._version:
            self._directory = Directory.of(reference)
            self._reference, self._version = reference, reference.version
        return self._directory


def check_reference(table: str, action: str, row: Mapping[str, str]) -> None:
    """Raise DecodeError `bad_reference`, naming the column, for a row that could not take effect.

    `table` is contracts, makers or accounts; `action` is add or remove.
    """
    for column in NAMES[table] if action == "remove" else REQUIRED[table]:
        _check_name(row, column)
    if action == "remove" or table == "accounts":
        return
    if table == "contracts":
        _check_tick(row.get("tick", ""))
    try:
        contract_of(row) if table == "contracts" else appointment_of(row)
    except BadRow as error:
        raise DecodeError(BadReason.BAD_REFERENCE, f"column {error}") from None
    if row.get("kind", "") not in CONTRACT_KINDS:
        raise _bad("kind", "call, put, future, stock, etf or nothing", row["kind"])


def _check_name(row: Mapping[str, str], column: str) -> None:
    """`*` is the name of all: only an appointment may be to all classes."""
    name = row.get(column, "")
    if not name or (name == ALL and not (column == "class" and "maker" in row)):
        raise _bad(column, "a name", name)


def _check_tick(text: str) -> None:
    """Plain notation, as of every price."""
    try:
        tick = parse_price(text)
    except DecodeError:
        tick = 0
    if tick <= 0:
        raise _bad("tick", "a positive decimal of at most 8 decimals", text)


def _bad(column: str, requirement: str, value: str) -> DecodeError:
    detail = f"column {column}: {requirement}, got {shown(value)}"
    return DecodeError(BadReason.BAD_REFERENCE, detail)
