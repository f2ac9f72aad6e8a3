"""Memory of one evaluator, by obligation: what ticks touch, what reading needs, what the layout costs.

The hot state of an obligation is its slot's row, which is what ticks write. Beside it stand what has lapsed, a clock of
wide quotes where a rulebook has a grace, and a share of its contract's row.
"""

from __future__ import annotations

import tracemalloc

from benchmarks.day import CONTRACTS, MAKERS, afternoon, every_rule, warm_engine
from benchmarks.measure import Row
from mm_monitor.core.accrual import BESIDE
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.snapshot import snapshot
from mm_monitor.kernels import layout

TITLE = f"memory: bytes an obligation, szse-2025, {MAKERS} makers x {CONTRACTS} contracts"


def run() -> list[Row]:
    """Bytes by what they are for."""
    tracemalloc.start()
    engine = warm_engine()
    everything = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    evaluator, every = engine.evaluators[0], afternoon(warm_engine(every_rule()))
    n = len(evaluator.accruals.slots)
    rows = [
        ("hot state: slot, what a quote touches while it stays valid", layout.SLOT.itemsize * n),
        ("what has lapsed", evaluator.accruals.past.nbytes),
        ("clock of wide quotes (only with a grace)", evaluator.accruals.wide.nbytes),
        ("share of its contract's row", evaluator.accruals.cons.nbytes),
        ("all that a snapshot keeps", len(snapshot(engine))),
        ("its rows in all arrays with every rule on, at most 512", _rows(every)),
        ("all that a snapshot keeps then, with contracts and names", len(snapshot(every))),
        ("slot, lapses, clock and share together", _hot(evaluator)),
        ("copy that at(t) settles and reads", _hot(evaluator)),
        ("edges that wait to be read, both copies", 2 * evaluator.accruals.edges.nbytes),
        ("layout and conditions", _layout(evaluator)),
        ("the engine with its names, all that Python holds", everything),
    ]
    return [{"what": what, "bytes": round(size / n, 1)} for what, size in rows]


def _rows(engine: Engine) -> int:
    """Bytes of every array that has an element for each obligation."""
    accruals = engine.evaluators[0].accruals
    return sum(getattr(accruals, name).nbytes for name in ("slots", "replies", *BESIDE))


def _hot(evaluator: Evaluator) -> int:
    accruals = evaluator.accruals
    beside = sum(getattr(accruals, name).nbytes for name in BESIDE)
    return accruals.slots.nbytes + beside + accruals.cons.nbytes


def _layout(evaluator: Evaluator) -> int:
    parts = [*_arrays(evaluator.book), *_arrays(evaluator.effects), *_arrays(evaluator.views)]
    return sum(parts)


def _arrays(thing: object) -> list[int]:
    names = getattr(thing, "__slots__", None) or vars(thing)
    return [value.nbytes for name in names if hasattr(value := getattr(thing, name), "nbytes")]
