"""The avro format: one Kafka record is one quote or theo, or an array of them, by a schema of the registry.

Fields are named as in json. Reading is fastavro's (extra `avro`), by the writer's own schema. fastavro reads what a
record says however deep or long that is, so a schema by which few bytes could say much is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from mm_monitor.codecs.objects import Fields, ObjectsCodec
from mm_monitor.codecs.registry import SchemaRegistry, split
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError, MonitorError


class AvroCodec(ObjectsCodec):
    """Codec of Avro with Confluent's header."""

    name = "avro"

    def __init__(self, registry: SchemaRegistry) -> None:
        super().__init__()
        try:
            import fastavro
        except ImportError:
            raise MonitorError(
                "codec avro needs fastavro: pip install 'mm-monitor[avro]'"
            ) from None
        self._avro, self._registry = fastavro, registry
        self._parsed: dict[int, Any] = {}

    def read(self, value: bytes, feed: str) -> Sequence[Fields]:
        """By the schema that the record names."""
        number, body = split(value)
        schema, data = self._schema(number), BytesIO(body)
        try:
            found: Any = self._avro.schemaless_reader(data, schema, None)
        except Exception as error:  # noqa: BLE001 - whatever bytes make a reader do, it is a bad record
            raise DecodeError(
                BadReason.UNDECODABLE, f"no record of schema {number}: {error}"[:200]
            ) from None
        if data.tell() != len(body):
            left = len(body) - data.tell()
            detail = f"record of schema {number} with {left} bytes too many"
            raise DecodeError(BadReason.UNDECODABLE, detail)
        objects: list[Any] = found if isinstance(found, list) else [found]
        if not all(isinstance(one, dict) for one in objects):
            raise DecodeError(BadReason.UNDECODABLE, f"schema {number} is not of a record")
        return list(objects)

    def _schema(self, number: int) -> Any:
        if number not in self._parsed:
            schema = self._registry.schema(number)
            if schema.kind != "AVRO":
                detail = f"schema {number} is AVRO wanted, got {schema.kind}"
                raise DecodeError(BadReason.UNDECODABLE, detail)
            try:
                parsed = self._avro.parse_schema(json.loads(schema.text))
                _Bounded().size(parsed)
                self._parsed[number] = parsed
            except Exception as error:  # noqa: BLE001 - a registry may hold anything
                raise DecodeError(
                    BadReason.UNDECODABLE, f"schema {number} cannot be used: {error}"[:200]
                ) from None
        return self._parsed[number]


class _Bounded:
    """Sees to it that what a record is read into cannot outgrow its bytes by depth or by number."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}  # of types by their name
        self._open: set[str] = set()

    def size(self, schema: Any) -> int:
        """The least bytes that a value takes, 0 or 1. ValueError for a type within itself, or an array of nothing."""
        if isinstance(schema, str):
            if schema in self._open:
                raise ValueError(f"type {schema} has itself in it")
            return self._sizes.get(schema, int(schema != "null"))
        if isinstance(schema, list):
            return max([1, *map(self.size, schema)])
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.size(kind)
        if kind in ("record", "error"):
            return self._record(schema)
        if kind == "array" and not self.size(schema["items"]):
            raise ValueError("an array of what takes no bytes")
        if kind == "map":
            self.size(schema["values"])
        if kind == "fixed":
            self._sizes[schema["name"]] = min(1, schema["size"])
            return self._sizes[schema["name"]]
        return int(kind != "null")

    def _record(self, schema: Any) -> int:
        name = schema["name"]
        self._open.add(name)
        self._sizes[name] = max([0, *(self.size(one["type"]) for one in schema["fields"])])
        self._open.discard(name)
        return self._sizes[name]
