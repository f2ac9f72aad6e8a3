"""A regulator's pack: a zip with everything about a judged period, and a manifest by which anybody can verify it.

Entries have no date and lie in the order of their names, so the same period gives the same bytes. `SHA256SUMS` is what
`sha256sum --check` reads; `manifest.json` says the same with lengths, the engine and the inputs.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError
from mm_monitor.hashes import file_hash
from mm_monitor.reports.report import to_bytes

SCHEMA = "mm-monitor/pack/1"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
Hashes = Sequence[tuple[str, str]]  # files and what their SHA-256 is said to be
_PIECE, _LARGEST = 1 << 20, 64 << 20  # bytes; the second of a manifest
_NO_PACK = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    OverflowError,
    struct.error,
)  # fmt: skip - zipfile has many words for an archive that is none
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
            held = {name: _hash_of(archive, name) for name in archive.namelist()}
            manifest = json.loads(_text_of(archive, MANIFEST))
            sums = _text_of(archive, SUMS) if SUMS in held else ""
        files, inputs = _hashes(manifest["files"]), _hashes(manifest.get("inputs", ()))
    except _NO_PACK as error:
        raise InputError(f"no pack of reports ({error})", file=str(pack)) from None
    yield from _changed(files, held)
    for name in sorted(set(held) - {name for name, _ in files} - {MANIFEST, SUMS}):
        yield f"{name}: not in the manifest"
    if held[MANIFEST] not in sums:
        yield f"{MANIFEST}: not what {SUMS} says"
    if capture is not None:
        yield from _inputs(inputs, capture)


def _hash_of(archive: zipfile.ZipFile, name: str) -> str:
    """SHA-256 of an entry, which may be longer than our memory."""
    found = hashlib.sha256()
    with archive.open(name) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def _text_of(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        return file.read(_LARGEST).decode()


def _hashes(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(str(one["file"]), str(one["sha256"])) for one in rows]


def _changed(files: Hashes, held: Mapping[str, str]) -> Iterator[str]:
    for name, said in files:
        if name not in held:
            yield f"{name}: missing"
        elif held[name] != said:
            yield f"{name}: changed since it was written"


def _inputs(inputs: Hashes, capture: Path) -> Iterator[str]:
    for name, said in inputs:
        path = capture / name
        if not path.is_file():
            yield f"{path}: input is missing"
        elif file_hash(path)["sha256"] != said:
            yield f"{path}: not the input that was judged"
