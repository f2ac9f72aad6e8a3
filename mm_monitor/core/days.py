"""What a trading date says to a rulebook: days to expiry of each contract, and the relief that the date brings."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

from mm_monitor.core.params import fraction
from mm_monitor.core.reference import Contract
from mm_monitor.core.rulebook import Rulebook

NS = 1_000_000_000


def utc_date(t: int) -> str:
    """The UTC date of an instant (ns), ISO text: where no calendar names the trading date."""
    return datetime.fromtimestamp(t // NS, tz=UTC).date().isoformat()


def days_left(contract: Contract, day: str) -> int | None:
    """Calendar days from the date `day` to the contract's expiry, below 0 after it.

    None = without end: no expiry that is an ISO date, or no date yet.
    """
    try:
        return (date.fromisoformat(contract.expiry) - date.fromisoformat(day)).days
    except ValueError:
        return None


def dated_relief(rulebook: Rulebook, day: str) -> Fraction:
    """The largest multiple of the spread limit on the date `day` (ISO text, "" = none yet); 1 on all other dates."""
    given = [fraction(r.multiple) for r in rulebook.dated_relief if r.start <= day <= r.end]
    return max(given, default=Fraction(1))
