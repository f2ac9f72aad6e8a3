"""From the instant at which the watermark permits a record to the breach in the hands of a sink, in the whole service.

The service runs as it does, with a source of our own instead of Kafka: packed records that are there when their last
tick's time has come, whether the service keeps up or not. So a wait in line counts. Beside it: how long the event loop
was held. Above what the service can do, `behind` grows and the percentiles say nothing but that.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from unittest.mock import patch

import numpy as np

from benchmarks.day import (
    CONTRACTS,
    MAKERS,
    NS,
    OPEN,
    PACKED_QUOTE,
    PACKED_THEO,
    THEO,
    TICK,
    reference,
)
from benchmarks.measure import Row
from mm_monitor import app as service
from mm_monitor import logs, memory, restart
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.config import parse_config
from mm_monitor.core.model import BreachEvent, BreachKind
from mm_monitor.core.view import StatusView
from mm_monitor.kernels.reference_decode import HEADER, QUOTES, SCHEMA, THEOS
from mm_monitor.rulebooks.loader import source_bytes
from mm_monitor.sources.protocol import Delivery

TITLE = f"latency: ms from permitted to the sinks, {MAKERS} makers x {CONTRACTS} contracts, the whole service"
RATES = {
    10_000: (1, 15),
    100_000: (1, 15),
    1_000_000: (256, 6),
}  # ticks a second: ticks a record, seconds
WARM = NS  # at the start, not looked at
MOST = 100_000  # ticks that the source hands over at once
EVERY = 10_000_000  # ns between two probes
LASTS = 5_000_000  # ns that a probe's quote is too wide
PERMITTED = 1_000  # ns: a lapse longer than this is a breach
START = OPEN + 60 * NS
PART, THEO_PART = 1, 2
RULES = '\n[lapse]\nlongest_permitted = "1us"\n'
CONFIG = """
[kafka]
bootstrap = "127.0.0.1:1"
[topics]
quotes = "quotes"
theo = "theo"
control = "control"
dead_letter = ""
[rulebooks]
names = ["live.toml"]
[http]
port = 0
[tape]
lateness = "0s"
[breaches]
enabled = false
[journal]
directory = "journal"
"""


def run() -> list[Row]:
    """One row for each rate."""
    return [measure(rate, *shape) for rate, shape in RATES.items()]


def measure(rate: int, per_record: int, seconds: int) -> Row:
    """One run of the service in this process."""
    logs.configure("warning", "json")
    memory.keep_freed()  # as the service does
    source = Paced(rate, per_record, seconds)
    sink, held = asyncio.run(_serve(source))
    late = np.array(sink.late) / 1e6
    woken, holds = np.array(held).T
    begun = (
        woken > (source.zero + WARM) / NS
    )  # before, it catches up with what was there when it started
    first, holds = holds[~begun] * 1e3, holds[begun] * 1e3
    if not len(late):
        raise RuntimeError("no breach came")
    p50, p99, p999 = (round(float(np.percentile(late, q)), 3) for q in (50, 99, 99.9))
    return {
        "ticks/s": rate, "ticks a record": per_record, "breaches": len(late), "p50": p50, "p99": p99,
        "p99.9": p999, "max": round(float(late.max()), 3),
        "held p99": round(float(np.percentile(holds, 99)), 2), "held max": round(float(holds.max()), 2),
        "at start": round(float(first.max()), 2),
        "behind": round(source.behind / 1e6, 1),
    }  # fmt: skip


async def _serve(source: Paced) -> tuple[Sink, list[tuple[float, float]]]:
    """The service from its start until the source has given all that it has."""
    sink, held = Sink(source), list[tuple[float, float]]()
    with tempfile.TemporaryDirectory() as name, _instead_of_kafka(source):
        folder = Path(name)
        (folder / "live.toml").write_bytes(source_bytes("szse-2025")[0] + RULES.encode())
        app = service.App(parse_config(CONFIG.encode(), base=folder), now=source.now)
        app.sinks.append(sink)
        source.done = app.request_stop
        await app.start()
        watching = asyncio.create_task(_watch(held))
        await app.run()
        watching.cancel()
        await app.stop()
    return sink, held


@contextmanager
def _instead_of_kafka(source: Paced) -> Iterator[None]:
    with (
        patch.object(service, "make_source", lambda *_, **__: source),
        patch.object(restart, "starting_reference", lambda *_: source.reference),
    ):
        yield


async def _watch(held: list[tuple[float, float]]) -> None:
    """How late a task wakes that sleeps a millisecond: when, and by how much, s."""
    while True:
        start = perf_counter_ns()
        await asyncio.sleep(0.001)
        now = perf_counter_ns()
        held.append((now / NS, (now - start) / NS - 0.001))


class Sink:
    """Notes when it hears of a breach, against when the watermark permitted it."""

    name, lag_seconds = "bench", 0.0
    pending: Sequence[BreachEvent] = ()

    def __init__(self, source: Paced) -> None:
        self.source = source
        self.late: list[int] = []  # ns

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Only openings are looked at: who made them is known."""
        now = perf_counter_ns()
        for event in events:
            breach = event.breach
            if (
                event.action == "opened"
                and breach.kind == BreachKind.LAPSE
                and breach.start > START + WARM
            ):
                self.late.append(now - self.source.permitted(breach.start))


class Paced:
    """Stands where the Kafka source does: one partition of packed quotes, each record there at its last tick's time."""

    decided: Callable[[], list[object]] = staticmethod(list)
    finished, caught_up, raw, problem = False, True, True, ""
    history_begins, idle_watermark, share = None, None, None
    misplaced: frozenset[str] = frozenset()
    down_causes: Mapping[str, int] = {}
    outages: Mapping[str, int] = {}

    def state(self) -> dict[str, object]:
        """Nothing that a restart would need."""
        return {}

    def __init__(self, rate: int, per_record: int, seconds: int) -> None:
        self.reference, self.codec = reference(), PackedCodec()
        self.parts, self.live_parts = (PART, THEO_PART), (PART,)
        self.part_names: Mapping[int, tuple[str, int]] = {
            PART: ("quotes", 0),
            THEO_PART: ("theo", 0),
        }
        self.backlog: Mapping[tuple[str, int], int] = {}
        rows = _ticks(rate, seconds, per_record)
        self.due = rows["ts"].reshape(-1, per_record)[:, -1].copy()  # of each record, event time
        self.records, self.per_record = _packed(rows, per_record), per_record
        self.at = self.zero = self.behind = 0
        self.done: Callable[[], None] = lambda: None

    def now(self) -> int:
        """The service's clock: event time, which goes on with ours."""
        return START + (perf_counter_ns() - self.zero if self.zero else 0)

    def permitted(self, instant: int) -> int:
        """When, by perf_counter_ns, the first record was there that is later than `instant`."""
        which = min(int(np.searchsorted(self.due, instant, side="right")), len(self.due) - 1)
        return int(self.due[which]) - START + self.zero

    async def start(self, start: object) -> None:
        """Time runs from here."""
        self.zero = perf_counter_ns()

    async def poll(self) -> list[Delivery]:
        """All that is there by now; waits for one record."""
        if self.at == len(self.due):
            self.done()
            return []
        first = int(self.due[self.at])
        while (left := first - self.now()) > 0:  # noqa: ASYNC110 - a timer is not exact to the ms
            await asyncio.sleep(max(0, left - 2_000_000) / NS)
        self.behind = max(self.behind, -left)
        upto = int(np.searchsorted(self.due, self.now(), side="right"))
        upto = min(upto, self.at + max(1, MOST // self.per_record))
        records = self.records[self.at : upto]
        deliveries = [] if self.at else self._standing()
        self.at = upto
        decoded = self.codec.decode(Chunk("quotes", PART, records), self.reference)
        return [*deliveries, Delivery(PART, decoded, len(records))]

    def _standing(self) -> list[Delivery]:
        """What stands before the market opens: a theo of each contract and a good quote in each obligation."""
        theos = np.zeros(CONTRACTS, dtype=PACKED_THEO)
        theos["ts"], theos["theo"], theos["contract"] = OPEN - NS, THEO, np.arange(CONTRACTS)
        quotes = np.zeros(MAKERS * CONTRACTS, dtype=PACKED_QUOTE)
        quotes["ts"], quotes["bid"], quotes["ask"] = OPEN - NS, THEO - TICK, THEO + TICK
        quotes["bid_size"] = quotes["ask_size"] = 1
        quotes["maker"] = np.tile(np.arange(MAKERS), CONTRACTS)
        quotes["contract"] = np.repeat(np.arange(CONTRACTS), MAKERS)
        chunks = (
            Chunk("theo", THEO_PART, _packed(theos, CONTRACTS, THEOS)),
            Chunk("quotes", PART, _packed(quotes, MAKERS, QUOTES)),
        )
        return [Delivery(c.part, self.codec.decode(c, self.reference), 1) for c in chunks]

    def describe(self) -> dict[str, object]:
        """Nothing to say."""
        return {}

    def pause(self, parts: Sequence[int]) -> None:
        """Never far ahead."""

    def resume(self, parts: Sequence[int]) -> None:
        """Never paused."""

    def interrupt(self) -> None:
        """`poll` waits a millisecond at most."""

    async def stop(self) -> None:
        """Nothing to release."""


def _ticks(rate: int, seconds: int, per_record: int) -> np.ndarray:
    """Good quotes of any maker and contract; every EVERY ns another obligation is too wide for LASTS ns."""
    rng, n = np.random.default_rng(3), rate * seconds // per_record * per_record
    rows = np.zeros(n, dtype=PACKED_QUOTE)
    rows["ts"] = START + np.arange(1, n + 1) * (NS // rate)
    rows["maker"], rows["contract"] = rng.integers(0, MAKERS, n), rng.integers(0, CONTRACTS, n)
    half = rng.integers(2, 6, n) * TICK
    rows["bid"], rows["ask"] = THEO - half, THEO + half
    rows["bid_size"] = rows["ask_size"] = rng.integers(1, 50, n)
    bad = np.arange(EVERY, n * (NS // rate) - LASTS, EVERY) // (NS // rate)
    slot = np.arange(len(bad)) * 7 % (MAKERS * CONTRACTS)
    for places in (bad, bad + LASTS // (NS // rate)):
        rows["maker"][places], rows["contract"][places] = slot % MAKERS, slot // MAKERS
    rows["ask"][bad] += 40 * TICK
    return rows


def _packed(rows: np.ndarray, per_record: int, template: int = QUOTES) -> Values:
    """Records of so many ticks, over one buffer."""
    data = rows.view(np.uint8).reshape(-1, per_record * rows.itemsize)
    head = HEADER.pack(0, template, SCHEMA, 1, rows.itemsize, per_record)
    heads = np.broadcast_to(np.frombuffer(head, np.uint8), (len(data), len(head)))
    whole = np.concatenate([heads, data], axis=1)
    count, size = whole.shape
    numbers = np.arange(count, dtype=np.int64)
    lengths = np.full(count, size, dtype=np.int64)
    return Values("quotes", 0, whole.ravel(), numbers * size, lengths, numbers)
