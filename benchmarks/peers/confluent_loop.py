"""confluent-kafka: the ticks are fetched from a real broker, 10 000 a call, and a Numba loop keeps the sums.

The only contestant whose clock runs while a broker answers: what it says is what receiving costs people today.
"""

from __future__ import annotations

import os

import numba
import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from benchmarks.peers.job import PAIRS, VALUE, Fresh, Ints, Job

NOTE = "simplest job, but from Kafka: consume(10000), one tick a record, then numba; 1 thread of ours, librdkafka's own"
AT_ONCE = 10_000


def prepare(job: Job) -> Fresh:
    """Every run has a consumer of its own that has not asked for anything yet."""
    ticks = len(job.ts)

    def fresh():  # type: ignore[no-untyped-def]
        # By default librdkafka rests for a second whenever it has 100 000 records in hand.
        settings = {"bootstrap.servers": os.environ["PEERS_KAFKA"], "group.id": "peers",
                    "enable.auto.commit": False, "queued.min.messages": 1_000_000,
                    "fetch.queue.backoff.ms": 1}  # fmt: skip
        consumer = Consumer(settings)
        consumer.list_topics("ticks")  # connected, which is not what is measured

        def run() -> Ints:
            consumer.assign([TopicPartition("ticks", 0, OFFSET_BEGINNING)])
            sums, was = np.zeros(PAIRS, np.int64), np.zeros(PAIRS, np.int64)
            left = ticks
            while left:
                found = consumer.consume(min(AT_ONCE, left), timeout=10)
                if not found:
                    raise RuntimeError(f"{left} ticks did not come")
                _account(np.frombuffer(b"".join([m.value() for m in found]), VALUE), sums, was)
                left -= len(found)
            consumer.close()
            return sums + was * job.end

        return run

    return fresh


@numba.njit
def _account(rows, sums, was):  # type: ignore[no-untyped-def]
    for row in rows:
        good = (row.bid_size > 0) & (row.ask_size > 0) & (row.ask - row.bid <= row.limit)
        ok = np.int64(good)
        sums[row.pair] += row.ts * (was[row.pair] - ok)
        was[row.pair] = ok
