"""What a file is: its name, its length and the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mm_monitor.errors import InputError


def file_hash(path: Path) -> dict[str, Any]:
    """`file` (its name alone), `bytes`, `sha256`. InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def input_hashes(source: Path) -> dict[str, str]:
    """SHA-256 by file name: of a file, or of the tables of a capture directory. InputError if one cannot be read."""
    if source.is_file():
        files = [source]
    else:
        files = sorted(path for path in source.iterdir() if path.suffix in (".csv", ".parquet"))
    return {path.name: file_hash(path)["sha256"] for path in files}
