"""From a real Kafka on this machine: CPU of the consuming process for each tick, ours with verdicts, others bare.

The broker is a process of its own and not counted. Consumers take turns, each in a process of its own, over the same
topics; what is said is the median of their turns and the ratio to ours. The first tenth of the ticks is not counted: a
process that has just begun pays the system for memory that it keeps.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place

from benchmarks.day import (
    CLASSES,
    IN_CLASS,
    OPEN,
    PACKED_QUOTE,
    PACKED_THEO,
    THEO,
    make_ticks,
    warm_engine,
)
from benchmarks.measure import Row
from mm_monitor import memory
from mm_monitor.core.batch import Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, DeadLetter
from mm_monitor.kernels.reference_decode import HEADER, QUOTES, SCHEMA, THEOS
from mm_monitor.pump import Pump
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_options import SECOND, KafkaFeeds, KafkaOptions
from mm_monitor.sources.merge import Merge
from tests.services.kafka import Kafka

TITLE = "kafka: ns of CPU a tick in the consuming process (median of turns), M ticks/s of wall time, and times ours"
TURNS = 5
WARM = 10  # one in so many ticks comes before the clock starts
THEO_SHARE = 0.01
BATCH = 1 << 17  # bytes of a record batch, at most
CONSUMERS = ("ours", "getmany", "confluent")
DAY = 86_400 * SECOND


class Case(NamedTuple):
    """What the topics hold."""

    codec: str
    per_record: int
    ticks: int


CASES = (Case("packed", 1, 4_000_000), Case("packed", 256, 8_000_000), Case("json", 1, 1_000_000))


def run() -> list[Row]:
    """Packed ticks one a record and 256 a record, and json objects one a record."""
    with tempfile.TemporaryDirectory() as directory, Kafka(Path(directory)) as kafka:
        return [row for case in CASES for row in _compare(kafka, case)]


def fill(kafka: Kafka, case: Case) -> dict[str, object]:
    """Write the ticks of a session to topics of their own; returns what a consumer is told."""
    quotes, theo = (kafka.unique_topic(name, CLASSES) for name in ("quotes", "theo"))
    control = kafka.unique_topic("control")
    records = _produce(kafka.bootstrap, quotes, theo, case)
    return {"bootstrap": kafka.bootstrap, "quotes": quotes, "theo": theo, "control": control,
            "codec": case.codec, "records": records, "ticks": case.ticks}  # fmt: skip


def _compare(kafka: Kafka, case: Case) -> list[Row]:
    job = fill(kafka, case)
    turns = [(name, _turn(name, job)) for _ in range(TURNS) for name in CONSUMERS]
    rows: list[Row] = []
    ours = 0.0
    for name in CONSUMERS:
        mine = [turn for who, turn in turns if who == name]
        cpu = statistics.median(turn["cpu"] for turn in mine)
        wall = statistics.median(turn["wall"] for turn in mine)
        ours = ours or cpu
        rows.append({
            "codec": case.codec, "ticks a record": case.per_record, "consumer": name,
            "ns": round(cpu, 1), "least": round(min(turn["cpu"] for turn in mine), 1),
            "M/s": round(1e3 / wall, 2), "times ours": round(cpu / ours, 1),
        })  # fmt: skip
    return rows


def _turn(name: str, job: dict[str, object]) -> dict[str, float]:
    """One consumer in a process of its own: ns of CPU and of wall time a tick."""
    command = [sys.executable, "-m", "benchmarks.bench_kafka", name, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# What is read ----------------------------------------------------------------------------------


def _produce(bootstrap: str, quotes: str, theo: str, case: Case) -> int:
    """Write the ticks of a session, by class, and a last one behind them all; returns the number of records."""
    ticks = make_ticks(case.ticks, THEO_SHARE, "session")
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "batch.size": BATCH,
                         "queue.buffering.max.messages": 200_000})  # fmt: skip
    sent = 0
    for klass in range(CLASSES):
        mine = ticks.pick(ticks.contract // IN_CLASS == klass)
        for topic, is_theo in ((quotes, False), (theo, True)):
            some = mine.pick((mine.maker < 0) == is_theo)
            rows = np.zeros(len(some.ts) + 1, PACKED_THEO if is_theo else PACKED_QUOTE)
            rows["ts"][:-1], rows["contract"][:-1] = some.ts, some.contract
            rows["ts"][-1], rows["contract"][-1] = OPEN + DAY // 6, klass * IN_CLASS
            if is_theo:
                rows["theo"][:-1], rows["theo"][-1] = some.a, THEO
            else:
                rows["maker"][:-1], rows["bid"][:-1], rows["ask"][:-1] = some.maker, some.a, some.b
                rows["bid_size"][:-1] = rows["ask_size"][:-1] = some.size
            for value in _values(rows, case):
                while True:
                    try:
                        producer.produce(topic, value, partition=klass)
                        break
                    except BufferError:
                        producer.poll(0.05)
                sent += 1
    producer.flush()
    return sent


def _values(rows: np.ndarray, case: Case) -> Iterator[bytes]:
    if case.codec == "json":
        yield from map(_json_theo if rows.dtype == PACKED_THEO else _json_quote, rows.tolist())
        return
    template = THEOS if rows.dtype == PACKED_THEO else QUOTES
    data, size = rows.tobytes(), rows.itemsize
    for at in range(0, len(rows), case.per_record):
        some = data[at * size : (at + case.per_record) * size]
        yield HEADER.pack(0, template, SCHEMA, 1, size, len(some) // size) + some


def _json_quote(row: tuple[int, ...]) -> bytes:
    ts, bid, ask, bid_size, ask_size, maker, contract = row
    return (
        b'{"ts_event":%d,"maker":"M%02d","contract":"C%03d","bid_price":"%d.%04d","bid_size":%d,'
        b'"ask_price":"%d.%04d","ask_size":%d}'
        % (ts, maker, contract, *_price(bid), bid_size, *_price(ask), ask_size)
    )


def _json_theo(row: tuple[int, ...]) -> bytes:
    ts, theo, contract, _ = row
    return b'{"ts_event":%d,"contract":"C%03d","theo":"%d.%04d"}' % (ts, contract, *_price(theo))


def _price(units: int) -> tuple[int, int]:
    """10^-8 as whole units and ten-thousandths, which is the price tick."""
    return units // 10**8, units % 10**8 // 10**4


# Who reads it ----------------------------------------------------------------------------------


class _Listener:
    """Takes the verdicts, as the service does."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.breaches = engine, 0

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        raise RuntimeError(f"a dead letter: {letters[0].detail}")

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        raise RuntimeError(f"{len(rows)} late rows")

    def advanced(self, watermark: int) -> None:
        self.breaches += len(self.engine.drain())


class _Clock:
    """CPU and wall time of this process from the moment on at which a tenth of `count` was there."""

    def __init__(self, job: dict[str, object], count: str) -> None:
        """`count` is what `reached` is told of: "ticks" or "records"."""
        gc.collect()
        gc.freeze()
        memory.keep_freed()  # as the service does
        self._whole, self._ticks = int(str(job[count])), int(str(job["ticks"]))
        self._begun = 0  # how much of it was there when the clock started
        self._start = self._now()

    def reached(self, count: int) -> bool:
        """So much is there now; is that all of it?"""
        if not self._begun and count >= self._whole // WARM:
            self._begun, self._start = count, self._now()
        return count >= self._whole

    def read(self) -> dict[str, float]:
        """ns of each for a tick."""
        ticks = self._ticks * (1 - self._begun / self._whole)
        cpu, wall = (now - then for now, then in zip(self._now(), self._start, strict=True))
        return {"cpu": cpu / ticks * 1e9, "wall": wall / ticks * 1e9}

    @staticmethod
    def _now() -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime, time.perf_counter()


async def _ours(job: dict[str, object]) -> dict[str, float]:
    engine = warm_engine()
    topics = [str(job[name]) for name in ("quotes", "theo", "control")]
    codec = str(job["codec"])
    feeds = KafkaFeeds(*topics, quotes_codec=codec, theo_codec=codec)
    source = KafkaSource(KafkaOptions(str(job["bootstrap"])), feeds, engine.reference,
                         now=lambda: OPEN + DAY, expect_traffic=lambda: False)  # fmt: skip
    await source.start()
    while not source._knows_names:
        await source.poll()
    pump = Pump(source, Merge(), engine, _Listener(engine))
    before, clock = engine.records.applied, _Clock(job, "ticks")
    pump.applied = lambda rows: setattr(
        pump, "stopping", clock.reached(engine.records.applied - before)
    )
    await pump.run()
    found = clock.read()
    await source.stop()
    return found


async def _getmany(job: dict[str, object]) -> dict[str, float]:
    consumer = AIOKafkaConsumer(bootstrap_servers=job["bootstrap"], fetch_max_wait_ms=50)
    await consumer.start()
    tps = [TopicPartition(job[name], p) for name in ("quotes", "theo") for p in range(CLASSES)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    clock, seen = _Clock(job, "records"), 0
    while not clock.reached(seen):
        got = await consumer.getmany(timeout_ms=50, max_records=10_000)
        seen += sum(map(len, got.values()))
    found = clock.read()
    await consumer.stop()
    return found


def _confluent(job: dict[str, object]) -> dict[str, float]:
    # Without the last two it fetches no more than 100 000 records ahead and then sleeps a second.
    settings = {"bootstrap.servers": job["bootstrap"], "group.id": "bench"}
    ahead = {"queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 1}
    consumer = Consumer({**settings, **ahead, "enable.auto.commit": False})
    topics = [str(job[name]) for name in ("quotes", "theo")]
    consumer.assign([Place(topic, p, 0) for topic in topics for p in range(CLASSES)])
    clock, seen = _Clock(job, "records"), 0
    while not clock.reached(seen):
        seen += len(consumer.consume(10_000, 0.05))
    found = clock.read()
    consumer.close()
    return found


def main(name: str, job: dict[str, object]) -> None:
    """One turn of one consumer; prints what it took as JSON."""
    readers = {"ours": _ours, "getmany": _getmany}
    found = asyncio.run(readers[name](job)) if name in readers else _confluent(job)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # what a client leaves behind is not waited for


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
