"""Work in pieces, and means of ratios that are summed whole groups at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.pieces import Pieces, ready, whole
from mm_monitor.core.rules.presence import FEW, Groups, mean_of, means

DAY = 86_400 * 10**9
shares = st.integers(0, 2 * DAY).flatmap(lambda w: st.tuples(st.integers(0, w), st.just(w)))


def test_pieces_make_one_thing() -> None:
    def counting() -> Pieces[int]:
        for _ in range(3):
            yield
        return 3

    assert whole(counting()) == 3
    assert whole(ready("made")) == "made"


@given(st.lists(st.lists(shares, max_size=3 * FEW), max_size=5), st.booleans())
def test_means_of_groups_are_the_means_of_each(
    drawn: list[list[tuple[int, int]]], exact: bool
) -> None:
    flat = np.array([pair for group in drawn for pair in group], dtype=np.int64).reshape(-1, 2)
    part, total = flat[:, 0].copy(), flat[:, 1].copy()
    ends = np.cumsum([len(group) for group in drawn])
    slots = [np.arange(end - len(g), end) for end, g in zip(ends.tolist(), drawn, strict=True)]
    found = whole(means(part, total, Groups(slots), exact=exact))
    assert found == [mean_of(part[s], total[s], exact=exact) for s in slots]


def test_a_ratio_is_cut_as_a_whole_number_would_be() -> None:
    """No float could: 2 ** 40 times a day's nanoseconds has 87 bits."""
    total = np.arange(DAY - 2 * FEW, DAY, dtype=np.int64)
    part = total - 1
    cut = sum((p << 40) // w for p, w in zip(part.tolist(), total.tolist(), strict=True))
    found = whole(means(part, total, Groups([np.arange(2 * FEW)]), exact=False))
    assert found == [Fraction(cut, 2 * FEW << 40)]
