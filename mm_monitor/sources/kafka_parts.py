"""What the Kafka source knows of each partition, and the feed records that it writes by itself.

Pure bookkeeping: no Kafka, no clock, so that every decision can be tested with plain numbers. Times
on our clock and event times are both ns; `heard` and `answered` are ours, `greatest` is event time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mm_monitor.core.batch import Decoded, control_rows
from mm_monitor.core.model import FeedRecord, Kind
from mm_monitor.core.reference import ALL

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
        whole = last - first + 1 == len(records) or self.feed in COMPACTED
        if whole and (expected in (first, NEVER) or (first > expected and self.feed in COMPACTED)):
            return [list(records)], 0
        return self._cut(records, first if expected == NEVER else expected)

    def _cut(self, records: Sequence[R], expected: int) -> tuple[list[list[R]], int]:
        segments: list[list[R]] = [[]]
        repeats = 0
        for record in records:
            if record.offset < expected:
                repeats += 1
                continue
            if record.offset > expected and self.feed not in COMPACTED:
                segments.append([])
            segments[-1].append(record)
            expected = record.offset + 1
        return segments, repeats


class FeedWatch:
    """Writes `down` and `up` for the classes of partitions that cannot be heard (TAPE-06).

    A class heard on several partitions is down while any of them is.
    """

    def __init__(self) -> None:
        self._down: dict[str, set[int]] = {}  # scope -> parts that keep it down
        self._since: dict[str, int] = {}  # scope -> event time of its `down`
        self._records: list[FeedRecord] = []
        self._offset = 0

    @property
    def scopes_down(self) -> frozenset[str]:
        """Scopes that are down now."""
        return frozenset(self._down)

    def down(self, keeper: int, scopes: Iterable[str], since: int, watermark: int) -> None:
        """Part `keeper` cannot be heard: nothing is known of `scopes` from event time `since`.

        Where the watermark has passed that, a second record takes effect at once; the first is
        late, for a replay to put in its place. Starts do not nest, so it does no harm there.
        """
        for scope in sorted(scopes):
            keepers = self._down.setdefault(scope, set())
            if not keepers:
                self._since[scope] = max(since, watermark)
                self._write(scope, "down", since)
                if since < watermark:
                    self._write(scope, "down", watermark)
            keepers.add(keeper)

    def up(self, keeper: int, ts: int) -> None:
        """The part was heard again at event time `ts`."""
        for scope in sorted(scope for scope, keepers in self._down.items() if keeper in keepers):
            self._down[scope].discard(keeper)
            if not self._down[scope]:
                del self._down[scope]
                self._write(scope, "up", max(ts, self._since.pop(scope)))

    def forget(self, keeper: int) -> None:
        """The part is no longer ours to watch; whoever has it now speaks of it."""
        for keepers in self._down.values():
            keepers.discard(keeper)
        self._down = {scope: keepers for scope, keepers in self._down.items() if keepers}

    def take(self) -> Decoded | None:
        """The records written since the last call, with growing offsets, or None."""
        if not self._records:
            return None
        records, self._records = self._records, []
        offsets = range(self._offset, self._offset + len(records))
        self._offset += len(records)
        kinds = [Kind.FEED] * len(records)
        return Decoded(control_rows(records, kinds, OWN_PART, offsets), records)

    def _write(self, scope: str, status: str, ts: int) -> None:
        self._records.append(FeedRecord(ts, scope, ALL, status))


def allowed(parts: Iterable[Part], lateness: int) -> int | None:
    """The watermark that live `parts` allow, as the merge will reckon it; None without one."""
    held = [part.greatest for part in parts]
    if not held or NEVER in held:
        return None
    return min(held) - lateness
