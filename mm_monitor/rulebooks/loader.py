"""Reads a rulebook file into a `Rulebook`, or says everything that is wrong with it at once.

The sha256 is of the file's bytes, so that a report names the very file that judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from mm_monitor.core.rulebook import Rulebook
from mm_monitor.errors import ConfigErrors, InputError
from mm_monitor.rulebooks.schema import MINUTE, RULEBOOK, TABLES
from mm_monitor.tables import INVALID, Place, attempt, read_bytes, read_table, read_toml

_SHIPPED = files("mm_monitor.rulebooks")


def names() -> list[str]:
    """Names of the shipped rulebooks, sorted."""
    found = (entry.name for entry in _SHIPPED.iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load(name_or_path: str | Path) -> Rulebook:
    """A shipped rulebook by name, or any by path.

    Raises ConfigErrors with all that is wrong in the file, InputError if there is no such file.
    """
    data, file = source_bytes(name_or_path)
    return parse(data, file=file)


def source_bytes(name_or_path: str | Path) -> tuple[bytes, str]:
    """The bytes of a rulebook file and what to call it in errors. Raises InputError if there is none."""
    if isinstance(name_or_path, str) and name_or_path in names():
        file = f"{name_or_path}.toml"
        return (_SHIPPED / file).read_bytes(), file
    path = Path(name_or_path)
    if not path.exists():
        raise InputError(
            f"a rulebook file, or one of {', '.join(names())}", value=str(name_or_path)
        )
    return read_bytes(path), str(path)


def parse(data: bytes, *, file: str = "") -> Rulebook:
    """A rulebook from the bytes of its file, which `file` names in errors. Raises ConfigErrors."""
    return from_table(read_toml(data, file), sha256(data).hexdigest(), file=file)


def from_table(table: dict[str, Any], digest: str, *, file: str = "") -> Rulebook:
    """A rulebook from the tables of its file; `digest` stands for the file in reports. Raises ConfigErrors."""
    place = Place(file, [])
    values = attempt(lambda value, at: read_table(value, RULEBOOK, at), table, place)
    _require_sources(table, place)
    if values is INVALID or place.errors:
        raise ConfigErrors(place.errors)
    source = "; ".join(f"{path}: {text}" if path else text for path, text in _sources(table))
    return _rulebook(values, source, dict(_checked(table)), digest)


def _require_sources(table: dict[str, Any], place: Place) -> None:
    """A number without a source is an error."""
    tables = [name for name in TABLES if isinstance(table.get(name), dict)]
    lacking = [name for name in tables if "source" not in table[name]]
    if "source" not in table:
        if len(lacking) == len(tables):
            place.key("source").wrong("required, and missing (or one in every table)")
        else:
            for name in lacking:
                place.key(name).key("source").wrong("required without a source for the whole file")


def _sources(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every source in a file with the path of its table, "" for that of the whole file."""
    if isinstance(value, dict):
        if "source" in value:
            yield path, value["source"]
        for name, inner in value.items():
            yield from _sources(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _sources(inner, f"{path}[{index}]")


def _checked(value: object, path: str = "") -> Iterator[tuple[str, bool]]:
    """Path of every table inside the file that says whether a person has compared it, and what it says."""
    if isinstance(value, dict):
        if path and isinstance(value.get("verified"), bool):
            yield path, value["verified"]
        for name, inner in value.items():
            yield from _checked(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _checked(inner, f"{path}[{index}]")


def _rulebook(
    values: dict[str, Any], source: str, checked: dict[str, bool], digest: str
) -> Rulebook:
    """Put the values of a sound file where the engine looks for them."""
    table = {name: values[name] or {} for name in TABLES}
    quote, spread, theo, presence = (table[n] for n in ("quote", "spread", "theo", "presence"))
    difference, of = quote.get("max_size_difference") or (None, "")
    min_rest, counts = quote.get("min_rest") or (None, "from_then")
    windows = presence.get("windows", ())
    return Rulebook(
        **{name: values[name] for name in ("id", "version", "title", "effective", "verified")},
        sha256=digest,
        checked=checked,
        source=source,
        calendar=values["calendar"],
        min_size=quote.get("min_size"),
        size_by_month=quote.get("min_size_by_month") or (),
        size_difference=difference,
        size_difference_of=of,
        max_age=quote.get("max_age"),
        zero_bid_below=quote.get("zero_bid_below"),
        combine=spread.get("combine", "max"),
        terms=spread.get("terms", ()),
        grace=spread.get("grace"),
        off_theo=spread.get("off_theo"),
        theo_max_age=theo.get("max_age"),
        when_missing=theo.get("when_missing", "unknown"),
        required=presence.get("required"),
        required_time=presence.get("required_time", 0),
        judged_by=presence.get("judged_by", "ratio_of_sums"),
        coverage_required=presence.get("coverage_required"),
        longest_permitted=table["lapse"].get("longest_permitted"),
        stress_relief=table["stress"].get("relief"),
        exemptions=table["exemptions"],
        min_rest=min_rest,
        rest_counts=counts,
        fills_shrink=quote.get("after_fill") == "shrinks",
        dated_relief=spread.get("relief", ()),
        required_set=values["required_set"],
        accounts=table["accounts"].get("rollup", ""),
        coverage_all_but_pairs=presence.get("coverage_all_but_pairs", 0),
        contracts_required=presence.get("contracts_required"),
        products_required=presence.get("products_required"),
        windows=tuple(width for width in windows if isinstance(width, int)),
        am_pm="am_pm" in windows or presence.get("judged_by") == "stretches",
        at_risk=presence.get("at_risk", ()),
        at_risk_every=presence.get("at_risk_every", MINUTE),
        stress_weight=table["stress"].get("weight"),
        stress_required=table["stress"].get("required"),
        longest_hole=table["market_hole"].get("longest_permitted"),
        rfq=values["rfq"],
        days_required=table["month"].get("required_days"),
        days_tolerated=table["month"].get("tolerated_days"),
        signals=values["signals"],
        sensitivity=theo.get("sensitivity"),
        missing=values["missing"],
    )
