"""The truth of a session: presence of every obligation to the nanosecond, from the scripts alone.

Each obligation has a list of (time, state) edges, written when its own quote or its theo changed.
Here they are integrated over the time the obligation was owed. Nothing of the monitor's engine is
used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mm_monitor.simulator.book import LAPSED, QUOTED, UNKNOWN
from mm_monitor.simulator.market import Contract
from mm_monitor.simulator.scenario import ALL, MISBEHAVING, Exemption, Maker, PhaseChange, Scenario
from mm_monitor.simulator.session import Session

Interval = tuple[int, int]
SCHEMA = "mm-monitor/truth/1"


@dataclass(frozen=True, slots=True)
class Totals:
    """What became of the obliged time of one obligation, in ns."""

    quoted_ns: int
    lapsed_ns: int
    unknown_ns: int
    exempt_ns: int
    lapses: int
    longest_lapse_ns: int


def verdict(quoted: int, lapsed: int, unknown: int) -> str:
    """Judge by 90 %: compliant, breached, indeterminate or not_assessed."""
    required = quoted + lapsed + unknown
    if required == 0:
        return "not_assessed"
    if quoted * 10 >= required * 9:
        return "compliant"
    return "breached" if (quoted + unknown) * 10 < required * 9 else "indeterminate"


def obliged_intervals(phases: Iterable[PhaseChange], contract: Contract) -> list[Interval]:
    """When `contract` is in continuous trading: every scope that has spoken of it last said so."""
    said: dict[str, str] = {}
    intervals: list[Interval] = []
    since: int | None = None
    for phase in sorted(phases, key=lambda phase: phase.ts):
        if phase.scope not in (ALL, contract.klass, contract.name):
            continue
        said[phase.scope] = phase.phase
        continuous = all(spoken == "continuous" for spoken in said.values())
        if continuous and since is None:
            since = phase.ts
        elif not continuous and since is not None:
            intervals.append((since, phase.ts))
            since = None
    return [(start, end) for start, end in intervals if start < end]


def without(intervals: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """The parts of `intervals` that no hole covers."""
    left = list(intervals)
    for hole_start, hole_end in holes:
        cut: list[Interval] = []
        for start, end in left:
            cut += [(start, min(end, hole_start)), (max(start, hole_end), end)]
        left = [(start, end) for start, end in cut if start < end]
    return left


def integrate(edges: list[tuple[int, int]], owed: list[Interval], exempt_ns: int) -> Totals:
    """Walk the states over the owed intervals. Before the first edge the maker is absent.

    A lapse goes on over time that is not owed; quoted or unknown time ends it.
    """
    spent = {LAPSED: 0, QUOTED: 0, UNKNOWN: 0}
    lapses = longest = current = 0
    state, at = LAPSED, 0
    for start, end in owed:
        now = start
        while now < end:
            while at < len(edges) and edges[at][0] <= now:
                state, at = edges[at][1], at + 1
            until = min(end, edges[at][0]) if at < len(edges) else end
            spent[state] += until - now
            if state == LAPSED:
                lapses += current == 0
                current += until - now
                longest = max(longest, current)
            else:
                current = 0
            now = until
    return Totals(spent[QUOTED], spent[LAPSED], spent[UNKNOWN], exempt_ns, lapses, longest)


def truth(session: Session) -> dict[str, Any]:
    """The content of truth.json. Raises ValueError for a session not played to its end."""
    if not session.finished:
        raise ValueError("the session has not been played to its end")
    scenario = session.scenario
    edges = _edges_by_slot(session)
    obliged = {c.name: obliged_intervals(scenario.phases, c) for c in scenario.contracts}
    obligations, by_maker = [], defaultdict(list)
    for i, maker in enumerate(scenario.makers):
        for contract in scenario.contracts:
            if not scenario.appointed(maker, contract.klass):
                continue
            slot = i * len(scenario.contracts) + contract.number - 1
            totals = _totals(scenario, maker, contract, edges.get(slot, []), obliged[contract.name])
            by_maker[maker.name].append(totals)
            obligations.append(_obligation(maker, contract, totals))
    return {
        "schema": SCHEMA,
        "rulebook": scenario.rulebook,
        "seed": scenario.seed,
        "period": {"start": scenario.start, "end": scenario.end},
        "records": {**session.counts, "dead_letter": session.poison.total()},
        "obligations": sorted(obligations, key=lambda row: (row["maker"], row["contract"])),
        "makers": [
            _maker(maker, by_maker[maker.name])
            for maker in sorted(scenario.makers, key=lambda maker: maker.name)
        ],
    }


def _edges_by_slot(session: Session) -> dict[int, list[tuple[int, int]]]:
    found = session.edges
    if not found:
        return {}
    slots = np.concatenate([edge.slots for edge in found])
    times = np.repeat([edge.ts for edge in found], [len(edge.slots) for edge in found])
    states = np.concatenate([edge.states for edge in found])
    order = np.argsort(slots, kind="stable")  # each slot's edges are in time order already
    slots, times, states = slots[order], times[order], states[order]
    starts = np.flatnonzero(np.diff(slots, prepend=-1))
    ends = [*starts[1:].tolist(), len(slots)]
    return {
        int(slots[a]): list(zip(times[a:b].tolist(), states[a:b].tolist(), strict=True))
        for a, b in zip(starts.tolist(), ends, strict=True)
    }


def _totals(
    scenario: Scenario,
    maker: Maker,
    contract: Contract,
    edges: list[tuple[int, int]],
    obliged: list[Interval],
) -> Totals:
    holes = [(e.start, e.end) for e in scenario.exemptions if _concerns(e, maker, contract)]
    owed = without(obliged, holes)
    exempt = sum(end - start for start, end in obliged) - sum(end - start for start, end in owed)
    return integrate(edges, owed, exempt)


def _concerns(exemption: Exemption, maker: Maker, contract: Contract) -> bool:
    in_scope = exemption.scope in (ALL, contract.klass, contract.name)
    return in_scope and exemption.maker in (ALL, maker.name)


def _obligation(maker: Maker, contract: Contract, totals: Totals) -> dict[str, Any]:
    judged = verdict(totals.quoted_ns, totals.lapsed_ns, totals.unknown_ns)
    names = {"maker": maker.name, "contract": contract.name, "class": contract.klass}
    return {**names, **asdict(totals), "verdict": judged}


def _maker(maker: Maker, totals: list[Totals]) -> dict[str, Any]:
    quoted = sum(t.quoted_ns for t in totals)
    lapsed = sum(t.lapsed_ns for t in totals)
    unknown = sum(t.unknown_ns for t in totals)
    return {
        "maker": maker.name,
        "label": maker.behaviour.value,
        "misbehaves": maker.behaviour in MISBEHAVING,
        "quoted_ns": quoted,
        "required_ns": quoted + lapsed + unknown,
        "verdict": verdict(quoted, lapsed, unknown),
    }
