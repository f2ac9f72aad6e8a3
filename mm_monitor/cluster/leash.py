"""What ties a share's process to its keeper: a pipe through which the lease is prolonged.

When the lease runs out, or the keeper is gone, the process ends at once and tells nobody anything: by then another
may run the share. It is a thread of its own, so that a busy loop, or one that was stopped for a while, is no excuse.
"""

from __future__ import annotations

import os
import select
import threading

import structlog

from mm_monitor.cluster.membership import NS, boot_time

GONE = 75  # exit code of a process whose lease is over
_log = structlog.get_logger("mm_monitor.cluster")


class Leash:
    """Reads `<boot time>\\n`, until when the lease lasts, from the file descriptor `pipe`."""

    def __init__(self, pipe: int, lease: int) -> None:
        self._pipe, self._lease, self._rest = pipe, lease, b""

    def watch(self) -> None:
        """From now on, for ever."""
        threading.Thread(target=self._run, name="leash", daemon=True).start()

    def _run(self) -> None:
        while True:
            left = max(0, self._lease - boot_time())
            ready, _, _ = select.select([self._pipe], [], [], left / NS)
            if ready and not self._read():  # what was said is read first: a start may take long
                self._end("the keeper is gone")
            if not ready and self._lease <= boot_time():
                self._end("the lease is over")

    def _read(self) -> bool:
        data = os.read(self._pipe, 65_536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lease = max(self._lease, int(line))
        return bool(data)

    def _end(self, why: str) -> None:
        _log.error("share_given_up", why=why)
        os._exit(GONE)
