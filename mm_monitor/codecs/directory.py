"""The directory of names in the shapes that decoding wants: id tables, ticks, and its own changes.

A `Directory` is built from a `Reference` and stays true until the reference's version grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import parse_price, shown
from mm_monitor.codecs.verdicts import ticks_of
from mm_monitor.core.model import BadReason
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.core.reference_rows import BadRow, appointment_of, contract_of
from mm_monitor.errors import DecodeError
from mm_monitor.kernels import fill_names
from mm_monitor.kernels.layout import NAME

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
T = TypeVar("T")


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
class NameTable:
    """Names to (index, number) by open addressing over their bytes: `cells` of NAME, at most half of them taken."""

    cells: NDArray[np.void]
    pool: bytes

    @classmethod
    def of(cls, names: Mapping[str, tuple[int, int]]) -> NameTable:
        """Table of `names`; those that no text can be (empty, half a surrogate pair) are left out."""
        usable = {name: pair for name, pair in names.items() if name and encodable(name)}
        texts = [name.encode() for name in usable]
        lengths = np.array([len(text) for text in texts], np.int64)
        pairs = np.array(list(usable.values()), np.int32).reshape(-1, 2)
        cells = np.zeros(1 << max(1, (2 * len(texts)).bit_length()), NAME)
        pool = b"".join(texts)
        starts = np.cumsum(lengths) - lengths
        fill_names(pool, starts, lengths, pairs[:, 0].copy(), pairs[:, 1].copy(), cells)
        return cls(cells, pool)


@dataclass(frozen=True, slots=True)
class Names:
    """What codecs of text look up: makers and their accounts with the account's number, contracts, and ticks."""

    makers: NameTable
    contracts: NameTable
    ticks: NDArray[np.int64]

    @classmethod
    def of(cls, reference: Reference) -> Names:
        """Tables of `reference` as it is now."""
        makers = {name: (index, 0) for name, index in reference.maker_index.items()}
        for name in reference.accounts:
            makers[name] = reference.find_maker(name), reference.account_number(name)
        contracts = {name: (index, 0) for name, index in reference.contract_index.items()}
        return cls(NameTable.of(makers), NameTable.of(contracts), ticks_of(reference))


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


class Cache(Generic[T]):
    """What is read off the reference last asked for, read again when that has changed."""

    def __init__(self, read: Callable[[Reference], T]) -> None:
        self._read, self._value = read, read(Reference())
        self._of: tuple[Reference, tuple[int, ...]] | None = None

    def of(self, reference: Reference) -> T:
        """What it says of `reference` as it is now."""
        state = (reference.version, reference.account_changes, len(reference.makers))
        if self._of is None or self._of[0] is not reference or self._of[1] != state:
            self._value, self._of = self._read(reference), (reference, state)
        return self._value


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


def encodable(name: str) -> bool:
    """Can `name` stand in a file or a message at all?"""
    return not any("\ud800" <= c <= "\udfff" for c in name)


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
