"""What the Kafka source knows of a partition: repeats, gaps, idleness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.sources.kafka_parts import FIRST_PART, NEVER, Part


def part(feed: str = "quotes", expected: int = NEVER) -> Part:
    return Part(feed, "topic", 2, since=1_000, expected=expected)


def cut(p: Part, offsets: list[int]) -> tuple[list[list[int]], int]:
    segments, repeats = p.segments(np.array(offsets, np.int64))
    return [offsets[s] for s in segments], repeats


def test_numbers_are_the_same_in_every_run() -> None:
    assert part().number == 16_386
    assert part("control").number == 3
    last = [*sorted(FIRST_PART.values())[1:], 32_768]
    assert all(first < end for first, end in zip(sorted(FIRST_PART.values()), last, strict=True))


@pytest.mark.parametrize(
    ("expected", "offsets", "segments", "repeats"),
    [
        (NEVER, [5, 6], [[5, 6]], 0),
        (5, [5, 6], [[5, 6]], 0),
        (5, [6, 7], [[], [6, 7]], 0),
        (5, [3, 4, 5], [[5]], 2),
        (5, [3, 4], [[]], 2),
        (5, [5, 7, 8, 10], [[5], [7, 8], [10]], 0),
        (5, [4, 7], [[], [7]], 1),
        (NEVER, [5, 7], [[5], [7]], 0),
    ],
)
def test_repeats_are_left_out_and_gaps_cut(
    expected: int, offsets: list[int], segments: list[list[int]], repeats: int
) -> None:
    p = part(expected=expected)
    assert cut(p, offsets) == (segments, repeats)
    assert p.expected == max(expected, offsets[-1] + 1)


@pytest.mark.parametrize("feed", ["control", "reference"])
def test_a_compacted_log_has_no_gaps(feed: str) -> None:
    assert cut(part(feed, expected=2), [4, 9]) == ([[4, 9]], 0)
    assert cut(part(feed, expected=5), [4, 9]) == ([[9]], 1)


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, unique=True).map(sorted), max_size=6),
       st.integers(NEVER, 10))  # fmt: skip
def test_every_offset_counts_once_and_in_order(fetches: list[list[int]], expected: int) -> None:
    p = part(expected=expected)
    seen: list[int] = []
    for offsets in fetches:
        segments, repeats = cut(p, offsets)
        taken = [o for s in segments for o in s]
        assert len(taken) + repeats == len(offsets)
        for i, segment in enumerate(segments):
            before = seen[-1] if seen else expected - 1
            if segment and (seen or expected != NEVER):
                assert (segment[0] == before + 1) == (i == 0)
            seen += segment
    assert seen == sorted(set(seen))


def test_idle_is_read_to_the_end_by_a_fresh_answer_and_quiet() -> None:
    p = part()
    assert not p.idle(500, 0)  # the broker has not spoken yet
    p.position, p.end, p.answered = 7, 8, 2_000
    assert not p.idle(500, 0)  # one record is waiting
    p.position = 8
    assert p.idle(500, 2_000)
    assert not p.idle(500, 2_001)  # the answer is too old to vouch for anything
    p.heard = 1_501
    assert not p.idle(500, 0)
    assert p.idle(499, 0)


def test_control_is_idle_as_soon_as_it_is_read() -> None:
    p = part("control")
    p.position, p.end, p.answered, p.heard = 8, 8, 2_000, 2_000
    assert p.idle(500, 0)


def test_marks_of_transactions_are_no_gap_where_nothing_is_compacted() -> None:
    p = part(expected=2)
    p.keeps_all = True
    assert cut(p, [2, 4, 9]) == ([[2, 4, 9]], 0)
    assert cut(p, [9, 11]) == ([[11]], 1)
