"""PRES-09: presence in which time inside stress weighs more, and who is short of the presence owed inside it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import Verdict
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.times import Times


def inside(apart: NDArray[np.void], slots: NDArray[np.int64]) -> Times:
    """Sums of time inside stress over some slots."""
    rows = apart[slots]
    quoted, lapsed, unknown = (int(rows[name].sum()) for name in ("quoted", "lapsed", "unknown"))
    return Times(quoted, lapsed, 0, unknown)


def weighted(whole: Times, stressed: Times, weight: Fraction) -> Fraction | None:
    """Presence of `whole`, of which every ns inside stress counts `weight` times; None where nothing counts."""
    counted = whole.required + (weight - 1) * stressed.required
    return (whole.quoted + (weight - 1) * stressed.quoted) / counted if counted else None


def short(
    apart: NDArray[np.void], makers: Sequence[NDArray[np.int64]], rulebook: Rulebook
) -> list[tuple[int, Times]]:
    """Makers (positions in `makers`, the slots of each) below what is owed inside stress, with their sums."""
    if rulebook.stress_required is None:
        return []
    required = fraction(rulebook.stress_required)
    found = [(k, inside(apart, slots)) for k, slots in enumerate(makers)]
    return [(k, times) for k, times in found if times.verdict(required) is Verdict.BREACHED]
