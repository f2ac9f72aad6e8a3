"""Plain json records to rows by the kernel, which makes no Python object of any of them."""

from __future__ import annotations

import numpy as np

from mm_monitor.codecs.directory import Cache, Names
from mm_monitor.codecs.scanning import Scanned, plain, plain_quotes, room
from mm_monitor.codecs.values import Values
from mm_monitor.core.reference import Reference
from mm_monitor.kernels import scan_json_quotes, scan_json_theos
from mm_monitor.kernels.reference_scan_json import LEAST_QUOTE, LEAST_THEO


class JsonScanner:
    """Keeps the tables of names between calls."""

    def __init__(self) -> None:
        self._names = Cache(Names.of)

    def scan(self, feed: str, part: int, values: Values, reference: Reference) -> Scanned:
        """Rows of all plain records, in order, and the indices of the others."""
        names = self._names.of(reference)
        contracts = (names.contracts.cells, names.contracts.pool)
        spans = (values.data, values.starts, values.lengths, values.offsets, part)
        counts = np.empty(len(values), np.int32)
        if feed == "theo":
            rows = room(values, LEAST_THEO)
            return plain(rows[: scan_json_theos(*spans, *contracts, rows, counts)], counts)
        rows, makers = room(values, LEAST_QUOTE), (names.makers.cells, names.makers.pool)
        total = scan_json_quotes(*spans, *makers, *contracts, names.ticks, rows, counts)
        return plain_quotes(rows[:total], counts, reference)
