"""How instants and ratios are written for people and other programs.

Never through binary floats: a ratio is truncated toward zero, so that what fails by a hair does not
read as a pass.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal, SupportsIndex

import msgspec

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(ts: int) -> str:
    """Event time `ts` (ns since the epoch) as RFC 3339 UTC text with all nine digits."""
    seconds, fraction = divmod(ts, NS)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def ratio_text(ratio: Fraction | None) -> str | None:
    """A ratio >= 0 as decimal text with nine digits, truncated; None stays None (not assessed)."""
    if ratio is None:
        return None
    whole, rest = divmod(ratio.numerator * NS // ratio.denominator, NS)
    return f"{whole}.{rest:09d}"


def ratio_number(ratio: Fraction) -> float:
    """A ratio as a float, truncated to nine digits first: below a requirement it stays below."""
    return ratio.numerator * NS // ratio.denominator / NS


def percent_text(ratio: Fraction | None) -> str:
    """A ratio for people: `89.99 %`, truncated; `n/a` where nothing was required."""
    if ratio is None:
        return "n/a"
    hundredths = ratio.numerator * 10_000 // ratio.denominator
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def json_bytes(value: object, order: Literal["sorted"] | None = None) -> bytes:
    """Compact JSON in UTF-8. Integers of numpy are integers; what JSON does not know is text."""
    return msgspec.json.encode(value, enc_hook=_plain, order=order)


def _plain(value: Any) -> int | str:
    return int(value) if isinstance(value, SupportsIndex) else str(value)
