"""Records further ahead of our clock than they can be: dead letters before they move anything.

TAPE-05: one record of next year would otherwise push the watermark there, and all others be late.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from mm_monitor.codecs import AnyCodec
from mm_monitor.codecs.verdicts import dead_letter
from mm_monitor.core.batch import QUOTE_BAD, Decoded
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord


def refuse_far_ahead(
    decoded: Decoded, raws: Sequence[RawRecord], codec: AnyCodec, limit: int
) -> Decoded:
    """`decoded` without rows beyond `limit` (ns), which become dead letters with their bytes."""
    far = decoded.rows["ts"] > limit
    if not far.any():
        return decoded
    letters = [
        _letter(_record(raws, int(row["offset"])), int(row["sub"]), int(row["ts"]), limit, codec)
        for row in decoded.rows[far]
        if not (row["flags"] & QUOTE_BAD and row["contract"] >= 0)  # that one is a letter already
    ]
    rows = decoded.rows[~far].copy()
    controls = decoded.controls
    if len(controls):
        controls = [controls[key] for key in rows["a"].tolist()]
        rows["a"] = np.arange(len(rows))
    return Decoded(rows, controls, [*decoded.dead, *letters])


def _record(raws: Sequence[RawRecord], offset: int) -> RawRecord:
    """The one with this offset, of records by offset; where they are columns, it alone is made."""
    return raws[bisect_left(raws, offset, key=attrgetter("offset"))]


def _letter(raw: RawRecord, sub: int, ts: int, limit: int, codec: AnyCodec) -> DeadLetter:
    detail = f"element {sub}: ts_event is {ts - limit} ns beyond what max_ahead allows, got {ts}"
    return dead_letter(raw, codec.element(raw.value, sub), BadReason.TOO_FAR_AHEAD, detail)
