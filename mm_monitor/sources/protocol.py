"""What a source is: it yields decoded chunks and knows which of its partitions are alive.

The pump treats live and replay alike; everything that differs is behind this protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mm_monitor.core.batch import Decoded


@dataclass(frozen=True, slots=True)
class Delivery:
    """One decoded chunk of one partition, with what the metrics want to know of it."""

    part: int
    decoded: Decoded
    records: int  # records in the chunk, good or bad
    duplicates: int = 0  # records skipped because their offset was seen before
    ts_recv: int = 0  # ns, our clock, newest record; 0 = unknown
    survey: tuple[int, int, int] | None = None  # kernels.survey of the rows, where it has been made


@dataclass(frozen=True, slots=True)
class Refused:
    """Records that a source knows of and does not deliver, because they had been refused when they came."""

    late: int = 0
    dead: int = 0


class Source(Protocol):
    """A live or finite stream of deliveries."""

    @property
    def parts(self) -> Sequence[int]:
        """Numbers of all partitions that this source may deliver; the watermark waits for each of them."""
        ...

    @property
    def live_parts(self) -> Sequence[int]:
        """Those of `parts` that hold the watermark back now: not idle, not read to their end."""
        ...

    @property
    def idle_watermark(self) -> int | None:
        """Event time before which nothing more will come, when no part is live; None while that is not known."""
        ...

    async def start(self) -> None:
        """Connect, assign and seek; raise MonitorError with the real cause when it can't."""
        ...

    async def poll(self) -> Sequence[Delivery]:
        """Next deliveries, waiting a short while for them; an empty list when nothing came."""
        ...

    @property
    def finished(self) -> bool:
        """True when no more will ever come (a capture read to its end; never for Kafka)."""
        ...

    @property
    def caught_up(self) -> bool:
        """True when the backlog that stood at the start has been read."""
        ...

    def pause(self, parts: Sequence[int]) -> None:
        """Stop fetching partitions that are far ahead (TAPE-05)."""
        ...

    def resume(self, parts: Sequence[int]) -> None:
        """Fetch them again."""
        ...

    async def stop(self) -> None:
        """Release everything; idempotent."""
        ...


class FiniteSource(Source, Protocol):
    """A source that has an end, and knows what it is about before it is read."""

    refused: Refused
    judged_until: (
        int | None
    )  # event time before which all is there, where that may be before the period's end

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """File or topic, and partition, of each part, for evidence."""
        ...

    @property
    def star_phases(self) -> tuple[int, int] | None:
        """First and last time of a phase of scope `*`; None if no record speaks for the market."""
        ...

    @property
    def progress(self) -> tuple[int, int]:
        """How much has been read, and of how much."""
        ...

    @property
    def ignored_files(self) -> list[str]:
        """Tables that are there and are not read."""
        ...

    def quote_dates(self, date_of: Callable[[int], str]) -> set[str]:
        """Dates that are to be judged, by a `date_of` that never steps back as time goes on."""
        ...
