"""csp, one event for each tick: a curve of ticks into one Python node that keeps the sums of all pairs.

The generous way for csp: one adapter and one node, which reads the tick's columns from lists. A graph of csp's own C++
nodes for each pair does more steps a tick and is slower, and one adapter for each column is slower still.
"""

from __future__ import annotations

from datetime import timedelta

import csp
import numpy as np

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: one event a tick, 1 thread"


@csp.node
def account(tick: csp.ts[int], columns: object, sums: object, was: object):  # type: ignore[no-untyped-def]
    """Adds up `ts * (was - is)`; `tick` is the number of the tick."""
    with csp.state():
        s_ts, s_pair, s_bid, s_ask, s_bid_size, s_ask_size, s_limit = columns
        s_sums = sums
        s_was = was
    if csp.ticked(tick):
        k = s_pair[tick]
        good = (
            s_bid_size[tick] > 0
            and s_ask_size[tick] > 0
            and s_ask[tick] - s_bid[tick] <= s_limit[tick]
        )
        s_sums[k] += s_ts[tick] * (s_was[k] - good)
        s_was[k] = good


@csp.graph
def monitor(times: object, numbers: object, columns: object, sums: object, was: object):  # type: ignore[no-untyped-def]
    """The ticks into the node."""
    account(csp.curve(int, (times, numbers)), columns, sums, was)


def prepare(job: Job) -> Fresh:
    """The graph is built before the clock starts."""
    names = ("ts", "pair", "bid", "ask", "bid_size", "ask_size", "limit")
    columns = tuple(getattr(job, name).tolist() for name in names)
    times, numbers = job.ts.astype("datetime64[ns]"), np.arange(len(job.ts))
    start = times[0].astype("datetime64[us]").item()
    end = start + timedelta(seconds=int(job.end - job.ts[0]) // 10**9 + 1)

    def fresh():  # type: ignore[no-untyped-def]
        sums, was = [0] * PAIRS, [False] * PAIRS
        built = csp.build_graph(monitor, times, numbers, columns, sums, was)

        def run() -> Ints:
            csp.run(built, starttime=start, endtime=end)
            pairs = zip(sums, was, strict=True)
            return np.array([total + job.end if one else total for total, one in pairs])

        return run

    return fresh
