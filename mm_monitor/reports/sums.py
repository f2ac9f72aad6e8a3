"""What a period's trading dates add up to: sums over their final pictures, by obligation.

Names are the keys, for a slot number is another one every day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.view import StatusView

Key = tuple[str, str]  # maker, contract


@dataclass(slots=True)
class Row:
    """Sums of one obligation over the trading dates of the period."""

    quoted: int = 0
    exempt: int = 0
    unknown: int = 0
    by_reason: NDArray[np.int64] | None = None
    lapses: int = 0
    longest: int = 0
    contract: str = ""
    klass: str = ""
    other_lapsed: int = 0  # where reasons are not kept apart
    stretches: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """By start of each stretch of continuous trading: quoted, unknown, required. Where the rulebook asks for it."""

    @property
    def lapsed(self) -> int:
        """ns lapsed, for whatever reason."""
        return self.other_lapsed + (0 if self.by_reason is None else int(self.by_reason.sum()))

    @property
    def required(self) -> int:
        """T of PRES-02."""
        return self.quoted + self.lapsed + self.unknown


def sum_rows(days: Sequence[StatusView]) -> dict[Key, Row]:
    """Every obligation of the period with its sums over the final pictures of its trading dates."""
    rows: dict[Key, Row] = {}
    for view in days:
        o = view.obligations
        columns = (
            o.maker, o.contract, o.klass, o.quoted, o.exempt, o.unknown, o.lapses, o.longest_lapse
        )  # fmt: skip
        for i, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            maker, contract, klass, quoted, exempt, unknown, lapses, longest = values
            row = rows.setdefault((view.makers[maker], view.contracts[contract]), Row())
            row.contract, row.klass = view.contracts[contract], view.classes[klass]
            row.quoted += quoted
            row.exempt += exempt
            row.unknown += unknown
            row.lapses += lapses
            row.longest = max(row.longest, longest)
            row.by_reason = o.lapsed_by_reason[i] + (0 if row.by_reason is None else row.by_reason)
            for s in o.stretches:
                times = int(s.quoted[i]), int(s.unknown[i]), int(s.lapsed[i])
                row.stretches[s.start] = (times[0], times[1], sum(times))
    return rows
