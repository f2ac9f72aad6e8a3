"""Exact parsing of text fields: decimal text to int64 10^-8, sizes and times to int64.

No binary float is ever involved. A parser raises `DecodeError` with a `BadReason` and the value;
the caches turn that into a number that no check accepts (`BAD`, -1), so that columns parse at C
speed and only the rows that fail are looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, PRICE_SCALE, BadReason
from mm_monitor.errors import DecodeError

NULL = -(2**63)  # a price or theo that is absent, on the wire and in columns
BAD = NULL + 1  # text that is no price: far out of range, so every check refuses it
MAX_TIME = 2**63 - 1
DECIMALS = 8
MOST_VOL = 100  # a year; 100 is 10 000 %

_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_EXPONENT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")
_WHOLE_DIGITS = 11  # of 9.2e10
_SHOWN = 80
_CACHED = 1 << 16


def shown(value: object) -> str:
    """`repr` of a value for a message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def price_text(value: int) -> str:
    """The shortest exact decimal text of `value` (10^-8)."""
    whole, rest = divmod(abs(value), PRICE_SCALE)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:08d}".rstrip("0").rstrip(".")


def parse_price(text: str) -> int:
    """Decimal text to int64 10^-8.

    Plain notation with an optional sign; at most 8 digits after the point, trailing zeros apart;
    within +/-9.2e10. Raises DecodeError `bad_price`.
    """
    sign, whole, part = _split(text, BadReason.BAD_PRICE, "price")
    part = part.rstrip("0")
    if len(part) > DECIMALS:
        raise DecodeError(BadReason.BAD_PRICE, f"price has over 8 decimals, got {shown(text)}")
    return _scaled(text, sign, whole, part, 0, BadReason.BAD_PRICE, "price")


def parse_quantity(text: str, what: str) -> int:
    """Decimal text of a position to int64 10^-8, by the rules of a price. Raises DecodeError `bad_position`."""
    sign, whole, part = _split(text, BadReason.BAD_POSITION, what)
    part = part.rstrip("0")
    if len(part) > DECIMALS:
        raise DecodeError(BadReason.BAD_POSITION, f"{what} has over 8 decimals, got {shown(text)}")
    return _scaled(text, sign, whole, part, 0, BadReason.BAD_POSITION, what)


def parse_vol(text: str) -> int:
    """Decimal text of a vol a year (0.25 is 25 %) to int64 10^-8. Raises DecodeError `bad_vol`."""
    sign, whole, part = _split(text, BadReason.BAD_VOL, "vol")
    part = part.rstrip("0")
    vol = _scaled(text, sign, whole, part[:DECIMALS], 0, BadReason.BAD_VOL, "vol")
    if len(part) > DECIMALS or not 0 < vol <= MOST_VOL * PRICE_SCALE:
        detail = (
            f"vol is not above 0 and up to {MOST_VOL} with 8 decimals at most, got {shown(text)}"
        )
        raise DecodeError(BadReason.BAD_VOL, detail)
    return vol


def parse_theo(text: str) -> int:
    """Decimal text to int64 10^-8, rounded half-even beyond 8 decimals.

    Raises DecodeError `bad_theo`, also for a negative theo however small.
    """
    sign, whole, part = _split(text, BadReason.BAD_THEO, "theo")
    if sign == "-" and (whole + part).strip("0"):
        raise DecodeError(BadReason.BAD_THEO, f"theo is negative, got {shown(text)}")
    return _rounded(text, sign, whole, part, "theo")


def parse_delta(text: str) -> int:
    """Decimal text to int64 10^-8, rounded half-even beyond 8 decimals. Raises DecodeError `bad_theo`."""
    return _rounded(text, *_split(text, BadReason.BAD_THEO, "delta"), "delta")


def parse_size(text: str) -> int:
    """A number of contracts, 0 to 2^31-1. Raises DecodeError `bad_size`."""
    return _integer(text, MAX_SIZE, BadReason.BAD_SIZE, "size")


def parse_time(text: str) -> int:
    """Nanoseconds since the epoch, 0 to 2^63-1. Raises DecodeError `bad_time`."""
    return _integer(text, MAX_TIME, BadReason.BAD_TIME, "ts_event")


def plain_notation(number: str) -> str:
    """A JSON number without its exponent, digit by digit the same value.

    Exponents beyond two digits are left alone, for the parsers to refuse.
    """
    return format(Decimal(number), "f") if _EXPONENT.fullmatch(number) else number


class NumberCache(dict[str, int]):
    """Text to number through `parse`; text that it refuses is `bad`, empty text is `empty`.

    Prices, sizes and names repeat: a lookup costs 30 ns, a parse 2 us. Bounded by starting over.
    """

    def __init__(self, parse: Callable[[str], int], bad: int, empty: int) -> None:
        super().__init__()
        self._parse, self._bad, self._empty = parse, bad, empty

    def __missing__(self, text: str) -> int:
        if len(self) >= _CACHED:
            self.clear()
        value = self._empty
        if text:
            try:
                value = self._parse(text)
            except DecodeError:
                value = self._bad
        self[text] = value
        return value


def price_cache() -> NumberCache:
    """Quote prices; empty is absent."""
    return NumberCache(parse_price, BAD, NULL)


def theo_cache() -> NumberCache:
    """Theos; empty is withdrawn."""
    return NumberCache(parse_theo, BAD, NULL)


def delta_cache() -> NumberCache:
    """Deltas; empty is not known."""
    return NumberCache(parse_delta, BAD, NULL)


def size_cache() -> NumberCache:
    """Sizes; empty is no size."""
    return NumberCache(parse_size, -1, -1)


def time_or_bad(text: str) -> int:
    """A time, or -1 where the text is none. Not cached, for times hardly repeat."""
    try:
        return parse_time(text)
    except DecodeError:
        return -1


def _split(text: str, reason: BadReason, what: str) -> tuple[str, str, str]:
    """Sign, digits before and digits after the point."""
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise DecodeError(reason, f"{what} is not a plain decimal, got {shown(text)}")
    return match[1], match[2], match[3] or ""


def _rounded(text: str, sign: str, whole: str, part: str, what: str) -> int:
    kept, cut = part[:DECIMALS], part[DECIMALS:].rstrip("0")
    up = cut > "5" or (cut == "5" and (whole + kept.ljust(DECIMALS, "0"))[-1] in "13579")
    return _scaled(text, sign, whole, kept, int(up), BadReason.BAD_THEO, what)


def _scaled(
    text: str, sign: str, whole: str, part: str, up: int, reason: BadReason, what: str
) -> int:
    # Digits are counted first: int() of a hostile megabyte of digits takes minutes.
    whole = whole.lstrip("0")
    if len(whole) <= _WHOLE_DIGITS:
        value = int(whole + part.ljust(DECIMALS, "0")) + up
        if value <= MAX_PRICE:
            return -value if sign == "-" else value
    raise DecodeError(reason, f"{what} is outside +/-92000000000, got {shown(text)}")


def _integer(text: str, most: int, reason: BadReason, what: str) -> int:
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0")
        if len(digits) <= len(str(most)) and int(digits or "0") <= most:
            return int(digits or "0")
    raise DecodeError(reason, f"{what} is not an integer from 0 to {most}, got {shown(text)}")
