"""Codecs: bytes to rows of the tape. A registry by name, and the one codec of control records."""

from __future__ import annotations

from mm_monitor.codecs.arrow import ArrowCodec
from mm_monitor.codecs.avro import AvroCodec
from mm_monitor.codecs.control import ControlCodec
from mm_monitor.codecs.fix import FixCodec
from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.codecs.json import JsonCodec
from mm_monitor.codecs.objects import ObjectsCodec
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.codecs.protobuf import ProtobufCodec
from mm_monitor.codecs.registry import SchemaRegistry
from mm_monitor.errors import MonitorError

AnyCodec = JsonCodec | PackedCodec | FixCodec | ControlCodec | ObjectsCodec
BY_REGISTRY: dict[str, type[AvroCodec] | type[ProtobufCodec]] = {
    AvroCodec.name: AvroCodec,
    ProtobufCodec.name: ProtobufCodec,
}

# By name, and of which feeds.
CODECS: dict[str, type[JsonCodec] | type[PackedCodec] | type[FixCodec]] = {
    JsonCodec.name: JsonCodec,
    PackedCodec.name: PackedCodec,
    FixCodec.name: FixCodec,
}


def codec_for(
    feed: str, name: str, fix: FixTags | None = None, registry: SchemaRegistry | None = None
) -> AnyCodec:
    """A codec of `feed` (quotes, theo, control, reference) in format `name`; `fix` says what its tags mean.

    `registry` has the schemas of avro and protobuf.

    Control and reference records are json whatever `name` is. Raises MonitorError if it is unknown or not of `feed`.
    """
    if feed in ("control", "reference"):
        return ControlCodec()
    if name in BY_REGISTRY:
        if registry is None:
            raise MonitorError(f"codec {name} needs a schema registry: codecs.registry")
        return BY_REGISTRY[name](registry)
    if name == ArrowCodec.name:
        return ArrowCodec()
    if name not in CODECS:
        raise MonitorError(
            f"codec must be one of {', '.join(sorted({*CODECS, *BY_REGISTRY, ArrowCodec.name}))}, got {name!r}"
        )
    if name == FixCodec.name:
        if feed != "quotes":
            raise MonitorError(f"codec fix is of quotes, got {feed!r}")
        return FixCodec(fix)
    return CODECS[name]()
