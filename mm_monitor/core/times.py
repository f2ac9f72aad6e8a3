"""What some obliged time was, in ns: of one slot, of a window or a stretch of it, or sums of such.

Ratios and verdicts of it are those of PRES-02 and PRES-03.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mm_monitor.core.model import Verdict
from mm_monitor.core.rules.judging import judge_count


@dataclass(frozen=True, slots=True)
class Times:
    """Quoted + lapsed + exempt + unknown = obliged."""

    quoted: int = 0
    lapsed: int = 0
    exempt: int = 0
    unknown: int = 0

    def __add__(self, more: Times) -> Times:
        return Times(
            self.quoted + more.quoted,
            self.lapsed + more.lapsed,
            self.exempt + more.exempt,
            self.unknown + more.unknown,
        )

    @property
    def required(self) -> int:
        """T."""
        return self.quoted + self.lapsed + self.unknown

    @property
    def presence(self) -> Fraction | None:
        """None where nothing was required."""
        return Fraction(self.quoted, self.required) if self.required else None

    def verdict(self, required: Fraction | None) -> Verdict:
        """Whether it meets `required`, as far as that is known."""
        if not self.required or required is None:
            return Verdict.NOT_ASSESSED
        return judge_count(self.quoted, self.quoted + self.unknown, required * self.required)
