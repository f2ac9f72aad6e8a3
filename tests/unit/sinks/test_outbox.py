"""The outbox keeps what is not confirmed, in order, and says what it had to drop."""

from __future__ import annotations

import asyncio

import structlog
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.sinks.outbox import Backoff, Outbox, Worker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_events_stay_until_confirmed() -> None:
    box: Outbox[str] = Outbox(10)
    box.put(["a", "b", "c"])
    assert box.peek(2) == box.peek(2) == ["a", "b"]
    box.confirm(["a", "b"])
    assert box.peek(9) == ["c"]


def test_a_full_outbox_drops_the_oldest_and_counts() -> None:
    box: Outbox[str] = Outbox(2)
    assert box.put(["a", "b"]) == 0
    under_way = box.peek(2)
    assert box.put(["c"]) == 1
    box.confirm(under_way)
    assert (box.peek(9), box.dropped) == (["c"], 1)


def test_age_is_that_of_the_oldest() -> None:
    clock = Clock()
    box: Outbox[str] = Outbox(10, clock=clock)
    assert box.age == 0
    box.put(["a"])
    clock.now = 3
    box.put(["b"])
    assert box.age == 3
    box.confirm(["a"])
    assert box.age == 0
    clock.now = 5
    assert box.age == 2


def test_recall_puts_back_what_was_confirmed_lately_before_what_waits() -> None:
    clock = Clock()
    box: Outbox[str] = Outbox(10, keep_seconds=10, clock=clock)
    box.put(["a", "b", "c"])
    box.confirm(["a"])
    clock.now = 11
    box.confirm(["b"])
    assert box.recall() == 1
    assert box.peek(9) == ["b", "c"]
    assert box.recall() == 0


@given(st.lists(st.one_of(st.integers(1, 5), st.none()), max_size=40), st.integers(1, 6))
def test_everything_put_is_delivered_in_order_or_counted(
    steps: list[int | None], capacity: int
) -> None:
    box: Outbox[int] = Outbox(capacity)
    put, got = 0, []
    for step in steps:
        if step is None:
            events = box.peek(3)
            box.confirm(events)
            got += events
        else:
            box.put(range(put, put + step))
            put += step
    rest = box.peek(capacity)
    assert got + rest == sorted(set(got + rest))
    assert len(got) + len(rest) + box.dropped == put


def test_pauses_grow_to_a_limit_and_begin_again() -> None:
    backoff = Backoff(first=1, most=4)
    pauses = [backoff.pause() for _ in range(5)]
    assert all(
        0.75 * base <= p <= 1.25 * base for p, base in zip(pauses, (1, 2, 4, 4, 4), strict=True)
    )
    backoff.reset()
    assert backoff.pause() <= 1.25


async def test_a_worker_that_does_not_end_is_cut_off() -> None:
    worker = Worker()
    worker.start(lambda: asyncio.sleep(3600), "stuck")
    began = asyncio.get_running_loop().time()
    await worker.stop(0.05)
    await worker.stop(0.05)
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_pause_ends_when_stopping_begins() -> None:
    worker = Worker()
    done: list[bool] = []

    async def main() -> None:
        await worker.pause(3600)
        done.append(worker.stopping)

    worker.start(main, "pausing")
    await asyncio.sleep(0.01)
    await worker.stop(5)
    assert done == [True]


async def test_a_worker_that_dies_says_so() -> None:
    async def main() -> None:
        raise ValueError("a mistake of ours")

    worker = Worker()
    with structlog.testing.capture_logs() as logs:
        worker.start(main, "the sink")
        await asyncio.sleep(0.01)
    await worker.stop(1)
    assert [(entry["event"], entry["task"]) for entry in logs] == [("sink_died", "the sink")]
