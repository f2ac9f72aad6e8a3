"""Plain json records to rows by the kernel, which makes no Python object of any of them.

It reads only what is right and written plainly; whatever else there is, it names by index, and the codec reads that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.directory import Names, NamesCache
from mm_monitor.codecs.values import Values
from mm_monitor.codecs.verdicts import check_adjusted
from mm_monitor.core.batch import ROW, Rows
from mm_monitor.core.reference import Reference
from mm_monitor.kernels import scan_json_quotes, scan_json_theos
from mm_monitor.kernels.reference_scan_json import LEAST_QUOTE, LEAST_THEO


class JsonScanner:
    """Keeps the tables of names between calls."""

    def __init__(self) -> None:
        self._names = NamesCache()

    def scan(
        self, feed: str, part: int, values: Values, reference: Reference
    ) -> tuple[Rows, NDArray[np.intp]]:
        """Rows of all plain records, in order, and the indices of the others."""
        names = self._names.of(reference)
        counts = np.empty(len(values), np.int32)
        if feed == "theo":
            rows = _theos(part, values, names, counts)
            return rows, np.flatnonzero(counts < 0)
        rows = _quotes(part, values, names, counts)
        codes = np.zeros(len(rows), np.uint8)
        if reference.adjusted and check_adjusted(rows, codes, reference):
            return without(rows, codes, counts)
        return rows, np.flatnonzero(counts < 0)


def in_order(one: Rows, other: Rows) -> Rows:
    """Rows of different records of one partition together, as their offsets go."""
    rows: Rows = np.concatenate([one, other])
    return rows[np.argsort(rows["offset"], kind="stable")]


def _quotes(part: int, values: Values, names: Names, counts: NDArray[np.int32]) -> Rows:
    rows = _room(values, LEAST_QUOTE)
    spans = (values.data, values.starts, values.lengths, values.offsets)
    makers, contracts = names.makers, names.contracts
    tables = (makers.cells, makers.pool, contracts.cells, contracts.pool)
    return rows[: scan_json_quotes(*spans, part, *tables, names.ticks, rows, counts)]


def _theos(part: int, values: Values, names: Names, counts: NDArray[np.int32]) -> Rows:
    rows = _room(values, LEAST_THEO)
    spans = (values.data, values.starts, values.lengths, values.offsets)
    table = (names.contracts.cells, names.contracts.pool)
    return rows[: scan_json_theos(*spans, part, *table, rows, counts)]


def _room(values: Values, least: int) -> Rows:
    """Rows for as many elements as these bytes can hold."""
    return np.empty(int((np.maximum(values.lengths, 0) // least).sum()), ROW)


def without(
    rows: Rows, codes: NDArray[np.uint8], counts: NDArray[np.int32]
) -> tuple[Rows, NDArray[np.intp]]:
    """Records with a row that turned out bad are not plain either."""
    owners = np.repeat(np.arange(len(counts)), np.maximum(counts, 0))
    counts[owners[codes != 0]] = -1
    return rows[counts[owners] >= 0], np.flatnonzero(counts < 0)
