"""Keeps memory that was freed for what is asked for next.

A fetch and the rows made of it are megabytes that come and go many times a second. Left alone the C library hands them
back to the system each time, and gets them again page by page, each page cleared: some 5 % of the time of a busy tape.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT = 128 << 20  # bytes that may lie free before any are handed back
_MAPPED = (
    32 << 20
)  # bytes of one piece from which on it is handed back at once: the most glibc takes


def keep_freed() -> None:
    """From now on; where the C library is not glibc nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _MAPPED)
