"""The counters of our own health."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np

from mm_monitor.core.model import BadReason, Kind
from mm_monitor.health import HealthStats, Histogram, watch_loop


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((0, 10, 100))
    for value in (-5, 0, 1, 10, 11, 100, 101):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2, 1]
    assert (histogram.count, histogram.total) == (7, 218)


def test_a_column_counts_as_its_elements_do() -> None:
    values = np.array([-3, 0, 1, 10, 99, 5000], dtype=np.int64)
    one, many = Histogram((0, 10, 100)), Histogram((0, 10, 100))
    for value in values.tolist():
        one.observe(value)
    many.observe_all(values)
    many.observe_all(values[:0])
    assert (one.counts, one.count, one.total) == (many.counts, many.count, many.total)


def test_all_kinds_and_reasons_begin_at_zero() -> None:
    stats = HealthStats()
    assert stats.records == {kind.name.lower(): 0 for kind in Kind}
    assert {reason for reason, _ in stats.dead_letters} == {reason.value for reason in BadReason}


async def test_a_busy_loop_shows_as_lag() -> None:
    stats = HealthStats()
    task = asyncio.create_task(watch_loop(stats, every=0.01))
    await asyncio.sleep(0.05)
    assert stats.loop_lag.count >= 1
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
