"""How many rows the engine takes at once: as many as keep the event loop for no longer than it may be kept."""

from __future__ import annotations

import pytest

from mm_monitor.pump import LEAST_SLICE, LONG, MOST_SLICE, _fitting


@pytest.mark.parametrize(
    ("size", "rows", "took", "then"),
    [
        (8_000, 8_000, 4 * LONG, 2_000),  # cut to what would have been in time
        (8_000, 8_000, LONG, 8_000),
        (8_000, 8_000, LONG // 4, 16_000),
        (8_000, 3_000, LONG // 4, 8_000),  # says nothing of a whole slice
        (8_000, 8_000, 100 * LONG, LEAST_SLICE),
        (MOST_SLICE, MOST_SLICE, 1, MOST_SLICE),
    ],
)
def test_a_slice_is_as_long_as_the_loop_may_be_kept(
    size: int, rows: int, took: int, then: int
) -> None:
    assert _fitting(size, rows, took) == then
