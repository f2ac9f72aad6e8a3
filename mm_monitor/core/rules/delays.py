"""How long things took, as a histogram that two people fill alike: counts by fixed edges, sum and longest, in ns.

Edges go 1, 2, 5 from 1 us to 100 s; a delay is counted at the least edge that it does not exceed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

EDGES: tuple[int, ...] = (
    *(digit * 10**power for power in range(3, 11) for digit in (1, 2, 5)),
    10**11,
)  # ns


@dataclass(slots=True)
class Delays:
    """`buckets` has one count for each of `EDGES`, and a last one for what took longer."""

    count: int = 0
    total: int = 0
    longest: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))

    def add(self, delay: int) -> None:
        """Count one delay of so many ns."""
        self.count += 1
        self.total += delay
        self.longest = max(self.longest, delay)
        self.buckets[bisect_left(EDGES, delay)] += 1

    def copy(self) -> Delays:
        """An independent copy."""
        return Delays(self.count, self.total, self.longest, self.buckets.copy())
