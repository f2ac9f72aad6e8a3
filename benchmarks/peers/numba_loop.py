"""Numba: the loop that one would write in C, over columns. No reasons, no lapses, no windows."""

from __future__ import annotations

import numba
import numpy as np

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: one compiled loop over columns, 1 thread"


def prepare(job: Job) -> Fresh:
    """Compiled before the clock starts."""
    columns = (job.ts, job.pair, job.bid, job.ask, job.bid_size, job.ask_size, job.limit)

    def run() -> Ints:
        return _quoted(*columns, job.end)

    return lambda: run


@numba.njit
def _quoted(ts, pair, bid, ask, bid_size, ask_size, limit, end):  # type: ignore[no-untyped-def]
    sums, was = np.zeros(PAIRS, np.int64), np.zeros(PAIRS, np.int64)
    for i in range(len(ts)):
        k = pair[i]
        ok = np.int64((bid_size[i] > 0) & (ask_size[i] > 0) & (ask[i] - bid[i] <= limit[i]))
        sums[k] += ts[i] * (was[k] - ok)
        was[k] = ok
    return sums + was * end
