"""DuckDB on two threads: one query with a window function, over a table of its own."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: batch, sees all data at once, 2 threads"
QUERY = """
select pair, sum(until - ts)::bigint as quoted
from (
  select pair, ts, lead(ts, 1, $1::bigint) over (partition by pair order by ts) as until,
         bid_size > 0 and ask_size > 0 and ask - bid <= width as ok
  from ticks
) where ok group by pair
"""


def prepare(job: Job) -> Fresh:
    """The ticks as a table in memory; `limit` is a word of SQL and is called `width`."""
    names = {"ts": "ts", "bid": "bid", "ask": "ask", "bid_size": "bid_size",
             "ask_size": "ask_size", "width": "limit"}  # fmt: skip
    columns = {name: getattr(job, own) for name, own in names.items()}
    arrow = pa.table({"pair": job.pair.astype(np.int32), **columns})
    connection = duckdb.connect(config={"threads": 2})
    connection.register("arrow", arrow)
    connection.execute("create table ticks as select * from arrow")

    def run() -> Ints:
        done = connection.execute(QUERY, [job.end]).fetchnumpy()
        quoted = np.zeros(PAIRS, dtype=np.int64)
        quoted[done["pair"]] = done["quoted"]
        return quoted

    return lambda: run
