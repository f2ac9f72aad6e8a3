"""Histograms of how long makers took, read no finer than the clock that measured them (NUM-01).

Counts are those of the kernels: a bucket for each bound, one beyond the last, then the sum of ns.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_monitor.core.rulebook import Ratio
from mm_monitor.kernels.reference_reply import BOUNDS

P50, P99 = Ratio(1, 2), Ratio(99, 100)
CAUSES = ("theo", "fill", "withdrawal")

Bucket = tuple[int | None, int]  # upper bound in ns, both ends in; None = beyond all


def buckets(counts: Sequence[int], resolution: int) -> list[Bucket]:
    """Counts by bound, of no bound below the clock's resolution: what is faster is in the first that is not."""
    found: list[Bucket] = []
    below = 0
    for bound, count in zip((*BOUNDS, None), counts[:-1], strict=True):
        if bound is not None and bound < resolution:
            below += count
            continue
        found.append((bound, count + below))
        below = 0
    return found


def percentile(counts: Sequence[int], share: Ratio, resolution: int) -> int | None:
    """The least bound within which that share lies; None if nothing was measured, or it lies beyond all bounds."""
    wanted, seen = sum(counts[:-1]) * share.num, 0
    for bound, count in buckets(counts, resolution):
        seen += count
        if seen and seen * share.den >= wanted:
            return bound
    return None
