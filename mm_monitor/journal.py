"""The monitor's own record of what it decided and refused: JSON lines, a file a day of its clock.

What a source decides (a feed down, an idle watermark) and what was not applied (late records) must be readable later;
an empty directory name turns the journal off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import structlog

from mm_monitor.core.batch import Rows, is_control
from mm_monitor.core.model import Control, Kind
from mm_monitor.core.reference import Reference
from mm_monitor.errors import MonitorError

NS = 1_000_000_000
RETRY = 5 * NS  # after a failure
log = structlog.get_logger("mm_monitor.journal")
Entry = dict[str, object]
Naming = Callable[[np.void], Entry]


class Journal:
    """Appends entries; `flush` puts them on disk.

    A disk that fails while we run holds nothing up: it is logged, `failed` is called, and entries are lost until it
    can be written again.
    """

    def __init__(self, directory: str, failed: Callable[[], None] = lambda: None) -> None:
        self._directory = Path(directory) if directory else None
        self._failed = failed
        self._day = ""
        self._file: IO[str] | None = None
        self._broken_until = 0  # ns of our clock; before it nothing is tried
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MonitorError(f"journal.directory: {directory}: {error.strerror}") from None

    def write(self, kind: str, now: int, entry: Mapping[str, object]) -> None:
        """Append one entry; `now` in ns of our clock."""
        if self._directory is None or now < self._broken_until:
            return
        day = datetime.fromtimestamp(now // NS, UTC).date().isoformat()
        line = json.dumps({"entry": kind, "ts_recv": now, **entry}, sort_keys=True) + "\n"
        try:
            if day != self._day or self._file is None:
                self.close()
                path = self._directory / f"journal-{day}.jsonl"
                self._day, self._file = day, path.open("a", encoding="utf-8")
            self._file.write(line)
        except OSError as error:
            self._broken(now, error)

    def _broken(self, now: int, error: OSError) -> None:
        self._failed()
        log.error("journal_not_written", directory=str(self._directory), error=error.strerror)
        self._broken_until = now + RETRY
        self.close()

    def late(
        self, now: int, rows: Rows, controls: Sequence[Control], name: Naming = lambda row: {}
    ) -> None:
        """Records that came after the watermark had passed them; `name` gives what a row's numbers stand for."""
        for row in rows[~is_control(rows)]:
            numbers = {
                field: int(row[field]) for field in rows.dtype.names or () if field != "account"
            }
            self.write("late", now, {**numbers, **name(row)})
        for control in controls:
            self.write("late_control", now, control_entry(control))

    def flush(self, now: int) -> None:
        """Hand what was written to the operating system."""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            self._broken(now, error)

    def close(self) -> None:
        """Close the day's file; idempotent."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # it has been told already
                file.close()


def naming(reference: Reference, sources: Mapping[int, tuple[str, int]]) -> Naming:
    """Names and address of a quote or theo row: its numbers mean something in this process alone."""

    def name(row: np.void) -> Entry:
        topic, partition = sources.get(int(row["part"]), ("", -1))
        maker, contract = int(row["maker"]), int(row["contract"])
        return {
            "record": Kind(int(row["kind"])).name.lower(),
            "maker": reference.makers[maker] if maker >= 0 else "",
            "contract": reference.contracts[contract].name if contract >= 0 else "",
            "topic": topic,
            "partition": partition,
        }

    return name


def control_entry(control: Control) -> Entry:
    """A control record as plain values, with where it came from."""
    fields = {name: value for name, value in asdict(control).items() if name != "raw"}
    raw = getattr(control, "raw", None)
    where = (
        {}
        if raw is None
        else {"topic": raw.topic, "partition": raw.partition, "offset": raw.offset}
    )
    return {"record": type(control).__name__.removesuffix("Record").lower(), **fields, **where}
