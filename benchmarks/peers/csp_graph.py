"""csp as its documentation writes it: ticks are structs, a graph of csp's own operators judges each, one node adds up.

Every operator is an event of its own for each tick, which is what a graph is for and what it costs; `csp_events` does
all of it in one node instead. csp reads the types of a struct's fields, so annotations are not put off here.
"""

from datetime import timedelta

import csp
import numpy as np

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: a graph of csp's operators on struct ticks, 1 thread"


class Tick(csp.Struct):  # type: ignore[misc]
    """One quote, and the limit of its contract."""

    ts: int
    pair: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int
    limit: int


@csp.node
def account(ts: csp.ts[int], pair: csp.ts[int], good: csp.ts[bool], sums: object, was: object):  # type: ignore[no-untyped-def]
    """Adds up `ts * (was - is)` of each pair."""
    with csp.state():
        s_sums = sums
        s_was = was
    if csp.ticked(ts):
        k = pair
        s_sums[k] += ts * (s_was[k] - good)
        s_was[k] = good


@csp.graph
def monitor(times: object, ticks: object, sums: object, was: object):  # type: ignore[no-untyped-def]
    """Two sides, no wider than the limit."""
    tick = csp.curve(Tick, (times, ticks))
    narrow = (tick.ask - tick.bid) <= tick.limit
    good = csp.and_(tick.bid_size > 0, tick.ask_size > 0, narrow)
    account(tick.ts, tick.pair, good, sums, was)


def prepare(job: Job) -> Fresh:
    """The structs and the graph are built before the clock starts."""
    names = ("ts", "pair", "bid", "ask", "bid_size", "ask_size", "limit")
    columns = [getattr(job, name).tolist() for name in names]
    ticks = np.array(
        [Tick(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)],
        dtype=object,
    )
    times = job.ts.astype("datetime64[ns]")
    start = times[0].astype("datetime64[us]").item()
    end = start + timedelta(seconds=int(job.end - job.ts[0]) // 10**9 + 1)

    def fresh():  # type: ignore[no-untyped-def]
        sums, was = [0] * PAIRS, [False] * PAIRS
        built = csp.build_graph(monitor, times, ticks, sums, was)

        def run() -> Ints:
            csp.run(built, starttime=start, endtime=end)
            pairs = zip(sums, was, strict=True)
            return np.array([total + job.end if one else total for total, one in pairs])

        return run

    return fresh
