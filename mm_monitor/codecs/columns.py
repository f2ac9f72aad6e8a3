"""Columns of parsed values to checked quote and theo rows: where json and csv meet.

Values that could not be parsed come in as numbers that no check accepts: a time or size of -1,
a price of `fields.BAD`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import BAD, NULL
from mm_monitor.codecs.verdicts import check_adjusted, ticks_of
from mm_monitor.core.batch import THEO_DELTA, Rows, empty_rows
from mm_monitor.core.model import MAX_SIZE, Kind
from mm_monitor.core.reference import Reference, Via
from mm_monitor.kernels import check_quotes, check_theos
from mm_monitor.kernels.reference_decode import Code

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the rows come from: offset and element of each, and the number of their partition."""

    offsets: Ints
    subs: Ints
    part: int


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """One element per quote: prices in 10^-8 or NULL or BAD, sizes and times in int64 or -1."""

    ts: Ints
    makers: Sequence[str]
    contracts: Sequence[str]
    bid: Ints
    ask: Ints
    bid_size: Ints
    ask_size: Ints


@dataclass(frozen=True, slots=True)
class TheoColumns:
    """One element per theo: 10^-8 or NULL or BAD. A source without deltas has none."""

    ts: Ints
    contracts: Sequence[str]
    theo: Ints
    delta: Ints | None = None
    vias: Iterable[Via] | None = None  # source, model version, quality


def quote_rows(
    columns: QuoteColumns, places: Places, reference: Reference, codes: Codes
) -> tuple[Rows, int]:
    """Checked rows and the number of bad ones, whose `codes` are set; codes set before stay."""
    rows = _rows(columns.ts, columns.contracts, places, reference, Kind.QUOTE)
    rows["maker"] = maker_indices(columns.makers, reference)
    if reference.accounts:
        rows["account"] = account_numbers(columns.makers, reference)
    rows["a"], rows["b"] = columns.bid, columns.ask
    rows["a_size"], rows["b_size"] = sizes(columns.bid_size), sizes(columns.ask_size)
    bad = check_quotes(rows, ticks_of(reference), codes)
    return rows, bad + check_adjusted(rows, codes, reference)


def theo_rows(
    columns: TheoColumns, places: Places, reference: Reference, codes: Codes
) -> tuple[Rows, int]:
    """Checked rows and the number of bad ones, whose `codes` are set; codes set before stay."""
    rows = _rows(columns.ts, columns.contracts, places, reference, Kind.THEO)
    rows["maker"] = -1
    rows["a"] = columns.theo
    if columns.vias is not None:
        rows["a_size"] = np.fromiter(map(reference.via, columns.vias), np.int32, len(rows))
    bad = check_theos(rows, codes)
    if columns.delta is None:
        return rows, bad
    wrong, known = (columns.delta == BAD) & (codes == Code.OK), columns.delta != NULL
    codes[wrong] = Code.BAD_DELTA
    rows["b"] = np.where(known, columns.delta, 0)
    rows["flags"] |= np.where(known, THEO_DELTA, 0).astype(np.uint8)
    return rows, bad + int(wrong.sum())


def indices(names: Sequence[str], index: Mapping[str, int]) -> NDArray[np.int32]:
    """Index of every name, -1 for one that is not there."""
    return np.fromiter(map(index.get, names, repeat(-1)), np.int32, len(names))


def maker_indices(names: Sequence[str], reference: Reference) -> NDArray[np.int32]:
    """As `Reference.find_maker`, for a column of makers or their accounts."""
    accounts = reference.accounts
    return indices(list(map(accounts.get, names, names)) if accounts else names,
                   reference.maker_index)  # fmt: skip


def account_numbers(names: Sequence[str], reference: Reference) -> NDArray[np.uint16]:
    """The number of every name that is an account now, 0 for a maker's own name."""
    numbers = {
        account: reference.account_numbers[account]
        for account, maker in reference.accounts.items()
        if account != maker
    }
    return np.fromiter(map(numbers.get, names, repeat(0)), np.uint16, len(names))


def int64(values: Iterable[int], bad: int) -> Ints:
    """A column of Python integers; those beyond int64 become `bad`."""
    values = list(values)
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array([v if -(2**63) <= v < 2**63 else bad for v in values], np.int64)


def sizes(values: Ints) -> Ints:
    """Sizes as the row's int32 holds them: what is negative or too large becomes -1."""
    return np.where((values < 0) | (values > MAX_SIZE), -1, values)


def _rows(
    ts: Ints, contracts: Sequence[str], places: Places, reference: Reference, kind: Kind
) -> Rows:
    rows = empty_rows(len(ts))
    rows["ts"] = ts
    rows["contract"] = indices(contracts, reference.contract_index)
    rows["offset"], rows["sub"], rows["part"] = places.offsets, places.subs, places.part
    rows["kind"] = kind
    return rows
