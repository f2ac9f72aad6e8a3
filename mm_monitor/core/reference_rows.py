"""A reference record of the tape, applied to the directory of names: a listing, an adjustment, an appointment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation

from mm_monitor.core.model import MAX_PRICE, PRICE_SCALE, ReferenceRecord
from mm_monitor.core.reference import Appointment, Contract, Reference

_PLAIN = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,19})?")


class BadRow(ValueError):
    """A reference row that cannot be used; the text names the column, what it must be, and what it was."""


def contract_of(row: Mapping[str, str]) -> Contract:
    """A row of `contracts` with all its columns as text. BadRow names the column that is wrong."""
    return Contract(
        name=_text(row, "contract"),
        klass=_text(row, "class"),
        tick=_tick(_text(row, "tick")),
        kind=row.get("kind") or "",
        strike=_strike(row.get("strike") or ""),
        expiry=_expiry(row.get("expiry") or ""),
        multiplier=_multiplier(row),
        number=_number(row),
        flags=" ".join(sorted(set((row.get("flags") or "").split()))),
    )


def appointment_of(row: Mapping[str, str]) -> Appointment:
    """A row of `makers`."""
    return Appointment(
        _text(row, "maker"), _text(row, "class"), row.get("rulebook") or "", _number(row)
    )


def apply_reference(reference: Reference, record: ReferenceRecord) -> None:
    """Take the row in, or out. BadRow if it cannot be."""
    if record.table == "contracts" and record.action == "add":
        contract = contract_of(record.row)
        _same_class(reference, contract)
        _list(reference, contract, record.ts)
    elif record.table == "contracts" and record.action == "remove":
        name = _text(record.row, "contract")
        if name not in reference.contract_index:
            raise BadRow(f"contract: one that is listed, got {name!r}")
        reference.remove_contract(name)
    elif record.table == "makers" and record.action == "add":
        appointment = appointment_of(record.row)
        if reference.accounts.get(appointment.maker, appointment.maker) != appointment.maker:
            raise BadRow(f"maker: no account of another maker, got {appointment.maker!r}")
        reference.appoint(appointment)
    elif record.table == "makers" and record.action == "remove":
        row = record.row
        named = _text(row, "maker"), _text(row, "class"), row.get("rulebook") or ""
        if not reference.is_appointed(*named):
            raise BadRow(f"maker and class: an appointment, got {named[0]!r} and {named[1]!r}")
        reference.dismiss(*named)
    else:
        raise BadRow(
            f"table and action: contracts or makers, add or remove, got {record.table!r} {record.action!r}"
        )


def _list(reference: Reference, contract: Contract, ts: int) -> None:
    """A listing, or of a contract that is listed an adjustment of its terms, which it is known by ever after."""
    index = reference.contract_index.get(contract.name)
    if index is None or not reference.live[index]:
        reference.listed[reference.add_contract(contract)] = ts
        return
    before = reference.contracts[index]
    flags = {*before.flags.split(), *contract.flags.split()}
    if replace(before, flags="", number=None) != replace(contract, flags="", number=None):
        flags.add("adjusted")
    reference.add_contract(replace(contract, flags=" ".join(sorted(flags))))


def announce(reference: Reference, record: ReferenceRecord) -> None:
    """Give the names of a record that is still ahead on the tape their indices, so that rows can carry them.

    Until the record itself is applied, the contract is not live and the maker not appointed.
    """
    if record.action != "add":
        return
    if record.table == "contracts":
        contract = contract_of(record.row)
        known = reference.contract_index.get(contract.name)
        if known is None:
            reference.live[reference.add_contract(contract)] = False
        elif reference.contracts[known].klass != contract.klass:
            return  # refused at its own instant
        elif reference.tick_at(known, record.ts) != contract.tick:
            reference.foresee_tick(known, record.ts, contract.tick)
    elif record.table == "makers":
        appointment = appointment_of(record.row)
        index = reference.maker(appointment.maker)
        if appointment.number is not None:
            reference.maker_numbers[appointment.number] = index


def _same_class(reference: Reference, contract: Contract) -> None:
    """The class is the underlying and the key of every record: an adjustment cannot move a contract."""
    index = reference.contract_index.get(contract.name)
    if index is not None and reference.contracts[index].klass != contract.klass:
        was = reference.contracts[index].klass
        raise BadRow(
            f"class: {was!r}, which a contract keeps as long as it lives, got {contract.klass!r}"
        )


def _text(row: Mapping[str, str], column: str) -> str:
    value = row.get(column) or ""
    if not value:
        raise BadRow(f"{column}: a name or value, got nothing")
    return value


def _tick(text: str) -> int:
    try:
        units = Decimal(text) * PRICE_SCALE
    except InvalidOperation:
        raise BadRow(f"tick: a positive decimal, got {text!r}") from None
    if not units.is_finite() or units != units.to_integral_value() or not 0 < units <= MAX_PRICE:
        raise BadRow(f"tick: a positive decimal of at most eight places, got {text!r}")
    return int(units)


def _strike(text: str) -> str:
    try:
        units = Decimal(text or 0) * PRICE_SCALE
    except InvalidOperation:
        raise BadRow(f"strike: a decimal or nothing, got {text!r}") from None
    if not units.is_finite() or units != units.to_integral_value() or abs(units) > MAX_PRICE:
        raise BadRow(f"strike: a decimal of at most eight places or nothing, got {text!r}")
    return text


def _expiry(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise BadRow(f"expiry: a date such as 2025-09-24 or nothing, got {text!r}") from None


def _multiplier(row: Mapping[str, str]) -> str:
    """What a price is worth in the currency; nothing is 1."""
    text = row.get("multiplier") or ""
    if text and not (_PLAIN.fullmatch(text) and Decimal(text) > 0):
        raise BadRow(f"multiplier: a positive decimal or nothing, got {text!r}")
    return text


def _number(row: Mapping[str, str]) -> int | None:
    text = row.get("id") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**32:
        raise BadRow(f"id: an integer from 0 to 2^32-1, got {text!r}")
    return int(text)
