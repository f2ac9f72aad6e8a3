"""As much of JSON Schema as our schemas use; a keyword that is not known here fails."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "string": (str,),
    "integer": (int,),
    "null": (type(None),),
}
_NOTES = {"$schema", "$id", "title", "description", "format", "required", "additionalProperties"}


def errors(schema: dict[str, Any], value: Any, path: str = "$") -> list[str]:
    """What is wrong with `value`, with paths; empty when nothing is."""
    found = [
        f"{path}: unknown keyword {key}" for key in schema if key not in _CHECKS.keys() | _NOTES
    ]
    for key, check in _CHECKS.items():
        if key in schema and not check(schema[key], value):
            found.append(f"{path}: {value!r} fails {key} {schema[key]!r}")
    if isinstance(value, dict) and "properties" in schema:
        found += _object_errors(schema, value, path)
    return found


def _object_errors(schema: dict[str, Any], value: dict[str, Any], path: str) -> list[str]:
    known = schema["properties"]
    found = [f"{path}: {key} is missing" for key in schema.get("required", ()) if key not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{path}: {key} is not known" for key in value if key not in known]
    for key in known.keys() & value.keys():
        found += errors(known[key], value[key], f"{path}.{key}")
    return found


def _is_type(names: str | list[str], value: Any) -> bool:
    wanted = [names] if isinstance(names, str) else names
    return any(isinstance(value, _TYPES[name]) and not isinstance(value, bool) for name in wanted)


_CHECKS: dict[str, Any] = {
    "type": _is_type,
    "const": lambda wanted, value: value == wanted,
    "enum": lambda wanted, value: value in wanted,
    "pattern": lambda wanted, value: isinstance(value, str) and bool(re.search(wanted, value)),
    "minimum": lambda wanted, value: value >= wanted,
    "minLength": lambda wanted, value: len(value) >= wanted,
    "properties": lambda _, value: isinstance(value, dict),
}
