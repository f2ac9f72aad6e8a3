"""The documented layout, the SBE schema, the plain twin and the compiled kernel are the same."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from mm_monitor.codecs.fields import NULL
from mm_monitor.codecs.packed import QUOTE_FIELDS, THEO_FIELDS
from mm_monitor.core.model import MAX_PRICE, BadReason
from mm_monitor.kernels import _decode
from mm_monitor.kernels.reference_decode import HEADER, QUOTE, SCHEMA, THEO

DOCS = Path(__file__).parents[3] / "docs"
SBE = "{http://fixprotocol.io/2016/sbe}"
BYTES = {"uint8": 1, "int8": 1, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8}
CODES = {"uint8": "B", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q"}
LAYOUT = _decode.packed_layout()


def schema() -> Xml.Element:
    return Xml.parse(DOCS / "packed.sbe.xml").getroot()


def primitives(name: str) -> list[str]:
    """Primitive types that a named type occupies, constants left out."""
    types = schema().find("types")
    assert types is not None
    (found,) = [t for t in types if t.get("name") == name]
    parts = list(found) if found.tag == "composite" else [found]
    return [p.attrib["primitiveType"] for p in parts if p.get("presence") != "constant"]


def group(message_id: int) -> Xml.Element:
    (found,) = [m for m in schema().iter(f"{SBE}message") if m.get("id") == str(message_id)]
    assert found.get("blockLength") == "0"
    rows = found.find("group")
    assert rows is not None
    return rows


@pytest.mark.parametrize(
    ("message", "struct", "names", "layout"),
    [(1, QUOTE, QUOTE_FIELDS, "quote"), (2, THEO, THEO_FIELDS, "theo")],
)
def test_rows_of_the_schema_are_those_of_the_kernel(
    message: int, struct: object, names: tuple[str, ...], layout: str
) -> None:
    assert struct in (QUOTE, THEO)
    fields = list(group(message))
    assert tuple(f.get("name") for f in fields) == names
    offsets = {f.attrib["name"]: int(f.attrib["offset"]) for f in fields}
    size = int(group(message).attrib["blockLength"])
    assert {**offsets, "size": size} == LAYOUT[layout]
    kinds = [kind for f in fields for kind in primitives(f.attrib["type"])]
    assert "<" + "".join(CODES[k] for k in kinds) == (QUOTE if message == 1 else THEO).format
    ends = [0]
    for field in fields:
        assert offsets[field.attrib["name"]] == ends[-1]
        ends.append(ends[-1] + sum(BYTES[k] for k in primitives(field.attrib["type"])))
    assert ends[-1] == size


def test_the_header_of_the_schema_is_that_of_the_kernel() -> None:
    kinds = primitives("messageHeader") + primitives("groupSizeEncoding")
    assert "<" + "".join(CODES[k] for k in kinds) == HEADER.format
    assert list(LAYOUT["header"].values()) == [0, 1, 2, 3, 4, 6, 8]
    root = schema()
    assert (root.get("id"), root.get("byteOrder")) == (str(SCHEMA), "littleEndian")


def test_the_limits_of_the_schema_are_ours() -> None:
    (mantissa,) = [e for e in schema().iter("type") if e.get("name") == "mantissa"]
    assert int(mantissa.attrib["nullValue"]) == NULL
    assert int(mantissa.attrib["maxValue"]) == MAX_PRICE == -int(mantissa.attrib["minValue"])


def test_field_ids_of_the_schema_are_unique() -> None:
    ids = [e.attrib["id"] for e in schema().iter() if e.tag in ("field", "group")]
    assert len(ids) == len(set(ids))


def test_the_page_has_every_offset_and_reason() -> None:
    page = (DOCS / "formats.md").read_text()
    for name in ("quote", "theo"):
        for column, offset in LAYOUT[name].items():
            if column != "size":
                assert re.search(rf"\| {offset} \| [iu]\d+ \| {column}\b", page), column
    for reason in BadReason:
        assert f"`{reason.value}`" in page
