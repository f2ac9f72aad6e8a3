"""Garbage for every door, for as long as one likes: `python -m tests.faults.input_fuzz --minutes 60 --stamp F`.

Round after round gives each target so many inputs of a seed of its own. The result is kept as JSON after every round; a
run of the same commit goes on from there. Exit code 1 when a target raised what it may not, hung, or kept memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from benchmarks.measure import stamp
from tests.faults.garbage_in import Target, spoiled, targets

INPUTS = 400  # of a target in one round; of http, which costs a server each, fewer
DEARER = {
    "http": 20,
    "orders": 40,
    "rulebooks": 4,
    "checkpoints": 2,
    "csv": 4,
    "parquet": 4,
}  # so many times, by first word
HANG = 20  # seconds of one input
MEMORY = 200  # MB that the process may have grown by since the first round


def attack(name: str, number: int, inputs: int) -> str:
    """Give a target its inputs of seed `number`; what went wrong, "" if nothing."""
    read, samples = targets()[name]

    @seed(number)
    @settings(max_examples=max(1, inputs // _dearer(name)), database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(spoiled(samples))
    def attacked(data: bytes) -> None:
        _within(HANG, read, data)

    try:
        attacked()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        notes = " ".join(getattr(error, "__notes__", ()))
        return f"{type(error).__name__}: {error} {notes}"[:4000]
    return ""


def _dearer(name: str) -> int:
    return DEARER.get(name.partition(" ")[0], 1)


def _within(seconds: int, read: Target, data: bytes) -> None:
    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        read(data)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def used() -> float:
    """MB that this process has had at the most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(args: argparse.Namespace) -> int:
    """Rounds until the minutes of this run and those before are over."""
    kept: dict[str, Any] = {
        "stamp": stamp(),
        "rounds": 0,
        "seconds": 0.0,
        "inputs": {},
        "failures": [],
    }
    if args.stamp.exists():
        old = json.loads(args.stamp.read_text(encoding="utf-8"))
        kept = old if old["stamp"]["commit"] == kept["stamp"]["commit"] else kept
    began, had, first = time.monotonic(), kept["seconds"], 0.0
    while kept["seconds"] < args.minutes * 60:
        for name in targets():
            failed = attack(name, kept["rounds"], INPUTS)
            kept["inputs"][name] = kept["inputs"].get(name, 0) + max(1, INPUTS // _dearer(name))
            if failed:
                kept["failures"].append({"target": name, "seed": kept["rounds"], "what": failed})
        first = first or used()
        kept["rounds"] += 1
        kept["memory_grew_mb"] = round(used() - first, 1)
        kept["seconds"] = round(had + time.monotonic() - began, 1)
        args.stamp.parent.mkdir(parents=True, exist_ok=True)
        args.stamp.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    grew = kept.get("memory_grew_mb", 0.0)
    failures, inputs = kept["failures"], sum(kept["inputs"].values())
    sys.stdout.write(
        f"{inputs} inputs in {kept['seconds']} s, grew by {grew} MB, failures: {failures or 'none'}\n"
    )
    return 1 if failures or grew > MEMORY else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults.input_fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of all runs together")
    parser.add_argument(
        "--stamp", type=Path, required=True, help="JSON result, kept up and resumed from"
    )
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
