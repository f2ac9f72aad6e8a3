"""Whatever stands in a file, a rulebook or a config loads or is refused; nothing else comes out."""

import contextlib
import datetime
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import tables
from mm_monitor.config import SECTIONS, schema
from mm_monitor.errors import ConfigErrors
from mm_monitor.rulebooks import parse
from mm_monitor.rulebooks.schema import RULEBOOK
from mm_monitor.tables import Place, attempt, read_table
from tests.unit.rulebooks.texts import SOUND

WORDS = st.sampled_from(
    ["", "3%", "5s", "0.05", "theo", "max", "session", "mon", "09:30", "continuous", "relax", "all"]
)
SCALARS = st.one_of(
    WORDS, st.text(max_size=5), st.integers(), st.floats(), st.booleans(),
    st.dates(), st.just(datetime.time(9, 30)), st.datetimes(),
)  # fmt: skip
NAMES = st.sampled_from(
    sorted({path.split(".")[-1].removesuffix("[]") for path, _ in tables.walk(RULEBOOK)})
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_table_is_read_or_every_flaw_has_a_path(table: dict[str, Any]) -> None:
    place = Place("r.toml", [])
    read = attempt(lambda value, at: read_table(value, RULEBOOK, at), table, place)
    assert (read is tables.INVALID) == bool(place.errors)
    assert all(str(error).startswith(f"r.toml: {error.path}: ") for error in place.errors)
    assert all(error.path for error in place.errors)


CONFIG_NAMES = st.sampled_from(sorted({f.name for of in SECTIONS.values() for f in fields(of)}))


@given(
    st.dictionaries(
        st.sampled_from(sorted(SECTIONS)),
        st.dictionaries(CONFIG_NAMES, VALUES, max_size=3) | VALUES,
        max_size=4,
    )
)
def test_any_config_is_read_or_every_flaw_has_a_path(table: dict[str, Any]) -> None:
    place = Place("c.toml", [])
    read = attempt(lambda value, at: read_table(value, schema(), at), table, place)
    assert (read is tables.INVALID) == bool(place.errors)
    assert all(error.path for error in place.errors)


@given(st.binary(max_size=40), st.integers(0, len(SOUND.encode())))
def test_any_bytes_are_a_rulebook_or_an_error(junk: bytes, at: int) -> None:
    data = SOUND.encode()
    for candidate in (data[:at], data[:at] + junk + data[at + len(junk) :], junk):
        with contextlib.suppress(ConfigErrors):
            parse(candidate, file="r.toml")


def test_keys_without_end_are_refused() -> None:
    with pytest.raises(ConfigErrors, match="a: unknown key"):
        parse(b"a" + b".a" * 3_000 + b" = 1\n", file="r.toml")
