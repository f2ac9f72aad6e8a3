"""Avro, Protobuf and Arrow against records that the formats' own libraries write, and a registry over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.core.batch import Decoded
from mm_monitor.errors import MonitorError
from tests.unit.codecs.registry_server import (
    AVRO,
    MADE,
    PROTO,
    PROTOBUF,
    Registry,
    avro,
    framed,
    protobuf,
    registry,
    stream,
)
from tests.unit.codecs.samples import chunk, dumps, quote, reference


@pytest.fixture
def served() -> Iterator[Registry]:
    with registry() as held:
        yield held


def decode(name: str, feed: str, served: Registry | None, *values: bytes) -> Decoded:
    codec = codec_for(feed, name, registry=SchemaRegistry(served.url) if served else None)
    return codec.decode(chunk(feed, *values), reference())


def as_json(feed: str, *values: dict[str, Any]) -> Decoded:
    return codec_for(feed, "json").decode(chunk(feed, *map(dumps, values)), reference())


def test_avro_is_read_by_the_writers_schema(served: Registry) -> None:
    good, gone = quote(), quote(bid_price=None, bid_size=0)
    found = decode("avro", "quotes", served, avro(good), avro(gone))
    assert found.dead == []
    assert found.rows.tolist() == as_json("quotes", good, gone).rows.tolist()
    assert [path for path, _ in served.asked] == [f"/schemas/ids/{AVRO}"]


def test_avro_decimals_and_timestamps_keep_their_digits(served: Registry) -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6}
    stamp = {"type": "long", "logicalType": "timestamp-micros"}
    kinds = {"ts_event": stamp, "maker": "string", "contract": "string", "bid_price": price,
             "bid_size": "int", "ask_price": price, "ask_size": "int", "more": "double"}  # fmt: skip
    schema = {"type": "record", "name": "Q",
              "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]}  # fmt: skip
    served.schemas[7] = {"schema": dumps(schema).decode(), "schemaType": "AVRO"}
    at = datetime(2025, 8, 1, 1, 30, 0, 123_457, tzinfo=UTC)
    told = quote(ts_event=at, bid_price=Decimal("0.0275"), ask_price=Decimal("0.0286"), more=0.1)
    found = decode("avro", "quotes", served, avro(told, schema, 7))
    assert found.dead == []
    wanted = as_json("quotes", quote(ts_event=1_754_011_800_123_457_000))
    assert found.rows.tolist() == wanted.rows.tolist()


def test_a_float_is_never_a_price(served: Registry) -> None:
    kinds = {"ts_event": "long", "contract": "string", "theo": "double"}
    schema = {"type": "record", "name": "T",
              "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]}  # fmt: skip
    served.schemas[7] = {"schema": dumps(schema).decode()}
    told = avro({"ts_event": 1, "contract": "C0", "theo": 0.1}, schema, 7)
    (letter,) = decode("avro", "theo", served, told).dead
    assert letter.detail == "theo: text, a decimal, or an integer of 10^-8, never a float, got 0.1"


@pytest.mark.parametrize(("value", "told"), [
    (b"", "a byte 0 and 4 of the id wanted, got nothing"),
    (b"{}", "wanted, got 7b7d"),
    (framed(9, b""), "schema 9 is not in the registry"),
    (framed(AVRO, b"\x02"), "no record of schema 1"),
    (avro(quote()) + b"x", "record of schema 1 with 1 bytes too many"),
    (framed(PROTOBUF, b"\0"), "schema 2 is AVRO wanted, got PROTOBUF"),
])  # fmt: skip
def test_what_is_no_avro_record_is_a_dead_letter(served: Registry, value: bytes, told: str) -> None:
    found = decode("avro", "quotes", served, avro(quote()), value)
    (letter,) = found.dead
    assert len(found.rows) == 1
    assert told in letter.detail
    assert (letter.reason, letter.raw.value, letter.raw.offset) == ("undecodable", value, 101)


def test_protobuf_is_read_as_its_library_writes_it(served: Registry) -> None:
    prices = {"bid_price": 2_750_000, "ask_price": 2_860_000}
    good = protobuf("Quote", **quote(**prices))
    gone = protobuf("Quote", head=bytes([2, 0]), ts_event=5, maker="M0", contract="C0")
    found = decode("protobuf", "quotes", served, good, gone)
    assert found.dead == []
    nothing = quote(ts_event=5, bid_price=None, bid_size=0, ask_price=None, ask_size=0)
    assert found.rows.tolist() == as_json("quotes", quote(), nothing).rows.tolist()


def test_protobuf_has_theos_too(served: Registry) -> None:
    told = protobuf("Theo", ts_event=9, contract="C0", theo=2_800_000, delta=-50_000_000)
    found = decode("protobuf", "theo", served, told)
    wanted = as_json("theo", {"ts_event": 9, "contract": "C0", "theo": "0.028", "delta": "-0.5"})
    assert (found.dead, found.rows.tolist()) == ([], wanted.rows.tolist())


def test_a_schema_may_have_more_than_ours_and_not_other_numbers(served: Registry) -> None:
    other = "message Other { message In { int32 a = 1; } }"
    more = PROTO.replace("message Quote {", f"{other}\nmessage Quote {{\n  string venue = 99;")
    served.schemas[7] = {"schema": more, "schemaType": "PROTOBUF"}
    served.schemas[8] = {
        "schema": PROTO.replace("maker = 2", "maker = 12"),
        "schemaType": "PROTOBUF",
    }
    body = MADE["Quote"](ts_event=5, maker="M0", contract="C0").SerializeToString()
    extra = b"\x9a\x06\x01V"  # field 99, text of one letter
    records = framed(7, b"\x02\x02" + body + extra), framed(8, b"\0" + body)
    found = decode("protobuf", "quotes", served, *records)
    assert found.rows["ts"].tolist() == [5]
    (letter,) = found.dead
    assert letter.detail == "message Quote of schema 8 wanted, got message [0]"


@pytest.mark.parametrize(("body", "told"), [
    (b"", "message is cut short at byte 0"),
    (b"\0\x08", "message is cut short at byte 1"),
    (b"\0\x12\x05M0", "message is cut short at byte 2"),
    (b"\0\x12\x01\xff", "maker: text in UTF-8"),
    (b"\0\x10\x01", "maker: string wanted, got wire type 0"),
    (b"\0\x0b", "wire type 3 at byte 1"),
])  # fmt: skip
def test_a_damaged_message_says_where(served: Registry, body: bytes, told: str) -> None:
    (letter,) = decode("protobuf", "quotes", served, framed(PROTOBUF, body)).dead
    assert told in letter.detail


def test_an_arrow_stream_is_many_quotes() -> None:
    times = pa.array(
        [1_754_011_800_000_000_001, 1_754_011_800_000_000_002], pa.timestamp("ns", "UTC")
    )
    prices = pa.array([Decimal("0.0275"), None], pa.decimal128(18, 8))
    table = pa.table({
        "ts_event": times, "maker": ["M0", "M1"], "contract": ["C0", "C0"], "bid_price": prices,
        "bid_size": [40, 0], "ask_price": pa.array([2_860_000, 2_870_000]), "ask_size": [20, 20],
    })  # fmt: skip
    found = decode("arrow", "quotes", None, stream(table))
    first = quote(ts_event=1_754_011_800_000_000_001)
    absent = {"bid_price": None, "bid_size": 0}
    second = quote(ts_event=1_754_011_800_000_000_002, maker="M1", ask_price="0.0287", **absent)
    both = codec_for("quotes", "json").decode(chunk("quotes", dumps([first, second])), reference())
    assert (found.dead, found.rows.tolist()) == ([], both.rows.tolist())


def test_a_bad_row_of_a_stream_is_alone() -> None:
    rows = {"ts_event": [1, 2], "contract": ["C0", "C9"], "theo": ["0.5", "0.5"]}
    found = decode("arrow", "theo", None, stream(pa.table(rows)), b"no stream")
    assert found.rows["ts"].tolist() == [1]
    assert [letter.reason for letter in found.dead] == ["unknown_contract", "undecodable"]


def test_a_registry_is_asked_again_and_with_its_password(served: Registry) -> None:
    served.broken = 2
    codec = codec_for("quotes", "avro", registry=SchemaRegistry(served.url, "reader", "word"))
    for _ in range(2):
        assert len(codec.decode(chunk("quotes", avro(quote())), reference()).rows) == 1
    assert len(served.asked) == 3
    assert {said for _, said in served.asked} == {"Basic cmVhZGVyOndvcmQ="}


def test_a_registry_that_does_not_answer_is_no_fault_of_the_record() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    codec = codec_for("quotes", "avro", registry=SchemaRegistry(url))
    with pytest.raises(MonitorError, match=r"codecs\.registry: .* schema 1 cannot be had"):
        codec.decode(chunk("quotes", avro(quote())), reference())


def test_without_a_registry_there_is_no_avro() -> None:
    with pytest.raises(MonitorError, match=r"codec avro needs a schema registry: codecs\.registry"):
        codec_for("quotes", "avro")


def _theos(kind: Any, **more: Any) -> Any:
    fields = {"ts_event": "long", "contract": "string", "theo": kind, **more}
    named = [{"name": name, "type": one} for name, one in fields.items()]
    return {"type": "record", "name": "T", "fields": named}


@pytest.mark.parametrize(("schema", "told"), [
    (_theos("string", more=["null", "T"]), "type T has itself in it"),
    (_theos("string", more={"type": "array", "items": "null"}), "an array of what takes no bytes"),
    ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "takes no bytes"),
])  # fmt: skip
def test_a_schema_by_which_few_bytes_say_without_end_is_refused(
    served: Registry, schema: Any, told: str
) -> None:
    served.schemas[7] = {"schema": dumps(schema).decode()}
    (letter,) = decode("avro", "theo", served, framed(7, b"\x02")).dead
    assert told in letter.detail


def test_a_decimal_of_more_digits_than_anybody_quotes_is_refused(served: Registry) -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 300, "scale": 300}
    served.schemas[7] = {"schema": dumps(_theos(price)).decode()}
    told = avro({"ts_event": 1, "contract": "C0", "theo": Decimal("1e-300")}, _theos(price), 7)
    (letter,) = decode("avro", "theo", served, told).dead
    assert letter.detail.startswith("theo: text, a decimal")


@pytest.mark.parametrize("answer", [2, [], "x", None])
def test_a_registry_that_answers_other_json_ends_the_service_with_the_cause(
    served: Registry, answer: Any
) -> None:
    served.schemas[7] = answer
    with pytest.raises(MonitorError, match="schema 7 cannot be had: an object wanted"):
        decode("avro", "theo", served, framed(7, b""))


def arrow_quotes(**changes: Any) -> pa.Table:
    return pa.table({**{name: [value] for name, value in quote().items()}, **changes})


def test_an_arrow_text_that_lies_outside_of_its_record_is_refused() -> None:
    sound = stream(arrow_quotes(maker=["M0" * 8]))
    end = (16).to_bytes(4, "little")  # of the text, behind its begin
    at = (
        sound.index(b"\0\0\0\0" + end + b"M0")
        if b"\0\0\0\0" + end + b"M0" in sound
        else sound.index(b"\0\0\0\0" + end)
    )
    for wrong in (2**31 - 1, -1):
        data = bytearray(sound)
        data[at + 4 : at + 8] = wrong.to_bytes(4, "little", signed=True)
        (letter,) = decode("arrow", "quotes", None, bytes(data)).dead
        assert letter.detail.startswith("no Arrow stream: ")


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_an_arrow_record_that_unpacks_to_too_much_is_refused_unread(compression: str) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    (letter,) = decode(
        "arrow", "quotes", None, stream(arrow_quotes(maker=["x" * 70_000_000]), options)
    ).dead
    assert letter.detail == "at most 67108864 bytes unpacked, got 70000070"
    assert decode("arrow", "quotes", None, stream(arrow_quotes(), options)).dead == []


def test_an_arrow_text_that_too_many_rows_share_is_refused() -> None:
    rows = {name: [value] * 60_000 for name, value in quote().items()}
    shared = pa.DictionaryArray.from_arrays(
        pa.array([0] * 60_000, pa.int8()), pa.array(["x" * 2000])
    )
    (letter,) = decode("arrow", "quotes", None, stream(pa.table({**rows, "maker": shared}))).dead
    assert letter.detail == "column maker: at most 67108864 bytes of text"


@pytest.mark.parametrize(("table", "told"), [
    (arrow_quotes(maker=[["M0"]]), "column maker: an integer, text, a decimal or a time, got list<"),
    (arrow_quotes(bid_price=pa.array([None], pa.decimal128(5, -3))), "a time, got decimal128(5, -3)"),
    (arrow_quotes().append_column("maker", [["M1"]]), "column maker: there more than once"),
    (pa.table({name: pa.nulls(10**9) for name in quote()}), "1 to 65536 rows, got more"),
])  # fmt: skip
def test_an_arrow_stream_whose_columns_no_quote_has_is_refused(table: pa.Table, told: str) -> None:
    (letter,) = decode("arrow", "quotes", None, stream(table)).dead
    assert told in letter.detail
