"""bytewax: a keyed stateful map over the ticks, one worker; the last state of each pair is its sum."""

from __future__ import annotations

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, run_main

from benchmarks.peers.job import PAIRS, Fresh, Ints, Job

NOTE = "simplest job: stateful_map by pair, 1 worker"

State = tuple[int, int]  # sum of ts * (was - is), is it good now?
Tick = tuple[str, tuple[int, ...]]


class _Keep(StatelessSinkPartition[tuple[str, State]]):
    def __init__(self, last: dict[str, State]) -> None:
        self.last = last

    def write_batch(self, items: list[tuple[str, State]]) -> None:
        """The newest state of a pair is what counts."""
        self.last.update(items)


class _Sink(DynamicSink[tuple[str, State]]):
    def __init__(self, last: dict[str, State]) -> None:
        self.last = last

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Keep:
        """One for the one worker."""
        return _Keep(self.last)


def prepare(job: Job) -> Fresh:
    """Ticks are keyed tuples before the clock starts."""
    names = ("ts", "bid", "ask", "bid_size", "ask_size", "limit")
    columns = [getattr(job, name).tolist() for name in names]
    keys = [str(pair) for pair in range(PAIRS)]
    ticks = [
        (keys[k], row) for k, row in zip(job.pair.tolist(), zip(*columns, strict=True), strict=True)
    ]

    def fresh():  # type: ignore[no-untyped-def]
        last: dict[str, State] = {}
        flow = _flow(ticks, last)

        def run() -> Ints:
            run_main(flow)
            quoted = np.zeros(PAIRS, dtype=np.int64)
            for key, (total, is_good) in last.items():
                quoted[int(key)] = total + is_good * job.end
            return quoted

        return run

    return fresh


def _flow(ticks: list[Tick], last: dict[str, State]) -> Dataflow:
    flow = Dataflow("quoted")
    stream = op.input("ticks", flow, TestingSource(ticks, batch_size=1_000))
    op.output("sums", op.stateful_map("account", stream, _account), _Sink(last))
    return flow


def _account(state: State | None, tick: tuple[int, ...]) -> tuple[State, State]:
    ts, bid, ask, bid_size, ask_size, limit = tick
    total, was = state or (0, 0)
    good = 1 if bid_size > 0 and ask_size > 0 and ask - bid <= limit else 0
    after = (total + ts * (was - good), good)
    return after, after
