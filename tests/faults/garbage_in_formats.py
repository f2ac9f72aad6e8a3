"""Garbage in what carries its own description: Avro, Protobuf and Arrow, and the registry that explains the first two.

What a registry holds is no garbage of a record's, so the schemas come over real HTTP, as a service has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pyarrow as pa

from mm_monitor.codecs import codec_for
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.core.model import RawRecord
from mm_monitor.errors import MonitorError
from tests.unit.codecs.registry_server import (
    AVRO,
    AVRO_QUOTE,
    OPTIONAL,
    PROTO,
    PROTOBUF,
    avro,
    protobuf,
    stream,
)
from tests.unit.codecs.samples import quote, reference

Target = Callable[[bytes], None]
AVRO_THEO, AVRO_TYPES, AVRO_MANY = 3, 4, 5
THEO_FIELDS = [
    {"name": "ts_event", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "contract", "type": "string"},
    {"name": "theo", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}]},
    {"name": "delta", "type": OPTIONAL},
]  # fmt: skip
THEO = {"type": "record", "name": "Theo", "fields": THEO_FIELDS}
TYPES = {  # what nobody needs for a quote, and Avro has
    "type": "record", "name": "Types", "fields": [
        *AVRO_QUOTE["fields"],
        {"name": "more", "type": {"type": "map", "values": ["null", "double"]}},
        {"name": "many", "type": {"type": "array", "items": ["null", "bytes"]}},
        {"name": "which", "type": {"type": "enum", "name": "E", "symbols": ["a", "b"]}},
        {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 3}},
    ],
}  # fmt: skip
MANY = {"type": "array", "items": AVRO_QUOTE}
SCHEMAS = {
    AVRO: {"schema": json.dumps(AVRO_QUOTE)},
    PROTOBUF: {"schemaType": "PROTOBUF", "schema": PROTO},
    AVRO_THEO: {"schema": json.dumps(THEO)},
    AVRO_TYPES: {"schema": json.dumps(TYPES)},
    AVRO_MANY: {"schema": json.dumps(MANY)},
}


class Registry:
    """A registry that answers what it is told to, or by `SCHEMAS`; it lasts as long as the process."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.answer = answer
        held = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = int(self.path.rpartition("/")[2])
                body = held.answer
                if body is None and number in SCHEMAS:
                    body = json.dumps(SCHEMAS[number]).encode()
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *told: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"


def decoder(feed: str, name: str) -> Target:
    """What decodes records of a feed in that format."""
    codec, known = codec_for(feed, name, registry=_client()), reference()

    def decode(data: bytes) -> None:
        """Never raises: bad data is a dead letter, and a record makes no more rows than an array of JSON may have."""
        found = codec.decode(Chunk(feed, 5, [RawRecord("t", 3, 1, data, 99)]), known)
        assert len(found.dead) + len(found.rows) <= 65_536

    return decode


@cache
def _client() -> SchemaRegistry:
    return SchemaRegistry(Registry().url)


@cache
def _told() -> Registry:
    return Registry(b"{}")


def read_schema(data: bytes) -> None:
    """A registry's answer. MonitorError where it is none; one that is none of a quote's makes dead letters."""
    _told().answer = data
    registry, known = SchemaRegistry(_told().url), reference()
    for name, value in (("avro", avro(quote())), ("protobuf", protobuf("Quote", ts_event=1))):
        with suppress(MonitorError):
            codec = codec_for("quotes", name, registry=registry)
            codec.decode(Chunk("quotes", 5, [RawRecord("t", 3, 1, value, 99)]), known)


def _arrow_quotes() -> list[bytes]:
    rows: list[dict[str, Any]] = [quote(), quote(maker="M1", contract="C1", bid_price=None)]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    exact = {
        "ts_event": pa.array([1, 2], pa.timestamp("us")),
        "maker": pa.array(columns["maker"]).dictionary_encode(),
        "bid_price": pa.array([Decimal("0.0275"), None], pa.decimal128(18, 8)),
        "ask_price": pa.array([2_860_000, None], pa.int64()),
    }
    more = {"more": pa.array([[1, 2], []]), "view": pa.array(["a", "b" * 40], pa.string_view())}
    tables = [pa.table(columns), pa.table(columns | exact), pa.table(columns | exact | more)]
    packed = [stream(table, pa.ipc.IpcWriteOptions(compression=kind))
              for kind in ("zstd", "lz4") for table in tables[:2]]  # fmt: skip
    return [*map(stream, tables), *packed]


def _arrow_theos() -> list[bytes]:
    columns = {"ts_event": [1, 2], "contract": ["C0", "C1"], "theo": ["1.5", None]}
    more = {"delta": [None, "0.5"], "source": ["desk", None]}
    return [stream(pa.table(columns)), stream(pa.table({**columns, **more}))]


def targets() -> dict[str, tuple[Target, list[bytes]]]:
    """What is fuzzed here: by name, what reads, and good samples of what it reads."""
    empty = {"more": {}, "many": [None, None], "which": "a", "fixed": b"abc"}
    theo = {"ts_event": 5, "contract": "C0", "theo": Decimal("1.5"), "delta": None}
    return {
        "avro quotes": (decoder("quotes", "avro"), [
            avro(quote()), avro([quote(), quote(maker="M1")], MANY, AVRO_MANY),
            avro({**quote(), **empty}, TYPES, AVRO_TYPES)]),
        "avro theos": (decoder("theo", "avro"), [avro(theo, THEO, AVRO_THEO)]),
        "protobuf quotes": (decoder("quotes", "protobuf"), [
            protobuf("Quote", **quote(bid_price=2_750_000, ask_price=2_860_000))]),
        "protobuf theos": (decoder("theo", "protobuf"), [
            protobuf("Theo", ts_event=9, contract="C0", theo=2_800_000, delta=-50_000_000)]),
        "arrow quotes": (decoder("quotes", "arrow"), _arrow_quotes()),
        "arrow theos": (decoder("theo", "arrow"), _arrow_theos()),
        "schemas": (read_schema, [json.dumps(one).encode() for one in SCHEMAS.values()]),
    }  # fmt: skip
