"""A regulator's pack: a zip with everything about a judged period, and a manifest by which anybody can verify it.

Entries have no date and lie in the order of their names, so the same period gives the same bytes. `SHA256SUMS` is what
`sha256sum --check` reads; `manifest.json` says the same with lengths, the engine and the inputs.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError
from mm_monitor.hashes import file_hash
from mm_monitor.reports.report import to_bytes

SCHEMA = "mm-monitor/pack/1"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
README = """What is in this archive was computed from the inputs that manifest.json names, by the rulebook beside it.
\nIs it what was written?      unzip the archive and run: sha256sum --check SHA256SUMS
With mm-monitor installed:   mm-monitor report check PACK.zip
Are the inputs the same?     mm-monitor report check PACK.zip --capture CAPTURE
Do they give these numbers?  mm-monitor report day CAPTURE --rulebook rulebook.toml --out again
"""


def to_pack(files: Mapping[str, bytes], card: Mapping[str, Any]) -> bytes:
    """The archive of `files` by name; `card` says what they are about."""
    held = {**files, "README.txt": README.encode()}
    manifest = {
        "schema": SCHEMA,
        **{name: card[name] for name in ("engine", "period", "inputs") if name in card},
        "rulebook": {name: card["rulebook"][name] for name in ("id", "version", "sha256")},
        "files": [
            {
                "file": name,
                "bytes": len(held[name]),
                "sha256": hashlib.sha256(held[name]).hexdigest(),
            }
            for name in sorted(held)
        ],
    }
    held[MANIFEST] = to_bytes(manifest)
    held[SUMS] = "".join(
        f"{hashlib.sha256(held[name]).hexdigest()}  {name}\n" for name in sorted(held)
    ).encode()
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(held):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, held[name], zipfile.ZIP_DEFLATED, 6)
    return out.getvalue()


def faults_of(pack: Path, capture: Path | None = None) -> Iterator[str]:
    """What is wrong with a pack, nothing if it is whole; with `capture` also whether the inputs are those it names.

    InputError for what is no pack at all.
    """
    try:
        with zipfile.ZipFile(pack) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(held[MANIFEST])
        files, inputs = list(manifest["files"]), list(manifest.get("inputs", ()))
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise InputError(f"no pack of reports ({error})", file=str(pack)) from None
    yield from _changed(files, held)
    for name in sorted(set(held) - {one["file"] for one in files} - {MANIFEST, SUMS}):
        yield f"{name}: not in the manifest"
    if SUMS not in held or hashlib.sha256(held[MANIFEST]).hexdigest() not in held[SUMS].decode():
        yield f"{MANIFEST}: not what {SUMS} says"
    if capture is not None:
        yield from _inputs(inputs, capture)


def _changed(files: list[Mapping[str, Any]], held: Mapping[str, bytes]) -> Iterator[str]:
    for one in files:
        data = held.get(one["file"])
        if data is None:
            yield f"{one['file']}: missing"
        elif hashlib.sha256(data).hexdigest() != one["sha256"]:
            yield f"{one['file']}: changed since it was written"


def _inputs(inputs: list[Mapping[str, Any]], capture: Path) -> Iterator[str]:
    for one in inputs:
        path = capture / one["file"]
        if not path.exists():
            yield f"{path}: input is missing"
        elif file_hash(path)["sha256"] != one["sha256"]:
            yield f"{path}: not the input that was judged"
