"""How other processes have something written into the evidence log, of which the service is the one writer.

An entry is a file of its own in `inbox`, there whole or not at all; the service appends what it finds and removes it.
Its id is made from what it says, so that a crash in between writes nothing twice.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError, MonitorError
from mm_monitor.evidence.log import logs_of
from mm_monitor.evidence.verifier import WITHHELD

Entry = dict[str, Any]
INBOX = "inbox"  # below the log's directory
LARGEST = 16 << 20  # bytes of an entry


def post(directory: Path, entry: Mapping[str, Any], *, sync: bool = True) -> str:
    """Leave an entry (`entry` says its kind) for the log in `directory`; returns its id. MonitorError if it can't.

    Without `sync` a power failure may take it; a process that is killed does not.
    """
    body = json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()
    if len(body) > LARGEST:
        raise MonitorError(f"evidence: an entry of at most {LARGEST} bytes, got {len(body)}")
    id_ = sha256(body).hexdigest()[:32]
    place = directory / INBOX
    draft = place / f".{id_}.{os.getpid()}.{threading.get_ident()}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(body)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        draft.replace(place / f"{id_}.json")
    except OSError as error:
        raise MonitorError(f"{place}: cannot be written: {error.strerror}") from None
    return id_


def waiting(directory: Path) -> list[tuple[Path, Entry]]:
    """Entries that are in no log yet, oldest first, each with its id; what is no entry is left where it is."""
    found = []
    for path in sorted((directory / INBOX).glob("*.json"), key=_age):
        try:
            entry = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("entry"), str):
            found.append((path, {**entry, "id": path.stem}))
    return found


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def entries(directory: Path, *kinds: str) -> Iterator[Entry]:
    """Every entry of these kinds that the logs of a directory have, then those that wait. InputError if unreadable."""
    for path in logs_of(directory):
        try:
            lines = path.read_bytes().split(b"\n")[:-1]  # the last may be half written
        except OSError as error:
            raise InputError(f"a readable log ({error.strerror})", file=str(path)) from None
        for number, line in enumerate(lines, 1):
            body = line[65:]
            if line.startswith(b"signature ") or body.startswith(WITHHELD):
                continue
            try:
                entry = json.loads(body)
                wanted = entry["entry"] in kinds
            except (ValueError, TypeError, KeyError, RecursionError):
                raise InputError("an entry of the log", file=str(path), line=number) from None
            if wanted:
                yield entry
    for _, entry in waiting(directory):
        if entry["entry"] in kinds:
            yield entry
