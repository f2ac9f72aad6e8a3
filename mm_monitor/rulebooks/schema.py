"""The keys of a rulebook file and what each becomes in `mm_monitor.core.rulebook`.

A key that the engine does not implement is listed with `implemented=False`, so that it is refused
by its path and not passed over in silence. Every table may carry a `source` beside its keys. What
each key means is in `docs/rulebooks.md`, which a test holds against this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mm_monitor.core.model import MAX_SIZE, Phase
from mm_monitor.core.rulebook import Band, Calendar, Meaning, PhaseAt, Ratio, SpreadTerm
from mm_monitor.tables import (
    LATER,
    Key,
    Place,
    Recorded,
    attempt,
    boolean,
    choice,
    filled,
    integer,
    iso_date,
    list_of,
    read_table,
    table_of,
    text,
    unit,
)
from mm_monitor.units import UnitError, clock, duration, multiple, percent, price

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REFERENCES = ("theo", "bid", "ask", "mid")
EFFECTS = ("exclude", "deem", "one_side")

_SOURCE = Key(filled)
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# Builders -----------------------------------------------------------------------------------------


def _identifier(value: object, place: Place) -> str:
    """An id is a metric label, and part of a breach's hash, where `|` separates."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise UnitError("a name of letters, digits, '.', '_' and '-'")
    return value


def _zone(value: object, place: Place) -> str:
    requirement = 'an IANA time zone such as "Asia/Shanghai"'
    if not isinstance(value, str):
        raise UnitError(requirement)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a directory such as "Asia"
        raise UnitError(requirement) from None
    return value


def _weekday(value: object, place: Place) -> int:
    return WEEKDAYS.index(choice(*WEEKDAYS)(value, place))


def _phase_at(values: dict[str, Any], place: Place) -> PhaseAt:
    return PhaseAt(at=values["at"], phase=values["phase"], day=values["day"])


def _special(values: dict[str, Any], place: Place) -> tuple[str, tuple[PhaseAt, ...]]:
    return values["date"], values["phases"]


def _calendar(values: dict[str, Any], place: Place) -> Calendar:
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


def _one_of(values: dict[str, Any], names: tuple[str, ...]) -> str:
    """The one name of `names` that has a value."""
    given = [name for name in names if values[name] is not None]
    if len(given) != 1:
        raise UnitError(f"exactly one of {', '.join(names)}")
    return given[0]


def _term(values: dict[str, Any], place: Place) -> SpreadTerm:
    kind = _one_of(values, ("relative", "ticks", "absolute"))
    if kind == "ticks":
        return SpreadTerm(kind, ticks=values["ticks"])
    if kind == "absolute":
        return SpreadTerm(kind, absolute=values["absolute"])
    return SpreadTerm(kind, of=values["of"], ratio=values["relative"])


def _spread_term(value: object, place: Place) -> SpreadTerm:
    """`of` belongs to `relative` and to nothing else: no term says what it does not mean."""
    if isinstance(value, dict) and ("relative" in value) != ("of" in value):
        if "of" in value:
            place.key("of").wrong("only with `relative`", value["of"])
        else:
            place.key("of").wrong("required with `relative`: one of " + ", ".join(REFERENCES))
        raise Recorded
    term: SpreadTerm = table_of(TERM, _term)(value, place)
    return term


def _band(values: dict[str, Any], place: Place) -> Band:
    _one_of(values, ("absolute", "relative"))
    return Band(absolute=values["absolute"], ratio=values["relative"])


def _difference(values: dict[str, Any], place: Place) -> tuple[Ratio, str]:
    return values["ratio"], values["of"]


def _window(value: object, place: Place) -> str:
    if value == "session":
        return "session"
    try:
        duration(value)
    except UnitError:
        raise UnitError('"session" or a duration such as "1s"') from None
    raise UnitError(LATER)


def _presence(values: dict[str, Any], place: Place) -> dict[str, Any]:
    """Coverage counts contracts that pass: each must have something to pass, and all must."""
    if values["judged_by"] == "coverage":
        if values["required"] is None:
            place.key("required").wrong('required with judged_by = "coverage"')
            raise Recorded
        values["coverage_required"] = values["coverage_required"] or Ratio(1, 1)
    return values


def _exemptions(value: object, place: Place) -> dict[str, Meaning]:
    """The kinds are the venue's own words, so their keys are free."""
    if not isinstance(value, dict):
        raise UnitError("a table")
    before = len(place.errors)
    meanings = {
        kind: attempt(_meaning, meaning, place.key(kind))
        for kind, meaning in value.items()
        if kind != "source"
    }
    attempt(filled, value.get("source", "-"), place.key("source"))
    if len(place.errors) > before:
        raise Recorded
    return meanings


def _meaning(value: object, place: Place) -> Meaning:
    if isinstance(value, dict):
        return Meaning("relax", read_table(value, MEANING, place)["relax"])
    if not isinstance(value, str) or value not in EFFECTS:
        raise UnitError('"exclude", "deem", "one_side" or { relax = "2" }')
    return Meaning(value)


def _as_it_is(values: dict[str, Any], place: Place) -> dict[str, Any]:
    return values


# Keys ---------------------------------------------------------------------------------------------


def _later(keys: Mapping[str, Key] | None = None) -> Key:
    return Key(text, implemented=False, keys=keys)


def _holding(keys: Mapping[str, Key]) -> Key:
    """A table whose values are used as they are."""
    return Key(table_of(keys, _as_it_is), keys=keys)


MEANING = {
    "relax": Key(unit(multiple, positive=True), required=True),
    "source": _SOURCE,
}
PHASE = {
    "at": Key(unit(clock), required=True),
    "phase": Key(choice(*Phase), required=True),
    "day": Key(integer(-1, 0), default=0),
}
_PHASES = list_of(table_of(PHASE, _phase_at), "phases", at_least=1)
SPECIAL = {
    "date": Key(iso_date, required=True),
    "phases": Key(_PHASES, required=True, keys=PHASE, many=True),
    "source": _SOURCE,
}
CALENDAR = {
    "timezone": Key(_zone, required=True),
    "days": Key(list_of(_weekday, "weekdays", at_least=1), required=True),
    "holidays": Key(list_of(iso_date, "dates"), default=()),
    "special": Key(
        list_of(table_of(SPECIAL, _special), "tables", distinct=False),
        default=(),
        keys=SPECIAL,
        many=True,
    ),
    "phases": Key(_PHASES, required=True, keys=PHASE, many=True),
    "source": _SOURCE,
}
DIFFERENCE = {
    "ratio": Key(unit(percent), required=True),
    "of": Key(choice("smaller", "larger", "mean"), required=True),
    "source": _SOURCE,
}
REST = {
    "at_least": _later(),
    "counts": _later(),
}
QUOTE = {
    "min_size": Key(integer(0, MAX_SIZE)),
    "max_size_difference": Key(table_of(DIFFERENCE, _difference), keys=DIFFERENCE),
    "max_age": Key(unit(duration, positive=True)),
    "min_rest": _later(REST),
    "zero_bid_below": Key(unit(price, positive=True)),
    "source": _SOURCE,
}
TERM = {
    "relative": Key(unit(percent, positive=True)),
    "of": Key(choice(*REFERENCES)),
    "ticks": Key(integer(1, MAX_SIZE)),
    "absolute": Key(unit(price, positive=True)),
    "table": _later(),
    "source": _SOURCE,
}
BAND = {
    "absolute": Key(unit(price)),
    "relative": Key(unit(percent)),
    "source": _SOURCE,
}
SPREAD = {
    "combine": Key(choice("max", "min"), default="max"),
    "terms": Key(
        list_of(_spread_term, "terms", at_least=1, distinct=False),
        default=(),
        keys=TERM,
        many=True,
    ),
    "grace": Key(unit(duration)),
    "off_theo": Key(table_of(BAND, _band), keys=BAND),
    "source": _SOURCE,
}
THEO = {
    "max_age": Key(unit(duration, positive=True)),
    "when_missing": Key(
        choice("unknown", "skip_spread", "exclude", "hold"),
        default="unknown",
    ),
    "source": _SOURCE,
}
PRESENCE = {
    "required": Key(unit(percent)),
    "judged_by": Key(
        choice("ratio_of_sums", "coverage", "mean_of_ratios", later=("days",)),
        default="ratio_of_sums",
    ),
    "coverage_required": Key(unit(percent)),
    "windows": Key(list_of(_window, "windows")),
    "source": _SOURCE,
}
LAPSE = {
    "longest_permitted": Key(unit(duration)),
    "source": _SOURCE,
}
STRESS = {
    "relief": Key(unit(multiple, positive=True)),
    "weight": _later(),
    "required": _later(),
    "source": _SOURCE,
}
RFQ = {
    "respond_within": _later(),
    "stay": _later(),
    "required": _later(),
    "standing_quote_counts": _later(),
    "deemed_fulfilled_up_to": _later(),
}
RULEBOOK = {
    "id": Key(_identifier, required=True),
    "version": Key(integer(1, MAX_SIZE), required=True),
    "title": Key(text, default=""),
    "effective": Key(iso_date, default=""),
    "verified": Key(boolean, default=False),
    "source": Key(filled),
    "calendar": Key(table_of(CALENDAR, _calendar), keys=CALENDAR),
    "quote": _holding(QUOTE),
    "spread": _holding(SPREAD),
    "theo": _holding(THEO),
    "presence": Key(table_of(PRESENCE, _presence), keys=PRESENCE),
    "lapse": _holding(LAPSE),
    "stress": _holding(STRESS),
    "rfq": _later(RFQ),
    "exemptions": Key(
        _exemptions,
        keys={
            "<kind>": Key(_meaning, keys=MEANING),
            "source": _SOURCE,
        },
    ),
}
TABLES = tuple(name for name, key in RULEBOOK.items() if key.keys is not None)
