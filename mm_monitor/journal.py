"""The monitor's own record of what it decided and refused: JSON lines, a file a day of its clock.

What a source decides (a feed down, an idle watermark) and what was not applied (late records) must be readable later;
an empty directory name turns the journal off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import Control
from mm_monitor.errors import MonitorError

NS = 1_000_000_000


class Journal:
    """Appends entries; `flush` puts them on disk."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory) if directory else None
        self._day = ""
        self._file: IO[str] | None = None
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MonitorError(f"journal.directory: {directory}: {error.strerror}") from None

    def write(self, kind: str, now: int, entry: Mapping[str, object]) -> None:
        """Append one entry; `now` in ns of our clock."""
        if self._directory is None:
            return
        day = datetime.fromtimestamp(now // NS, UTC).date().isoformat()
        if day != self._day or self._file is None:
            self.close()
            self._day, self._file = (
                day,
                (self._directory / f"journal-{day}.jsonl").open("a", encoding="utf-8"),
            )
        self._file.write(
            json.dumps({"entry": kind, "ts_recv": now, **entry}, sort_keys=True) + "\n"
        )

    def late(self, now: int, rows: Rows, controls: Sequence[Control]) -> None:
        """Records that came after the watermark had passed them."""
        for row in rows:
            entry = {name: int(row[name]) for name in rows.dtype.names or () if name != "pad"}
            self.write("late", now, entry)
        for control in controls:
            self.write("late_control", now, control_entry(control))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the day's file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


def control_entry(control: Control) -> dict[str, object]:
    """A control record as plain values, with where it came from."""
    fields = {name: value for name, value in asdict(control).items() if name != "raw"}
    raw = getattr(control, "raw", None)
    where = (
        {}
        if raw is None
        else {"topic": raw.topic, "partition": raw.partition, "offset": raw.offset}
    )
    return {"record": type(control).__name__.removesuffix("Record").lower(), **fields, **where}
