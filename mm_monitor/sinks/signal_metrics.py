"""Signals on `/metrics`: which are raised, of whom. Numbers are in the API; none of them is a breach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mm_monitor.live_signals import Told
from mm_monitor.sinks.exposition import Metric, Number, family, pairs

RAISED = Metric(
    "mm_monitor_signal_raised",
    "gauge",
    ("rulebook", "maker", "class", "signal"),
    "1 when the signal is worth a person's look, never a breach; the class is empty for all of a maker's classes. "
    "No sample where nothing can be said.",
)
ALL = (RAISED,)


def signal_families(told: Iterable[Told]) -> Iterator[bytes]:
    """The one family."""
    samples: Iterator[tuple[str, Number]] = (
        (
            pairs(RAISED.labels, (one.rulebook, one.maker, signal.klass, signal.name)),
            int(signal.raised),
        )
        for one in told
        for signal in one.signals
        if signal.raised is not None
    )
    yield from family(RAISED, samples)
