"""What the formats that a kernel scans have in common: plain records become rows, the others are read one by one.

A scanner reads only what is right and written plainly; whatever else there is, it names by index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.codecs.verdicts import check_adjusted
from mm_monitor.core.batch import ROW, Decoded, Rows
from mm_monitor.core.model import RawRecord
from mm_monitor.core.reference import Reference

Scanned = tuple[Rows, NDArray[np.intp]]  # rows of the plain records, indices of the others


def room(values: Values, least: int) -> Rows:
    """Rows for as many elements as these bytes can hold, each of `least` bytes or more."""
    return np.empty(int((np.maximum(values.lengths, 0) // least).sum()), ROW)


def plain(rows: Rows, counts: NDArray[np.int32]) -> Scanned:
    """`counts` (records,) are the rows of each record, -1 of those that are not plain."""
    return rows, np.flatnonzero(counts < 0)


def plain_quotes(rows: Rows, counts: NDArray[np.int32], reference: Reference) -> Scanned:
    """As `plain`; a record with a price off the tick of its time is not plain either."""
    codes = np.zeros(len(rows), np.uint8)
    if reference.adjusted and check_adjusted(rows, codes, reference):
        owners = np.repeat(np.arange(len(counts)), np.maximum(counts, 0))
        counts[owners[codes != 0]] = -1
        rows = rows[counts[owners] >= 0]
    return plain(rows, counts)


def with_the_others(
    scanned: Scanned, chunk: Chunk, values: Values, decode: Callable[[Chunk], Decoded]
) -> Decoded:
    """The rows of all records as their offsets go; `decode` reads those that are not plain."""
    rows, odd = scanned
    if not len(odd):
        return Decoded(rows, dead=[])
    others: Iterable[RawRecord] = values.some(odd)
    rest = decode(Chunk(chunk.feed, chunk.part, list(others)))
    both: Rows = np.concatenate([rows, rest.rows])
    return Decoded(both[np.argsort(both["offset"], kind="stable")], dead=rest.dead)
