"""What a theo is computed from: the tables `underlying` and `vol` of a capture.

Unlike on the tape, a defect in one of their lines ends the reading with file, line, column and value: a theo from half
of the inputs would be another theo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mm_monitor.codecs.fields import MOST_VOL, parse_price, parse_time, parse_vol
from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.core.reference import Reference
from mm_monitor.errors import DecodeError, InputError
from mm_monitor.sources.files import Table, find_table


@dataclass(frozen=True, slots=True)
class SpotRow:
    """A line of `underlying`: price in 10^-8, None where it is not known."""

    ts: int
    line: int
    klass: str
    price: int | None


@dataclass(frozen=True, slots=True)
class VolRow:
    """A line of `vol`: of `contract` (index), or where that is -1 of a class and expiry; None: not known."""

    ts: int
    line: int
    contract: int
    klass: str
    expiry: str
    vol: float | None


def spot_rows(directory: Path, reference: Reference) -> Iterator[SpotRow]:
    """Lines of `underlying`, as they stand in the file; none without the file. InputError for a defect."""
    for row, line, place in _lines(find_table(directory, "underlying")):
        klass = row["class"]
        if klass not in reference.class_index:
            raise place.wrong("class", "a class of the contracts", klass)
        yield SpotRow(place.time(row), line, klass, place.price(row))


def vol_rows(directory: Path, reference: Reference) -> Iterator[VolRow]:
    """Lines of `vol`, as they stand in the file; none without the file. InputError for a defect."""
    for row, line, place in _lines(find_table(directory, "vol")):
        name, klass, expiry = (row.get(column, "") for column in ("contract", "class", "expiry"))
        if bool(name) == bool(klass and expiry):
            raise place.wrong("contract", "either a contract, or a class and an expiry", name)
        contract = reference.contract_index.get(name, -1)
        if name and contract < 0:
            raise place.wrong("contract", "a contract that is listed", name)
        if not name and klass not in reference.class_index:
            raise place.wrong("class", "a class of the contracts", klass)
        yield VolRow(place.time(row), line, contract, klass, expiry, place.vol(row))


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a file, for its errors."""

    file: str
    line: int

    def wrong(self, column: str, requirement: str, value: str) -> InputError:
        return InputError(requirement, file=self.file, line=self.line, column=column, value=value)

    def time(self, row: dict[str, str]) -> int:
        try:
            return parse_time(row["ts_event"])
        except DecodeError:
            raise self.wrong(
                "ts_event", "an integer of ns from 0 to 2^63-1", row["ts_event"]
            ) from None

    def price(self, row: dict[str, str]) -> int | None:
        text = row["price"]
        try:
            return parse_price(text) if text else None
        except DecodeError:
            raise self.wrong("price", "a decimal of at most 8 decimals, or nothing", text) from None

    def vol(self, row: dict[str, str]) -> float | None:
        text = row["vol"]
        try:
            return parse_vol(text) / PRICE_SCALE if text else None
        except DecodeError:
            wanted = f"a decimal above 0 and up to {MOST_VOL} (0.25 is 25 %), at most 8 decimals, or nothing"
            raise self.wrong("vol", wanted, text) from None


def _lines(table: Table | None) -> Iterator[tuple[dict[str, str], int, _Place]]:
    if table is None:
        return
    for chunk in table.chunks():
        if chunk.odd:
            raise InputError(chunk.odd[0].detail, file=str(table.path), line=chunk.odd[0].number)
        for index, line in enumerate(chunk.numbers.tolist()):
            yield chunk.fields(index), line, _Place(str(table.path), line)
