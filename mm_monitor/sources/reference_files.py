"""The directory of names from files: contracts, makers and, where there is one, accounts.

Any defect here is fatal, unlike in the tape's own files: with a wrong directory every verdict is
wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from mm_monitor.codecs.directory import check_reference
from mm_monitor.core.reference import Reference
from mm_monitor.core.reference_rows import appointment_of, contract_of
from mm_monitor.errors import DecodeError, InputError
from mm_monitor.sources.files import Table, find_table, need_table

Numbered = tuple[int, dict[str, str]]  # line, row


def load_reference(directory: Path, trading_date: str = "") -> Reference:
    """The directory of names in `directory`, or in its newest sub-folder not after `trading_date`.

    Sub-folders are named YYYY-MM-DD and count only where `directory` itself has no contracts.
    Raises InputError that names file, line, column and value.
    """
    directory = _of_date(directory, trading_date)
    contracts, makers = need_table(directory, "contracts"), need_table(directory, "makers")
    reference = Reference()
    for line, row in _rows(contracts):
        _check_new(reference, row, contracts, line)
        reference.add_contract(contract_of(row))
    for line, row in _rows(makers):
        _check_number(reference, row, makers, line)
        reference.appoint(appointment_of(row))
    accounts = find_table(directory, "accounts")
    if accounts is not None:
        _load_accounts(reference, accounts)
    if not reference.contracts:
        raise InputError("no contracts", file=str(contracts.path))
    return reference


def _of_date(directory: Path, trading_date: str) -> Path:
    if not directory.is_dir():
        raise InputError("no such directory", file=str(directory))
    if find_table(directory, "contracts") is not None:
        return directory
    dated = sorted(p.name for p in directory.iterdir() if p.is_dir() and _is_date(p.name))
    usable = [name for name in dated if not trading_date or name <= trading_date]
    if dated and not usable:
        raise InputError(f"no folder of {trading_date} or before, the first is {dated[0]}",
                         file=str(directory))  # fmt: skip
    return directory / usable[-1] if usable else directory


def _is_date(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _rows(table: Table) -> Iterator[Numbered]:
    """Every row with its line; each could take effect."""
    for chunk in table.chunks():
        if chunk.odd:
            first = chunk.odd[0]
            raise InputError(first.detail, file=str(table.path), line=first.number)
        for index, line in enumerate(chunk.numbers.tolist()):
            row = chunk.fields(index)
            try:
                check_reference(table.name, "add", row)
            except DecodeError as error:
                raise InputError(error.detail, file=str(table.path), line=line) from None
            yield line, row


def _check_new(reference: Reference, row: dict[str, str], table: Table, line: int) -> None:
    name, number = row["contract"], row.get("id", "")
    if name in reference.contract_index:
        raise InputError("listed before", file=str(table.path), line=line, column="contract",
                         value=name)  # fmt: skip
    if number and int(number) in reference.contract_numbers:
        raise InputError("another contract has it", file=str(table.path), line=line, column="id",
                         value=number)  # fmt: skip


def _check_number(reference: Reference, row: dict[str, str], table: Table, line: int) -> None:
    number = row.get("id", "")
    owner = reference.maker_numbers.get(int(number)) if number else None
    if owner is not None and reference.makers[owner] != row["maker"]:
        raise InputError("another maker has it", file=str(table.path), line=line, column="id",
                         value=number)  # fmt: skip


def _load_accounts(reference: Reference, table: Table) -> None:
    for line, row in _rows(table):
        account, maker = row["account"], row["maker"]
        if reference.accounts.get(account, maker) != maker:
            raise InputError("another maker has it", file=str(table.path), line=line,
                             column="account", value=account)  # fmt: skip
        try:
            reference.open_account(account, maker)
        except ValueError as error:
            raise InputError(str(error).split(",")[0], file=str(table.path), line=line,
                             column="account", value=account) from None  # fmt: skip
