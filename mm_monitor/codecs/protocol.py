"""What a codec is: a pure function from records of one source partition to tape rows.

It validates everything that TAPE-04 names; what it cannot use it returns as dead letters, never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import RawRecord
from mm_monitor.core.reference import Reference


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition of one topic (or file), as fetched."""

    feed: str  # quotes | theo | control | reference: what the topic carries
    part: int  # number of this topic-partition on the tape (row field `part`)
    records: Sequence[RawRecord]


class Codec(Protocol):
    """Implemented by `codecs/json.py`, `codecs/packed.py`, ...; stateless but for the directory it is given."""

    name: str

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Rows, controls and dead letters of `chunk`. Never raises for bad data."""
        ...
