"""What the values of a rulebook's tables mean in `mm_monitor.core.rulebook`, and what they must agree on.

A builder takes the parsed values of one table, defaults filled in, and raises UnitError with the requirement they fail.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mm_monitor.core.rulebook import (
    Band,
    Burn,
    Calendar,
    Cell,
    DatedRelief,
    PhaseAt,
    Ratio,
    RequiredSet,
    Rfq,
    Signals,
    SizeCell,
    SpreadTerm,
)
from mm_monitor.tables import Place, Recorded, choice
from mm_monitor.units import UnitError, duration

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REFERENCES = {  # what a term may be `of`, by the key that makes it what it is
    "relative": ("theo", "bid", "ask", "mid"),
    "table": ("theo", "bid"),
    "multiple": ("underlying_spread",),
}
_TERMS = ("relative", "ticks", "absolute", "table", "multiple")
_NEEDS = {  # without these there is nothing to judge by
    "coverage": ("required",),
    "contracts": ("required", "contracts_required"),
    "products": ("required", "products_required"),
    "days": ("required",),
    "stretches": ("required",),
}
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def identifier(value: object, place: Place) -> str:
    """An id is a metric label, and part of a breach's hash, where `|` separates."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise UnitError("a name of letters, digits, '.', '_' and '-'")
    return value


def zone(value: object, place: Place) -> str:
    """The name of an IANA zone."""
    requirement = 'an IANA time zone such as "Asia/Shanghai"'
    if not isinstance(value, str):
        raise UnitError(requirement)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a directory such as "Asia"
        raise UnitError(requirement) from None
    return value


def weekday(value: object, place: Place) -> int:
    """Monday is 0."""
    return WEEKDAYS.index(choice(*WEEKDAYS)(value, place))


def as_it_is(values: dict[str, Any], place: Place) -> dict[str, Any]:
    """The table's values, for the loader to pick from."""
    return values


def one_of(values: dict[str, Any], names: tuple[str, ...]) -> str:
    """The one name of `names` that has a value."""
    given = [name for name in names if values[name] is not None]
    if len(given) != 1:
        raise UnitError(f"exactly one of {', '.join(names)}")
    return given[0]


def phase_at(values: dict[str, Any], place: Place) -> PhaseAt:
    """A phase of a calendar."""
    return PhaseAt(at=values["at"], phase=values["phase"], day=values["day"])


def special(values: dict[str, Any], place: Place) -> tuple[str, tuple[PhaseAt, ...]]:
    """A date and its phases."""
    return values["date"], values["phases"]


def calendar(values: dict[str, Any], place: Place) -> Calendar:
    """Trading dates and their phases."""
    dates = [date for date, _ in values["special"]]
    if len(set(dates)) < len(dates):
        raise UnitError("each date only once in `special`")
    return Calendar(
        timezone=values["timezone"],
        days=tuple(sorted(values["days"])),
        holidays=frozenset(values["holidays"]),
        phases=values["phases"],
        special=dict(values["special"]),
    )


def cell(values: dict[str, Any], place: Place) -> Cell:
    """One cell of a spread table; its ranges hold something."""
    one_of(values, ("absolute", "relative"))
    for what in ("price", "days"):
        low, high = values[f"{what}_from"], values[f"{what}_to"]
        if high is not None and high <= low:
            raise UnitError(f"{what}_from below {what}_to")
    return Cell(
        price_from=values["price_from"],
        price_to=values["price_to"],
        days_from=values["days_from"],
        days_to=values["days_to"],
        absolute=values["absolute"],
        ratio=values["relative"],
    )


def term(values: dict[str, Any], place: Place) -> SpreadTerm:
    """One spread term. `of` stands where it means something, and nowhere else."""
    kind = one_of(values, _TERMS)
    _check_reference(kind, values["of"], place)
    if kind == "ticks":
        return SpreadTerm(kind, ticks=values["ticks"])
    if kind == "absolute":
        return SpreadTerm(kind, absolute=values["absolute"])
    if kind == "table":
        return SpreadTerm(kind, of=values["of"], table=values["table"])
    if kind == "multiple":
        return SpreadTerm("underlying", ratio=values["multiple"])
    return SpreadTerm(kind, of=values["of"], ratio=values["relative"])


def _check_reference(kind: str, of: str | None, place: Place) -> None:
    allowed = REFERENCES.get(kind, ())
    if of is None and allowed:
        place.key("of").wrong(f"required with `{kind}`: one of " + ", ".join(allowed))
        raise Recorded
    if of is not None and of not in allowed:
        requirement = "one of " + ", ".join(allowed) if allowed else f"nothing, with `{kind}`"
        place.key("of").wrong(requirement, of)
        raise Recorded


def dated_relief(values: dict[str, Any], place: Place) -> DatedRelief:
    """A relief on some dates."""
    if values["to"] < values["from"]:
        raise UnitError("from at most to")
    return DatedRelief(values["from"], values["to"], values["multiple"])


def band(values: dict[str, Any], place: Place) -> Band:
    """How far from theo a side may be."""
    one_of(values, ("absolute", "relative"))
    return Band(absolute=values["absolute"], ratio=values["relative"])


def size_cell(values: dict[str, Any], place: Place) -> SizeCell:
    """The least size in some expiry months."""
    if values["months_to"] is not None and values["months_to"] <= values["months_from"]:
        raise UnitError("months_from below months_to")
    return SizeCell(values["size"], values["months_from"], values["months_to"])


def difference(values: dict[str, Any], place: Place) -> tuple[Ratio, str]:
    """How unequal sizes may be, and of what."""
    return values["ratio"], values["of"]


def rest(values: dict[str, Any], place: Place) -> tuple[int, str]:
    """How long a quote must have stood, and what then counts."""
    return values["at_least"], values["counts"]


def window(value: object, place: Place) -> str | int:
    """`session`, `am_pm`, or a width in ns."""
    if value == "session":
        return "session"
    if value == "am_pm":
        return "am_pm"
    try:
        width = duration(value)
    except UnitError:
        raise UnitError('"session", "am_pm" or a duration such as "1s"') from None
    if width == 0:
        raise UnitError("more than zero")
    return width


def burn(values: dict[str, Any], place: Place) -> Burn:
    """A pair of windows over which the budget may burn too fast."""
    if values["short"] > values["long"]:
        raise UnitError("short at most long")
    return Burn(values["long"], values["short"], values["burn"])


def presence(values: dict[str, Any], place: Place) -> dict[str, Any]:
    """What judges needs its numbers: to count contracts that pass, each must have something to pass."""
    by = values["judged_by"]
    if values["required_time"]:
        if by not in ("coverage", "contracts"):
            place.key("required_time").wrong('only with judged_by = "coverage" or "contracts"')
            raise Recorded
        values["required"] = values["required"] or Ratio(0, 1)
    for name in _NEEDS.get(by, ()):
        if values[name] is None:
            place.key(name).wrong(f'required with judged_by = "{by}"')
            raise Recorded
    if values["required"] is None and any(isinstance(width, int) for width in values["windows"]):
        place.key("required").wrong("required with a window of some width, which passes or fails")
        raise Recorded
    if by == "coverage":
        values["coverage_required"] = values["coverage_required"] or Ratio(1, 1)
    return values


def required_set(values: dict[str, Any], place: Place) -> RequiredSet:
    """Which contracts are owed."""
    low, high = values["min_days"], values["max_days"]
    if low is not None and high is not None and high < low:
        raise UnitError("min_days at most max_days")
    return RequiredSet(**{name: values[name] for name in RequiredSet.__slots__})


def nearest(values: dict[str, Any], place: Place) -> tuple[int, int]:
    """How many strikes out of the money and in the money."""
    return values["otm"], values["itm"]


def delta(values: dict[str, Any], place: Place) -> tuple[Ratio, Ratio]:
    """Least and greatest size of a delta."""
    low, high = values["from"], values["to"]
    if high.num * low.den < low.num * high.den:
        raise UnitError("from at most to")
    return low, high


def rfq(values: dict[str, Any], place: Place) -> Rfq:
    """Requests for quotes."""
    return Rfq(**{name: values[name] for name in Rfq.__slots__})


def signals(values: dict[str, Any], place: Place) -> Signals:
    """Thresholds of signals."""
    return Signals(**{name: values[name] for name in Signals.__slots__})
