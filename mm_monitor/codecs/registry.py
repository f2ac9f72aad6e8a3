"""A schema registry's client, and the header that names a record's schema (Confluent's wire format).

A schema is fetched once and kept: an id means one schema for ever. A registry that does not answer stops the service
with the cause, for what it would explain cannot be judged; an id that it does not know is a bad record.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError, MonitorError

TRIES, SECONDS = 3, 3.0
LARGEST = 16 << 20  # bytes of an answer; what is longer is cut, and no JSON
MAGIC = 0
ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


@dataclass(frozen=True, slots=True)
class Schema:
    """What an id stands for: AVRO, PROTOBUF or JSON, and its text."""

    kind: str
    text: str


@dataclass(slots=True)
class SchemaRegistry:
    """`url` without a path's last stroke; `user` and `password` where it wants them."""

    url: str
    user: str = ""
    password: str = ""
    _known: dict[int, Schema] = field(default_factory=dict)

    def schema(self, number: int) -> Schema:
        """DecodeError for an id that it does not have, MonitorError where it cannot be asked."""
        if number not in self._known:
            self._known[number] = self._fetch(number)
        return self._known[number]

    def _fetch(self, number: int) -> Schema:
        cause: object = ""
        for _ in range(TRIES):
            try:
                with urlopen(self._request(number), timeout=SECONDS) as answer:
                    return _schema(json.loads(answer.read(LARGEST)), number)
            except HTTPError as error:
                if error.code == 404:
                    detail = f"schema {number} is not in the registry"
                    raise DecodeError(BadReason.UNDECODABLE, detail) from None
                cause = f"answers {error.code}"
                if error.code in (401, 403):
                    break
            except (
                OSError,
                HTTPException,
                ValueError,
                LookupError,
                TypeError,
                RecursionError,
            ) as error:
                cause = getattr(error, "reason", error)
        raise MonitorError(f"codecs.registry: {self.url}: schema {number} cannot be had: {cause}")

    def _request(self, number: int) -> Request:
        headers = {"Accept": ACCEPT}
        if self.user:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return Request(f"{self.url.rstrip('/')}/schemas/ids/{number}", headers=headers)


def _schema(told: Any, number: int) -> Schema:
    if not isinstance(told, dict):
        raise TypeError(f"an object wanted, got {str(told)[:40]!r}")
    if told.get("references"):
        detail = f"schema {number} refers to other schemas, which is not read here"
        raise DecodeError(BadReason.UNDECODABLE, detail)
    return Schema(str(told.get("schemaType", "AVRO")), str(told["schema"]))


def split(value: bytes) -> tuple[int, bytes]:
    """The schema's id and what follows the header of 5 bytes."""
    if len(value) < 5 or value[0] != MAGIC:
        wanted = "a record with a schema's id: a byte 0 and 4 of the id"
        raise DecodeError(
            BadReason.UNDECODABLE, f"{wanted} wanted, got {value[:8].hex() or 'nothing'}"
        )
    return int.from_bytes(value[1:5], "big"), value[5:]
