"""A maker's part of an evidence log: its own entries and the day's frame; of all others nothing but the hash."""

from __future__ import annotations

import json

from mm_monitor.evidence.verifier import WITHHELD, hexed

FRAME = frozenset({"begin", "seal"})  # entries that are for every reader


def part_of(log: bytes, maker: str) -> bytes:
    """The log with what is not `maker`'s withheld; it verifies as the whole does. The log must have been verified."""
    return b"".join(_told(line, maker) for line in log.splitlines(keepends=True))


def _told(line: bytes, maker: str) -> bytes:
    if line.startswith(b"signature "):
        return line
    body = line[65:].rstrip(b"\n")
    if body.startswith(WITHHELD):
        return line
    entry = json.loads(body)
    if entry["entry"] in FRAME or entry.get("maker") == maker:
        return line
    return line[:65] + WITHHELD + hexed(body) + b"\n"
