"""Looking back along the tape, group by group, a whole column at a time.

Elements are in tape order. `carry` holds for each group what the last call left, so that any cut of the tape gives the
same answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def previous(groups: Ints, values: Ints, carry: Ints) -> Ints:
    """For each element the value of the one before it in its group, or `carry[group]`, which is brought up to date."""
    if not len(groups):
        return values
    order, first, last = _sorted(groups)
    sorted_values, sorted_groups = values[order], groups[order]
    before = np.concatenate([sorted_values[:1], sorted_values[:-1]])
    before = np.where(first, carry[sorted_groups], before)
    carry[sorted_groups[last]] = sorted_values[last]
    return _back(order, before)


def latest(groups: Ints, marks: Mask, values: Ints, carry: Ints) -> Ints:
    """For each element the value of the latest mark of its group, itself included; else as in `previous`."""
    if not len(groups):
        return values
    order, first, last = _sorted(groups)
    sorted_groups, marked = groups[order], marks[order]
    known = np.where(marked, values[order], carry[sorted_groups])
    place = np.maximum.accumulate(np.where(marked | first, np.arange(len(order)), 0))
    found = known[place]
    carry[sorted_groups[last]] = found[last]
    return _back(order, found)


def grown(array: Ints, shape: tuple[int, ...], empty: int = 0) -> Ints:
    """The array, with more places of value `empty` where `shape` asks for them."""
    if all(have >= want for have, want in zip(array.shape, shape, strict=True)):
        return array
    larger = np.full(np.maximum(array.shape, shape), empty, dtype=np.int64)
    larger[tuple(slice(n) for n in array.shape)] = array
    return larger


def _sorted(groups: Ints) -> tuple[NDArray[np.intp], Mask, Mask]:
    """The order by group, and where groups begin and end in it."""
    order = np.argsort(groups, kind="stable")
    edges = np.diff(groups[order]) != 0
    return order, np.concatenate([[True], edges]), np.concatenate([edges, [True]])


def _back(order: NDArray[np.intp], values: Ints) -> Ints:
    found = np.empty_like(values)
    found[order] = values
    return found
