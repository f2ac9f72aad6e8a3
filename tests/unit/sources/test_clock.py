"""Our clock beside the system's, with plain numbers."""

from __future__ import annotations

import pytest

from mm_monitor.sources.clock import SteadyClock
from mm_monitor.sources.kafka_sequence import Sequences, number_of

S = 1_000_000_000
HOUR = 3600 * S


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.beat, self.ahead = 5 * S, 1_000_000 * S
        self.clock = SteadyClock(lambda: self.beat + self.ahead, lambda: self.beat, S)

    def tick(self, ns: int, moved: int = 0) -> int:
        self.beat += ns
        self.ahead += moved
        return self.clock()


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
def test_a_step_is_counted_and_does_not_move_ours(by: int) -> None:
    machine = Machine()
    before = machine.tick(S)
    assert machine.tick(S, moved=by) == before + S
    assert (machine.clock.steps, machine.clock.off) == (1, by)
    assert machine.tick(S) == before + 2 * S
    assert machine.clock.latest() == before + 2 * S + max(0, by)


def test_slow_corrections_are_followed() -> None:
    machine = Machine()
    before = machine.clock()
    for _ in range(100):
        machine.tick(S, moved=S // 10)
    assert machine.clock() == before + 110 * S
    assert (machine.clock.steps, machine.clock.off) == (0, 0)


def test_after_a_step_slow_corrections_keep_its_distance() -> None:
    machine = Machine()
    machine.tick(S, moved=HOUR)
    machine.tick(S, moved=S // 10)
    assert machine.clock.off == HOUR


def test_a_step_that_is_taken_back_is_over() -> None:
    machine = Machine()
    machine.tick(S, moved=HOUR)
    machine.tick(S, moved=-HOUR)
    assert (machine.clock.steps, machine.clock.off) == (2, 0)


def test_what_records_show_is_taken_up() -> None:
    machine = Machine()
    before = machine.tick(S, moved=HOUR)
    machine.clock.adopt()
    assert machine.clock() == before + HOUR
    assert machine.clock.off == 0


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([b"5", b"6", b"7"], []),
        ([b"5", b"7", b"8"], [1]),
        ([b"5", b"5", b"4", b"6"], []),
        ([b"5", b"6", b"1", b"2"], [2]),
        ([b"a:5", b"b:9", b"a:6", b"b:11"], [3]),
        ([None, b"", b"x", b"5", b"-1", b"6", "²".encode()], []),
    ],
)
def test_holes_in_the_numbers_of_feeds(numbers: list[bytes | None], gaps: list[int]) -> None:
    assert Sequences().gaps(numbers) == gaps
    cut, found = Sequences(), []
    for i, number in enumerate(numbers):  # one by one, restored in between
        kept = Sequences()
        kept.restore(cut.state())
        cut = kept
        found += [i for _ in cut.gaps([number])]
    assert found == gaps


def test_the_number_is_in_the_last_header_of_its_name() -> None:
    headers = [("seq", b"1"), ("other", b"2"), ("seq", b"3")]
    assert number_of(headers, "seq") == b"3"
    assert number_of(headers, "none") is None
