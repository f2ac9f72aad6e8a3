"""Timing and its record: repeats, medians, and a stamp of what was measured on what.

Set-up stays outside the clock. A result is a list of rows of plain values, printed as a table and kept as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

Row = Mapping[str, object]

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def ns_each(runs: Sequence[Sequence[float]], things: int) -> tuple[float, float]:
    """Least and median ns for each of `things`, of runs that each did the same steps; in seconds by step.

    The least takes each step from the run that did it fastest: what is left when nobody else used the machine.
    """
    least = sum(min(step) for step in zip(*runs, strict=True))
    median = statistics.median(sum(run) for run in runs)
    return round(least / things * 1e9, 2), round(median / things * 1e9, 2)


def repeat(work: Callable[[], object], times: int) -> list[list[float]]:
    """Seconds of some runs of one step each, after one that warms up."""
    work()
    gc.collect()
    runs = []
    for _ in range(times):
        start = perf_counter()
        work()
        runs.append([perf_counter() - start])
    return runs


def stamp() -> dict[str, object]:
    """Commit, processor, load and versions."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain", "--untracked-files=no").splitlines()),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("mm-monitor", "numpy", "cython", "msgspec")},
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def keep(
    name: str, title: str, rows: Sequence[Row], about: Mapping[str, object] | None = None
) -> Path:
    """Write `results/<name>.json`; `about` adds to the stamp."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"name": name, "title": title, "stamp": {**stamp(), **(about or {})}, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def table(title: str, rows: Sequence[Row]) -> None:
    """Print rows of equal keys as a table."""
    if not rows:
        return
    heads = list(rows[0])
    cells = [[_text(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    sys.stdout.write(f"\n{title}\n")
    for line in [heads, *cells]:
        pairs = zip(line, widths, strict=True)
        sys.stdout.write("  " + "  ".join(text.rjust(width) for text, width in pairs) + "\n")
    sys.stdout.flush()


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
