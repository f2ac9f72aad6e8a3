"""Driving engines over cases, and pictures of engines that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import settings

from mm_monitor.core.accrual import BESIDE
from mm_monitor.core.batch import Batch
from mm_monitor.core.engine import Engine
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import Breach
from mm_monitor.core.pack import pack
from mm_monitor.core.replies import pack_replies
from mm_monitor.core.view import ObligationColumns, StatusView
from tests.laws.tapes import Case, tape_of

# For what is tried beside the laws themselves, where an example is several engines or a whole service.
FEWER = settings(max_examples=settings().max_examples // 4)


def run(case: Case, cuts: Iterable[int] = (), *, over: bool = True) -> Engine:
    """An engine that has applied the whole tape, cut into batches at those row numbers; unless `over` more may come."""
    engine = case.engine()
    rows, controls = tape_of(case)
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        engine.apply(Batch(rows[start:end], controls))
    if over:
        engine.finish()
    return engine


def state(engine: Engine) -> dict[str, Any]:
    """All that decides what an engine will say: comparable, in bytes where it is an array."""
    return {
        "position": engine.position,
        "records": engine.records,
        "live": list(engine.reference.live),
        "evaluators": [evaluator_state(e) for e in engine.evaluators],
        "rests": engine.rests and pack(engine.rests.state() | {"head": 0}),
    }


def evaluator_state(e: Evaluator) -> dict[str, Any]:
    """One rulebook's part of it."""
    c, owed = e.conditions, e.effects.owed
    slots, replies = pack_replies(e.accruals.slots, e.accruals.replies, e.last)
    return {
        "slots": slots.tobytes(),
        "cons": e.accruals.cons.tobytes(),
        "beside": {name: getattr(e.accruals, name).tobytes() for name in BESIDE},
        "stretches": plain(e.stretches),
        "underlying": c.underlying,
        "day": e.day,
        "replies": plain_arrays(replies),
        "latency": e.accruals.latency.tolist(),
        "histories": e.accruals.histories,
        "conditions": (c.phases, c.exemptions, c.feed, c.stress),
        "owed": {key: debt.tobytes() for key, debt in owed.items()},
        "counts": e.counts.tolist(),
        "period": (e.trading_date, e.period),
        "accounts": {name: np.asarray(x).tolist() for name, x in e.accounts.state().items()},
        "required": (e.required.state(), e.required.mask.tolist()),
        "conduct": pack(e.conduct.state()),
        "unreachable": e.reach.found,
        "final": None if e.final is None else picture(e.final),
        "ledger": [picture(view) for view in e.ledger],
    }


def picture(view: StatusView) -> dict[str, Any]:
    """A view as plain values."""
    plain = {f.name: getattr(view, f.name) for f in fields(view) if f.name != "obligations"}
    plain["latency"] = view.latency.tolist()
    columns = {f.name: column(view.obligations, f.name) for f in fields(ObligationColumns)}
    return plain | {"obligations": columns}


def column(columns: ObligationColumns, name: str) -> Any:
    """One column as a list; what is made of columns as plain values."""
    return plain(getattr(columns, name))


def plain(value: Any) -> Any:
    """Arrays as lists, dataclasses as dicts."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return [plain(x) for x in value] if isinstance(value, Sequence) else value


def pictures(engine: Engine, t: int) -> list[dict[str, Any]]:
    """What the engine shows as of `t`."""
    return [picture(view) for view in engine.at(t)]


def breaches(engine: Engine, t: int) -> list[list[Breach]]:
    """All breaches of the date, as of `t`, with evidence and ends."""
    return [list(view.breaches) for view in engine.at(t)]


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two comparable values differ, for a person."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [x for key in one for x in differences(one[key], other[key], f"{path}.{key}")]
    if is_list(one) and is_list(other) and len(one) == len(other):
        pairs: Sequence[tuple[Any, Any]] = list(zip(one, other, strict=True))
        return [x for i, (a, b) in enumerate(pairs) for x in differences(a, b, f"{path}[{i}]")]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


def is_list(value: Any) -> bool:
    """A list or a tuple."""
    return isinstance(value, list | tuple)


def plain_arrays(values: dict[str, Any]) -> dict[str, Any]:
    """Arrays as their bytes."""
    return {name: array.tobytes() for name, array in values.items()}
