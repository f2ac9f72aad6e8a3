"""The directory of names in the shapes that decoding wants: id tables, ticks, and its own changes.

A `Directory` is built from a `Reference` and stays true until the reference's version grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import parse_price, shown
from mm_monitor.core.model import BadReason, ReferenceRecord
from mm_monitor.core.reference import ALL, Appointment, Contract, Reference
from mm_monitor.errors import DecodeError

MAX_NUMBER = 2**32 - 1  # numeric ids are u32
CONTRACT_KINDS = ("", "call", "put", "future", "stock", "etf")
_HASH = 2654435769


class BadColumn(DecodeError):
    """A column of a reference row that cannot be used, for messages that add the place."""

    def __init__(self, column: str, requirement: str, value: str) -> None:
        detail = f"column {column} {requirement}, got {shown(value)}"
        super().__init__(BadReason.BAD_REFERENCE, detail)
        self.column, self.requirement, self.value = column, requirement, value


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
            np.array([contract.tick for contract in reference.contracts], np.int64),
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


def contract_of(row: Mapping[str, str]) -> Contract:
    """A row of the contracts table; raises DecodeError `bad_reference` naming column and value."""
    name, klass = _name(row, "contract"), _name(row, "class")
    kind = row.get("kind", "")
    if kind not in CONTRACT_KINDS:
        raise BadColumn("kind", "must be call, put, future, stock or etf", kind)
    return Contract(
        name=name,
        klass=klass,
        tick=_tick(row),
        kind=kind,
        strike=row.get("strike", ""),
        expiry=row.get("expiry", ""),
        multiplier=row.get("multiplier", ""),
        number=_number(row),
    )


def appointment_of(row: Mapping[str, str]) -> Appointment:
    """A row of the makers table; raises DecodeError `bad_reference` naming column and value."""
    return Appointment(
        maker=_name(row, "maker"),
        klass=_class_or_all(row),
        rulebook=row.get("rulebook", ""),
        number=_number(row),
    )


def account_of(row: Mapping[str, str]) -> tuple[str, str]:
    """A row of the accounts table: account, maker. Raises DecodeError `bad_reference`."""
    return _name(row, "account"), _name(row, "maker")


def check_reference(table: str, action: str, row: Mapping[str, str]) -> None:
    """Raise DecodeError `bad_reference` for a row that could not take effect."""
    if action == "add":
        {"contracts": contract_of, "makers": appointment_of, "accounts": account_of}[table](row)
    elif table == "makers":
        _name(row, "maker")
        _class_or_all(row)
    else:
        _name(row, "contract" if table == "contracts" else "account")


def apply_reference(reference: Reference, record: ReferenceRecord) -> None:
    """Let a listing, adjustment, delisting, appointment or dismissal take effect.

    The removal of what is not there does nothing. Raises DecodeError `bad_reference` for a bad row.
    """
    check_reference(record.table, record.action, record.row)
    row, adds = record.row, record.action == "add"
    if record.table == "contracts":
        if adds:
            reference.add_contract(contract_of(row))
        elif row["contract"] in reference.contract_index:
            reference.remove_contract(row["contract"])
    elif record.table == "makers":
        if adds:
            reference.appoint(appointment_of(row))
        else:
            reference.dismiss(row["maker"], row["class"], row.get("rulebook", ""))
    elif adds:
        reference.accounts.update([account_of(row)])
    else:
        reference.accounts.pop(row["account"], None)


def _name(row: Mapping[str, str], column: str) -> str:
    name = row.get(column, "")
    if not name or name == ALL:
        raise BadColumn(column, "must be a name", name)
    return name


def _class_or_all(row: Mapping[str, str]) -> str:
    return ALL if row.get("class") == ALL else _name(row, "class")


def _tick(row: Mapping[str, str]) -> int:
    text = row.get("tick", "")
    try:
        tick = parse_price(text)
    except DecodeError:
        tick = 0
    if tick <= 0:
        raise BadColumn("tick", "must be a positive decimal with at most 8 decimals", text)
    return tick


def _number(row: Mapping[str, str]) -> int | None:
    text = row.get("id", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_NUMBER):
        raise BadColumn("id", f"must be an integer from 0 to {MAX_NUMBER}", text)
    return int(text)
