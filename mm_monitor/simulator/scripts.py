"""Scripts: what each maker does when, written down before the session begins.

A script is a list of steps; a step puts some contracts of a class into a *stance* from an instant
on. A maker in a stance quotes accordingly at the step and at every later move of theo.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mm_monitor.simulator.scenario import Behaviour, Maker, Scenario


class Stance(IntEnum):
    """How a maker quotes one contract for the time being."""

    ABSENT = 0
    GOOD = 1
    FAR = 2
    WIDE = 3
    ONE_SIDED = 4
    CROSSED = 5


VALID_STANCES = (Stance.GOOD, Stance.FAR)
FAILING = (Stance.ABSENT, Stance.WIDE, Stance.ONE_SIDED, Stance.CROSSED)


class Part(IntEnum):
    """Which contracts of a class a step is about."""

    ALL = 0
    EVEN = 1
    ODD = 2
    CHEAP = 3
    DEAR = 4


class Step(NamedTuple):
    """From `ts` on, `part` of the contracts of class number `klass` are quoted in `stance`."""

    ts: int
    klass: int
    part: Part
    stance: Stance


def steps(scenario: Scenario, maker: Maker, rng: np.random.Generator) -> Iterator[Step]:
    """The script of one maker, in time order."""
    script = _SCRIPTS[maker.behaviour]
    classes = scenario.quoted_classes(maker)
    return iter(sorted(step for klass in classes for step in script(scenario, klass, rng)))


def _always(scenario: Scenario, klass: int, stance: Stance) -> Step:
    return Step(scenario.first_instant, klass, Part.ALL, stance)


def _away(
    scenario: Scenario, klass: int, start: int, length: int, part: Part, stance: Stance
) -> list[Step]:
    """An outage of `length` ns of continuous trading from `start` on its clock."""
    return [
        Step(scenario.clock_time(start), klass, part, stance),
        Step(scenario.clock_time(start + length), klass, part, Stance.GOOD),
    ]


def _honest(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    """Three outages, one in each third of the day, each at most 1 % of it."""
    yield _always(scenario, klass, Stance.GOOD)
    third = scenario.open_ns // 3
    for i in range(3):
        length = int(rng.integers(1, scenario.open_ns // 100))
        start = i * third + int(rng.integers(0, third - length))
        part = Part(int(rng.integers(0, len(Part))))
        stance = FAILING[int(rng.integers(0, len(FAILING)))]
        yield from _away(scenario, klass, start, length, part, stance)


def _budget(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.GOOD)
    length = scenario.open_ns * 9 // 100
    start = int(rng.integers(0, scenario.open_ns - length))
    yield from _away(scenario, klass, start, length, Part.ALL, Stance.ABSENT)


def _vanishes(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.GOOD)
    gone = scenario.clock_time(scenario.open_ns * 88 // 100)
    yield Step(gone, klass, Part.ALL, Stance.ABSENT)


def _flickers(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.GOOD)
    for start, end in scenario.open_intervals:
        for i, ts in enumerate(range(start + scenario.flicker_ns, end, scenario.flicker_ns)):
            yield Step(ts, klass, Part.ALL, Stance.GOOD if i % 2 else Stance.ABSENT)


def _cherry_picks(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield Step(scenario.first_instant, klass, Part.CHEAP, Stance.GOOD)


def _late(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.GOOD)  # what makes it late is its reaction to theo


def _far(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.FAR)


def _wide(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.WIDE)


def _one_sided(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.ONE_SIDED)


def _crossed(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    yield _always(scenario, klass, Stance.CROSSED)


def _absent(scenario: Scenario, klass: int, rng: np.random.Generator) -> Iterator[Step]:
    return iter(())


_SCRIPTS = {
    Behaviour.HONEST: _honest,
    Behaviour.FAR: _far,
    Behaviour.BUDGET: _budget,
    Behaviour.WIDE: _wide,
    Behaviour.ONE_SIDED: _one_sided,
    Behaviour.CROSSED: _crossed,
    Behaviour.ABSENT: _absent,
    Behaviour.VANISHES: _vanishes,
    Behaviour.FLICKERS: _flickers,
    Behaviour.LATE: _late,
    Behaviour.CHERRY_PICKS: _cherry_picks,
}
