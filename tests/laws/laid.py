"""Windows laid out nanosecond by nanosecond: PRES-06 read aloud. Knows no kernels and divides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction


def laid(states: Sequence[str], width: int, required: Fraction) -> dict[str, int]:
    """Counts of windows over obliged nanoseconds, each `quoted`, `lapsed`, `exempt` or `unknown`."""
    windows = [states[at : at + width] for at in range(0, len(states), width)]
    kinds = [kind(window, width, required) for window in windows]
    counts = Counter(kinds)
    names = ("passed", "failed", "open", "empty", "cut")
    found = {name: counts[name] for name in names}
    return found | {"total": len(windows), "longest_failed_run": longest_run(kinds)}


def kind(window: Sequence[str], width: int, required: Fraction) -> str:
    """What one window is."""
    if len(window) < width:
        return "cut"
    n = Counter(window)
    whole = n["quoted"] + n["lapsed"] + n["unknown"]
    if not whole:
        return "empty"
    if n["quoted"] >= required * whole:
        return "passed"
    return "failed" if n["quoted"] + n["unknown"] < required * whole else "open"


def longest_run(kinds: Sequence[str]) -> int:
    """Most failed windows in a row, looking through empty ones."""
    longest = run = 0
    for one in kinds:
        run = run + 1 if one == "failed" else run if one in ("empty", "cut") else 0
        longest = max(longest, run)
    return longest
