"""How a tick's cost grows: with makers, contracts, the share of theos, and with quotes that age or must rest.

Each line changes one thing; what may grow is a theo, which looks at every maker of its contract. As long a tape goes
before the one that is measured: the first quote of a slot goes another way than those after it. Both are too long for
a processor to learn which quotes fail.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from benchmarks.measure import Row, ns_each
from mm_monitor.core.batch import Batch, Rows, empty_rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import Kind, PeriodRecord, PhaseRecord
from mm_monitor.core.reference import Appointment, Contract, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.rulebooks import load

TITLE = "scale: ns a tick in the engine alone (least, median of runs), 3 % of theo or a tick"
TICKS = 500_000
RUNS = 5
STEP = 1_000  # ns between ticks
THEO, TICK = 10_000_000, 10_000
MS = 1_000_000
USUAL = {"makers": 20, "contracts": 600, "theos": 0.01, "timed": ""}
TIMED = {
    "max_age": {"max_age": 50 * MS},
    "min_rest": {"min_rest": 5 * MS},
    "both": {"max_age": 50 * MS, "min_rest": 5 * MS},
    "retroactive": {"min_rest": 5 * MS, "rest_counts": "retroactive"},
}


def run() -> list[Row]:
    """One line for each change of the usual."""
    changes: list[dict[str, object]] = [{}]
    changes += [{"makers": n} for n in (5, 80, 320)]
    changes += [{"makers": 10, "contracts": 1}]
    changes += [{"contracts": n} for n in (60, 2_400, 5_000, 9_600)]
    changes += [{"theos": share} for share in (0.0, 0.1, 0.5)]
    changes += [{"timed": name} for name in TIMED]
    changes += [{"timed": "both", "makers": n} for n in (5, 80, 320)]
    return [_line(**(USUAL | change)) for change in changes]  # type: ignore[arg-type]


def _line(makers: int, contracts: int, theos: float, timed: str) -> Row:
    book = replace(load("szse-2025"), **TIMED.get(timed, {}))  # type: ignore[arg-type]
    first, tape = (_tape(makers, contracts, theos, n) for n in (0, 1))
    runs, rejudged = [], 0
    for _ in range(RUNS):
        engine = warm_engine(book, makers, contracts)
        engine.apply(Batch(first))
        warm = int(engine.evaluators[0].counts[4])
        start = perf_counter()
        engine.apply(Batch(tape))
        engine.finish()
        runs.append([perf_counter() - start])
        rejudged = int(engine.evaluators[0].counts[4]) - warm
        assert engine.records.applied >= 2 * TICKS
    least, median = ns_each(runs, TICKS)
    return {
        "obligations": makers * contracts,
        "makers": makers, "contracts": contracts, "theos": f"{theos:.0%}", "timed": timed or "no",
        "least": least, "median": median, "rejudged a tick": round(rejudged / TICKS, 3),
    }  # fmt: skip


def warm_engine(book: Rulebook, makers: int, contracts: int) -> Engine:
    """In continuous trading, with a theo of each contract and a quote a tick wide in each slot."""
    reference = Reference.of(
        [Contract(f"C{i}", f"K{i % 6}", TICK) for i in range(contracts)],
        [Appointment(f"M{i}", "*") for i in range(makers)],
    )
    engine = Engine([replace(book, required=None)], reference, {}, calendar=False)
    engine.control(PeriodRecord(0, "start"))
    engine.control(PhaseRecord(0, "*", "continuous"))
    rows = empty_rows(contracts * (1 + makers))  # a theo for each contract, a quote in each slot
    rows["contract"] = np.concatenate([np.arange(contracts), np.arange(contracts).repeat(makers)])
    rows["maker"][contracts:] = np.tile(np.arange(makers), contracts)
    rows["kind"], rows["kind"][:contracts] = Kind.QUOTE, Kind.THEO
    rows["a"], rows["b"], rows["a_size"], rows["b_size"] = THEO, THEO + TICK, 10, 10
    engine.apply(Batch(rows))
    return engine


def _tape(makers: int, contracts: int, theos: float, n: int) -> Rows:
    """The nth. Any maker, any contract; a quote moves by a tick, one in twenty is too wide, theos move little."""
    rng = np.random.default_rng(7 + n)
    rows = empty_rows(TICKS)
    place = np.arange(n * TICKS, (n + 1) * TICKS)
    rows["ts"], rows["offset"] = (place + 1) * STEP, place
    rows["contract"] = rng.integers(0, contracts, TICKS)
    is_theo = rng.random(TICKS) < theos
    rows["kind"] = np.where(is_theo, Kind.THEO, Kind.QUOTE)
    rows["maker"] = np.where(is_theo, -1, rng.integers(0, makers, TICKS))
    bid = THEO - TICK * rng.integers(8, 11, TICKS)
    width = np.where(rng.random(TICKS) < 0.05, 60, 20) * TICK
    rows["a"] = np.where(is_theo, THEO + TICK * rng.integers(-2, 3, TICKS), bid)
    rows["b"] = np.where(is_theo, 0, bid + width)
    rows["a_size"] = rows["b_size"] = np.where(is_theo, 0, 10)
    return rows
