"""`python -m benchmarks.peers.worker MODULE JOB`: one contestant in its own process, told over stdin when to run.

After one run that warms up it answers each line with a line of JSON: seconds, and the digest of its result.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.peers.job import Ints, load


def main(name: str, path: str) -> None:
    """Run whenever a line comes, until there are no more."""
    contestant = import_module(f"benchmarks.peers.{name}")
    fresh = contestant.prepare(load(Path(path)))
    fresh()()
    _tell({"note": contestant.NOTE})
    for _ in sys.stdin:
        run = fresh()
        gc.collect()
        start = perf_counter()
        quoted = run()
        seconds = perf_counter() - start
        _tell({"seconds": seconds, "digest": digest(quoted), "quoted": int(quoted.sum())})


def digest(quoted: Ints) -> str:
    """The result in a word: equal for equal arrays of integers."""
    if quoted.dtype != np.int64:
        raise TypeError(f"quoted times are int64, got {quoted.dtype}")
    return hashlib.sha256(quoted.tobytes()).hexdigest()[:16]


def _tell(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
