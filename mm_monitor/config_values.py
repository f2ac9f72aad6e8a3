"""Parsers of the values that only the service's configuration has: addresses, topics, zones, rates.

Each gives what `mm_monitor.config` keeps, or raises UnitError with the requirement in words.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from mm_monitor.codecs.fix_quotes import MAKER_TAGS
from mm_monitor.secret import is_place
from mm_monitor.tables import Place, choice, filled, integer, list_of, unit
from mm_monitor.units import UnitError, clock, duration, percent, rate

MAX_INT = 2**31 - 1

_ADDRESS = re.compile(r"(?:[^\s:,\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def addresses_of(value: object, place: Place) -> str:
    """Brokers as `host:port`, with commas between."""
    parts = value.split(",") if isinstance(value, str) else [""]
    matches = [_ADDRESS.fullmatch(part) for part in parts]
    if not all(match and 0 < int(match[1]) < 65_536 for match in matches):
        raise UnitError('"host:port", several of them with commas between')
    return ",".join(parts)


def is_loopback(host: str) -> bool:
    """Does only this machine reach what listens there?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def topic_of(value: object, place: Place) -> str:
    """The name of a Kafka topic."""
    if not isinstance(value, str) or not _TOPIC.fullmatch(value) or value in (".", ".."):
        raise UnitError("the name of a Kafka topic: letters, digits, '.', '_' and '-'")
    return value


def topic_or_none(value: object, place: Place) -> str:
    """The name of a topic, or nothing."""
    return "" if value == "" else topic_of(value, place)


def partitions_of(value: object, place: Place) -> tuple[int, ...]:
    """No numbers at all stand for all partitions."""
    if value == "all":
        return ()
    if not isinstance(value, list):
        raise UnitError('"all" or a list of partition numbers')
    numbers = list_of(integer(0, MAX_INT), "partition numbers", at_least=1)(value, place)
    return tuple(sorted(numbers))


def worker_of(value: object, place: Place) -> tuple[int, int] | None:
    """Which of how many workers, from 1; 0 for whichever the group gives; nothing for the only one."""
    if value == "":
        return None
    match = (
        re.fullmatch(r"([1-9][0-9]{0,3}|\*)/([1-9][0-9]{0,3})", value)
        if isinstance(value, str)
        else None
    )
    k = 0 if match is None or match[1] == "*" else int(match[1])
    if match is None or k > int(match[2]):
        raise UnitError('"K/N", this worker and how many there are, such as "1/2", or "*/N"')
    return k, int(match[2])


def url_of(value: object, place: Place) -> str:
    """An address that begins with http:// or https://."""
    if (
        not isinstance(value, str)
        or not re.fullmatch(r"https?://[^\s/]+\S*", value)
        or not _has_port(value)
    ):
        raise UnitError('an address such as "http://127.0.0.1:9093"')
    return value


def _has_port(url: str) -> bool:
    """A port that can be, or none."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def secret_of(value: object, place: Place) -> str:
    """Where a secret is kept, or nothing."""
    if not isinstance(value, str) or not is_place(value):
        raise UnitError("the name of a file, or env:NAME with the name of an environment variable")
    return value


def mqtt_prefix_of(value: object, place: Place) -> str:
    """First levels of MQTT topics: in what is published, + and # stand for nothing."""
    text = filled(value, place)
    if set(text) & set("+#\0") or text.startswith("$"):
        raise UnitError("first levels of a topic, without + and #, and not beginning with $")
    return text


def url_or_none(value: object, place: Place) -> str:
    """An address, or nothing."""
    return "" if value == "" else url_of(value, place)


def zone_of(value: object, place: Place) -> str:
    """The name of an IANA time zone."""
    try:
        return ZoneInfo(value).key  # type: ignore[arg-type]
    except (KeyError, ValueError, OSError, TypeError):
        raise UnitError("an IANA time zone such as Asia/Shanghai") from None


def time_of_day(value: object, place: Place) -> int:
    """Seconds after midnight, up to 24:00."""
    seconds = clock(value)
    if seconds > 86_400:
        raise UnitError("a time of day up to 24:00")
    return seconds


def rate_of(value: object, place: Place) -> float:
    """A rate a year, as a fraction of one."""
    return float(rate(value))


def share_of(value: object, place: Place) -> float | None:
    """A percentage, or none at all."""
    ratio = percent(value) if value != "" else None
    return None if ratio is None else ratio.num / ratio.den


def time_or_never(value: object, place: Place) -> int:
    """A duration above 0, or nothing: 0."""
    return 0 if value == "" else SOME_TIME(value, place)


DURATION = unit(duration)
SOME_TIME = unit(duration, positive=True)
PORT = integer(0, 65_535)
COUNT = integer(1, MAX_INT)
CODEC = choice("json", "packed", "avro", "protobuf", "arrow")
QUOTES_CODEC = choice("json", "packed", "fix", "avro", "protobuf", "arrow")
MAKER_TAG = choice(*MAKER_TAGS)
CONTRACT_TAG = choice("55", "48")
PATTERNS = list_of(filled, "patterns")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
