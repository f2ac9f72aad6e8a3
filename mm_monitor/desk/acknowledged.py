"""Who has seen which breach: entries of the evidence log, whose one writer takes them in from other processes."""

from __future__ import annotations

import re
from pathlib import Path

from mm_monitor.desk.orders import LONGEST_TEXT, person
from mm_monitor.errors import InputError
from mm_monitor.evidence.inbox import Entry, entries, post

_ID = re.compile(r"[0-9a-f]{32}")


def acknowledge(directory: Path, breach: str, author: str, note: str, now: int) -> Entry:
    """Say that `author` has seen a breach that the evidence log in `directory` has; `now` in ns. InputError if not."""
    if not _ID.fullmatch(breach):
        raise InputError("the id of a breach: 32 hex digits", value=breach)
    if not person(author):
        raise InputError("author: somebody", value=author)
    if max(len(author), len(note)) > LONGEST_TEXT:
        raise InputError(f"author, note: at most {LONGEST_TEXT} characters each")
    maker = None
    for entry in entries(directory, "breach"):
        if entry["breach"]["id"] == breach:
            maker = entry["maker"]
    if maker is None:
        raise InputError("a breach of the evidence log", file=str(directory), value=breach)
    said = {"entry": "acknowledgement", "breach": breach, "maker": maker, "author": author,
            "note": note, "at": now}  # fmt: skip
    return {**said, "id": post(directory, said)}


def acknowledgements(directory: Path) -> dict[str, list[Entry]]:
    """All of them by breach, in their order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries(directory, "acknowledgement"):
        found.setdefault(entry["breach"], []).append(entry)
    return found
