"""What is published is as the documents say: payloads against docs/schemas, by name or by their MQTT topic."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.repo.source import ROOT

DOCS = ROOT / "docs"
SCHEMAS = DOCS / "schemas"
ASYNCAPI: dict[str, Any] = json.loads((DOCS / "asyncapi.json").read_bytes())


@cache
def validator(name: str) -> Draft202012Validator:
    """Of `docs/schemas/NAME.schema.json`."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(name: str, value: object) -> list[str]:
    """What is wrong with a payload, nothing if it is as the schema says."""
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(value)]


def schema_of(topic: str, prefix: str) -> str:
    """The schema of what comes on an MQTT topic, as the AsyncAPI document says; "" for a topic it has not."""
    for channel in ASYNCAPI["channels"].values():
        address = channel["address"].replace("{prefix}", prefix)
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(address))
        if re.fullmatch(pattern, topic):
            (message,) = channel["messages"]
            payload = ASYNCAPI["components"]["messages"][message]["payload"]["$ref"]
            return str(payload).removeprefix("schemas/").removesuffix(".schema.json")
    return ""
