"""Plain Python over lists: what the others save us from writing."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: a loop over lists, 1 thread"


def prepare(job: Job) -> Fresh:
    """Lists of Python integers are made before the clock starts."""
    names = ("ts", "pair", "bid", "ask", "bid_size", "ask_size", "limit")
    columns = [getattr(job, name).tolist() for name in names]
    return lambda: lambda: _quoted(columns, job.end)


def _quoted(columns: list[list[int]], end: int) -> Ints:
    sums, was = [0] * PAIRS, [0] * PAIRS
    for ts, k, bid, ask, bid_size, ask_size, limit in zip(*columns, strict=True):
        ok = 1 if bid_size > 0 and ask_size > 0 and ask - bid <= limit else 0
        sums[k] += ts * (was[k] - ok)
        was[k] = ok
    return np.array([total + one * end for total, one in zip(sums, was, strict=True)])
