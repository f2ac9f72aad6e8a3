"""The keys of a rulebook file and what each becomes in `mm_monitor.core.rulebook`.

A key that the engine does not implement is listed with `implemented=False`, so that it is refused
by its path and not passed over in silence. Every table may carry a `source` beside its keys.
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

_SOURCE = Key(filled, doc="where the numbers of this table come from")
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


def _later(doc: str, keys: Mapping[str, Key] | None = None) -> Key:
    return Key(text, implemented=False, doc=doc, keys=keys)


def _holding(keys: Mapping[str, Key], doc: str) -> Key:
    """A table whose values are used as they are."""
    return Key(table_of(keys, _as_it_is), doc=doc, keys=keys)


def _share(doc: str) -> Key:
    return Key(unit(percent), doc=doc)


MEANING = {
    "relax": Key(
        unit(multiple, positive=True), required=True, doc="the spread limit is multiplied by this"
    ),
    "source": _SOURCE,
}
PHASE = {
    "at": Key(unit(clock), required=True, doc="local wall time at which the phase begins"),
    "phase": Key(choice(*Phase), required=True, doc="which phase begins"),
    "day": Key(integer(-1, 0), default=0, doc="-1: on the trading date before"),
}
_PHASES = list_of(table_of(PHASE, _phase_at), "phases", at_least=1)
SPECIAL = {
    "date": Key(iso_date, required=True, doc="the trading date that differs"),
    "phases": Key(_PHASES, required=True, doc="its phases", keys=PHASE, many=True),
    "source": _SOURCE,
}
CALENDAR = {
    "timezone": Key(_zone, required=True, doc="the venue's IANA zone"),
    "days": Key(list_of(_weekday, "weekdays", at_least=1), required=True, doc="trading weekdays"),
    "holidays": Key(list_of(iso_date, "dates"), default=(), doc="dates without trading"),
    "special": Key(
        list_of(table_of(SPECIAL, _special), "tables", distinct=False),
        default=(),
        doc="dates with phases of their own, trading even on a holiday",
        keys=SPECIAL,
        many=True,
    ),
    "phases": Key(_PHASES, required=True, doc="phases of a trading day", keys=PHASE, many=True),
    "source": _SOURCE,
}
DIFFERENCE = {
    "ratio": Key(unit(percent), required=True, doc="|bid size - ask size| at most this share ..."),
    "of": Key(choice("smaller", "larger", "mean"), required=True, doc="... of this size"),
    "source": _SOURCE,
}
REST = {
    "at_least": _later("how long a quote must have stood"),
    "counts": _later("from_then or retroactive"),
}
QUOTE = {
    "min_size": Key(integer(0, MAX_SIZE), doc="least size of each side, contracts"),
    "max_size_difference": Key(
        table_of(DIFFERENCE, _difference), doc="how unequal the sizes may be", keys=DIFFERENCE
    ),
    "max_age": Key(unit(duration, positive=True), doc="age at which a quote goes stale"),
    "min_rest": _later("how long a quote must have stood to count", REST),
    "zero_bid_below": Key(
        unit(price, positive=True), doc="the ask alone suffices while theo is below this"
    ),
    "source": _SOURCE,
}
TERM = {
    "relative": Key(unit(percent, positive=True), doc="this share of a reference price"),
    "of": Key(choice(*REFERENCES), doc="the reference price of `relative`"),
    "ticks": Key(integer(1, MAX_SIZE), doc="so many ticks"),
    "absolute": Key(unit(price, positive=True), doc="a price difference"),
    "table": _later("bands of price and days to expiry"),
    "source": _SOURCE,
}
BAND = {
    "absolute": Key(unit(price), doc="a price difference"),
    "relative": Key(unit(percent), doc="a share of theo"),
    "source": _SOURCE,
}
SPREAD = {
    "combine": Key(choice("max", "min"), default="max", doc="which of the terms is the limit"),
    "terms": Key(
        list_of(_spread_term, "terms", at_least=1, distinct=False),
        default=(),
        doc="what the limit is made of",
        keys=TERM,
        many=True,
    ),
    "grace": Key(unit(duration), doc="how long too wide before a `spread` breach opens"),
    "off_theo": Key(table_of(BAND, _band), doc="how far from theo a side may be", keys=BAND),
    "source": _SOURCE,
}
THEO = {
    "max_age": Key(unit(duration, positive=True), doc="age at which theo counts as missing"),
    "when_missing": Key(
        choice("unknown", "skip_spread", "exclude", "hold"),
        default="unknown",
        doc="what a test that hangs on a missing theo counts as",
    ),
    "source": _SOURCE,
}
PRESENCE = {
    "required": _share("quoted time / required time that is owed"),
    "judged_by": Key(
        choice("ratio_of_sums", "coverage", "mean_of_ratios", later=("days",)),
        default="ratio_of_sums",
        doc="the aggregation that judges a maker",
    ),
    "coverage_required": _share("share of contracts that must pass, all if not given"),
    "windows": Key(list_of(_window, "windows"), doc="windows of judgement; only `session` as yet"),
    "source": _SOURCE,
}
LAPSE = {
    "longest_permitted": Key(unit(duration), doc="a longer lapse is a breach"),
    "source": _SOURCE,
}
STRESS = {
    "relief": Key(
        unit(multiple, positive=True), doc="the spread limit is multiplied by this inside stress"
    ),
    "weight": _later("weight of stress time"),
    "required": _later("presence owed inside stress"),
    "source": _SOURCE,
}
RFQ = {
    "respond_within": _later("time to answer"),
    "stay": _later("how long the answer must stand"),
    "required": _later("share of requests to answer"),
    "standing_quote_counts": _later("whether a quote already there answers"),
    "deemed_fulfilled_up_to": _later("small-sample rule"),
}
RULEBOOK = {
    "id": Key(_identifier, required=True, doc="name of the rulebook"),
    "version": Key(integer(1, MAX_SIZE), required=True, doc="its version"),
    "title": Key(text, default="", doc="what people call it"),
    "effective": Key(iso_date, default="", doc="date from which it applies"),
    "verified": Key(boolean, default=False, doc="has a person read these numbers officially?"),
    "source": Key(filled, doc="where the numbers come from, for every table without its own"),
    "calendar": Key(table_of(CALENDAR, _calendar), doc="trading dates and phases", keys=CALENDAR),
    "quote": _holding(QUOTE, "what makes a quote valid"),
    "spread": _holding(SPREAD, "how wide a quote may be"),
    "theo": _holding(THEO, "how theo is used"),
    "presence": Key(table_of(PRESENCE, _presence), doc="how much is owed", keys=PRESENCE),
    "lapse": _holding(LAPSE, "how long a lapse may be"),
    "stress": _holding(STRESS, "what stress changes"),
    "rfq": _later("requests for quotes", RFQ),
    "exemptions": Key(
        _exemptions,
        doc="what each kind of exemption means",
        keys={
            "<kind>": Key(_meaning, doc="what this kind does", keys=MEANING),
            "source": _SOURCE,
        },
    ),
}
TABLES = tuple(name for name, key in RULEBOOK.items() if key.keys is not None)
