"""The one thread that packs and writes checkpoints, and what is read of them at the start.

Whoever hands over a state never waits: while one is being written the next is not taken, and a later one will be. A
store that fails is told and tried again with the next state; what it holds stays as it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from mm_monitor.checkpoints.protocol import CheckpointStore, Entry
from mm_monitor.checkpoints.record import (
    Base,
    Sections,
    base_of,
    difference,
    read_difference,
    read_whole,
    whole,
)
from mm_monitor.errors import CheckpointError
from mm_monitor.health import CheckpointStats

_log = structlog.get_logger("mm_monitor.checkpoints")
Pack = Callable[[], Sections]
MOST_DIFFERENCES = (
    300  # after one whole record, so that a damaged one does not stay the only one for long
)


def readable(
    entries: Sequence[Entry], refused: Callable[[CheckpointError], None]
) -> Iterator[tuple[Entry, Sections]]:
    """Records with their sections, newest first; each that is damaged or of another schema is told to `refused`."""
    bases: dict[int, Base | CheckpointError] = {}
    for entry in entries:
        try:
            if entry.serial == entry.base:
                yield entry, read_whole(entry)
                continue
            base = _base(entries, entry.base, bases)
            yield entry, read_difference(entry, base)
        except CheckpointError as error:
            refused(error)


def _base(entries: Sequence[Entry], serial: int, known: dict[int, Base | CheckpointError]) -> Base:
    if serial not in known:
        try:
            entry = next(e for e in entries if e.serial == serial)
            known[serial] = base_of(entry, read_whole(entry))
        except StopIteration:
            known[serial] = CheckpointError("damaged", f"the whole record {serial} is missing")
        except CheckpointError as error:
            known[serial] = error
    found = known[serial]
    if isinstance(found, CheckpointError):
        raise found
    return found


class CheckpointWriter:
    """Writes states into `store`, from serial `first` on."""

    def __init__(self, store: CheckpointStore, stats: CheckpointStats, first: int = 0) -> None:
        self._stats = stats
        self._store, self._serial = store, first
        self._base: Base | None = None
        self._since_base = 0
        self._broken = False
        self.deposed = False  # has another taken the store over? Nothing is written any more
        self._work: tuple[Pack, float] | None = None
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Would a state be taken now?"""
        return self._work is None and not self._ending

    def offer(self, pack: Pack) -> bool:
        """Have a state packed and written; False if the one before is still under way."""
        with self._changed:
            if not self.idle:
                return False
            self._work = pack, time.time()
            self._changed.notify_all()
            return True

    def finish(self, last: Pack | None, within: float) -> bool:
        """Write a last state, end the thread and close the store; did all that happen in `within` seconds?"""
        until = time.monotonic() + within
        with self._changed:
            free = self._changed.wait_for(lambda: self.idle, within)
            if free and last is not None:
                self._work = last, time.time()
            self._ending = True
            self._changed.notify_all()
        self._thread.join(max(0.0, until - time.monotonic()))
        return free and not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work is not None or self._ending)
                work = self._work
            if work is None:
                self._store.close()
                return
            self._write(*work)
            with self._changed:
                self._work = None
                self._changed.notify_all()

    def _write(self, pack: Pack, at: float) -> None:
        began = time.monotonic()
        try:
            size = self._keep(pack())
        except CheckpointError as error:
            self._failed(error)
            return
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the thread in silence
            self._failed(None)
            return
        if self._broken:
            _log.info("checkpoints_written_again")
            self._broken = False
        stats = self._stats
        stats.written, stats.size, stats.taken_at = stats.written + 1, size, at
        stats.seconds = time.monotonic() - began

    def _failed(self, error: CheckpointError | None) -> None:
        """Told once and counted each time; the state goes whole into the next attempt."""
        self._stats.failures += 1
        self._base = None
        self.deposed |= error is not None and error.reason == "deposed"
        if error is None:  # a mistake of ours: never in silence
            _log.error("checkpoint_not_written", exc_info=True)
        elif not self._broken:
            _log.error("checkpoint_not_written", error=str(error))
        self._broken = True

    def _keep(self, sections: Sections) -> int:
        serial, base = self._serial, self._base
        entry = None
        if base is not None and self._since_base < MOST_DIFFERENCES:
            entry = difference(serial, base, sections)
            if 2 * len(entry.data) > sum(map(len, sections.values())):
                entry = None
        if entry is None:
            entry = whole(serial, sections)
        self._store.write(entry)
        self._serial = serial + 1
        self._since_base += 1
        if entry.serial == entry.base:
            self._base, self._since_base = base_of(entry, sections), 0
        return len(entry.data)
