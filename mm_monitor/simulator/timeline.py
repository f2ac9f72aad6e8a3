"""Everything that will happen in a session, as one sorted stream of events.

Each strand (moves of an underlying, a maker's script, incidents) is a sorted iterator fixed by the
seed; the timeline is their merge. Events are plain integers, so that equal instants have one order
on all machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from heapq import merge
from typing import NamedTuple

import numpy as np

from mm_monitor.simulator.scenario import ALL, Behaviour, FeedOutage, Maker, Scenario
from mm_monitor.simulator.scripts import Part, steps


class What(IntEnum):
    """Events, in the order in which their records count at an equal instant."""

    FEED_DOWN = 0
    FEED_UP = 1
    FEED_SYNCED = 2
    MOVE = 3  # the underlying ticks, its theos move, makers react
    THEO_GONE = 4
    THEO_BACK = 5
    STEP = 6  # a maker's script
    REACT = 7  # a maker with latency answers the last move
    SNAPSHOT = 8  # after a feed outage a maker's standing quotes come again
    POISON = 9  # a bad quote
    CLOSE = 10  # after the session every maker withdraws its quotes


class Event(NamedTuple):
    """One event. `klass`, `maker`: positions in the scenario; `part`, `arg` depend on `what`."""

    ts: int
    what: What
    klass: int = 0
    maker: int = 0
    part: int = 0
    arg: int = 0  # STEP: stance; FEED_*: outage; THEO_*: contract number; POISON: draw


def timeline(scenario: Scenario) -> Iterator[Event]:
    """All events before the end of the session, in order, and the closing after it."""
    strands = [_moves(scenario, klass) for klass in range(len(scenario.classes))]
    for number, maker in enumerate(scenario.makers):
        strands.append(_script(scenario, number, maker))
        strands += _reactions(scenario, number, maker)
    strands += [_feed(scenario), _snapshots(scenario), _theo_gaps(scenario), _poison(scenario)]
    for event in merge(*strands):
        if event.ts >= scenario.end:
            break
        yield event
    for klass in range(len(scenario.classes)):
        yield Event(scenario.end + scenario.lead_out_ns, What.CLOSE, klass)


def reaction_ns(scenario: Scenario, maker: Maker) -> int:
    """How long after a move `maker` answers it; 0 means at the same instant."""
    late = maker.behaviour is Behaviour.LATE
    return scenario.mean_tick_ns * 3 // 10 if late else maker.latency_ns


def move_times(scenario: Scenario, klass: int) -> Iterator[int]:
    """When the underlying of class number `klass` ticks, for ever: gaps of 0.5 to 1.5 means."""
    rng = np.random.default_rng([scenario.seed, 1, klass])
    mean, intervals = scenario.mean_tick_ns, scenario.open_intervals
    ts = scenario.first_instant
    while True:
        yield ts
        ts += mean // 2 + int(rng.integers(0, mean + 1))
        if scenario.quiet_breaks:
            ts = _into_opening(ts, intervals)


def _into_opening(ts: int, intervals: list[tuple[int, int]]) -> int:
    """`ts`; if the market rests then, as far into the next opening as `ts` is past the closing."""
    closed_since = 0
    for start, end in intervals:
        if ts < end:
            return ts if ts >= start else start + min(ts - closed_since, end - start - 1)
        closed_since = end
    return ts


def _moves(scenario: Scenario, klass: int) -> Iterator[Event]:
    return (Event(ts, What.MOVE, klass) for ts in move_times(scenario, klass))


def _script(scenario: Scenario, number: int, maker: Maker) -> Iterator[Event]:
    rng = np.random.default_rng([scenario.seed, 2, number])
    for step in steps(scenario, maker, rng):
        yield Event(step.ts, What.STEP, step.klass, number, step.part, step.stance)


def _reactions(scenario: Scenario, number: int, maker: Maker) -> list[Iterator[Event]]:
    delay = reaction_ns(scenario, maker)
    if not delay:
        return []
    return [_delayed(scenario, k, number, delay) for k in scenario.quoted_classes(maker)]


def _delayed(scenario: Scenario, klass: int, number: int, delay: int) -> Iterator[Event]:
    return (Event(ts + delay, What.REACT, klass, number) for ts in move_times(scenario, klass))


def _feed(scenario: Scenario) -> Iterator[Event]:
    events = []
    for i, outage in enumerate(scenario.feed_outages):
        events.append(Event(outage.down, What.FEED_DOWN, arg=i))
        events.append(Event(outage.up, What.FEED_UP, arg=i))
        if outage.synced is not None:
            events.append(Event(outage.synced, What.FEED_SYNCED, arg=i))
    return iter(sorted(events))


def _snapshots(scenario: Scenario) -> Iterator[Event]:
    """Some quotes come again between `up` and `synced`; the rest waits for its next re-quote."""
    rng = np.random.default_rng([scenario.seed, 3])
    events = []
    for i, outage in enumerate(scenario.feed_outages):
        until = outage.synced or outage.up + scenario.mean_tick_ns
        for number, klass in _touched(scenario, outage):
            part = Part(int(rng.integers(0, len(Part))))
            ts = int(rng.integers(outage.up, max(until, outage.up + 1)))
            if rng.random() < 0.7:
                events.append(Event(ts, What.SNAPSHOT, klass, number, part, i))
    return iter(sorted(events))


def _touched(scenario: Scenario, outage: FeedOutage) -> list[tuple[int, int]]:
    """(maker, class) positions that an outage is about."""
    named = {c.klass for c in scenario.contracts if outage.scope in (ALL, c.klass, c.name)}
    return [
        (number, klass)
        for number, maker in enumerate(scenario.makers)
        for klass, underlying in enumerate(scenario.classes)
        if outage.maker in (ALL, maker.name)
        and underlying.name in named
        and scenario.appointed(maker, underlying.name)
    ]


def _theo_gaps(scenario: Scenario) -> Iterator[Event]:
    numbers = {contract.name: contract.number for contract in scenario.contracts}
    events = []
    for gap in scenario.theo_gaps:
        number = numbers[gap.contract]
        klass = (number - 1) // scenario.contracts_per_class
        events.append(Event(gap.start, What.THEO_GONE, klass, arg=number))
        events.append(Event(gap.end, What.THEO_BACK, klass, arg=number))
    return iter(sorted(events))


def _poison(scenario: Scenario) -> Iterator[Event]:
    rng = np.random.default_rng([scenario.seed, 4])
    pairs = [
        (number, klass)
        for number, maker in enumerate(scenario.makers)
        for klass, underlying in enumerate(scenario.classes)
        if scenario.appointed(maker, underlying.name)
    ]
    times = np.sort(rng.integers(scenario.first_instant, scenario.end, scenario.poison)).tolist()
    draws = rng.integers(0, 2**31, (scenario.poison, 2)).tolist()
    for ts, (pair, draw) in zip(times, draws, strict=True):
        number, klass = pairs[pair % len(pairs)]
        yield Event(ts, What.POISON, klass, number, arg=draw)
