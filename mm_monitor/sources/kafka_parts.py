"""What the Kafka source knows of each partition.

Pure bookkeeping: no Kafka, no clock, so that every decision can be tested with plain numbers.
`since`, `heard` and `answered` are wall time, `greatest` is event time, all in ns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

OWN_PART = 0  # the source's own records
# First number of each feed: fixed, so that a partition has the same number in every run.
FIRST_PART = {"control": 1, "reference": 2048, "theo": 4096, "quotes": 16_384}
DATA = ("theo", "quotes")
COMPACTED = ("control", "reference")  # offsets may be missing without anything being lost
NEVER = -1


class HasOffset(Protocol):
    """A Kafka record."""

    offset: int


R = TypeVar("R", bound=HasOffset)


@dataclass(slots=True)
class Part:
    """One partition of one topic."""

    feed: str
    topic: str
    partition: int
    since: int  # when we began to read it
    expected: int = NEVER  # next offset
    backlog_end: int = 0  # its end when we began
    position: int = NEVER  # next offset that the client will hand out
    end: int = NEVER  # where the broker's log ended at its last answer
    answered: int = NEVER  # when that was
    heard: int = NEVER  # when a record last came
    greatest: int = NEVER  # greatest event time heard
    paused: bool = False
    down: bool = False
    keeps_all: bool = False  # a topic that is not compacted, though its offsets may have holes
    classes: set[str] = field(default_factory=set)  # heard on this partition

    @property
    def number(self) -> int:
        """Number on the tape."""
        return FIRST_PART[self.feed] + self.partition

    @property
    def at_end(self) -> bool:
        """Is all read that the broker had at its last answer?"""
        return self.end != NEVER and self.position >= self.end

    @property
    def caught_up(self) -> bool:
        """Is all read that was there when we began?"""
        return self.position >= self.backlog_end

    def idle(self, idle_after: int, oldest_answer: int) -> bool:
        """Does it hold nothing back: read to its end, by a fresh answer, and quiet since?

        Control and reference records are rare: they are idle as soon as they are read.
        """
        if not self.at_end or self.answered < oldest_answer:
            return False
        quiet = self.answered - max(self.heard, self.since)
        return self.feed in COMPACTED or quiet >= idle_after

    def segments(self, records: Sequence[R]) -> tuple[list[list[R]], int]:
        """`records` without those seen before, cut where offsets are missing; and how many repeats.

        The first segment continues what came before unless it begins behind a gap: then it is empty.
        """
        expected = self.expected
        first, last = records[0].offset, records[-1].offset
        self.expected = max(expected, last + 1)
        whole = last - first + 1 == len(records) or self._may_have_holes
        if whole and (expected in (first, NEVER) or (first > expected and self._may_have_holes)):
            return [list(records)], 0
        return self._cut(records, first if expected == NEVER else expected)

    @property
    def _may_have_holes(self) -> bool:
        """Can offsets be missing without a loss?

        Marks of transactions take offsets too, and so do records that a transaction took back; what is
        really lost of a topic that is not compacted shows as an offset out of range.
        """
        return self.keeps_all or self.feed in COMPACTED

    def _cut(self, records: Sequence[R], expected: int) -> tuple[list[list[R]], int]:
        segments: list[list[R]] = [[]]
        repeats = 0
        for record in records:
            if record.offset < expected:
                repeats += 1
                continue
            if record.offset > expected and not self._may_have_holes:
                segments.append([])
            segments[-1].append(record)
            expected = record.offset + 1
        return segments, repeats
