"""Rows that cross the boundary into the kernels: one fixed layout for every record of the tape.

A row is 56 bytes. Quotes and theos carry their numbers; a record of any other kind carries in `a` the key of
its object in the batch's `controls`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.model import Control, DeadLetter, Kind

ROW = np.dtype(
    [
        ("ts", "<i8"),  # ts_event, ns
        ("offset", "<i8"),
        ("a", "<i8"),  # quote: bid price; theo: theo; control: key
        ("b", "<i8"),  # quote: ask price; theo: delta
        (
            "a_size",
            "<i4",
        ),  # quote: bid size, 0 = no bid; theo: where it came from, Reference.theo_vias
        ("b_size", "<i4"),
        ("maker", "<i4"),  # index in Reference, -1 = nobody we know
        ("contract", "<i4"),  # index in Reference
        ("part", "<u2"),  # number of the source partition on this tape
        ("sub", "<u2"),  # row within its record
        ("kind", "u1"),  # Kind
        ("flags", "u1"),  # QUOTE_BAD | RESTLESS | LATE; THEO_MISSING | THEO_DELTA
        ("account", "<u2"),  # quote: number of the account in Reference, 0 = the maker's own name
    ]
)
assert ROW.itemsize == 56

QUOTE_BAD = 1  # the quote changed, not known to what (TAPE-04)
THEO_MISSING = 2
THEO_DELTA = 4  # of a theo: it says the delta too, 10^-8
RESTLESS = 8  # of a quote: these prices will not stand long enough (VAL-09, retroactive)
LATE = 16  # they will, but not before the period ends

_QUOTE, _THEO = np.uint8(Kind.QUOTE), np.uint8(Kind.THEO)

Rows = NDArray[np.void]

COMPUTED_PART = 65_534  # the part number of theos that we compute: last among those of an instant


def is_control(rows: Rows) -> NDArray[np.bool_]:
    """Which rows stand for an object in `controls`: all but those of quotes and theos."""
    kinds = rows["kind"]
    mask: NDArray[np.bool_] = (kinds != _QUOTE) & (kinds != _THEO)
    return mask


def empty_rows(n: int) -> Rows:
    """`n` zeroed rows."""
    return np.zeros(n, dtype=ROW)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a codec made of one chunk of records of one source partition.

    `rows` are in the order of the source (offset, sub); control rows have in `a` an index into `controls`. Where the
    codec saw it in passing: `survey` is `kernels.survey` of the rows, `named` (contracts,) is 1 for those they name.
    """

    rows: Rows
    controls: Sequence[Control] = ()
    dead: Sequence[DeadLetter] = field(default=())
    survey: tuple[int, int, int] | None = None
    named: NDArray[np.uint8] | None = None


def control_rows(
    controls: Sequence[Control], kinds: Sequence[Kind], part: int, offsets: Sequence[int]
) -> Rows:
    """Rows that carry `controls`, in the same order."""
    rows = empty_rows(len(controls))
    for i, (control, kind, offset) in enumerate(zip(controls, kinds, offsets, strict=True)):
        rows["ts"][i] = control.ts
        rows["kind"][i] = kind
        rows["offset"][i] = offset
        rows["a"][i] = i
    rows["part"] = part
    return rows


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece of the tape: rows in the one total order, and the control objects that they name."""

    rows: Rows
    controls: Mapping[int, Control] = field(default_factory=dict)
