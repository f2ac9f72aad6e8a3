"""Comparisons of sums in plain Python, and what every kernel call checks first: parts of `cext/engine.pyx`."""

from __future__ import annotations

from mm_monitor.kernels.reference_state import Bytes, Indices, Ints


def compare(have: Ints, whole: Ints, num: int, den: int, out: Bytes) -> None:
    """NUM-03: out[i] = 1 where have[i] >= whole[i] * num / den, exactly."""
    if not len(have) == len(whole) == len(out):
        raise ValueError("have, whole, out: equal lengths")
    for i, (part, of) in enumerate(zip(have.tolist(), whole.tolist(), strict=True)):
        out[i] = part * den >= of * num


def slacks(have: Ints, whole: Ints, num: int, den: int, out: Ints) -> None:
    """PRES-04: out[i] = floor(have[i] - whole[i] * num / den), exactly; den > 0."""
    if not len(have) == len(whole) == len(out):
        raise ValueError("have, whole, out: equal lengths")
    for i, (part, of) in enumerate(zip(have.tolist(), whole.tolist(), strict=True)):
        out[i] = (part * den - of * num) // den


def check_indices(which: Indices, limit: int, what: str) -> None:
    """ValueError unless all of them are below `limit`."""
    for index in which.tolist():
        if not 0 <= index < limit:
            raise ValueError(f"{what} {index} of {limit}")


def check_switch(values: Bytes, name: str) -> None:
    """ValueError unless all of them are 0 or 1."""
    if len(values) and values.max() > 1:
        raise ValueError(f"{name}: 0 or 1, got {values.max()}")


def check_start(start: int, n: int) -> None:
    """ValueError for a place to start that is not there."""
    if not 0 <= start <= n:
        raise ValueError(f"start: 0 to {n}, got {start}")
