"""Writes what goes into the engine, a file for each trading date, and beside it what came too late to go in.

Rows are handed to the operating system before a checkpoint that covers them is taken. A life that goes on from a
checkpoint says from which row: what an earlier life had written from there on was judged again, and no longer counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from mm_monitor import __version__
from mm_monitor.core.batch import ROW, Batch, Rows, is_control
from mm_monitor.core.days import utc_date
from mm_monitor.core.engine import Engine
from mm_monitor.core.freeze import frozen
from mm_monitor.core.model import Control, Kind, ReferenceRecord
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.snapshot import engine_state
from mm_monitor.errors import InputError
from mm_monitor.recording.frames import ENDING, Frame, frame_bytes, frames, sound_length
from mm_monitor.recording.standing import Standing

NS = 1_000_000_000
RETRY = 5 * NS  # after a failure
EVER = 2**63 - 1
MOST_ROWS = 4_096  # that wait for a flush: packing them holds the tape for a millisecond
_OPAQUE = np.dtype((np.void, ROW.itemsize))
log = structlog.get_logger("mm_monitor.recording")


@dataclass(slots=True)
class _Waiting:
    """What is not in the file yet."""

    rows: Rows = field(default_factory=lambda: np.empty(MOST_ROWS, ROW))
    controls: list[Control] = field(default_factory=list)
    size: int = 0  # of `rows`
    dead: int = 0

    def put(self, rows: Rows, batch: Batch) -> int:
        """Take as many as there is room for; how many these are."""
        some, controls = _own(rows[: MOST_ROWS - self.size], batch, len(self.controls))
        # As bytes: numpy takes 10 us over the fields of a row.
        self.rows.view(_OPAQUE)[self.size : self.size + len(some)] = some.view(_OPAQUE)
        self.controls += controls
        self.size += len(some)
        return len(some)


class TapeWriter:
    """`judged` and `late` take what they are given at once; `flush` writes it. `failed` is called for each failure."""

    def __init__(
        self, directory: Path, engine: Engine, schedule: Schedule | None, *,
        now: Callable[[], int], failed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`schedule` says when a trading date ends; `now` is our clock, ns."""
        self._directory, self._engine, self._schedule = directory, engine, schedule
        self._now, self._failed = now, failed
        self._standing = Standing()
        self._waiting = _Waiting()
        self._late: list[tuple[str, Rows, list[Control]]] = []
        self._file, self._date, self._end = -1, "", -EVER
        self._opening: Frame = {}  # for the file that is opened next
        self._told = dict.fromkeys(("contracts", "makers", "accounts", "vias", "parts"), 0)
        self._seq = 0  # of the next row, counted over all lives since the tape was begun
        self._watermark = -EVER
        self._broken_until = 0
        self._resumed: str | None = None  # the date in whose middle this life begins, "" = any

    @property
    def date(self) -> str:
        """The trading date that is written; what came before it is with the operating system. "" before any."""
        return self._date

    def state(self) -> dict[str, Any]:
        """Where it stands, for a checkpoint; to be asked after `flush`."""
        return {"seq": self._seq, "date": self._date, **self._standing.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`, on a fresh writer."""
        self._seq, self._date = state["seq"], state["date"]
        self._resumed = self._date
        self._standing.restore(state)

    def begin_midway(self) -> None:
        """The engine has judged before, and nobody wrote it down: the first date is not whole."""
        self._resumed = ""

    def judged(self, batch: Batch) -> None:
        """This piece of the tape is about to be judged."""
        rows = batch.rows
        while len(rows):
            ts = int(rows["ts"][0])
            if ts >= self._end:
                self._turn(ts, batch)
            cut = _before(rows, self._end)
            self._put(rows[:cut], batch)
            rows = rows[cut:]

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        """These came too late to be judged: into the files of their own dates."""
        keys = rows["a"][is_control(rows)].tolist()
        batch = Batch(rows, dict(zip(keys, controls, strict=True)))
        rows = rows[np.argsort(rows["ts"], kind="stable")]
        while len(rows):
            day, end = self._date_of(int(rows["ts"][0]))
            cut = _before(rows, end)
            self._late.append((day, *_own(rows[:cut], batch, 0)))
            rows = rows[cut:]

    def refused(self, dead: int) -> None:
        """So many records could not be read. One that is refused as it is judged is on the tape, and not counted."""
        self._waiting.dead += dead

    def flush(self, watermark: int) -> None:
        """Hand all that waits to the operating system; `watermark` (ns) is before which all has been judged."""
        waiting, self._waiting = self._waiting, _Waiting()
        late, self._late = self._late, []
        now = self._now()
        if now < self._broken_until:
            return
        try:
            if self._date and (waiting.size or waiting.dead or watermark != self._watermark):
                self._write(waiting, now, watermark)
            for day, rows, controls in late:
                self._write_late(day, rows, controls, now)
        except (OSError, InputError) as error:
            self._failed()
            log.error("tape_not_written", directory=str(self._directory), error=str(error))
            self._broken_until = now + RETRY
            self.close()
        self._watermark = watermark

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _date_of(self, ts: int) -> tuple[str, int]:
        """The trading date of an instant, and when the next begins; without a calendar one date goes on for ever."""
        if self._schedule is None:
            return self._date or utc_date(ts), EVER
        day = self._schedule.trading_date(ts)
        following = date.fromisoformat(day) + timedelta(days=1)
        return day, self._schedule.roll_over(following.isoformat())

    def _turn(self, ts: int, batch: Batch) -> None:
        """A trading date begins, or a life in the middle of one."""
        if self._date and self._end != -EVER:
            self.flush(max(self._watermark, self._end))  # for a record after it is here
            self.close()
        self._date, self._end = self._date_of(ts)
        rows, controls = self._standing.now()
        # What this very batch says of names before `ts` has not been applied, so it is not in the state.
        told = [c for c in batch.controls.values() if isinstance(c, ReferenceRecord) and c.ts < ts]
        reference = frozen(
            engine_state(self._engine)["reference"]
        )  # it is written when more is known
        midway = self._resumed in ("", self._date)
        self._resumed = None
        self._opening = {"reference": reference, "rows": rows, "controls": controls, "told": told,
                         "midway": midway}  # fmt: skip

    def _put(self, rows: Rows, batch: Batch) -> None:
        self._standing.take(rows, batch)
        while len(rows):
            if self._waiting.size == MOST_ROWS:
                self.flush(self._watermark)
            taken = self._waiting.put(rows, batch)
            self._seq += taken
            rows = rows[taken:]

    def _write(self, waiting: _Waiting, now: int, watermark: int) -> None:
        first = self._seq - waiting.size
        if self._file < 0:
            self._open(first, now)
        _append(self._file, {
            "frame": "judged", "now": now, "watermark": watermark, "seq": first,
            "rows": waiting.rows[: waiting.size] if waiting.size else None,
            "controls": waiting.controls, "dead": waiting.dead, **self._news(),
        })  # fmt: skip

    def _open(self, seq: int, now: int) -> None:
        path = self._path(self._date)
        self._file = open_tape(path)
        begins = not seq or not any(frame["frame"] == "life" for frame in frames(path))
        _append(self._file, {
            "frame": "life", "now": now, "seq": seq, "version": __version__, "date": self._date,
            "opening": self._opening if begins else None,
        })  # fmt: skip
        self._told = dict.fromkeys(self._told, 0)

    def _path(self, day: str) -> Path:
        return self._directory / f"{day}{ENDING}"

    def _news(self) -> Frame:
        """Names that the file has not been told, in the order of their numbers."""
        reference, told = self._engine.reference, self._told
        known: dict[str, list[Any]] = {
            "contracts": [one.name for one in reference.contracts[told["contracts"] :]],
            "makers": reference.makers[told["makers"] :],
            "accounts": list(reference.account_numbers)[told["accounts"] :],
            "vias": [list(via) for via in reference.theo_vias[told["vias"] :]],
            "parts": [(n, *where) for n, where in self._engine.sources.items()][told["parts"] :],
        }
        for name, new in known.items():
            told[name] += len(new)
        return known

    def _write_late(self, day: str, rows: Rows, controls: list[Control], now: int) -> None:
        """A frame that says itself what its numbers mean."""
        reference, sources = self._engine.reference, self._engine.sources
        names = {
            "contracts": {i: reference.contracts[i].name for i in _used(rows, "contract")},
            "makers": {i: reference.makers[i] for i in _used(rows, "maker")},
            "accounts": dict(enumerate(reference.account_numbers, 1)) if rows["account"].any() else {},
            "vias": {i: list(reference.theo_vias[i]) for i in _vias(rows)},
            "parts": [(int(n), *sources.get(n, ("", -1))) for n in np.unique(rows["part"]).tolist()],
        }  # fmt: skip
        frame = {"frame": "late", "now": now, "rows": rows, "controls": controls, **names}
        if day == self._date and self._file >= 0:
            _append(self._file, frame)
            return
        file = open_tape(self._path(day))
        try:
            _append(file, frame)
        finally:
            os.close(file)


def _own(rows: Rows, batch: Batch, first: int) -> tuple[Rows, list[Control]]:
    """Rows whose controls are numbered from `first` on, and those controls."""
    if not batch.controls:
        return rows, []
    which = np.flatnonzero(is_control(rows))
    if not len(which):
        return rows, []
    rows = rows.copy()
    controls = [batch.controls[key] for key in rows["a"][which].tolist()]
    rows["a"][which] = np.arange(first, first + len(which))
    return rows, controls


def _before(rows: Rows, end: int) -> int:
    return len(rows) if end == EVER else int(np.searchsorted(rows["ts"], end))


def _used(rows: Rows, column: str) -> list[int]:
    found: list[int] = np.unique(rows[column]).tolist()
    return [i for i in found if i >= 0]


def _vias(rows: Rows) -> list[int]:
    found: list[int] = np.unique(rows["a_size"][rows["kind"] == Kind.THEO]).tolist()
    return found


def open_tape(path: Path) -> int:
    """The file, for appending; half a frame at its end is cut off, a damaged file is set aside. Both are told."""
    if path.exists():
        try:
            sound = sound_length(path)
            lost = path.stat().st_size - sound
            if lost:
                os.truncate(path, sound)
                log.warning("tape_tail_cut", file=str(path), offset=sound, bytes_lost=lost)
        except InputError as error:
            path.replace(path.with_suffix(f"{ENDING}.damaged"))
            log.error("tape_set_aside", error=str(error))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)


def _append(file: int, frame: Frame) -> None:
    rest = memoryview(frame_bytes(frame))
    while rest:
        rest = rest[os.write(file, rest) :]
