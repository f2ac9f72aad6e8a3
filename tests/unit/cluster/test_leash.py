"""A share's process ends when its lease does, whatever else it is at."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mm_monitor.cluster.leash import GONE
from mm_monitor.cluster.membership import NS, boot_time

BUSY = """
import sys
from mm_monitor.cluster.leash import Leash
from mm_monitor.cluster.membership import boot_time
Leash(0, boot_time() + int(sys.argv[1])).watch()
print("watched", flush=True)
while True:
    pass
"""


@contextmanager
def busy(seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process that never rests, with a lease of so many seconds."""
    command = [sys.executable, "-c", BUSY, str(int(seconds * NS))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"watched\n"
            yield process
        finally:
            process.kill()


def test_it_ends_when_the_keeper_is_gone() -> None:
    with busy(3600) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == GONE


def test_it_ends_when_nobody_prolongs_the_lease() -> None:
    began = time.monotonic()
    with busy(2) as process:
        assert process.wait(20) == GONE
    assert time.monotonic() - began >= 2


def test_it_goes_on_as_long_as_the_lease_is_prolonged() -> None:
    with busy(2) as process:
        assert process.stdin is not None
        until = boot_time() + 4 * NS
        process.stdin.write(b"%d\n12" % until)  # a line, and the beginning of another
        process.stdin.flush()
        assert process.wait(20) == GONE
        assert boot_time() >= until
