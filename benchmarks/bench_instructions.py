"""Instructions a tick in each kernel, counted by callgrind: the same on a busy machine as on an idle one.

Without valgrind there is nothing to report. Warming up the engine, which a day of one tick does too, is not counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench_engine import run_once
from benchmarks.day import make_day
from benchmarks.measure import HERE, Row

TITLE = "instructions a tick (callgrind), batches of 10 000"
KERNELS = ("decode_quotes", "decode_theos", "survey", "merge_runs", "apply_rows")
TICKS = 50_000


def run() -> list[Row]:
    """Both shapes, without theos and with 10 %."""
    if shutil.which("valgrind") is None:
        sys.stdout.write("\ninstructions: valgrind is not installed\n")
        return []
    warm = _count("session", 0.0, 1)
    return [_measure(shape, share, warm) for shape in ("session", "random") for share in (0.0, 0.1)]


def _measure(shape: str, theo_share: float, warm: Mapping[str, int]) -> Row:
    counts = _count(shape, theo_share, TICKS)
    each = {name: round((counts[name] - warm[name]) / TICKS, 1) for name in KERNELS}
    return {
        "shape": shape,
        "theo": f"{theo_share:.0%}",
        **each,
        "all": round(sum(each.values()), 1),
    }


def _count(shape: str, theo_share: float, ticks: int) -> dict[str, int]:
    """Instructions inside each kernel during one pass, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "callgrind.out")
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
             sys.executable, "-m", __spec__.name, shape, str(theo_share), str(ticks)],
            cwd=HERE.parent, check=True, capture_output=True,
        )  # fmt: skip
        listing = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    return {name: _inclusive(listing, name) for name in KERNELS}


def _inclusive(listing: str, name: str) -> int:
    """What the kernel's Python entry point and all that it calls took; 0 if it was never called."""
    found = re.search(rf"^\s*([\d,]+) .*:__pyx_pw_\w*{name}\b", listing, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


if __name__ == "__main__":
    run_once(make_day(int(sys.argv[3]), float(sys.argv[2]), sys.argv[1], 10_000))
