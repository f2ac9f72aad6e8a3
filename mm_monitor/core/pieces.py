"""Long work in pieces: a generator that yields where others may have their turn, and returns what it has made.

Nothing that such work reads may change on the way: it reads copies.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Pieces = Generator[None, None, T]


def whole(pieces: Pieces[T]) -> T:
    """All pieces at once."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def ready(made: T) -> Pieces[T]:
    """No work at all."""
    yield from ()
    return made
