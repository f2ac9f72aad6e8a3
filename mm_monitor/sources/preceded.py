"""A source that delivers something of another origin before its own records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
