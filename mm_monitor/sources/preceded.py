"""Sources around a source: one that delivers something of another origin first, one that ends early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mm_monitor.core.batch import Decoded, Rows, is_control
from mm_monitor.core.model import Control
from mm_monitor.sources.protocol import Delivery, Source


class Preceded:
    """`source`, and before all that it has `first`. In all else it is that source."""

    def __init__(self, source: Source, first: Sequence[Delivery]) -> None:
        self._source, self._first = source, list(first)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def finished(self) -> bool:
        """Has everything been delivered?"""
        return not self._first and self._source.finished

    async def poll(self) -> Sequence[Delivery]:
        """What comes first, and then the next deliveries of the source."""
        first, self._first = self._first, []
        return first or await self._source.poll()


class Before:
    """Of `source` the records before `until` (ns of event time; None = all). In all else it is that source."""

    def __init__(self, source: Source, until: int | None) -> None:
        self._source, self._until = source, until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    async def poll(self) -> Sequence[Delivery]:
        """What the source has next, as far as it is early enough."""
        found = await self._source.poll()
        if self._until is None:
            return found
        return [_only(d, d.decoded.rows["ts"] < self._until) for d in found]


def _only(delivery: Delivery, keep: np.ndarray) -> Delivery:
    decoded = kept(delivery.decoded, keep)
    return replace(delivery, decoded=decoded, survey=None)


def kept(decoded: Decoded, keep: np.ndarray) -> Decoded:
    """Those rows, with the controls that they stand for; `keep` is a mask."""
    rows: Rows = decoded.rows[keep].copy()
    which = np.flatnonzero(is_control(rows))
    controls: list[Control] = [decoded.controls[key] for key in rows["a"][which].tolist()]
    rows["a"][which] = np.arange(len(which))
    return Decoded(rows, controls, decoded.dead)
