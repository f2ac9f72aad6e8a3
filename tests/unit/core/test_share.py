"""Keys fall on the partitions on which Kafka's clients put them."""

from __future__ import annotations

import aiokafka.partitioner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.share import Share, murmur2, partition_of


# As in the tests of Kafka's own client (UtilsTest.testMurmur2).
@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key: str, known: int) -> None:
    assert murmur2(key.encode()) == known % 2**32


@given(st.text(max_size=40), st.integers(1, 1000))
def test_a_class_falls_where_aiokafka_puts_it(klass: str, partitions: int) -> None:
    hashed = aiokafka.partitioner.murmur2(klass.encode()) & 0x7FFFFFFF
    assert partition_of(klass, partitions) == hashed % partitions


@given(st.text(max_size=20), st.integers(1, 64), st.integers(1, 8))
def test_every_class_has_one_owner(klass: str, partitions: int, workers: int) -> None:
    shares = [
        Share(partitions, frozenset(p for p in range(partitions) if p % workers == k))
        for k in range(workers)
    ]
    assert sum(share.has(klass) for share in shares) == 1
