"""The data set: a slice of an SZSE-like day of 20 makers x 600 contracts in 4 classes, as packed Kafka records.

Two shapes. `session` is what a venue sends: a maker requotes 20 contracts of a class in one go, mostly as wide and as
large as before; theos of a class move together and little; 2 % of the quotes are too wide, 1 % are withdrawals.
`random` is the worst case: every tick hits any maker and contract, every quote has another width, half of them fail,
and neighbours on the tape come from different partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.protocol import Chunk
from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Kind, PeriodRecord, PhaseRecord, RawRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Ratio, Rulebook
from mm_monitor.core.share import Share
from mm_monitor.kernels.reference_decode import HEADER, QUOTES, SCHEMA, THEOS
from mm_monitor.rulebooks.loader import load

MAKERS, CONTRACTS, CLASSES = 20, 600, 4
IN_CLASS = CONTRACTS // CLASSES
CLASS_NAMES = tuple(f"K{i}" for i in range(CLASSES))
TICK = 10_000  # 0.0001
THEO = 500 * TICK  # 3 % of it are 15 ticks
BLOCK = 20  # ticks that come in one go in a session
SPACING = 20_000  # ns from tick to tick on average: 50 000 ticks a second
ROWS_PER_RECORD = 512
DATE = "2025-11-21"
NS = 10**9
OPEN = int(datetime(2025, 11, 21, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * NS
QUOTE_PARTS = range(1, 1 + CLASSES)
THEO_PARTS = range(1 + CLASSES, 1 + 2 * CLASSES)

PACKED_QUOTE = np.dtype(
    [("ts", "<i8"), ("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<i4"), ("ask_size", "<i4"),
     ("maker", "<u4"), ("contract", "<u4")]
)  # fmt: skip
PACKED_THEO = np.dtype([("ts", "<i8"), ("theo", "<i8"), ("contract", "<u4"), ("zero", "<u4")])

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ticks:
    """n ticks in order of time; of a theo, `maker` is -1 and `a` the theo."""

    ts: Ints
    maker: Ints
    contract: Ints
    a: Ints
    b: Ints
    size: Ints

    def pick(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Ticks:
        """Some of the ticks."""
        return Ticks(*(getattr(self, name)[which] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Day:
    """What a monitor would fetch: rounds of chunks, one for each partition that has anything."""

    rounds: Sequence[Sequence[Chunk]]
    parts: tuple[int, ...]
    ticks: int


def reference(makers: int = MAKERS, names: Sequence[str] = CLASS_NAMES) -> Reference:
    """The directory, with those classes; the numeric id of a name is its index."""
    return Reference.of(
        [Contract(f"C{i:03d}", names[i // IN_CLASS], TICK, number=i) for i in range(CONTRACTS)],
        [Appointment(f"M{i:02d}", "*", number=i) for i in range(makers)],
    )


def make_ticks(n: int, theo_share: float, shape: str, seed: int = 1) -> Ticks:
    """`n` ticks from the open on; `shape` is `session` or `random`."""
    rng = np.random.default_rng(seed)
    block = BLOCK if shape == "session" else 1
    blocks = -(-n // block)
    first = np.repeat(rng.integers(0, CONTRACTS, blocks), block)[:n]
    place = np.tile(np.arange(block), blocks)[:n]
    contract = first // IN_CLASS * IN_CLASS + (first % IN_CLASS + place) % IN_CLASS
    maker = np.repeat(rng.integers(0, MAKERS, blocks), block)[:n]
    is_theo = np.repeat(rng.random(blocks) < theo_share, block)[:n]
    start = np.repeat(rng.integers(0, n * SPACING, blocks), block)[:n]
    spread, size = _quotes(rng, shape, maker, contract)
    drift = rng.integers(-2, 3, n) if shape == "session" else rng.integers(-5, 6, n)
    bid = THEO + (drift - spread // 2) * TICK
    ticks = Ticks(
        OPEN + NS + start + place * 1_000,
        np.where(is_theo, -1, maker),
        contract,
        np.where(is_theo, THEO + drift * TICK, bid),
        np.where(is_theo, 0, bid + spread * TICK),
        np.where(is_theo, 0, size),
    )
    return ticks.pick(np.argsort(ticks.ts, kind="stable"))


def _quotes(rng: np.random.Generator, shape: str, maker: Ints, contract: Ints) -> tuple[Ints, Ints]:
    """Width in price ticks and size of each quote."""
    n = len(maker)
    wide, any_width = rng.integers(18, 30, n), rng.integers(4, 13, n)
    if shape == "random":
        return np.where(rng.random(n) < 0.5, wide, any_width), rng.integers(1, 50, n)
    width = rng.integers(4, 13, (MAKERS, CONTRACTS))[maker, contract]
    size = rng.integers(10, 50, (MAKERS, CONTRACTS))[maker, contract]
    width = np.where(rng.random(n) < 0.2, any_width, width)
    width = np.where(rng.random(n) < 0.02, wide, width)
    return width, np.where(rng.random(n) < 0.01, 0, size)


def packed_records(ticks: Ticks, part: int, first_offset: int) -> list[RawRecord]:
    """Packed records of ticks of one partition, of either quotes or theos."""
    theo = part in THEO_PARTS
    rows = np.zeros(len(ticks.ts), dtype=PACKED_THEO if theo else PACKED_QUOTE)
    rows["ts"], rows["contract"] = ticks.ts, ticks.contract
    if theo:
        rows["theo"] = ticks.a
    else:
        rows["maker"], rows["bid"], rows["ask"] = ticks.maker, ticks.a, ticks.b
        rows["bid_size"] = rows["ask_size"] = ticks.size
    template = THEOS if theo else QUOTES
    records: list[RawRecord] = []
    for at in range(0, len(rows), ROWS_PER_RECORD):
        some = rows[at : at + ROWS_PER_RECORD]
        head = HEADER.pack(0, template, SCHEMA, 1, rows.itemsize, len(some))
        offset = first_offset + len(records)
        records.append(RawRecord("theo" if theo else "quotes", part, offset, head + some.tobytes()))
    return records


def make_day(n: int, theo_share: float, shape: str, batch: int) -> Day:
    """`n` ticks, fetched in rounds of `batch` ticks over all partitions."""
    ticks = make_ticks(n, theo_share, shape)
    part = ticks.contract // IN_CLASS + np.where(ticks.maker < 0, THEO_PARTS[0], QUOTE_PARTS[0])
    parts = tuple(np.unique(part).tolist())
    offsets = dict.fromkeys(parts, 0)
    rounds = []
    for at in range(0, n, batch):
        chunks, here = [], slice(at, at + batch)
        for p in parts:
            mine = ticks.pick(here).pick(part[here] == p)
            if len(mine.ts):
                records = packed_records(mine, p, offsets[p])
                offsets[p] += len(records)
                chunks.append(Chunk("theo" if p in THEO_PARTS else "quotes", p, records))
        rounds.append(chunks)
    return Day(rounds, parts, n)


def warm_engine(
    rulebook: Rulebook | None = None, makers: int = MAKERS, *, names: Sequence[str] = CLASS_NAMES,
    share: Share | None = None,
) -> Engine:  # fmt: skip
    """An engine in continuous trading, with a theo for each contract and a valid quote in each slot.

    It judges by szse-2025 or by another rulebook, all classes or a share of them.
    """
    directory = reference(makers, names)
    directory.share = share
    engine = Engine([rulebook or load("szse-2025")], directory, {})
    engine.control(PeriodRecord(OPEN, "start", DATE))
    engine.control(PhaseRecord(OPEN, "*", "continuous"))
    engine.apply(Batch(first_rows(makers)))
    return engine


def first_rows(makers: int) -> Rows:
    """A theo for each contract and a valid quote in each slot, just after the open."""
    rows = empty_rows(CONTRACTS * (1 + makers))
    rows["ts"], rows["offset"] = OPEN + 1, np.arange(len(rows))
    theos, quotes = rows[:CONTRACTS], rows[CONTRACTS:]
    theos["kind"], theos["contract"], theos["a"], theos["maker"] = (
        Kind.THEO,
        np.arange(CONTRACTS),
        THEO,
        -1,
    )
    quotes["kind"], quotes["contract"] = Kind.QUOTE, np.repeat(np.arange(CONTRACTS), makers)
    quotes["maker"] = np.tile(np.arange(makers), CONTRACTS)
    quotes["a"], quotes["b"] = THEO - 3 * TICK, THEO + 3 * TICK
    quotes["a_size"] = quotes["b_size"] = 10
    return rows


def every_rule() -> Rulebook:
    """All that makes an obligation keep more."""
    return replace(
        load("szse-2025"), grace=NS, longest_permitted=60 * NS, max_age=30 * NS,
        theo_max_age=5 * NS, windows=(250_000, NS), am_pm=True, stress_relief=Ratio(2, 1),
        stress_weight=Ratio(2, 1), stress_required=Ratio(4, 5), longest_hole=60 * NS,
        min_rest=5_000_000, rest_counts="retroactive",
    )  # fmt: skip


def afternoon(engine: Engine) -> Engine:
    """The same engine after a break, so that it keeps the sums of two stretches of trading."""
    engine.advance(OPEN + NS)  # no rest waits to be decided
    engine.control(PhaseRecord(OPEN + NS, "*", "break"))
    engine.control(PhaseRecord(OPEN + 2 * NS, "*", "continuous"))
    return engine
