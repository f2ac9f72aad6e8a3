"""Has dates that are over closed by a process of its own, one at a time, while the service goes on.

A date is taken up when no life of the service can go back into it: once two checkpoints have been written since its
tape was left, of which the second was taken after that.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from mm_monitor.closing.marks import attempts, begin, call_off, over
from mm_monitor.config import Config
from mm_monitor.health import HealthStats

ATTEMPTS = 3  # in one go
MOST = 6  # over all lives: what ends the service each time must not go on for ever
PAUSE = 60.0  # seconds before the second, twice as long before the third
PATIENCE = 2.0  # seconds that a process has to end
LAST_WORDS = 2_000  # characters of its stderr that are logged
NOT_OVER = 1  # exit code
_log = structlog.get_logger("mm_monitor.closing")


class Closer:
    """`look` is cheap and never waits. `command` closes the tape that is its last word."""

    def __init__(
        self, command: Sequence[str], directory: Path, stats: HealthStats, pause: float = PAUSE
    ) -> None:
        self._command, self._directory, self._stats = command, directory, stats
        self._pause = pause
        self._date, self._settled = "", 0
        self._wanted = self._done = ""  # dates before which all is to be closed, and was
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def look(self, date: str) -> None:
        """The tape is in `date`, "" while nobody knows."""
        kept = self._stats.checkpoints
        if date != self._date:
            self._date, self._settled = date, kept.written + 2 if kept is not None else 0
        settled = kept is None or kept.written >= self._settled
        if not date or date == self._wanted or not settled or self._stopping:
            return
        self._wanted = date
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End what runs; it is done at the next start. Idempotent."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._done != self._wanted:
            date = self._wanted
            for tape in over(self._directory, date):
                await self._close(tape)
            self._done = date

    async def _close(self, tape: Path) -> None:
        for attempt in range(ATTEMPTS):
            if attempts(tape) >= MOST:
                self._failed(tape, "given up; close it by hand: mm-monitor journal close")
                return
            try:
                begin(tape)
                code, words = await self._once(tape)
            except OSError as error:
                code, words = -1, str(error)
            if code in (0, NOT_OVER):
                if code:
                    call_off(tape)
                _log.info("date_left" if code else "date_closed", file=str(tape), said=words)
                return
            self._failed(tape, words, code=code)
            if attempt < ATTEMPTS - 1:
                await asyncio.sleep(self._pause * 2**attempt)

    async def _once(self, tape: Path) -> tuple[int, str]:
        """Exit code and last words of one attempt."""
        process = await asyncio.create_subprocess_exec(
            *self._command, str(tape), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        _give_way(process.pid)
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            await _end(process)
            call_off(tape)
            raise
        return process.returncode or 0, said.decode(errors="replace").strip()[-LAST_WORDS:]

    def _failed(self, tape: Path, words: str, **about: object) -> None:
        self._stats.sink_failures["journal"] += 1
        _log.error("date_not_closed", file=str(tape), error=words, **about)


def make_closer(config: Config, stats: HealthStats) -> Closer | None:
    """Who closes dates as the configuration says; None where nothing is to be done with them."""
    journal, evidence = config.journal, config.evidence
    wanted: list[str] = []
    if evidence.directory and evidence.lapses:
        wanted += ["--evidence", evidence.directory]
    if journal.captures:
        wanted += ["--captures", journal.captures]
    if not (wanted and journal.directory and journal.tape):
        return None
    books = [word for name in config.rulebooks.names for word in ("--rulebook", name)]
    command = (sys.executable, "-m", "mm_monitor", "journal", "close", *books, *wanted)
    return Closer(command, Path(journal.directory), stats)


def _give_way(pid: int) -> None:
    """The service comes first, for the processor and where memory is short."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


async def _end(process: asyncio.subprocess.Process) -> None:
    for end in (process.terminate, process.kill):
        with suppress(ProcessLookupError, TimeoutError):
            end()
            async with asyncio.timeout(PATIENCE):
                await process.wait()
                return
