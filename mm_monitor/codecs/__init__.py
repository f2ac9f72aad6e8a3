"""Codecs: bytes to rows of the tape. A registry by name, and the one codec of control records."""

from __future__ import annotations

from mm_monitor.codecs.control import ControlCodec
from mm_monitor.codecs.json import JsonCodec
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.errors import MonitorError

AnyCodec = JsonCodec | PackedCodec | ControlCodec

CODECS: dict[str, type[JsonCodec] | type[PackedCodec]] = {
    JsonCodec.name: JsonCodec,
    PackedCodec.name: PackedCodec,
}


def codec_for(feed: str, name: str) -> AnyCodec:
    """A codec of `feed` (quotes, theo, control, reference) in format `name`.

    Control and reference records are json whatever `name` is. Raises MonitorError if it is unknown.
    """
    if feed in ("control", "reference"):
        return ControlCodec()
    if name not in CODECS:
        raise MonitorError(f"codec must be one of {', '.join(sorted(CODECS))}, got {name!r}")
    return CODECS[name]()
