"""The avro format: one Kafka record is one quote or theo, or an array of them, by a schema of the registry.

Fields are named as in json. Reading is fastavro's (extra `avro`), by the writer's own schema.
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
                self._parsed[number] = self._avro.parse_schema(json.loads(schema.text))
            except Exception as error:  # noqa: BLE001 - a registry may hold anything
                raise DecodeError(
                    BadReason.UNDECODABLE, f"schema {number} cannot be used: {error}"[:200]
                ) from None
        return self._parsed[number]
