"""`presence_unreachable`: not even perfect quoting until the close can meet the requirement any more (PRES-04).

Between control records lost time only grows and the time that counts only shrinks, so once it is true it stays true:
the first nanosecond at which it holds can be found by halving.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.presence import mean_of, meets
from mm_monitor.core.totals import Totals

Groups = list[NDArray[np.int64]]  # slots of each maker


def unreachable(totals: Totals, makers: Groups, rulebook: Rulebook) -> frozenset[int]:
    """Makers (positions in `makers`) that can no longer meet the requirement of the day."""
    if rulebook.required is None:
        return frozenset()
    best = totals.quoted + totals.unknown + totals.remaining
    whole = totals.required + totals.remaining
    if rulebook.judged_by == "coverage":
        return _by_coverage(best, whole, makers, rulebook)
    required = fraction(rulebook.required)
    found = set()
    for k, slots in enumerate(makers):
        if rulebook.judged_by == "mean_of_ratios":
            mean = mean_of(best[slots], whole[slots], exact=True)
            if mean is not None and mean < required:
                found.add(k)
        elif (
            int(best[slots].sum()) * required.denominator
            < int(whole[slots].sum()) * required.numerator
        ):
            found.add(k)
    return frozenset(found)


def _by_coverage(
    best: NDArray[np.int64], whole: NDArray[np.int64], makers: Groups, rulebook: Rulebook
) -> frozenset[int]:
    assert rulebook.required is not None
    wanted = fraction(rulebook.coverage_required) if rulebook.coverage_required else Fraction(1)
    can = meets(best, whole, rulebook.required) & (whole > 0)
    return frozenset(
        k
        for k, slots in enumerate(makers)
        if int(can[slots].sum()) < wanted * int((whole[slots] > 0).sum())
    )


def safe_for(totals: Totals, makers: Groups, rulebook: Rulebook, already: frozenset[int]) -> int:
    """ns during which no further maker can become unreachable, whatever it does; a lower bound, maybe 0.

    A nanosecond costs a maker at most one per slot: lost if it is obliged, gone from the rest of the day if it is not.
    """
    if rulebook.required is None:
        return 2**62
    if rulebook.judged_by != "ratio_of_sums":
        return 0
    required, safe = fraction(rulebook.required), 2**62
    best = totals.quoted + totals.unknown + totals.remaining
    whole = totals.required + totals.remaining
    for k, slots in enumerate(makers):
        if k in already or not len(slots):
            continue
        spare = int(best[slots].sum()) - required * int(whole[slots].sum())
        safe = min(safe, int(spare / len(slots)))
    return max(0, safe)


def first_instant(after: int, until: int, holds: Callable[[int], bool]) -> int:
    """First t in (after, until] at which `holds`; it must hold at `until` and, once true, stay true."""
    low, high = after, until
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
