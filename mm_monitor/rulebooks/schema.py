"""The keys of a rulebook file and what each becomes in `mm_monitor.core.rulebook`.

A key that the engine does not implement has `implemented=False`, so that it and all below it is refused by its path
and not passed over in silence. Every table may carry its own `source` and `verified`. What each key means is in
`docs/rulebooks.md`, which a test holds against this file.
"""

from __future__ import annotations

from collections.abc import Mapping

from mm_monitor.core.model import MAX_SIZE, Phase
from mm_monitor.core.rulebook import Meaning, Ratio
from mm_monitor.rulebooks import values as means
from mm_monitor.tables import (
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

EFFECTS = ("exclude", "deem", "one_side")
ABOUT = {"source": Key(filled), "verified": Key(boolean)}  # of the numbers of one table
MINUTE = 60_000_000_000

# Exemptions have the venue's own words for keys -----------------------------------------------------


def _exemptions(value: object, place: Place) -> dict[str, Meaning]:
    if not isinstance(value, dict):
        raise UnitError("a table")
    before = len(place.errors)
    meanings = {
        kind: attempt(_meaning, meaning, place.key(kind))
        for kind, meaning in value.items()
        if kind not in ABOUT
    }
    for name, key in ABOUT.items():
        if name in value:
            attempt(key.parse, value[name], place.key(name))
    if len(place.errors) > before:
        raise Recorded
    return meanings


def _meaning(value: object, place: Place) -> Meaning:
    if isinstance(value, dict):
        return Meaning("relax", read_table(value, MEANING, place)["relax"])
    if not isinstance(value, str) or value not in EFFECTS:
        raise UnitError('"exclude", "deem", "one_side" or { relax = "2" }')
    return Meaning(value)


# Keys ---------------------------------------------------------------------------------------------


def _holding(keys: Mapping[str, Key], *, implemented: bool = True) -> Key:
    """A table whose values are used as they are."""
    return Key(table_of(keys, means.as_it_is), keys=keys, implemented=implemented)


MEANING = {
    "relax": Key(unit(multiple, positive=True), required=True),
    **ABOUT,
}
PHASE = {
    "at": Key(unit(clock), required=True),
    "phase": Key(choice(*Phase), required=True),
    "day": Key(integer(-1, 0), default=0),
}
_PHASES = list_of(table_of(PHASE, means.phase_at), "phases", at_least=1)
SPECIAL = {
    "date": Key(iso_date, required=True),
    "phases": Key(_PHASES, required=True, keys=PHASE, many=True),
    **ABOUT,
}
CALENDAR = {
    "timezone": Key(means.zone, required=True),
    "days": Key(list_of(means.weekday, "weekdays", at_least=1), required=True),
    "holidays": Key(list_of(iso_date, "dates"), default=()),
    "special": Key(
        list_of(table_of(SPECIAL, means.special), "tables", distinct=False),
        default=(),
        keys=SPECIAL,
        many=True,
    ),
    "phases": Key(_PHASES, required=True, keys=PHASE, many=True),
    **ABOUT,
}
DIFFERENCE = {
    "ratio": Key(unit(percent), required=True),
    "of": Key(choice("smaller", "larger", "mean"), required=True),
    **ABOUT,
}
REST = {
    "at_least": Key(unit(duration, positive=True), required=True),
    "counts": Key(choice("from_then", "retroactive"), required=True),
    **ABOUT,
}
SIZES = {
    "months_from": Key(integer(0, MAX_SIZE), default=0),
    "months_to": Key(integer(1, MAX_SIZE)),
    "size": Key(integer(1, MAX_SIZE), required=True),
    **ABOUT,
}
QUOTE = {
    "min_size": Key(integer(0, MAX_SIZE)),
    "min_size_by_month": Key(
        list_of(table_of(SIZES, means.size_cell), "cells", at_least=1, distinct=False),
        keys=SIZES,
        many=True,
    ),
    "max_size_difference": Key(table_of(DIFFERENCE, means.difference), keys=DIFFERENCE),
    "max_age": Key(unit(duration, positive=True)),
    "min_rest": Key(table_of(REST, means.rest), keys=REST),
    "zero_bid_below": Key(unit(price, positive=True)),
    "after_fill": Key(choice("restated", "shrinks"), default="restated"),
    **ABOUT,
}
CELL = {
    "price_from": Key(unit(price), default=0),
    "price_to": Key(unit(price)),
    "days_from": Key(integer(0, MAX_SIZE), default=0),
    "days_to": Key(integer(0, MAX_SIZE)),
    "absolute": Key(unit(price, positive=True)),
    "relative": Key(unit(percent, positive=True)),
    **ABOUT,
}
TERM = {
    "relative": Key(unit(percent, positive=True)),
    "ticks": Key(integer(1, MAX_SIZE)),
    "absolute": Key(unit(price, positive=True)),
    "table": Key(
        list_of(table_of(CELL, means.cell), "cells", at_least=1, distinct=False),
        keys=CELL,
        many=True,
    ),
    "multiple": Key(unit(multiple, positive=True)),
    "of": Key(text),
    **ABOUT,
}
RELIEF = {
    "from": Key(iso_date, required=True),
    "to": Key(iso_date, required=True),
    "multiple": Key(unit(multiple, positive=True), required=True),
    **ABOUT,
}
BAND = {
    "absolute": Key(unit(price)),
    "relative": Key(unit(percent)),
    **ABOUT,
}
SPREAD = {
    "combine": Key(choice("max", "min"), default="max"),
    "terms": Key(
        list_of(table_of(TERM, means.term), "terms", at_least=1, distinct=False),
        default=(),
        keys=TERM,
        many=True,
    ),
    "grace": Key(unit(duration)),
    "off_theo": Key(table_of(BAND, means.band), keys=BAND),
    "relief": Key(
        list_of(table_of(RELIEF, means.dated_relief), "reliefs", distinct=False),
        default=(),
        keys=RELIEF,
        many=True,
    ),
    **ABOUT,
}
THEO = {
    "max_age": Key(unit(duration, positive=True)),
    "when_missing": Key(
        choice("unknown", "skip_spread", "exclude", "hold"),
        default="unknown",
    ),
    "sensitivity": Key(unit(percent, positive=True)),
    **ABOUT,
}
DELTA = {
    "from": Key(unit(multiple), default=Ratio(0, 1)),
    "to": Key(unit(multiple), default=Ratio(1, 1)),
    **ABOUT,
}
MOST_MONTHS = 1200
NEAREST = {
    "otm": Key(integer(0, MAX_SIZE), required=True),
    "itm": Key(integer(0, MAX_SIZE), required=True),
    **ABOUT,
}
REQUIRED_SET = {
    "kinds": Key(list_of(choice("call", "put", "future", "stock", "etf"), "kinds"), default=()),
    "months": Key(integer(1, MAX_SIZE)),
    "min_days": Key(integer(0, MAX_SIZE)),
    "max_days": Key(integer(0, MAX_SIZE)),
    "below_months": Key(integer(1, MOST_MONTHS)),
    "exclude": Key(list_of(means.identifier, "flags"), default=()),
    "strikes": Key(integer(0, MAX_SIZE)),
    "nearest": Key(table_of(NEAREST, means.nearest), keys=NEAREST),
    "within": Key(unit(percent)),
    "delta": Key(table_of(DELTA, means.delta), keys=DELTA),
    **ABOUT,
}
ACCOUNTS = {
    "rollup": Key(choice("union", "best"), default="union"),
    **ABOUT,
}
BURN = {
    "long": Key(unit(duration, positive=True), required=True),
    "short": Key(unit(duration, positive=True), required=True),
    "burn": Key(unit(multiple, positive=True), required=True),
    **ABOUT,
}
PRESENCE = {
    "required": Key(unit(percent)),
    "required_time": Key(unit(duration, positive=True), default=0),
    "judged_by": Key(
        choice(
            "ratio_of_sums",
            "coverage",
            "mean_of_ratios",
            "contracts",
            "products",
            "days",
            "stretches",
        ),
        default="ratio_of_sums",
    ),
    "coverage_required": Key(unit(percent)),
    "coverage_all_but_pairs": Key(integer(0, MAX_SIZE), default=0),
    "contracts_required": Key(integer(1, MAX_SIZE)),
    "products_required": Key(integer(1, MAX_SIZE)),
    "windows": Key(list_of(means.window, "windows"), default=()),
    "at_risk": Key(
        list_of(table_of(BURN, means.burn), "pairs of windows"),
        default=(),
        keys=BURN,
        many=True,
    ),
    "at_risk_every": Key(unit(duration, positive=True), default=MINUTE),
    **ABOUT,
}
MONTH = {
    "required_days": Key(unit(percent)),
    "tolerated_days": Key(integer(0, MAX_SIZE)),
    **ABOUT,
}
LAPSE = {
    "longest_permitted": Key(unit(duration)),
    **ABOUT,
}
STRESS = {
    "relief": Key(unit(multiple, positive=True)),
    "weight": Key(unit(multiple)),
    "required": Key(unit(percent)),
    **ABOUT,
}
MARKET_HOLE = {
    "longest_permitted": Key(unit(duration), required=True),
    **ABOUT,
}
RFQ = {
    "respond_within": Key(unit(duration), required=True),
    "stay": Key(unit(duration), default=0),
    "required": Key(unit(percent)),
    "standing_quote_counts": Key(boolean, default=False),
    "deemed_fulfilled_up_to": Key(integer(0, MAX_SIZE), default=0),
    **ABOUT,
}
SIGNALS = {
    "per_second": Key(integer(1, MAX_SIZE)),
    "per_day": Key(integer(1, MAX_SIZE)),
    "cancelled_share": Key(unit(percent)),
    "cancelled_amount": Key(unit(price)),
    **ABOUT,
}
RULEBOOK = {
    "id": Key(means.identifier, required=True),
    "version": Key(integer(1, MAX_SIZE), required=True),
    "title": Key(text, default=""),
    "effective": Key(iso_date, default=""),
    "verified": Key(boolean, default=False),
    "source": Key(filled),
    "missing": Key(list_of(filled, "numbers that no source gives"), default=()),
    "calendar": Key(table_of(CALENDAR, means.calendar), keys=CALENDAR),
    "quote": _holding(QUOTE),
    "spread": _holding(SPREAD),
    "theo": _holding(THEO),
    "required_set": Key(table_of(REQUIRED_SET, means.required_set), keys=REQUIRED_SET),
    "accounts": _holding(ACCOUNTS),
    "presence": Key(table_of(PRESENCE, means.presence), keys=PRESENCE),
    "month": _holding(MONTH),
    "lapse": _holding(LAPSE),
    "stress": _holding(STRESS),
    "market_hole": _holding(MARKET_HOLE),
    "rfq": Key(table_of(RFQ, means.rfq), keys=RFQ),
    "signals": Key(table_of(SIGNALS, means.signals), keys=SIGNALS),
    "exemptions": Key(
        _exemptions,
        keys={
            "<kind>": Key(_meaning, keys=MEANING),
            **ABOUT,
        },
    ),
}
TABLES = tuple(name for name, key in RULEBOOK.items() if key.keys is not None)
