"""`python -m benchmarks [NAME ...]`: run the benchmarks, print their tables, keep `results/<name>.json`."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.measure import keep, table

NAMES = (
    "engine",
    "twin",
    "windows",
    "scale",
    "fanout",
    "decode",
    "view",
    "metrics",
    "board",
    "latency",
    "memory",
    "checkpoint",
    "instructions",
    "kafka",
    "scaleout",
)


def main(names: list[str]) -> int:
    """Exit code 2 for a name that is none."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}\n")
        return 2
    for name in names or NAMES:
        bench = import_module(f"benchmarks.bench_{name}")
        rows = bench.run()
        table(bench.TITLE, rows)
        keep(name, bench.TITLE, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
