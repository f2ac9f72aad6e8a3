"""Python's search for cycles of garbage, kept out of the hot path: it runs when we say so, and looks at little.

What counting references frees is freed as ever. A search of everything holds the loop for as long as there are objects;
it is left for when nothing is judged.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

OLDER = 20  # searches of what is new until one of what outlived such a search
IDLE = 600.0  # seconds from one search of everything to the next, while nothing is judged


class Garbage:
    """Call `tidy` often, when nobody waits."""

    def __init__(self) -> None:
        self._turn = 0
        self._searched = time.monotonic()

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """No search but those of `tidy` in here; what there is already stays out of them all."""
        was_on = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        self._searched = time.monotonic()
        try:
            yield
        finally:
            gc.unfreeze()
            if was_on:
                gc.enable()

    def tidy(self, *, idle: bool) -> None:
        """Search what is new, a fraction of a millisecond; `idle` says that nothing is judged now."""
        self._turn += 1
        if idle and time.monotonic() - self._searched >= IDLE:
            gc.collect()
            gc.freeze()
            self._searched = time.monotonic()
        elif not gc.isenabled():
            gc.collect(1 if self._turn % OLDER == 0 else 0)
