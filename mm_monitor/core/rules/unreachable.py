"""`presence_unreachable`: not even perfect quoting until the close can meet the requirement any more (PRES-04).

Between control records lost time only grows and the time that counts only shrinks, so once it is true it stays true:
the first nanosecond at which it holds can be found by halving.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import Verdict
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.rules.judging import Failing, Judging, Means, Part, maker_verdict
from mm_monitor.core.rules.presence import mean_of, meets, pair_count
from mm_monitor.core.totals import Totals
from mm_monitor.core.view import Ints

Groups = list[NDArray[np.int64]]  # slots of each maker
_BY_CLASS = ("contracts", "products")


@dataclass(frozen=True, slots=True)
class Held:
    """Where n slots belong: slots of each maker, and of each slot the class and the call/put pair, -1 = none."""

    makers: Groups
    classes: NDArray[np.int32]
    pairs: NDArray[np.int64]


def unreachable(totals: Totals, held: Held, rulebook: Rulebook) -> frozenset[int]:
    """Makers (positions in `held.makers`) that can no longer meet the requirement of the day."""
    if rulebook.required is None or rulebook.judged_by == "stretches":
        return frozenset()  # a calendar does not say how long a stretch will be
    best = totals.quoted + totals.unknown + totals.remaining
    whole = totals.required + totals.remaining
    can = meets(best, whole, rulebook.required) & (best >= rulebook.required_time)
    judging = Judging.of(rulebook)
    return frozenset(
        k
        for k, slots in enumerate(held.makers)
        if _lost(judging, best, whole, can, slots[whole[slots] > 0], held)
    )


def _lost(
    judging: Judging, best: Ints, whole: Ints, can: NDArray[np.bool_], slots: Ints, held: Held
) -> bool:
    """Is the best that a maker can still reach on `slots`, of which some time is owed, too little?"""
    if judging.judged_by == "mean_of_ratios":
        mean = mean_of(best[slots], whole[slots], exact=True)
        return mean is not None and mean < (judging.required or 0)
    if judging.judged_by not in _BY_CLASS:
        parts = [slots]
    else:
        classes = held.classes[slots]
        parts = [slots[classes == k] for k in np.unique(classes)]
    reachable = [
        Part(int(best[part].sum()), 0, int(whole[part].sum()), len(part), int(can[part].sum()), 0)
        for part in parts
    ]
    failing = pair_count(held.pairs[slots[~can[slots]]]) if judging.all_but_pairs else None
    verdict = maker_verdict(judging, reachable, Means(None, None), Failing(failing, failing))
    return verdict is Verdict.BREACHED


def safe_for(totals: Totals, held: Held, rulebook: Rulebook, already: frozenset[int]) -> int:
    """ns during which no further maker can become unreachable, whatever it does; a lower bound, maybe 0.

    A nanosecond costs a maker at most one per slot: lost if it is obliged, gone from the rest of the day if it is not.
    """
    if rulebook.required is None or rulebook.judged_by == "stretches":
        return 2**62
    if rulebook.judged_by not in ("ratio_of_sums", "days"):
        return 0
    required, safe = fraction(rulebook.required), 2**62
    best = totals.quoted + totals.unknown + totals.remaining
    whole = totals.required + totals.remaining
    for k, slots in enumerate(held.makers):
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
