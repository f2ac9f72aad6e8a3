"""Two workers against one: CPU for each tick from a real Kafka, and wall rate on captures split by class.

Every worker is a process of its own, as in production, and all begin at a common instant, after imports. From Kafka the
broker shares the cores with them, so that only their CPU says something; captures need nobody else.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_kafka import CASES, DAY, Case, _Clock, _Listener, fill
from benchmarks.day import CLASSES, IN_CLASS, MAKERS, OPEN, TICK, Ticks, make_ticks, warm_engine
from benchmarks.measure import Row
from mm_monitor.core.share import Share, partition_of
from mm_monitor.pump import Pump
from mm_monitor.replay import replay
from mm_monitor.rulebooks.loader import load
from mm_monitor.simulator.capture import QUOTE_COLUMNS, THEO_COLUMNS
from mm_monitor.sources.kafka import KafkaSource
from mm_monitor.sources.kafka_options import KafkaFeeds, KafkaOptions
from mm_monitor.sources.merge import Merge
from mm_monitor.units import show_price
from tests.services.kafka import Kafka

TITLE = "scaleout: ns of CPU a tick of all workers (median of turns), M ticks/s of wall time, and times those of one"
TURNS = 5
WORKERS = (1, 2)
THEO_SHARE = 0.01
CAPTURE_TICKS = 1_000_000
# Of every partition of four the class whose key falls there: both workers have as much to do.
NAMES = tuple(
    next(name for i in range(1000) if partition_of(name := f"K{i}", CLASSES) == partition)
    for partition in range(CLASSES)
)


def run() -> list[Row]:
    """From Kafka with one tick a record and with 256, and from captures."""
    with tempfile.TemporaryDirectory() as directory:
        rows = _from_captures(Path(directory))
        with Kafka(Path(directory) / "kafka") as kafka:
            packed = [case for case in CASES if case.codec == "packed"]
            return [*rows, *(row for case in packed for row in _from_kafka(kafka, case))]


def _rows(source: str, ticks: int, turns: dict[int, list[tuple[float, float]]]) -> list[Row]:
    """A row for each number of workers, of the (cpu, wall) of its turns."""
    rows: list[Row] = []
    for workers in WORKERS:
        cpu, wall = (statistics.median(values) for values in zip(*turns[workers], strict=True))
        one_cpu, one_wall = (statistics.median(v) for v in zip(*turns[1], strict=True))
        rows.append({
            "from": source, "workers": workers, "ns": round(cpu / ticks * 1e9, 1),
            "M/s": round(ticks / wall / 1e6, 2), "times the cpu": round(cpu / one_cpu, 3),
            "times the rate": round(one_wall / wall, 2),
        })  # fmt: skip
    return rows


def _turn(jobs: Sequence[dict[str, object]]) -> tuple[float, float]:
    """All workers at once, each a process: seconds of CPU together, and of wall from first start to last end."""
    command = [sys.executable, "-m", "benchmarks.bench_scaleout"]
    running = [
        subprocess.Popen([*command, json.dumps(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for job in jobs
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("a worker failed before it was ready")
    told = []
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        said, _ = process.communicate(timeout=300)
        told.append(json.loads(said.splitlines()[-1]))
    wall = max(one["end"] for one in told) - min(one["start"] for one in told)
    return sum(one["cpu"] for one in told), wall


# Kafka -------------------------------------------------------------------------------------------


def _from_kafka(kafka: Kafka, case: Case) -> list[Row]:
    told = fill(kafka, case)
    ticks = make_ticks(case.ticks, THEO_SHARE, "session")
    held = np.bincount(ticks.contract // IN_CLASS, minlength=CLASSES).tolist()
    job = {
        "bootstrap": kafka.bootstrap,
        "topics": [told[name] for name in ("quotes", "theo", "control")],
    }
    turns: dict[int, list[tuple[float, float]]] = {n: [] for n in WORKERS}
    for _ in range(TURNS):
        for n in WORKERS:
            turns[n].append(_turn([
                {**job, "worker": [k, n], "ticks": sum(held[k - 1 :: n])} for k in range(1, n + 1)
            ]))  # fmt: skip
    word = "tick" if case.per_record == 1 else "ticks"
    return _rows(f"kafka, {case.per_record} {word} a record", case.ticks, turns)


async def _read(job: dict[str, object]) -> dict[str, float]:
    """One worker on its partitions."""
    k, n = job["worker"]  # type: ignore[misc]
    mine = frozenset(p for p in range(CLASSES) if p % n == k - 1)
    engine = warm_engine(names=NAMES, share=Share(CLASSES, mine) if n > 1 else None)
    feeds = KafkaFeeds(*job["topics"], quotes_codec="packed", theo_codec="packed")  # type: ignore[misc]
    options = KafkaOptions(str(job["bootstrap"]), worker=(k, n))
    source = KafkaSource(options, feeds, engine.reference, now=lambda: OPEN + DAY,
                         expect_traffic=lambda: False)  # fmt: skip
    await source.start()
    while not source._knows_names:
        await source.poll()
    pump = Pump(source, Merge(), engine, _Listener(engine))
    before, wanted = engine.records.applied, int(str(job["ticks"]))
    pump.applied = lambda rows: setattr(pump, "stopping", engine.records.applied - before >= wanted)
    _await_go()
    clock, start = _Clock(), time.monotonic()
    await pump.run()
    return {"cpu": clock.read()["cpu"], "start": start, "end": time.monotonic()}


# Captures ----------------------------------------------------------------------------------------


def _from_captures(directory: Path) -> list[Row]:
    ticks = make_ticks(CAPTURE_TICKS, THEO_SHARE, "session")
    klass = ticks.contract // IN_CLASS
    for n in WORKERS:
        for k in range(n):
            _write(directory / f"{k + 1}of{n}", ticks.pick(klass % n == k))
    turns: dict[int, list[tuple[float, float]]] = {n: [] for n in WORKERS}
    for _ in range(TURNS):
        for n in WORKERS:
            shares = ((k, n, str(directory / f"{k}of{n}")) for k in range(1, n + 1))
            turns[n].append(_turn([{"worker": [k, n], "capture": path} for k, n, path in shares]))
    return _rows("captures", CAPTURE_TICKS, turns)


def _write(directory: Path, ticks: Ticks) -> None:
    directory.mkdir()
    contracts = (
        f"C{i:03d},{NAMES[i // IN_CLASS]},{show_price(TICK)}\n" for i in range(CLASSES * IN_CLASS)
    )
    (directory / "contracts.csv").write_text("contract,class,tick\n" + "".join(contracts))
    makers = (f"M{i:02d},*\n" for i in range(MAKERS))
    (directory / "makers.csv").write_text("maker,class\n" + "".join(makers))
    end = int(ticks.ts[-1]) + 10**9
    phases = f"ts_event,scope,phase\n{OPEN},*,continuous\n{end},*,closed\n"
    (directory / "phases.csv").write_text(phases)
    columns = zip(*(getattr(ticks, name).tolist() for name in Ticks.__slots__), strict=True)
    with (
        (directory / "quotes.csv").open("w") as quotes,
        (directory / "theo.csv").open("w") as theos,
    ):
        quotes.write(",".join(QUOTE_COLUMNS) + "\n")
        theos.write(",".join(THEO_COLUMNS) + "\n")
        for ts, maker, contract, a, b, size in columns:
            if maker < 0:
                theos.write(f"{ts},C{contract:03d},{show_price(a)}\n")
            else:
                quotes.write(
                    f"{ts},M{maker:02d},C{contract:03d},{show_price(a)},{size},{show_price(b)},{size}\n"
                )


async def _replay(job: dict[str, object]) -> dict[str, float]:
    """One worker on its capture."""
    k, n = job["worker"]  # type: ignore[misc]
    share = Share(n, frozenset([k - 1])) if n > 1 else None
    book = load("szse-2025")
    _await_go()
    clock, start = _Clock(), time.monotonic()
    await replay(Path(str(job["capture"])), book, share=share)
    return {"cpu": clock.read()["cpu"], "start": start, "end": time.monotonic()}


def _await_go() -> None:
    """Everybody begins at once."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(job: dict[str, object]) -> None:
    """One turn of one worker; prints what it took as JSON."""
    found = asyncio.run((_replay if "capture" in job else _read)(job))
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # what a client leaves behind is not waited for


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
