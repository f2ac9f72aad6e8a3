"""What the Kafka source knows of each partition.

Pure bookkeeping: no Kafka, no clock, so that every decision can be tested with plain numbers.
`since`, `heard` and `answered` are wall time, `greatest` is event time, all in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_monitor.sources.kafka_sequence import Sequences

OWN_PART = 0  # the source's own records
# First number of each feed: fixed, so that a partition has the same number in every run.
FIRST_PART = {"control": 1, "reference": 2048, "theo": 4096, "quotes": 16_384}
DATA = ("theo", "quotes")
COMPACTED = ("control", "reference")  # offsets may be missing without anything being lost
NEVER = -1


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
    placed: int = 0  # so many of them are known to belong here or not
    named: bytes = b""  # by contract: 1 if the records that came last name it
    latest: tuple[str, ...] = ()  # classes of these
    stamp: int = NEVER  # of the client's clock, at the broker's last answer
    sequences: Sequences = field(default_factory=Sequences)

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

    def state(self) -> dict[str, Any]:
        """What outlives the process, for a checkpoint: the next offset to read, and what was heard before it."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "expected": self.expected,
            "greatest": self.greatest,
            "down": self.down,
            "classes": sorted(self.classes),
            "sequences": self.sequences.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state` but for the offset, which whoever seeks sets."""
        self.greatest, self.down = state["greatest"], state["down"]
        self.classes = set(state["classes"])
        self.sequences.restore(state.get("sequences", ()))

    def answer(self, stamp: int, before: int, wall: int) -> None:
        """The broker has answered at `stamp`, ns, if that is new; surely between `before` and `wall`, by our clock."""
        if stamp != self.stamp:
            self.stamp = stamp
            self.answered = min(wall, max(before, stamp))

    def idle(self, idle_after: int, oldest_answer: int) -> bool:
        """Does it hold nothing back: read to its end, by a fresh answer, and quiet since?

        Control and reference records are rare: they are idle as soon as they are read.
        """
        if not self.at_end or self.answered < oldest_answer:
            return False
        quiet = self.answered - max(self.heard, self.since)
        return self.feed in COMPACTED or quiet >= idle_after

    def segments(self, offsets: NDArray[np.int64]) -> tuple[list[slice], int]:
        """Which of the records with these ascending offsets are new, cut where offsets are missing; and the repeats.

        The first segment continues what came before unless it begins behind a gap: then it is empty.
        """
        n, first, last = len(offsets), int(offsets[0]), int(offsets[-1])
        expected = first if self.expected == NEVER else self.expected
        self.expected = max(expected, last + 1)
        repeats = 0 if first >= expected else int(np.searchsorted(offsets, expected))
        edges = [repeats, n]
        if not self._may_have_holes and repeats < n:
            if last - int(offsets[repeats]) + 1 != n - repeats:
                holes = np.flatnonzero(np.diff(offsets[repeats:]) != 1) + repeats + 1
                edges[1:1] = holes.tolist()
            if offsets[repeats] > expected:
                edges.insert(0, repeats)
        return [slice(*edge) for edge in pairwise(edges)], repeats

    def numbered(
        self, segments: Iterable[slice], numbers: Sequence[bytes | None]
    ) -> Iterator[tuple[slice, str]]:
        """The segments with what is missing before each, "" if nothing; cut again where feeds' numbers have holes."""
        for i, which in enumerate(segments):
            why = "offset gap" if i else ""
            cuts = [which.start + at for at in self.sequences.gaps(numbers[which])]
            for edge in pairwise([which.start, *cuts, which.stop]):
                yield slice(*edge), why
                why = "sequence gap"

    @property
    def _may_have_holes(self) -> bool:
        """Can offsets be missing without a loss?

        Marks of transactions take offsets too, and so do records that a transaction took back; what is
        really lost of a topic that is not compacted shows as an offset out of range.
        """
        return self.keeps_all or self.feed in COMPACTED
