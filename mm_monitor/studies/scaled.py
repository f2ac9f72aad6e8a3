"""A source whose every theo is multiplied by a factor: would the verdicts stand if theo were wrong by so much?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from mm_monitor.core.batch import THEO_MISSING, Rows
from mm_monitor.core.model import MAX_PRICE, Kind
from mm_monitor.sources.protocol import Delivery, Source


class ScaledTheo:
    """`source` with theo times `factor`, rounded half-even to 10^-8 and cut at the greatest price."""

    def __init__(self, source: Source, factor: Fraction) -> None:
        self._source, self._factor = source, factor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    async def poll(self) -> Sequence[Delivery]:
        """The next deliveries of the source."""
        return [self._scaled(delivery) for delivery in await self._source.poll()]

    def _scaled(self, delivery: Delivery) -> Delivery:
        rows = delivery.decoded.rows
        which = np.flatnonzero((rows["kind"] == Kind.THEO) & ((rows["flags"] & THEO_MISSING) == 0))
        if not len(which):
            return delivery
        return replace(delivery, decoded=replace(delivery.decoded, rows=self._times(rows, which)))

    def _times(self, rows: Rows, which: np.ndarray) -> Rows:
        values, places = np.unique(rows["a"][which], return_inverse=True)
        scaled = [min(round(int(value) * self._factor), MAX_PRICE) for value in values]
        rows = rows.copy()
        rows["a"][which] = np.array(scaled, dtype=np.int64)[places]
        return rows
