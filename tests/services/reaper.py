"""Kills the services of a test run that was itself killed: it reads their ids until its input ends.

The input is a pipe held by the test run alone, so it ends when that run does, however that happens.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Reads lines `+ pid` and `- pid`; at the end kills what was added and not removed."""
    alive: set[int] = set()
    for line in sys.stdin:
        sign, pid = line.split()
        (alive.add if sign == "+" else alive.discard)(int(pid))
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
