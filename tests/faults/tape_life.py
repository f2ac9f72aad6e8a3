"""A life of the journal's writer in a process of its own: it writes a given tape in pieces, and says how far it is.

Its checkpoints, the state of the writer after a flush, are what a service keeps of it, and the next life goes on from
there. The directory of names is in another order in each life.
"""

from __future__ import annotations

import random
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Control, ExemptionRecord, Kind
from mm_monitor.core.pack import pack, unpack
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.recording.writer import TapeWriter
from mm_monitor.rulebooks import load
from tests.minute import OPENS, THEO_SPREAD, minute_rules

START = OPENS
DAY = 86_400_000_000_000
NAMES = 7  # of makers, and of contracts
MOST = 100  # rows of a piece
ORDERS = 40  # every so many rows one is an exemption
RULES = minute_rules("around-the-clock", THEO_SPREAD)


def instant(row: int, rows: int) -> int:
    """Event time of a row: the first half is on one trading date, the second on the next."""
    return START + row * 1000 + (DAY if row >= rows // 2 else 0)


def named(row: int) -> tuple[str, str]:
    """Maker and contract of a row; of an exemption both are of its control."""
    return f"M{row * row % NAMES}", f"C{row % NAMES}"


def live(folder: Path, rows: int, seed: int, flushes: int, told: Connection) -> None:
    """Go on from the last checkpoint until all `rows` are written; each flush is told when it has returned.

    After so many flushes it waits to be killed.
    """
    rng = random.Random(seed)
    reference = _reference(rng)
    book = _rules(folder)
    assert book.calendar is not None
    engine = Engine([book], reference, {0: ("quotes", 0)})
    writer = TapeWriter(folder, engine, Schedule(book.calendar), now=lambda: seed)
    kept = folder / "kept"
    place = 0
    if kept.exists():
        state = unpack(kept.read_bytes())
        writer.restore(state)
        place = state["seq"]
    while place < rows:
        if not flushes:
            told.recv_bytes()
        flushes -= 1
        upto = min(rows, place + rng.randint(1, MOST))
        writer.judged(_batch(reference, place, upto, rows))
        writer.flush(instant(upto - 1, rows))
        place = upto
        told.send_bytes(place.to_bytes(8, "little"))
        if rng.random() < 0.1:
            new = kept.with_suffix(".new")
            new.write_bytes(pack(writer.state()))
            new.replace(kept)
    writer.close()


@cache
def _rules(folder: Path) -> Rulebook:
    path = folder / "rules.toml"
    path.write_text(RULES)
    return load(str(path))


def _reference(rng: random.Random) -> Reference:
    reference = Reference()
    for n in rng.sample(range(NAMES), NAMES):
        reference.add_contract(Contract(f"C{n}", "K0", 10_000))
        reference.maker(f"M{n}")
    return reference


def _batch(reference: Reference, start: int, end: int, rows: int) -> Batch:
    found: Rows = empty_rows(end - start)
    controls: dict[int, Control] = {}
    for row, at in zip(found, range(start, end), strict=True):
        maker, contract = named(at)
        row["ts"], row["offset"], row["kind"] = instant(at, rows), at, Kind.QUOTE
        row["maker"], row["contract"] = reference.maker(maker), reference.contract_index[contract]
        row["a"], row["a_size"] = at, 1
        if at % ORDERS == 0:
            row["kind"], row["maker"], row["contract"], row["a"] = Kind.EXEMPTION, -1, -1, at
            controls[at] = ExemptionRecord(int(row["ts"]), "K0", maker, "technical", "start")
    assert bool(np.all(np.diff(found["ts"]) >= 0))
    return Batch(found, controls)
