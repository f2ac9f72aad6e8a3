"""A schema registry's read side as its documentation has it, over real HTTP, and records by the formats' libraries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import fastavro
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from mm_monitor.codecs.protobuf import MESSAGES, PRICE, TEXT
from tests.repo.source import ROOT

PROTO = (ROOT / "docs" / "quotes.proto").read_text(encoding="utf-8")
OPTIONAL = ["null", "string"]
AVRO_QUOTE = {
    "type": "record", "name": "Quote", "fields": [
        {"name": "ts_event", "type": "long"}, {"name": "maker", "type": "string"},
        {"name": "contract", "type": "string"}, {"name": "bid_price", "type": OPTIONAL},
        {"name": "bid_size", "type": "long"}, {"name": "ask_price", "type": OPTIONAL},
        {"name": "ask_size", "type": "long"},
    ],
}  # fmt: skip
AVRO, PROTOBUF = 1, 2


class Registry:
    """What it holds, and who asked."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {
            AVRO: {"schema": json.dumps(AVRO_QUOTE)},
            PROTOBUF: {"schemaType": "PROTOBUF", "schema": PROTO},
        }
        self.asked: list[tuple[str, str]] = []  # path and authorization
        self.broken = 0  # so many answers are 500
        self.url = ""


@contextmanager
def registry() -> Iterator[Registry]:
    """A running one."""
    held = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.asked.append((self.path, self.headers.get("Authorization", "")))
            number = int(self.path.rpartition("/")[2])
            if held.broken:
                held.broken -= 1
                self.answer(500, {"error_code": 50001, "message": "store"})
            elif number in held.schemas:
                self.answer(200, held.schemas[number])
            else:
                self.answer(404, {"error_code": 40403, "message": "Schema not found"})

        def answer(self, status: int, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def framed(number: int, body: bytes) -> bytes:
    """A record with its header."""
    return b"\0" + number.to_bytes(4, "big") + body


def avro(value: Any, schema: Any = AVRO_QUOTE, number: int = AVRO) -> bytes:
    """A record as another library writes it."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return framed(number, out.getvalue())


def classes() -> dict[str, Any]:
    """The messages of docs/quotes.proto, as the Protobuf library makes them."""
    file = descriptor_pb2.FileDescriptorProto(name="q.proto", package="t", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in fields.items():
            one = message.field.add(
                name=field, number=number, label=1, type=9 if kind == TEXT else 3
            )
            if kind == PRICE:
                one.proto3_optional, one.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{n}")) for n in MESSAGES}  # fmt: skip


MADE = classes()


def protobuf(name: str, head: bytes = b"", **fields: Any) -> bytes:
    made: bytes = MADE[name](**fields).SerializeToString()
    place = list(MESSAGES).index(name)
    return framed(PROTOBUF, (head or (b"\0" if place == 0 else bytes([2, place * 2]))) + made)


def stream(table: pa.Table, options: Any = None) -> bytes:
    out = BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)
    return out.getvalue()
