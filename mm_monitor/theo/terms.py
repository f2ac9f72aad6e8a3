"""What a contract's own row says of its price: call or put, strike, and the instant at which it expires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

NS = 1_000_000_000
YEAR = 365 * 86_400 * NS
_SIGNS = {"call": 1, "put": -1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadTerms(ValueError):
    """A column of a contract by which it cannot be priced."""

    def __init__(self, column: str, requirement: str, value: str) -> None:
        super().__init__(f"column {column}: {requirement}, got {value!r}")
        self.column, self.requirement, self.value = column, requirement, value


@dataclass(frozen=True, slots=True)
class Terms:
    """An option as a model sees it."""

    klass: str
    sign: int  # 1 call, -1 put
    strike: float
    expiry: str  # as the contract has it: the name of its surface
    expires: int  # ns


@dataclass(frozen=True, slots=True)
class ExpiryClock:
    """When on its last day an option expires: `seconds` after the midnight that begins it, in `zone`."""

    seconds: int = 86_400
    zone: str = "UTC"

    def instant(self, day: date) -> int:
        """ns since the epoch."""
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone))
        later = (local.replace(tzinfo=None) + timedelta(seconds=self.seconds)).replace(
            tzinfo=local.tzinfo
        )
        return int((later - _EPOCH) / timedelta(seconds=1)) * NS


def terms_of(row: Mapping[str, str], clock: ExpiryClock) -> Terms | None:
    """Terms of a row of `contracts`; None for what is no option. BadTerms for one that cannot be priced."""
    kind = row.get("kind") or ""
    if kind not in _SIGNS:
        return None
    expiry = row.get("expiry") or ""
    try:
        day = date.fromisoformat(expiry)
    except ValueError:
        raise BadTerms("expiry", "a date YYYY-MM-DD of an option", expiry) from None
    return Terms(
        row["class"], _SIGNS[kind], _strike(row.get("strike") or ""), expiry, clock.instant(day)
    )


def _strike(text: str) -> float:
    try:
        strike = Decimal(text)
    except InvalidOperation:
        raise BadTerms("strike", "a positive decimal of an option", text) from None
    if not strike.is_finite() or not Decimal("1e-8") <= strike <= Decimal("9.2e10"):
        raise BadTerms("strike", "a positive decimal of an option", text)
    return float(strike)
