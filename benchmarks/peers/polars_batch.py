"""polars on two threads, which sees the whole day at once: quoted until the pair's next tick, summed by pair.

Two ways are tried before the clock starts and the faster one runs: sums of `ts * (was - is)`, which need no next tick,
and the next tick's time by `shift`.
"""

from __future__ import annotations

import os
from time import perf_counter

os.environ["POLARS_MAX_THREADS"] = "2"

import numpy as np
import polars as pl

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: batch, sees all data at once, 2 threads"


def prepare(job: Job) -> Fresh:
    """A frame of int64 columns."""
    names = ("ts", "bid", "ask", "bid_size", "ask_size", "limit")
    columns = {name: getattr(job, name) for name in names}
    frame = pl.DataFrame({"pair": job.pair.astype(np.int32), **columns})
    ways = (_by_changes, _by_next)
    best = min(ways, key=lambda way: _seconds(frame, way, job.end))
    return lambda: lambda: _run(frame, best, job.end)


def _seconds(frame: pl.DataFrame, way, end: int) -> float:  # type: ignore[no-untyped-def]
    _run(frame, way, end)
    start = perf_counter()
    _run(frame, way, end)
    return perf_counter() - start


def _run(frame: pl.DataFrame, way, end: int) -> Ints:  # type: ignore[no-untyped-def]
    done = frame.lazy().with_columns(ok=_ok()).group_by("pair").agg(quoted=way(end)).collect()
    quoted = np.zeros(PAIRS, dtype=np.int64)
    quoted[done["pair"].to_numpy()] = done["quoted"].to_numpy()
    return quoted


def _ok() -> pl.Expr:
    both = (pl.col("bid_size") > 0) & (pl.col("ask_size") > 0)
    return (both & (pl.col("ask") - pl.col("bid") <= pl.col("limit"))).cast(pl.Int64)


def _by_changes(end: int) -> pl.Expr:
    ok, ts = pl.col("ok"), pl.col("ts")
    return (ts * (ok.shift(1, fill_value=0) - ok)).sum() + ok.last() * end


def _by_next(end: int) -> pl.Expr:
    ok, ts = pl.col("ok"), pl.col("ts")
    return ((ts.shift(-1, fill_value=end) - ts) * ok).sum()
