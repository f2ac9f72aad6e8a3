"""The monitor's own record of what it decided and refused: JSON lines, a file a day of its clock.

What a source decides (a feed down, an idle watermark), what was computed (theos) and what was not applied (late
records) must be readable later; an empty directory name turns the journal off. The records that were judged are
beside it, in files that `recording` writes.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Annotated

import msgspec
import numpy as np
import structlog

from mm_monitor.core.batch import Rows, is_control
from mm_monitor.core.model import Control, Kind
from mm_monitor.core.reference import Reference
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.theo.pricer import KeptLook

NS = 1_000_000_000
RETRY = 5 * NS  # after a failure
log = structlog.get_logger("mm_monitor.journal")
Entry = dict[str, object]
_DATED = re.compile(
    r"(?:journal-)?(\d{4}-\d{2}-\d{2})\.(?:jsonl|tape|tape\.damaged|closed|closing)"
)
_CAPTURE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.partial)?")  # a directory of `journal.captures`
_BEGIN = 65_536  # bytes of a file in which an entry must be
_LOOK = '{"entry": "theo"'  # how its lines begin
Naming = Callable[[np.void], Entry]


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Kept(msgspec.Struct):
    """The members of a look's line that are read again."""

    ts: _Int64
    theos: list[tuple[str, _Int64 | None, _Int64 | None, str, str, str, _Int64]]


class Journal:
    """Appends entries; `flush` puts them on disk.

    A disk that fails while we run holds nothing up: it is logged, `failed` is called, and entries are lost until it
    can be written again.
    """

    def __init__(
        self, directory: str, failed: Callable[[], None] = lambda: None, *, keep_days: int = 0,
        captures: str = "",
    ) -> None:  # fmt: skip
        """Files, and days in `captures`, older than `keep_days` of our clock are removed by `forget`; 0 = none."""
        self._directory = Path(directory) if directory else None
        self._failed = failed
        self._keep_days, self._forgot = keep_days, ""
        self._captures = Path(captures) if captures else None
        self._day = ""
        self._file: IO[str] | None = None
        self._broken_until = 0  # ns of our clock; before it nothing is tried
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MonitorError(f"journal.directory: {directory}: {error.strerror}") from None

    def write(self, kind: str, now: int, entry: Mapping[str, object]) -> bool:
        """Append one entry; `now` in ns of our clock. Was it taken?"""
        if self._directory is None or now < self._broken_until:
            return False
        day = datetime.fromtimestamp(now // NS, UTC).date().isoformat()
        line = json.dumps({"entry": kind, "ts_recv": now, **entry}, sort_keys=True) + "\n"
        try:
            if day != self._day or self._file is None:
                self.close()
                path = self._directory / f"journal-{day}.jsonl"
                self._day, self._file = day, _open(path)
            self._file.write(line)
        except OSError as error:
            self._broken(now, error)
            return False
        return True

    def look(self, now: int, look: KeptLook) -> bool:
        """Append a look at computed theos and hand it to the operating system. Was it written?"""
        entry = {"ts": look.ts, "theos": look.theos}
        return self.write("theo", now, entry) and self.flush(now)

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

    def late_batch(self, now: int, rows: Rows, controls: Sequence[Control]) -> None:
        """That records came too late, in one entry, where the tape has them; the controls among them one by one."""
        count = len(rows) - len(controls)
        if count:
            times = rows["ts"][~is_control(rows)]
            entry = {"records": count, "first": int(times.min()), "last": int(times.max())}
            self.write("late", now, entry)
        for control in controls:
            self.write("late_control", now, control_entry(control))

    def forget(self, now: int) -> None:
        """Remove what is too old to keep; looks once a day of our clock."""
        today = _day_of(now)
        if self._directory is None or not self._keep_days or self._forgot == today.isoformat():
            return
        self._forgot = today.isoformat()
        oldest = (today - timedelta(days=self._keep_days)).isoformat()
        for path in sorted(self._directory.iterdir()):
            dated = _DATED.fullmatch(path.name)
            if dated and dated[1] < oldest:
                with suppress(OSError):
                    path.unlink()
                    log.info("journal_file_removed", file=str(path), keep_days=self._keep_days)
        self._forget_captures(oldest)

    def _forget_captures(self, oldest: str) -> None:
        if self._captures is None or not self._captures.is_dir():
            return
        for path in sorted(self._captures.iterdir()):
            dated = _CAPTURE.fullmatch(path.name)
            if dated and dated[1] < oldest and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
                log.info("capture_removed", directory=str(path), keep_days=self._keep_days)

    def flush(self, now: int) -> bool:
        """Hand what was written to the operating system. Did it take it?"""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            self._broken(now, error)
            return False
        return True

    def close(self) -> None:
        """Close the day's file; idempotent."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # it has been told already
                file.close()


def _open(path: Path) -> IO[str]:
    """For appending, on a line of its own: a process that was killed may have left half of one."""
    with path.open("ab+") as file:
        file.seek(0, 2)
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
    return path.open("a", encoding="utf-8")


def check_journal(path: Path) -> None:
    """InputError for what somebody calls a journal and is none: a directory without its files, a file without entries.

    A service that begins has an empty directory, so `kept_looks` takes one.
    """
    if path.is_dir():
        if not any(path.glob("journal-*.jsonl")):
            what = "is no journal of a service: it has no journal-DATE.jsonl"
            shares = sorted(share.name for share in path.glob("share-*") if share.is_dir())
            raise InputError(
                what + (f", but {', '.join(shares)}" if shares else ""), file=str(path)
            )
        return
    try:
        with path.open("rb") as file:
            begin = file.read(_BEGIN)
    except OSError as error:
        raise InputError(f"a journal that can be read ({error})", file=str(path)) from None
    if begin and b'"entry": "' not in begin:
        raise InputError(
            "is no journal of a service: it has no entries", file=str(path), value=begin[:20]
        )


def kept_looks(path: Path, since: int = 0) -> Iterator[KeptLook]:
    """Looks at computed theos in a journal's file or directory, ascending; those before `since` (ns) may be missing.

    Half a line, as a process that was killed leaves it, was never judged by and is passed over. InputError for
    what cannot be read.
    """
    files = sorted(path.glob("journal-*.jsonl")) if path.is_dir() else [path]
    day = max(date(1970, 1, 1), _day_of(since) - timedelta(days=1))  # their days are of our clock
    last = -1
    for file in files:
        if path.is_dir() and file.stem.removeprefix("journal-") < day.isoformat():
            continue
        for look in _looks_of(file):
            if look.ts > last:
                last = look.ts
                yield look


def _day_of(ns: int) -> date:
    return datetime.fromtimestamp(ns // NS, UTC).date()


def _looks_of(file: Path) -> Iterator[KeptLook]:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(_LOOK) and line.endswith("}\n"):
                    kept = msgspec.json.decode(line, type=_Kept)
                    yield KeptLook(kept.ts, kept.theos)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"a journal that can be read ({error})", file=str(file)) from None


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
