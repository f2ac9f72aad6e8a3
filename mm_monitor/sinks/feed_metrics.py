"""What cannot be seen, on `/metrics`: scopes that the source has down, by cause, and our machine's clock.

The causes are closed; each is there from the start, at 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mm_monitor.formats import NS
from mm_monitor.health import HealthStats
from mm_monitor.sinks.exposition import Metric, Number

CAUSES = ("offset_gap", "sequence_gap", "broker_lost", "silent", "theo_silent", "clock_step")

DOWN = Metric(
    "mm_monitor_feed_down_scopes",
    "gauge",
    ("cause",),
    "Classes, or `*`, whose time is unknown because the source says so, by why: `offset_gap`, `sequence_gap`, "
    "`broker_lost`, `silent`, `theo_silent`, `clock_step`.",
)
OUTAGES = Metric(
    "mm_monitor_feed_outages_total",
    "counter",
    ("cause",),
    "How often the source took classes down, by cause; many have ended before anybody looks at the gauge.",
)
CLOCK_STEPS = Metric(
    "mm_monitor_clock_steps_total",
    "counter",
    (),
    "How often our machine's clock was set by more than `tape.clock_step`.",
)
CLOCK_OFF = Metric(
    "mm_monitor_clock_off_seconds",
    "gauge",
    (),
    "By how much our machine's clock is ahead of the one that we go by; 0 unless it was set.",
)
ALL = (DOWN, OUTAGES, CLOCK_STEPS, CLOCK_OFF)


def feed_samples(
    stats: HealthStats,
) -> Iterator[tuple[Metric, Sequence[tuple[tuple[str, ...], Number]]]]:
    """All families with their samples."""
    for metric, counts in ((DOWN, stats.down_causes), (OUTAGES, stats.outages)):
        known = {why.replace(" ", "_"): n for why, n in counts.items()}
        yield metric, [((cause,), known.get(cause, 0)) for cause in CAUSES]
    yield CLOCK_STEPS, [((), stats.clock_steps)]
    yield CLOCK_OFF, [((), stats.clock_off / NS)]
