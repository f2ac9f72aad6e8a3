"""The job: two-sided ticks of 16 makers x 500 contracts against a constant theo, in order of time.

A pair is quoted from a good quote on (both sides there, no wider than the contract's limit) until the next quote that
is not, or the end. Everything is an integer. A peer is handed each tick's limit, which we work out from the rulebook.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAKERS, CONTRACTS = 16, 500
PAIRS = MAKERS * CONTRACTS
PRICE_TICK = 10_000
OPEN = 1_763_688_600_000_000_000  # 2025-11-21 09:30 in Shanghai
SPACING = 20_000  # ns from tick to tick on average: 50 000 a second
BLOCK = 20  # contracts that a maker requotes in one go in a session
DATE = "2025-11-21"

# A tick as the value of a Kafka record.
VALUE = np.dtype(
    [("ts", "<i8"), ("bid", "<i8"), ("ask", "<i8"), ("limit", "<i8"), ("bid_size", "<i4"), ("ask_size", "<i4"),
     ("pair", "<i8")]
)  # fmt: skip

Ints = NDArray[np.int64]
Run = Callable[[], Ints]  # what is timed: one pass; gives quoted ns of each pair, PAIRS long
Fresh = Callable[[], Run]  # what is not: whatever state one pass needs


@dataclass(frozen=True, slots=True)
class Job:
    """Columns of one length, all int64; `ts` grows strictly, as csp drops what shares an instant."""

    ts: Ints
    maker: Ints
    contract: Ints
    bid: Ints
    ask: Ints
    bid_size: Ints
    ask_size: Ints
    limit: Ints  # widest spread permitted, price units
    theo: Ints  # of each contract: CONTRACTS long

    @property
    def end(self) -> int:
        """Until when time is counted, ns."""
        return int(self.ts[-1]) + SPACING

    @property
    def pair(self) -> Ints:
        """maker * CONTRACTS + contract of each tick."""
        return self.maker * CONTRACTS + self.contract


def make(ticks: int, shape: str, seed: int = 1) -> Job:
    """Always the same `ticks` ticks.

    `session`: a maker requotes 20 contracts in one go; 2 % of quotes are too wide, 1 % have no bid. `random`: any
    maker, any contract, neighbours have nothing in common, and each eighth quote is too wide or has no bid.
    """
    rng = np.random.default_rng(seed)
    block, bad, gone = (BLOCK, 0.03, 1 / 3) if shape == "session" else (1, 1 / 8, 1 / 8)
    blocks = -(-ticks // block)
    place = np.tile(np.arange(block), blocks)[:ticks]
    contract = (np.repeat(rng.integers(0, CONTRACTS, blocks), block)[:ticks] + place) % CONTRACTS
    theo = rng.integers(300, 900, CONTRACTS) * PRICE_TICK
    limit = np.maximum(theo * 3 // 100, PRICE_TICK)[contract]
    is_bad = rng.random(ticks) < bad
    is_gone = is_bad & (rng.random(ticks) < gone)
    ticks_wide = limit // PRICE_TICK + rng.integers(1, 9, ticks)
    width = np.where(is_bad, ticks_wide, rng.integers(1, 10, ticks)) * PRICE_TICK
    bid = theo[contract] + rng.integers(-5, 6, ticks) * PRICE_TICK - width // 2
    return Job(
        ts=OPEN + np.cumsum(rng.integers(1, 2 * SPACING, ticks)),
        maker=np.repeat(rng.integers(0, MAKERS, blocks), block)[:ticks],
        contract=contract,
        bid=bid,
        ask=bid + width,
        bid_size=np.where(is_gone, 0, rng.integers(1, 50, ticks)),
        ask_size=rng.integers(1, 50, ticks),
        limit=limit,
        theo=theo,
    )


def save(job: Job, path: Path) -> None:
    """Write what `load` reads."""
    np.savez(path, **{name: getattr(job, name) for name in Job.__slots__})


def load(path: Path) -> Job:
    """The job of a file."""
    with np.load(path) as columns:
        return Job(**{name: columns[name] for name in Job.__slots__})


def values(job: Job) -> NDArray[np.void]:
    """The ticks in the layout of VALUE."""
    rows = np.zeros(len(job.ts), dtype=VALUE)
    for name in VALUE.names or ():
        rows[name] = getattr(job, name)
    return rows
