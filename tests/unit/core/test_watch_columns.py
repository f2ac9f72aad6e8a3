"""Looking back along the tape: the same as walking it, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.watch.columns import Ints, Mask, grown, latest, previous

ELEMENTS = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(-9, 9)), max_size=30)
CUTS = st.lists(st.integers(0, 30), max_size=4)
EMPTY = -99


def columns(elements: list[tuple[int, bool, int]]) -> tuple[Ints, Mask, Ints]:
    groups = np.array([g for g, _, _ in elements], dtype=np.int64)
    marks = np.array([m for _, m, _ in elements], dtype=np.bool_)
    return groups, marks, np.array([v for _, _, v in elements], dtype=np.int64)


@given(ELEMENTS, CUTS)
def test_previous_and_latest_are_what_a_walk_finds(
    elements: list[tuple[int, bool, int]], cuts: list[int]
) -> None:
    last, marked = dict.fromkeys(range(4), EMPTY), dict.fromkeys(range(4), EMPTY)
    want = []
    for group, mark, value in elements:
        marked[group] = value if mark else marked[group]
        want.append((last[group], marked[group]))
        last[group] = value
    groups, marks, values = columns(elements)
    carries = np.full((2, 4), EMPTY, dtype=np.int64)
    got: list[tuple[int, int]] = []
    edges = sorted({0, len(elements), *(cut for cut in cuts if cut < len(elements))})
    for a, b in pairwise(edges):
        before = previous(groups[a:b], values[a:b], carries[0])
        found = latest(groups[a:b], marks[a:b], values[a:b], carries[1])
        got += zip(before.tolist(), found.tolist(), strict=True)
    assert got == want
    assert carries[0].tolist() == list(last.values())
    assert carries[1].tolist() == list(marked.values())


def test_an_array_grows_and_keeps_what_it_has() -> None:
    array = np.arange(4, dtype=np.int64).reshape(2, 2)
    larger = grown(array, (3, 1), -1)
    assert larger.tolist() == [[0, 1], [2, 3], [-1, -1]]
    assert grown(array, (2, 2)) is array
