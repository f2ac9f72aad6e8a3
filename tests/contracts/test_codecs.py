"""One record, seven formats: json, packed, FIX, Avro, Protobuf, Arrow and csv say the same of it, good or bad."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.fields import NULL, price_text
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.core.batch import Rows
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.kernels.reference_decode import HEADER, QUOTE
from mm_monitor.sources.capture import CaptureSource
from tests.kernels.fix_records import message
from tests.unit.codecs.registry_server import avro, protobuf, stream
from tests.unit.codecs.registry_server import registry as serving
from tests.unit.codecs.samples import dumps, reference
from tests.unit.sources.captures import QUOTES

Fields = tuple[int, int, int, int, int, int, int]
MAKERS = {1: "M0", 2: "M1"}
CONTRACTS = {10: "C0", 11: "C1", 12: "C9"}

prices = st.one_of(
    st.just(NULL),
    st.integers(-3, 300).map(lambda n: n * 10_000),
    st.integers(-(10**6), 10**6),
    st.sampled_from([9_200_000_000_000_000_000, 9_200_000_000_000_000_001, 2**63 - 1]),
)
sizes = st.integers(-1, 3) | st.just(2**31 - 1)
quotes = st.tuples(
    st.integers(-1, 10**18), prices, prices, sizes, sizes, st.sampled_from(sorted(MAKERS)),
    st.sampled_from(sorted(CONTRACTS)),
)  # fmt: skip


def as_text(price: int) -> str:
    return "" if price == NULL else price_text(price)


def as_json(row: Fields) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    return dumps({"ts_event": ts, "maker": MAKERS[maker], "contract": CONTRACTS[contract],
                  "bid_price": as_text(bid) or None, "bid_size": bid_size,
                  "ask_price": as_text(ask), "ask_size": ask_size})  # fmt: skip


def as_packed(row: Fields) -> bytes:
    return HEADER.pack(0, 1, 77, 1, QUOTE.size, 1) + QUOTE.pack(*row)


def as_fix(row: Fields) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ts // 10**9)
    stamp = f"{day:%Y%m%d-%H:%M:%S}.{ts % 10**9:09d}" if ts >= 0 else "never"
    prices = [(132, as_text(bid)), (133, as_text(ask)), (134, str(bid_size)), (135, str(ask_size))]
    fields = [(49, MAKERS[maker]), (60, stamp), (55, CONTRACTS[contract])]
    return message("S", [*fields, *((tag, text) for tag, text in prices if text)])


def as_csv(row: Fields) -> str:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    return (f"{ts},{MAKERS[maker]},{CONTRACTS[contract]},{as_text(bid)},{bid_size},"
            f"{as_text(ask)},{ask_size}\n")  # fmt: skip


def essence(rows: Rows, dead: list[DeadLetter], first: int) -> list[object]:
    """What does not depend on where a record came from."""
    names = ["ts", "a", "b", "a_size", "b_size", "maker", "contract", "kind", "flags"]
    kept = [(int(row["offset"]) - first, *row[names].tolist()) for row in rows]
    letters: list[tuple[int, BadReason, str]] = [
        (letter.raw.offset - first, letter.reason, letter.maker) for letter in dead
    ]
    return [sorted(kept), sorted(letters)]


def as_avro(row: Fields) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    return avro({"ts_event": ts, "maker": MAKERS[maker], "contract": CONTRACTS[contract],
                 "bid_price": as_text(bid) or None, "bid_size": bid_size,
                 "ask_price": as_text(ask) or None, "ask_size": ask_size})  # fmt: skip


def as_protobuf(row: Fields) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    prices: dict[str, Any] = {"bid_price": bid, "ask_price": ask}
    told = {name: price for name, price in prices.items() if price != NULL}
    return protobuf("Quote", ts_event=ts, maker=MAKERS[maker], contract=CONTRACTS[contract],
                    bid_size=bid_size, ask_size=ask_size, **told)  # fmt: skip


def as_arrow(row: Fields) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    columns = {"ts_event": ts, "maker": MAKERS[maker], "contract": CONTRACTS[contract],
               "bid_price": None if bid == NULL else bid, "bid_size": bid_size,
               "ask_price": None if ask == NULL else ask, "ask_size": ask_size}  # fmt: skip
    return stream(pa.table({name: [value] for name, value in columns.items()}))


@pytest.fixture(scope="module")
def registry() -> Iterator[SchemaRegistry]:
    with serving() as held:
        yield SchemaRegistry(held.url)


def through_codec(
    name: str, values: list[bytes], names: Reference, registry: SchemaRegistry | None = None
) -> list[object]:
    chunk = Chunk("quotes", 1, [RawRecord("t", 0, i, v) for i, v in enumerate(values)])
    decoded = codec_for("quotes", name, registry=registry).decode(chunk, names)
    return essence(decoded.rows, list(decoded.dead), 0)


async def through_capture(lines: list[str], names: Reference, directory: Path) -> list[object]:
    (directory / "quotes.csv").write_text(QUOTES + "".join(lines))
    source = CaptureSource(directory, names)
    await source.start()
    deliveries = []
    while not source.finished:
        deliveries += list(await source.poll())
    (delivery,) = deliveries
    return essence(delivery.decoded.rows, list(delivery.decoded.dead), 2)


@pytest.mark.criterion("TAPE-04")
@given(st.lists(quotes, min_size=1, max_size=10))
def test_all_formats_agree(
    tmp_path_factory: pytest.TempPathFactory, registry: SchemaRegistry, rows: list[Fields]
) -> None:
    names = reference()
    packed = through_codec("packed", [as_packed(row) for row in rows], names)
    assert through_codec("json", [as_json(row) for row in rows], names) == packed
    assert through_codec("fix", [as_fix(row) for row in rows], names) == packed
    assert through_codec("avro", [as_avro(row) for row in rows], names, registry) == packed
    assert through_codec("protobuf", [as_protobuf(row) for row in rows], names, registry) == packed
    assert through_codec("arrow", [as_arrow(row) for row in rows], names) == packed
    directory = tmp_path_factory.mktemp("capture")
    assert asyncio.run(through_capture([as_csv(r) for r in rows], names, directory)) == packed
