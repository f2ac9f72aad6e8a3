"""Percentages, multiples, durations, prices and clock times as people write them, read exactly.

Text goes straight to integers and fractions; nothing here ever touches a binary float.
"""

from __future__ import annotations

import re
from fractions import Fraction

from mm_monitor.core.model import MAX_PRICE, PRICE_SCALE
from mm_monitor.core.rulebook import MAX_RATIO_PART, Ratio

UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
MAX_NS = 2**63 - 1

_NUMBER = r"([0-9]{1,19}(?:\.[0-9]{1,19})?)"  # bounded, so that no text costs more than it is worth
_PERCENT = re.compile(_NUMBER + "%")
_MULTIPLE = re.compile(_NUMBER)
_DURATION = re.compile(_NUMBER + "(ns|us|ms|s|m|h)")
_PRICE = re.compile(_NUMBER)
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


class UnitError(ValueError):
    """A value that cannot be used; the message is the requirement it fails, for a person."""


def percent(text: object) -> Ratio:
    """`"3%"` as the reduced fraction 3/100. Raises UnitError if it is no percentage or too fine."""
    match = _full(_PERCENT, text, 'a percentage such as "3%" or "99.5%"')
    return _ratio(Fraction(match[1]) / 100)


def rate(text: object) -> Fraction:
    """`"-0.5%"`, a rate a year: a percentage from -100 % to 100 %. Raises UnitError."""
    sign = -1 if isinstance(text, str) and text.startswith("-") else 1
    ratio = percent(text[1:] if isinstance(text, str) and sign < 0 else text)
    if ratio.num > ratio.den:
        raise UnitError("a percentage from -100% to 100%")
    return Fraction(sign * ratio.num, ratio.den)


def multiple(text: object) -> Ratio:
    """`"1.5"` as the reduced fraction 3/2. Raises UnitError if it is no number or too fine."""
    return _ratio(Fraction(_full(_MULTIPLE, text, 'a number as text, such as "2" or "1.5"')[1]))


def duration(text: object) -> int:
    """`"250us"` as nanoseconds. Raises UnitError if it is no duration, or not whole nanoseconds."""
    match = _full(_DURATION, text, 'a duration such as "250us" or "5s"')
    value = Fraction(match[1]) * UNITS_NS[match[2]]
    if value.denominator != 1:
        raise UnitError("a duration of whole nanoseconds")
    if value > MAX_NS:
        raise UnitError("a duration of at most 2^63 - 1 nanoseconds, some 292 years")
    return int(value)


def price(text: object) -> int:
    """`"0.05"` as int64 in units of 10^-8. Raises UnitError on more decimals or beyond 9.2e10."""
    match = _full(_PRICE, text, 'a price as text, such as "0.05"')
    value = Fraction(match[1]) * PRICE_SCALE
    if value.denominator != 1:
        raise UnitError("a price with at most 8 decimals")
    if value > MAX_PRICE:
        raise UnitError("a price of at most 92000000000")
    return int(value)


def clock(text: object) -> int:
    """`"09:30"` or `"09:30:15"` as seconds after midnight; up to `"48:00"`, for the night after."""
    requirement = 'a time of day such as "09:30"; half past two of the night after is "26:30"'
    match = _full(_CLOCK, text, requirement)
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > 48 * 3600:
        raise UnitError(requirement)
    return total


def show_percent(ratio: Ratio) -> str:
    """A ratio as a percentage, exactly: `3%`, `33.333%`, or `100/3 %` if no decimal is exact."""
    value = Fraction(ratio.num * 100, ratio.den)
    text = _decimal(value)
    return f"{text}%" if text else f"{value} %"


def show_multiple(ratio: Ratio) -> str:
    """A ratio as a number, exactly: `1.5`, or `4/3` if no decimal is exact."""
    value = Fraction(ratio.num, ratio.den)
    return _decimal(value) or str(value)


def show_duration(ns: int) -> str:
    """Nanoseconds in the largest unit that takes them whole: `30m`, `1500ms`, `0s`."""
    if ns == 0:
        return "0s"
    unit = max((u for u, size in UNITS_NS.items() if ns % size == 0), key=UNITS_NS.__getitem__)
    return f"{ns // UNITS_NS[unit]}{unit}"


def show_price(units: int) -> str:
    """A price of 10^-8 units as decimal text without trailing zeros: `0.05`, `-2`."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, part = divmod(units, PRICE_SCALE)
    decimals = f"{part:08}".rstrip("0")
    return f"{sign}{whole}" + (f".{decimals}" if decimals else "")


def show_clock(seconds: int) -> str:
    """Seconds after midnight as `09:30`, with `:15` only where there are seconds."""
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{second:02}" if second else text


def _full(pattern: re.Pattern[str], text: object, requirement: str) -> re.Match[str]:
    match = pattern.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise UnitError(requirement)
    return match


def _ratio(value: Fraction) -> Ratio:
    if max(value.numerator, value.denominator) > MAX_RATIO_PART:
        raise UnitError("fewer digits (too fine: both parts of the fraction must be at most 2^33)")
    return Ratio(value.numerator, value.denominator)


def _decimal(value: Fraction) -> str:
    """A non-negative fraction as exact decimal text, or "" if it does not end."""
    for places in range(20):
        scaled = value * 10**places
        if scaled.denominator == 1:
            whole, part = divmod(int(scaled), 10**places)
            return f"{whole}.{part:0{places}}" if places else str(whole)
    return ""
