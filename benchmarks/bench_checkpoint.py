"""What a checkpoint costs: the copy of the state, which holds up the tape, and what another thread does with it.

12 000 obligations are quoted anew, all of them or a tenth, in each second between two checkpoints.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.day import CONTRACTS, MAKERS, NS, OPEN, every_rule, first_rows, warm_engine
from benchmarks.measure import Row
from mm_monitor.checkpoints import CheckpointStore, create
from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.record import Base, base_of, difference, whole
from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.freeze import frozen
from mm_monitor.core.snapshot import engine_state
from mm_monitor.standing import Packer

TITLE = f"checkpoint: ms (median, most) by stage, {MAKERS} makers x {CONTRACTS} contracts, a second apart"
SECONDS = 30
SHARES = (("all of them", 1.0), ("a tenth", 0.1))


class TimedStore:
    """A store that remembers how long its last write took."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store, self.seconds = store, 0.0

    def write(self, entry: Entry) -> None:
        """As the store's."""
        began = perf_counter()
        self._store.write(entry)
        self.seconds = perf_counter() - began


def run() -> list[Row]:
    """A row for each rulebook and each share of obligations that are quoted in a second."""
    return [
        row
        for book, engine in (
            ("szse-2025", warm_engine),
            ("every rule", lambda: warm_engine(every_rule())),
        )
        for name, share in SHARES
        for row in _row(book, engine(), name, share)
    ]


def _row(book: str, engine: Engine, name: str, share: float) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = create("sqlite", Path(folder))
        stages = np.array(list(_seconds(engine, TimedStore(store), share)))
        store.close()
    row: dict[str, object] = {"rulebook": book, "quoted": name}
    for i, stage in enumerate(("copy", "pack", "write")):
        row[stage] = round(statistics.median(stages[:, i]) * 1e3, 1)
        row[f"{stage} most"] = round(max(stages[:, i]) * 1e3, 1)
    yield {**row, "kB": round(float(np.median(stages[:, 3])) / 1e3)}


def _seconds(
    engine: Engine, store: TimedStore, share: float
) -> Iterator[tuple[float, float, float, int]]:
    """Seconds of copying, packing and writing, and bytes, of each checkpoint after the first."""
    packer, base = Packer(), None
    luck = np.random.default_rng(1)
    for serial in range(SECONDS + 1):
        _quote(engine, serial, share, luck)
        times = [perf_counter()]
        state = {"engine": frozen(engine_state(engine))}
        times.append(perf_counter())
        sections = packer.pack(state)
        entry, base = _record(serial, sections, base)
        times.append(perf_counter())
        store.write(entry)
        if serial:
            yield times[1] - times[0], times[2] - times[1], store.seconds, len(entry.data)


def _record(serial: int, sections: dict[str, bytes], base: Base | None) -> tuple[Entry, Base]:
    """As the writer has it: a difference, unless it would be half as large as the state."""
    entry = whole(serial, sections) if base is None else difference(serial, base, sections)
    if base is not None and 2 * len(entry.data) > sum(map(len, sections.values())):
        entry = whole(serial, sections)
    return entry, base_of(entry, sections) if entry.serial == entry.base or base is None else base


def _quote(engine: Engine, second: int, share: float, luck: np.random.Generator) -> None:
    """A second of the tape: quotes of a share of the obligations, each a tick wider than before or back."""
    rows = first_rows(MAKERS)[CONTRACTS:]
    rows = rows[luck.random(len(rows)) < share]
    rows["ts"] = OPEN + (1 + second) * NS + np.arange(len(rows))
    rows["offset"] = len(rows) * (1 + second) + np.arange(len(rows))
    rows["b"] += 10_000 * (second % 2)
    engine.apply(Batch(rows))
    engine.advance(OPEN + (2 + second) * NS - 1)
