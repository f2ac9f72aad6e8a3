"""An hour at 200 000 ticks/s from a real Kafka: `python -m tests.faults.soak --minutes 60 --stamp FILE`.

Packed quotes, 256 a record, on topics that keep a minute; the service writes checkpoints, a journal, evidence and
breaches, tells a Mosquitto and an Alertmanager, and is scraped. Each minute is kept in the stamp: what the service
says of its memory, tasks and queues. Exit code 1 unless every tick was counted once and nothing grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from confluent_kafka import Producer

from benchmarks.day import (
    CLASSES,
    CONTRACTS,
    IN_CLASS,
    MAKERS,
    NS,
    PACKED_QUOTE,
    PACKED_THEO,
    THEO,
    TICK,
    make_ticks,
)
from benchmarks.measure import stamp
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.kernels.reference_decode import HEADER, QUOTES, SCHEMA, THEOS
from tests.integration.subject import Subject, answered, total
from tests.integration.venue import local, noon_zone, rulebook
from tests.services import Alertmanager, Kafka, Mosquitto

PER_RECORD = 256
TEMPLATES = 64  # records of each class that are sent again and again, each time of now
BEAT = 0.02  # seconds between two bursts
OPENS_AFTER = 15  # seconds, when every obligation has its quote
OUT_EVERY, OUT_FOR = 10, 2  # every so many seconds another obligation is too wide for so many
GROWTH = 1.02  # what the last minute's memory may be of the fifteenth's
KEPT = {"retention_ms": "60000", "segment_ms": "20000", "segment_bytes": str(64 << 20)}
RULES = """
[spread]
terms = [{ relative = "3%", of = "theo" }]
[lapse]
longest_permitted = "1s"
[presence]
required = "90%"
windows = ["1s"]
"""
GAUGES = {
    "rss": "process_resident_memory_bytes", "cpu": "process_cpu_seconds_total", "fds": "process_open_fds",
    "tasks": "mm_monitor_tasks", "buffered": "mm_monitor_buffer_rows", "behind": "mm_monitor_source_lag_records",
    "pending": "mm_monitor_sink_pending_events", "lag": "mm_monitor_watermark_lag_seconds",
    "checkpoints": "mm_monitor_checkpoints_total",
    "breaches": "mm_monitor_breaches_total", "late": "mm_monitor_late_records_total",
    "dead": "mm_monitor_dead_letters_total", "dropped": "mm_monitor_sink_dropped_events_total",
    "duplicates": "mm_monitor_duplicate_records_total",
}  # fmt: skip


class Market(threading.Thread):
    """Writes quotes and theos of now, at a rate in ticks a second, until it is told to stop."""

    def __init__(self, bootstrap: str, quotes: str, theo: str, rate: int) -> None:
        super().__init__(daemon=True)
        self.quotes, self.theo, self.rate = quotes, theo, rate
        self.sent = 0  # ticks and theos
        self.over = threading.Event()
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5,
                                  "queue.buffering.max.messages": 10_000, "log_level": 0})  # fmt: skip
        ticks = make_ticks(TEMPLATES * CLASSES * PER_RECORD * 2, 0, "session")
        self.templates = [self._of_class(ticks, part) for part in range(CLASSES)]
        self.spaced = np.arange(1 - PER_RECORD, 1, dtype=np.int64) * 1_000

    def _of_class(self, ticks: Any, part: int) -> list[np.ndarray]:
        mine = ticks.pick(ticks.contract // IN_CLASS == part)
        rows = np.zeros(len(mine.ts), dtype=PACKED_QUOTE)
        rows["maker"], rows["contract"] = mine.maker, mine.contract
        rows["bid"], rows["ask"] = mine.a, mine.b
        rows["bid_size"] = rows["ask_size"] = mine.size
        whole = len(rows) // PER_RECORD * PER_RECORD
        return list(rows[:whole].reshape(-1, PER_RECORD))

    def run(self) -> None:
        """Bursts that keep to the rate; a theo of every contract each second."""
        began, records, theos = time.monotonic(), 0, 0
        while not self.over.is_set():
            passed = time.monotonic() - began
            if passed >= theos:
                self._theos()
                theos += 1
            while records < passed * self.rate / PER_RECORD:
                self._record(records, int(passed))
                records += 1
            self.producer.poll(0)
            time.sleep(BEAT)
        self.producer.flush(30)

    def _record(self, number: int, second: int) -> None:
        """The next record of the class whose turn it is."""
        part, at = number % CLASSES, number // CLASSES
        rows = self.templates[part][at % len(self.templates[part])].copy()
        rows["ts"] = time.time_ns() + self.spaced
        if second % OUT_EVERY < OUT_FOR:
            slot = second // OUT_EVERY * 7 % (MAKERS * CONTRACTS)
            rows["ask"][
                (rows["maker"] == slot % MAKERS) & (rows["contract"] == slot // MAKERS)
            ] += 40 * TICK
        self._send(self.quotes, part, QUOTES, rows)

    def _theos(self) -> None:
        rows = np.zeros(CONTRACTS, dtype=PACKED_THEO)
        rows["ts"], rows["theo"], rows["contract"] = time.time_ns(), THEO, np.arange(CONTRACTS)
        for part in range(CLASSES):
            self._send(self.theo, part, THEOS, rows[part * IN_CLASS : (part + 1) * IN_CLASS])

    def _send(self, topic: str, part: int, template: int, rows: np.ndarray) -> None:
        head = HEADER.pack(0, template, SCHEMA, 1, rows.itemsize, len(rows))
        while True:
            try:
                self.producer.produce(topic, head + rows.tobytes(), partition=part)
                break
            except BufferError:  # the broker is slow: the market waits, and says what it sent
                self.producer.poll(0.05)
        self.sent += len(rows)


def service(
    folder: Path, kafka: Kafka, mosquitto: Mosquitto, alertmanager: Alertmanager, rate: int
) -> tuple[Subject, Market]:
    """The monitor and the market that it will watch, neither of them started."""
    quotes, theo = (kafka.unique_topic(name, CLASSES, **KEPT) for name in ("quotes", "theo"))
    control, breaches = (kafka.unique_topic(name, 1) for name in ("control", "breaches"))
    names = folder / "names"
    names.mkdir(parents=True)
    contracts = [f"C{i:03d},K{i // IN_CLASS},0.0001,{i}" for i in range(CONTRACTS)]
    (names / "contracts.csv").write_text("\n".join(["contract,class,tick,id", *contracts]) + "\n")
    makers = [f"M{i:02d},*,{i}" for i in range(MAKERS)]
    (names / "makers.csv").write_text("\n".join(["maker,class,id", *makers]) + "\n")
    zone, opens = noon_zone(), time.time_ns() + OPENS_AFTER * NS
    phases = ((local(zone, opens), "continuous"), ("23:59", "closed"))
    (folder / "soak.toml").write_text(rulebook("soak", RULES, zone=zone, phases=phases))
    SealingKey.create(folder / "key.pem")
    text = f"""
[kafka]
bootstrap = "{kafka.bootstrap}"
[topics]
quotes = "{quotes}"
theo = "{theo}"
control = "{control}"
breaches = "{breaches}"
dead_letter = ""
reference = ""
[codecs]
quotes = "packed"
theo = "packed"
[reference]
directory = "names"
[rulebooks]
names = ["./soak.toml"]
[tape]
lateness = "250ms"
[checkpoint]
directory = "kept"
[journal]
directory = "journal"
[evidence]
directory = "evidence"
key_file = "key.pem"
[alertmanager]
urls = ["{alertmanager.url}"]
[mqtt]
host = "{mosquitto.host}"
port = {mosquitto.port}
topic_prefix = "soak"
[http]
port = 0
[log]
format = "json"
"""
    return Subject(folder, text), Market(kafka.bootstrap, quotes, theo, rate)


async def soak(subject: Subject, market: Market, seconds: float, every: float) -> dict[str, Any]:
    """Run so long, looking at the service every so often; then wait until it has read all that was sent."""
    samples: list[dict[str, float]] = []
    async with subject:
        market.start()
        began = time.monotonic()
        try:
            while (passed := time.monotonic() - began) < seconds:
                await asyncio.sleep(min(every, seconds - passed))
                samples.append({"second": round(time.monotonic() - began)} | await _look(subject))
                sys.stderr.write(f"{json.dumps(samples[-1])}\n")
        finally:
            market.over.set()
            await asyncio.to_thread(market.join)

        async def all_read() -> bool:
            return (await _look(subject))["ticks"] >= market.sent

        await answered(all_read, timeout=60, every=0.5)
        last = await _look(subject)
    return {"sent": market.sent, "read": last["ticks"], "samples": samples, "last": last}


async def _look(subject: Subject) -> dict[str, float]:
    """What the service says of itself; an answer that broke off on a busy machine is asked for again."""
    for left in (2, 1, 0):
        try:
            text = await subject.text()
            break
        except aiohttp.ClientError:
            if not left or not subject.alive:
                raise
            await asyncio.sleep(1)
    ticks = sum(total(text, "mm_monitor_records_total", kind=kind) for kind in ("quote", "theo"))
    return {"ticks": ticks} | {key: total(text, name) for key, name in GAUGES.items()}


def complaints(found: dict[str, Any], *, settled: float, rate: int) -> list[str]:
    """What is wrong with a run; memory is compared from `settled` seconds on."""
    last, samples = found["last"], found["samples"]
    wrong = [
        f"{key}: {last[key]:g}" for key in ("dead", "late", "dropped", "duplicates") if last[key]
    ]
    if found["read"] != found["sent"]:
        wrong.append(f"{found['read']:.0f} of {found['sent']} ticks were judged")
    if found["sent"] < 0.95 * rate * samples[-1]["second"]:
        wrong.append(f"the market sent {found['sent']} ticks only")
    after = [one for one in samples if one["second"] >= settled]
    first, end = _span(after, "rss")
    if end > GROWTH * first:
        wrong.append(f"memory grew from {first:.0f} to {end:.0f} bytes")
    for key, slack in (
        ("tasks", 4),
        ("fds", 4),
        ("pending", 20),
        ("behind", 2_000),
        ("buffered", rate),
    ):
        first, end = _span(after, key)
        if end > first + slack:
            wrong.append(f"{key} grew from {first:g} to {end:g}")
    return wrong


def _span(samples: Sequence[dict[str, float]], key: str) -> tuple[float, float]:
    """The medians of the first and of the last few samples."""
    few = max(1, min(5, len(samples) // 2))
    values = [one[key] for one in samples]
    return float(np.median(values[:few])), float(np.median(values[-few:]))


def run(args: argparse.Namespace) -> int:
    """One soak, kept in the stamp; nothing to do when this commit has had it and nothing was wrong."""
    if args.stamp.exists():
        kept = json.loads(args.stamp.read_text(encoding="utf-8"))
        same = kept["stamp"]["commit"] == stamp()["commit"] and kept["minutes"] >= args.minutes
        if same and not kept["wrong"]:
            sys.stdout.write("this commit has had its soak\n")
            return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(Kafka(folder / "kafka"))
        mosquitto = stack.enter_context(Mosquitto(folder / "mosquitto"))
        alertmanager = stack.enter_context(Alertmanager(folder / "alertmanager"))
        subject, market = service(folder / "service", kafka, mosquitto, alertmanager, args.rate)
        stamped = stamp()
        found = asyncio.run(soak(subject, market, args.minutes * 60, args.every))
    wrong = complaints(found, settled=args.minutes * 15, rate=args.rate)
    kept = {"stamp": stamped, "minutes": args.minutes, "rate": args.rate, "wrong": wrong, **found}
    args.stamp.parent.mkdir(parents=True, exist_ok=True)
    args.stamp.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{found['sent']} ticks in {args.minutes} min; wrong: {wrong or 'nothing'}\n")
    return 1 if wrong else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=200_000, help="ticks a second")
    parser.add_argument("--every", type=float, default=60, help="seconds between two looks")
    parser.add_argument("--stamp", type=Path, required=True, help="JSON result")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
