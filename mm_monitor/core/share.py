"""The share of one of several workers: the classes that it alone judges.

A class belongs to the worker that reads the partition on which the class's key falls, whether a record of it ever came
or not: who quotes nothing at all is judged by somebody, and by nobody twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_M, _SEED, _WORD = 0x5BD1E995, 0x9747B28C, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Share:
    """Some partitions of topics that have `of` of them each, keyed by class."""

    of: int
    mine: frozenset[int]

    def has(self, klass: str) -> bool:
        """Is the class judged here?"""
        return partition_of(klass, self.of) in self.mine


@lru_cache(maxsize=65_536)
def partition_of(klass: str, partitions: int) -> int:
    """The partition of a record with that key, as the default partitioner of Kafka's Java client has it."""
    return (murmur2(klass.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """The hash of Kafka's default partitioner, 32 bits."""
    h = _SEED ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * _M & _WORD
        k = (k ^ k >> 24) * _M & _WORD
        h = (h * _M & _WORD) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    return h ^ h >> 15
