"""L5 of the whole pump: stopped between any two polls, packed, written, read and restored = never stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.agenda import Agenda
from mm_monitor.checkpoints.record import base_of, difference, read_difference, read_whole, whole
from mm_monitor.core.batch import Rows
from mm_monitor.core.engine import Engine
from mm_monitor.core.model import BreachEvent, Control, DeadLetter
from mm_monitor.core.snapshot import fill_engine, reference_from, snapshot
from mm_monitor.health import HealthStats
from mm_monitor.pump import Pump
from mm_monitor.sinks.events import event_id
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery
from mm_monitor.standing import Packer, Parts, State, resume, standing, unpacked
from tests.laws.running import FEWER, breaches, differences, pictures, state
from tests.laws.tapes import SOURCES, Case, cases
from tests.laws.test_order import arrivals, delays, deliveries, sizes


@dataclass
class Tape:
    """A source that has its deliveries in memory; two a poll."""

    deliveries: Sequence[Delivery]
    at: int = 0

    @property
    def parts(self) -> Sequence[int]:
        return sorted({delivery.part for delivery in self.deliveries})

    @property
    def live_parts(self) -> Sequence[int]:
        return [] if self.finished else self.parts

    @property
    def idle_watermark(self) -> int | None:
        return AFTER_ALL if self.finished else None

    @property
    def finished(self) -> bool:
        return self.at >= len(self.deliveries)

    caught_up = finished

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def poll(self) -> Sequence[Delivery]:
        here, self.at = self.at, self.at + 2
        return self.deliveries[here : self.at]

    def pause(self, parts: Sequence[int]) -> None: ...

    def resume(self, parts: Sequence[int]) -> None: ...

    def state(self) -> dict[str, Any]:
        return {"at": self.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.at = state["at"]


@dataclass
class Heard:
    """What the pump told, and the events that the engine gave."""

    engine: Engine
    events: list[BreachEvent] = field(default_factory=list)
    late_rows: list[bytes] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def dead(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters

    def late(self, rows: Rows, controls: Sequence[Control]) -> None:
        self.late_rows.append(rows.tobytes())

    def advanced(self, watermark: int) -> None:
        self.events += self.engine.drain()


class Life:
    """One process: fresh parts, put where `kept` says if there is any."""

    def __init__(
        self, case: Case, tape: Sequence[Delivery], lateness: int, kept: State | None = None
    ):
        engine = case.engine()
        if kept is not None:
            judge = case.mode in ("feed", "phases")
            names = reference_from(kept["engine"]["reference"])
            engine = Engine(case.rulebooks, names, SOURCES, phases_judge=judge)
        self.heard = Heard(engine)
        agenda = Agenda((), phases=False)
        self.parts = Parts(engine, Merge(lateness), Tape(tape), agenda, HealthStats())
        if kept is not None:
            resume(self.parts, kept)

    def go_on(self, stops: Collection[int] = ()) -> State | None:
        """Run to the end, or to the first poll after which it is to stop: then where it stands."""
        source = self.parts.source
        assert isinstance(source, Tape)
        pump = Pump(source, self.parts.merge, self.parts.engine, self.heard, self.parts.stats)

        def rested() -> None:
            pump.stopping = source.at // 2 in stops

        pump.rested = rested
        asyncio.run(pump.run())
        return standing(self.parts, {}, {"kafka": self.heard.events}) if pump.stopping else None


def through_bytes(before: State | None, now: State) -> State:
    """A state as a later process reads it: a difference from the one before, where there is any."""
    sections = Packer().pack(now)
    entry = whole(1, sections)
    assert read_whole(entry) == sections
    if before is not None:
        first = Packer().pack(before)
        base = base_of(whole(0, first), first)
        sections = read_difference(difference(1, base, sections), base)
    return unpacked(sections)


def told(life: Life, case: Case) -> dict[str, Any]:
    """All that may be compared of a life that has come to its end."""
    engine, merge, stats = life.parts.engine, life.parts.merge, life.parts.stats
    return {
        "state": state(engine),
        "breaches": breaches(engine, case.end),
        "pictures": pictures(engine, case.end),
        "merge": (merge.watermark, merge.greatest, merge.duplicates, merge.late, merge.buffered),
        "stats": (
            stats.records,
            stats.late,
            stats.duplicates,
            stats.apply_rows,
            stats.no_obligation,
        ),
    }


polls = st.lists(st.integers(1, 16), min_size=1, max_size=4)


@pytest.mark.criterion("L5")
@FEWER
@given(cases(), delays, sizes, st.integers(0, 8), polls)
def test_a_service_that_stops_and_goes_on_is_as_one_that_never_stopped(
    case: Case, jitter: list[int], chunks: list[int], allowed: int, stops: list[int]
) -> None:
    lateness = allowed * case.step  # less than the disorder now and then: some records are late
    tape = deliveries(case, arrivals(case, jitter, 40 * case.step), chunks)
    tape = [*tape[:2], *tape[1:]]  # one comes twice
    never = Life(case, tape, lateness)
    assert never.go_on() is None
    events, late, before, kept = [], [], None, None
    left = sorted(set(stops))
    while True:
        life = Life(case, tape, lateness, kept)
        stood = life.go_on(left[:1])
        left = left[1:]
        events += life.heard.events
        late += life.heard.late_rows
        if stood is None:
            break
        before, kept = kept, through_bytes(before, stood)
    assert differences(told(never, case), told(life, case)) == []
    assert events == never.heard.events
    assert late == never.heard.late_rows


@pytest.mark.criterion("L5")
@FEWER
@given(cases(), delays, sizes, st.integers(1, 40), st.integers(0, 20))
def test_what_was_done_after_the_last_checkpoint_is_done_again_with_the_same_ids(
    case: Case, jitter: list[int], chunks: list[int], stop: int, further: int
) -> None:
    tape = deliveries(case, arrivals(case, jitter, 4 * case.step), chunks)
    never, killed = (Life(case, tape, 4 * case.step) for _ in range(2))
    never.go_on()
    stood = killed.go_on([stop])
    if stood is None:
        return
    kept = through_bytes(None, stood)
    killed.go_on([stop + further])
    again = Life(case, tape, 4 * case.step, kept)
    again.go_on()
    assert differences(told(never, case), told(again, case)) == []
    rung = {event_id(event) for event in [*killed.heard.events, *again.heard.events]}
    assert rung == {event_id(event) for event in never.heard.events}
    before = [event_id(event) for event in kept["pending"]["kafka"]]
    assert [*before, *map(event_id, again.heard.events)] == [*map(event_id, never.heard.events)]


@pytest.mark.criterion("L5")
@FEWER
@given(cases(), st.integers(0, 10_000))
def test_a_state_is_a_copy_that_nothing_moves(case: Case, cut: int) -> None:
    tape = deliveries(case, arrivals(case, [0], 0), [5])
    life = Life(case, tape, 0)
    stood = life.go_on([cut % (len(tape) // 2 + 1)])
    if stood is None:
        return
    there = snapshot(life.parts.engine)
    life.go_on()
    names = reference_from(stood["engine"]["reference"])
    judge = case.mode in ("feed", "phases")
    engine = Engine(case.rulebooks, names, SOURCES, phases_judge=judge)
    fill_engine(engine, unpacked(Packer().pack(stood))["engine"])
    assert snapshot(engine) == there
