"""What a checkpoint store is: it keeps records, each whole or not at all, and gives them back newest first.

A record is `whole`, or a difference that needs one whole record before it. Losing the newest must leave an older one
that can be read: so a whole record never takes the place of the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is kept. `base` is the serial of the whole record that it needs, its own if it is whole."""

    serial: int
    base: int
    data: bytes


class CheckpointStore(Protocol):
    """Implemented by `checkpoints/*.py`. Opened where it is made; afterwards used by one thread at a time."""

    name: str

    def write(self, entry: Entry) -> None:
        """Keep a record, durably when this returns. CheckpointError (`storage`) when that fails: nothing has changed.

        Kept are at least: the newest whole record with its newest two differences, and the like of the one before.
        """
        ...

    def entries(self) -> Iterator[Entry]:
        """Every record that can be got at, newest first; damage is passed over here and told by `problems`."""
        ...

    def problems(self) -> list[str]:
        """What could not be read since the last call, a sentence each."""
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
