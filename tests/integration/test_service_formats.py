"""Quotes in the formats that venues have, through a real Kafka into a running service: judged as JSON is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.integration.inside import applied, inside, slots
from tests.integration.venue import Venue, quote, rulebook
from tests.services.kafka import Kafka
from tests.services.wait import eventually
from tests.unit.codecs.registry_server import avro, protobuf, registry, stream

RULES = '[presence]\nrequired = "90%"\n'


def units(text: str | None) -> int | None:
    """A price of four decimals in units of 10^-8."""
    return None if text is None else int(text.replace(".", "")) * 10_000


def as_avro(value: dict[str, Any]) -> bytes:
    return avro(value)


def as_protobuf(value: dict[str, Any]) -> bytes:
    prices = {side: units(value[side]) for side in ("bid_price", "ask_price")}
    return protobuf("Quote", **{k: v for k, v in (value | prices).items() if v is not None})


def as_arrow(value: dict[str, Any]) -> bytes:
    return stream(pa.table({name: [one] for name, one in value.items()}))


@pytest.mark.parametrize(
    ("codec", "written"), [("avro", as_avro), ("protobuf", as_protobuf), ("arrow", as_arrow)]
)
async def test_a_quote_is_judged_and_what_is_none_is_told(
    kafka: Kafka, tmp_path: Path, codec: str, written: Callable[[dict[str, Any]], bytes]
) -> None:
    venue = Venue(kafka, tmp_path)
    venue.write_rulebook(rulebook(rules=RULES))
    with registry() as schemas:
        codecs = {"quotes": codec, "registry": schemas.url}
        async with venue.open(), inside(venue, codecs=codecs) as app:
            for maker in ("M0", "M1"):
                await venue.send(venue.quotes_topic, written(quote(time.time_ns(), maker)), 0)
            await venue.send(venue.quotes_topic, b"\0neither", 0)
            gone = quote(time.time_ns(), "M1", bid=None, ask=None)
            await venue.send(venue.quotes_topic, written(gone), 0)
            await applied(app, 3)
            await eventually(lambda: len(venue.dead()) == 1)
            found = {maker: slots(app)[maker, "C0"] for maker in ("M0", "M1", "M2")}
            assert [found[maker]["state"] for maker in found] == [
                "quoted",
                "lapsed:absent",
                "lapsed:absent",
            ]
            assert [found[maker]["quoted_ns"] > 0 for maker in found] == [True, True, False]
            assert app.stats.late == 0
