"""The whole state of an engine as one value, and an engine from it (law L5).

Slots are kept by obligation key, contracts by name: a restore lays out anew and puts every row where it belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mm_monitor.core.accrual import BESIDE, Accruals
from mm_monitor.core.book import Book
from mm_monitor.core.engine import Engine, Records
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.pack import pack, unpack
from mm_monitor.core.reference import Reference
from mm_monitor.core.relayout import renumbered
from mm_monitor.core.replies import (
    pack_latency,
    pack_replies,
    unpack_latency,
    unpack_replies,
)
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.share import Share
from mm_monitor.core.stretches import Stretches
from mm_monitor.errors import SnapshotError


def snapshot(engine: Engine) -> bytes:
    """Bytes of the state; the same state gives the same bytes."""
    return pack(engine_state(engine))


def restore(
    data: bytes,
    rulebooks: Sequence[Rulebook],
    sources: Mapping[int, tuple[str, int]],
    *,
    calendar: bool = True,
    phases_judge: bool = False,
) -> Engine:
    """The engine as it was. SnapshotError if the bytes are damaged or of other rulebooks."""
    return engine_from(
        unpack(data), rulebooks, sources, calendar=calendar, phases_judge=phases_judge
    )


def engine_state(engine: Engine) -> dict[str, Any]:
    """The state as plain values and arrays."""
    return {
        "position": engine.position,
        "applied": engine.records.applied,
        "no_obligation": engine.records.no_obligation,
        "reference": _reference_state(engine.reference),
        "evaluators": [_evaluator_state(e) for e in engine.evaluators],
        "rests": None if engine.rests is None else engine.rests.state(),
    }


def engine_from(
    state: Mapping[str, Any], rulebooks: Sequence[Rulebook], sources: Mapping[int, tuple[str, int]],
    *, calendar: bool = True, phases_judge: bool = False,
) -> Engine:  # fmt: skip
    """Inverse of `engine_state`."""
    engine = Engine(
        rulebooks,
        reference_from(state["reference"]),
        sources,
        calendar=calendar,
        phases_judge=phases_judge,
    )
    fill_engine(engine, state)
    return engine


def fill_engine(engine: Engine, state: Mapping[str, Any]) -> None:
    """Give a fresh engine, made on the state's own reference, the state. SnapshotError if it is of other rulebooks."""
    _fill_engine(engine, state)
    if engine.rests is not None:
        engine.rests.restore(state["rests"], engine)


def _fill_engine(engine: Engine, state: Mapping[str, Any]) -> None:
    engine.position = state["position"]
    engine.records = Records(state["applied"], state["no_obligation"])
    kept = {(e["rulebook"], e["version"], e["sha256"]): e for e in state["evaluators"]}
    for evaluator in engine.evaluators:
        book = evaluator.rulebook
        mine = kept.get((book.id, book.version, book.sha256))
        if mine is None:
            raise SnapshotError(
                f"snapshot: no state of rulebook {book.id} version {book.version} ({book.sha256})"
            )
        _fill(evaluator, mine)


def _reference_state(reference: Reference) -> dict[str, Any]:
    return {
        "contracts": reference.contracts,
        "live": reference.live,
        "makers": reference.makers,
        "maker_numbers": sorted(reference.maker_numbers.items()),
        "appointments": reference.appointments,
        "accounts": reference.accounts,
        "account_names": list(reference.account_numbers),
        "adjusted": sorted(reference.adjusted.items()),
        "listed": sorted(reference.listed.items()),
        "theo_vias": reference.theo_vias,
        "version": reference.version,
        "share": None if reference.share is None else _share_state(reference.share),
    }


def _share_state(share: Share) -> tuple[int, list[int]]:
    return share.of, sorted(share.mine)


def reference_from(state: Mapping[str, Any]) -> Reference:
    """The directory of names of an `engine_state`."""
    reference = Reference()
    for name in state["makers"]:
        reference.maker(name)
    for contract in state["contracts"]:
        reference.add_contract(contract)
    reference.live[:] = state["live"]
    reference.appointments.extend(state["appointments"])
    reference.maker_numbers.update((number, index) for number, index in state["maker_numbers"])
    reference.accounts.update(state["accounts"])
    names = enumerate(state["account_names"], 1)
    reference.account_numbers.update((name, number) for number, name in names)
    for index, steps in state["adjusted"]:
        reference.adjusted[index] = [(ts, tick) for ts, tick in steps]
    reference.listed.update((index, ts) for index, ts in state["listed"])
    for source, version, quality in state["theo_vias"]:
        reference.via((source, version, quality))
    reference.version = state["version"]
    if state["share"] is not None:
        of, mine = state["share"]
        reference.share = Share(of, frozenset(mine))
    return reference


def _evaluator_state(evaluator: Evaluator) -> dict[str, Any]:
    conditions, book = evaluator.conditions, evaluator.book
    slots, replies = pack_replies(
        evaluator.accruals.slots, evaluator.accruals.replies, evaluator.last
    )
    return {
        "rulebook": evaluator.rulebook.id,
        "version": evaluator.rulebook.version,
        "sha256": evaluator.rulebook.sha256,
        "members": [sorted(group) for group in evaluator.members],
        "maker": book.slot_maker,
        "contract": book.slot_con,
        "slots": slots,
        **{name: getattr(evaluator.accruals, name) for name in BESIDE},
        "replies": replies,
        "latency": pack_latency(evaluator.accruals.latency),
        "cons": evaluator.accruals.cons,
        "histories": evaluator.accruals.histories,
        "phases": conditions.phases,
        "exemptions": sorted(conditions.exemptions),
        "feed": sorted((*key, since) for key, since in conditions.feed.items()),
        "stretches": _stretches_state(evaluator.stretches),
        "owed": [(*key, debt) for key, debt in sorted(evaluator.effects.owed.items())],
        "stress": sorted(conditions.stress),
        "counts": evaluator.counts,
        "conduct": evaluator.conduct.state(),
        "trading_date": evaluator.trading_date,
        "required": evaluator.required.state(),
        "accounts": evaluator.accounts.state(),
        "day": evaluator.day,
        "underlying": sorted(conditions.underlying.items()),
        "by_calendar": evaluator.by_calendar,
        "period": evaluator.period,
        "final": evaluator.final,
        "ledger": evaluator.ledger,
        "reach": evaluator.reach.state(),
        "moments": evaluator.moments.state(),
        "response": evaluator.response.state(),
        "last": evaluator.last,
        "provisional": sorted(evaluator.provisional),
        "breaches": evaluator.breaches.sorted(),
        "events": evaluator.breaches.events,
    }


def _fill(evaluator: Evaluator, state: Mapping[str, Any]) -> None:
    conditions = evaluator.conditions
    conditions.phases.update(state["phases"])
    conditions.exemptions.update(tuple(key) for key in state["exemptions"])
    conditions.feed.update({(scope, maker): since for scope, maker, since in state["feed"]})
    conditions.stress.update(state["stress"])
    conditions.underlying.update(state["underlying"])
    evaluator.day = state["day"]
    evaluator.members = [set(group) for group in state["members"]]
    evaluator.required.restore(state["required"])
    evaluator.accounts.restore(state["accounts"])
    evaluator.lay_out()
    moved = _moved(state, evaluator.book)
    _fill_accruals(evaluator.accruals, state, moved)
    evaluator.index()
    _fill_stretches(evaluator, state["stretches"], moved)
    for scope, maker, debt in state["owed"]:
        evaluator.effects.owed[scope, maker][moved] = debt
    evaluator.counts[:] = state["counts"]
    evaluator.conduct.restore(state["conduct"], moved)
    evaluator.by_calendar = state["by_calendar"]
    evaluator.trading_date, evaluator.period = state["trading_date"], tuple(state["period"])
    evaluator.final, evaluator.ledger = state["final"], state["ledger"]
    evaluator.reach.restore(state["reach"])
    evaluator.response.restore(state["response"])
    evaluator.moments.restore([tuple(moment) for moment in state["moments"]])
    evaluator.last = state["last"]
    evaluator.provisional.update(tuple(pair) for pair in state["provisional"])
    for breach in state["breaches"]:
        evaluator.breaches.found[breach.id] = breach
        if breach.end is None:
            evaluator.breaches.open_by_subject[breach.kind, breach.maker, breach.contract] = (
                breach.id
            )
    evaluator.breaches.events.extend(state["events"])


def _stretches_state(stretches: Stretches | None) -> dict[str, Any] | None:
    return None if stretches is None else {"spans": stretches.spans, "before": stretches.before}


def _fill_stretches(
    evaluator: Evaluator, state: Mapping[str, Any] | None, moved: np.ndarray
) -> None:
    if evaluator.stretches is None or state is None:
        return
    evaluator.stretches.spans = [(start, end) for start, end in state["spans"]]
    evaluator.stretches.before = list(state["before"])
    evaluator.stretches.move((np.arange(len(moved)), moved), len(evaluator.book.slot_con))


def _moved(state: Mapping[str, Any], book: Book) -> np.ndarray:
    keys = book.keys()
    pairs = zip(state["maker"].tolist(), state["contract"].tolist(), strict=True)
    return np.array([keys[pair] for pair in pairs], dtype=np.int64)


def _fill_accruals(accruals: Accruals, state: Mapping[str, Any], moved: np.ndarray) -> None:
    accruals.slots[moved] = state["slots"]
    for name in BESIDE:
        if len(getattr(accruals, name)):
            getattr(accruals, name)[moved] = state[name]
    if len(accruals.rests):
        for name in ("prev", "next"):
            accruals.rests[name][moved] = renumbered(state["rests"][name], moved)
    unpack_replies(accruals.replies, state["replies"], moved)
    unpack_latency(accruals.latency, state["latency"])
    slot0, slots = accruals.cons["slot0"].copy(), accruals.cons["slots"].copy()
    accruals.cons[:] = state["cons"]
    accruals.cons["slot0"], accruals.cons["slots"] = slot0, slots
    for name in ("head", "tail"):
        accruals.cons[name] = renumbered(state["cons"][name], moved)
    accruals.histories = [[(t, n) for t, n in history] for history in state["histories"]]
