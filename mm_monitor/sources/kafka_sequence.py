"""Numbers that feeds give their records, in a Kafka header: what Kafka never got shows as a hole in them.

A number is decimal text, `17`, or `NAME:17` where several feeds write to one partition and each counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FIRST = (0, 1)  # a feed that begins anew counts from one of these


class Sequences:
    """The next number of each feed of one partition."""

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}

    def gaps(self, numbers: Iterable[bytes | None]) -> list[int]:
        """Take in the numbers of records, in their order; before which of them is something missing?

        A number that was seen before is a repeat. A feed that begins anew may have lost its last records: a gap.
        What is no number, or none at all, says nothing.
        """
        found = []
        for i, text in enumerate(numbers):
            name, _, digits = (text or b"").rpartition(b":")
            if not digits.isdigit() or len(digits) > 19:
                continue
            number, wanted = int(digits), self._next.get(name)
            if wanted is not None and number < wanted and number not in FIRST:
                continue
            if wanted is not None and number != wanted:
                found.append(i)
            self._next[name] = number + 1
        return found

    def state(self) -> list[tuple[bytes, int]]:
        """For a checkpoint."""
        return sorted(self._next.items())

    def restore(self, state: Sequence[tuple[bytes, int]]) -> None:
        """Inverse of `state`."""
        self._next = {bytes(name): number for name, number in state}


def number_of(headers: Iterable[tuple[str, bytes | None]], wanted: str) -> bytes | None:
    """What the last header of that name holds."""
    return next((value for name, value in reversed(list(headers)) if name == wanted), None)
