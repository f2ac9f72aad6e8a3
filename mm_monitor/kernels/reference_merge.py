"""The merge kernel in plain Python: sorted runs of rows into the one total order of the tape."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mm_monitor.kernels.reference_state import Row, Rows, check_rows

MAX_RUNS = 1024


def order(row: tuple[int, ...]) -> tuple[int, ...]:
    """The one total order of the tape."""
    r = Row(*row)
    return r.ts, r.kind, r.part, r.offset, r.sub


def survey(rows: Rows) -> tuple[int, int, int]:
    """Order, least ts and greatest ts of some rows, at least one.

    Order is 2 if each row comes before the next, 1 if some are repeats of one (ts, kind, part, offset, sub), 0 if some
    come after the next.
    """
    check_rows(rows)
    if not len(rows):
        raise ValueError("rows: at least 1, got 0")
    steps = list(pairwise(order(row) for row in rows.tolist()))
    strict, ascending = all(a < b for a, b in steps), all(a <= b for a, b in steps)
    return 2 if strict else int(ascending), int(rows["ts"].min()), int(rows["ts"].max())


def tell(rows: Rows, kinds: NDArray[np.int64], contracts: NDArray[np.uint8]) -> None:
    """Add how many rows are of each kind to `kinds`, and set `contracts` to 1 for those that are named."""
    check_rows(rows)
    for kind, contract in zip(rows["kind"].tolist(), rows["contract"].tolist(), strict=True):
        if kind < len(kinds):
            kinds[kind] += 1
        if 0 <= contract < len(contracts):
            contracts[contract] = 1


def count_before(rows: Rows, ts: int) -> int:
    """How many rows of a sorted run have a time before `ts`."""
    check_rows(rows)
    return int(np.count_nonzero(rows["ts"] < ts))


def merge_runs(runs: list[NDArray[np.void]], out: Rows) -> int:
    """Merge sorted runs into `out`, dropping repeats of one (ts, kind, part, offset, sub); returns rows written.

    `out` must hold the sum of the lengths. At most 1024 runs. Of repeats that differ, one of them stays.
    """
    if len(runs) > MAX_RUNS:
        raise ValueError(f"runs: at most {MAX_RUNS}, got {len(runs)}")
    for i, run in enumerate(runs):
        check_rows(run, f"runs[{i}]")
    total = sum(len(run) for run in runs)
    if len(out) < total:
        raise ValueError(f"out: at least {total} rows, got {len(out)}")
    written = 0
    for row in sorted((row for run in runs for row in run.tolist()), key=order):
        if written and order(row) == order(out[written - 1].tolist()):
            continue
        out[written] = row
        written += 1
    return written
