"""Codecs: bytes to rows of the tape. A registry by name, and the one codec of control records."""

from __future__ import annotations

from mm_monitor.codecs.control import ControlCodec
from mm_monitor.codecs.fix import FixCodec
from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.codecs.json import JsonCodec
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.errors import MonitorError

AnyCodec = JsonCodec | PackedCodec | FixCodec | ControlCodec

# By name, and of which feeds.
CODECS: dict[str, type[JsonCodec] | type[PackedCodec] | type[FixCodec]] = {
    JsonCodec.name: JsonCodec,
    PackedCodec.name: PackedCodec,
    FixCodec.name: FixCodec,
}


def codec_for(feed: str, name: str, fix: FixTags | None = None) -> AnyCodec:
    """A codec of `feed` (quotes, theo, control, reference) in format `name`; `fix` says what its tags mean.

    Control and reference records are json whatever `name` is. Raises MonitorError if it is unknown or not of `feed`.
    """
    if feed in ("control", "reference"):
        return ControlCodec()
    if name not in CODECS:
        raise MonitorError(f"codec must be one of {', '.join(sorted(CODECS))}, got {name!r}")
    if name == FixCodec.name:
        if feed != "quotes":
            raise MonitorError(f"codec fix is of quotes, got {feed!r}")
        return FixCodec(fix)
    return CODECS[name]()
