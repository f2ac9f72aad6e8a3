"""Instants as venues write them, in ns since the epoch. Never through a float; what is no instant is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from mm_monitor.formats import NS

_SZSE = re.compile(r"([0-9]{8})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9:]{8})(?:\.([0-9]{1,9}))?Z")
_CLOCK = re.compile(r"([0-9]{1,2}):?([0-9]{2}):?([0-9]{2})\.?([0-9]{0,9})")
_UNKNOWN = {"", str(2**64 - 1), str(2**63 - 1)}
Read = Callable[[str], int]


def integer_ns(text: str) -> int:
    """Digits are ns already."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise ValueError("ns since the epoch")
    return int(text)


def szse_ns(text: str, zone: str = "Asia/Shanghai") -> int:
    """`YYYYMMDDHHMMSSmmm`, 17 digits of local time, as the Shenzhen exchange writes TransactTime and OrigTime."""
    match = _SZSE.fullmatch(text)
    if match is None:
        raise ValueError("17 digits YYYYMMDDHHMMSSmmm")
    day, hour, minute, second, milli = match.groups()
    return _local(day, int(hour), int(minute), int(second), zone) + int(milli) * 1_000_000


def iso_ns(text: str) -> int:
    """`2025-09-22T00:00:00.161086709Z`, or digits of ns. ValueError for one that says it is not known."""
    if text in _UNKNOWN:
        raise ValueError("a time that is known")
    match = _ISO.fullmatch(text)
    if match is None:
        return integer_ns(text)
    seconds = int(datetime.fromisoformat(f"{text[:19]}+00:00").timestamp())
    return seconds * NS + int((match[5] or "").ljust(9, "0"))


def clock_ns(day: str, text: str, zone: str) -> int:
    """A date (YYYYMMDD or YYYY-MM-DD) and a time of day: `093000123456789` or `9:30:00.123456`, local to `zone`."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError("a time of day such as 093000.123456789")
    hour, minute, second = (int(match[i]) for i in (1, 2, 3))
    return _local(day, hour, minute, second, zone) + int((match[4] or "").ljust(9, "0"))


def _local(day: str, hour: int, minute: int, second: int, zone: str) -> int:
    """ValueError for what is no date or time of day, or one that the clocks skip or repeat there."""
    on = date.fromisoformat(day)
    local = datetime(on.year, on.month, on.day, hour, minute, second, tzinfo=ZoneInfo(zone))
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(f"a time that is there once on the clocks of {zone}")
    return int(local.astimezone(UTC).timestamp()) * NS
