"""Metrics of what is watched beside the quotes: hedging, sessions, refusals, programme trading.

The tables are the exporter, as in `metrics.py`. Of whom nothing was fed there is no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.core.rules.delays import EDGES
from mm_monitor.core.rules.hedging import HedgingRow
from mm_monitor.core.rules.programme import SIGNALS
from mm_monitor.core.view import StatusView
from mm_monitor.formats import NS, ratio_number
from mm_monitor.sinks.exposition import Metric, Number, family, pairs

MAKER = ("rulebook", "maker")
CLASS = (*MAKER, "class")
ACCOUNT = (*MAKER, "account")

Sample = tuple[tuple[str, ...], Number]  # label values after `rulebook`, value


@dataclass(frozen=True, slots=True)
class ConductMetric:
    """A metric and its samples of a view."""

    metric: Metric
    samples: Callable[[StatusView], Iterable[Sample]]


def _hedging(
    name: str, type: str, meaning: str, value: Callable[[HedgingRow], Number]
) -> ConductMetric:
    metric = Metric(f"mm_monitor_{name}", type, CLASS, meaning)
    return ConductMetric(
        metric,
        lambda view: [((r.maker, r.klass), value(r)) for r in view.conduct.hedging],
    )


def _metric(
    name: str, type: str, labels: tuple[str, ...], meaning: str,
    samples: Callable[[StatusView], Iterable[Sample]],
) -> ConductMetric:  # fmt: skip
    return ConductMetric(Metric(f"mm_monitor_{name}", type, labels, meaning), samples)


def _session_seconds(view: StatusView) -> Iterator[Sample]:
    for row in view.conduct.sessions:
        for state, ns in (("on", row.on), ("off", row.off), ("unknown", row.unknown)):
            yield (row.maker, row.account, state), ns / NS


def _seconds_of_programme(view: StatusView) -> Iterator[Sample]:
    for row in view.conduct.programme:
        yield (row.maker, row.account, "sliding"), row.most_sliding
        yield (row.maker, row.account, "calendar"), row.most_calendar


def _raised(view: StatusView) -> Iterator[Sample]:
    for row in view.conduct.programme:
        for name in SIGNALS:
            yield (row.maker, row.account, name), int(name in row.raised)


HEDGE_DELAY = Metric(
    "mm_monitor_hedge_delay_seconds",
    "histogram",
    CLASS,
    "Time from a fill to the position's return inside its limit.",
)
METRICS = (
    _hedging(
        "position_within_limit_seconds_total",
        "counter",
        "Time of the period with the net delta at or below its limit.",
        lambda row: row.within / NS,
    ),
    _hedging(
        "position_above_limit_seconds_total",
        "counter",
        "Time of the period with the net delta above its limit.",
        lambda row: row.above / NS,
    ),
    _hedging(
        "position_excursions_total",
        "counter",
        "How often the net delta went above its limit.",
        lambda row: row.excursions,
    ),
    _hedging(
        "position_greatest_excess",
        "gauge",
        "The most by which the net delta was above its limit, in units of delta.",
        lambda row: row.greatest_excess / PRICE_SCALE,
    ),
    _hedging(
        "pending_hedges",
        "gauge",
        "Fills whose position has not returned inside its limit, or is not known yet.",
        lambda row: row.pending,
    ),
    _metric(
        "session_seconds_total",
        "counter",
        (*ACCOUNT, "state"),
        "Obliged session time by state: on, off, unknown.",
        _session_seconds,
    ),
    _metric(
        "session_up",
        "gauge",
        ACCOUNT,
        "1 while the session is logged on, 0 while it is off. No sample while that is unknown.",
        lambda view: [
            ((row.maker, row.account), int(row.state == "on"))
            for row in view.conduct.sessions
            if row.state != "unknown"
        ],
    ),
    _metric(
        "session_disconnects_total",
        "counter",
        ACCOUNT,
        "Disconnects of the session.",
        lambda view: [
            ((row.maker, row.account), len(row.outages)) for row in view.conduct.sessions
        ],
    ),
    _metric(
        "session_longest_recovery_seconds",
        "gauge",
        ACCOUNT,
        "The longest time from a disconnect to the logon after it, one that goes on included.",
        lambda view: [
            ((row.maker, row.account), row.longest_recovery / NS) for row in view.conduct.sessions
        ],
    ),
    _metric(
        "rejected_messages_total",
        "counter",
        (*MAKER, "reason"),
        "Messages that the venue refused, by its own reason; past fifty reasons of a maker: other.",
        lambda view: [
            ((row.maker, reason), count)
            for row in view.conduct.rejects
            for reason, count in row.by_reason.items()
        ],
    ),
    _metric(
        "submitted_quotes_total",
        "counter",
        MAKER,
        "Quotes heard of a maker of whom any message was refused.",
        lambda view: [((row.maker,), row.submitted) for row in view.conduct.rejects],
    ),
    _metric(
        "messages_total",
        "counter",
        ACCOUNT,
        "Quotes heard of the maker, good or bad. Only with [signals] in the rulebook.",
        lambda view: [((row.maker, row.account), row.messages) for row in view.conduct.programme],
    ),
    _metric(
        "messages_most_per_second",
        "gauge",
        (*ACCOUNT, "second"),
        "The most messages in one second, sliding or of the calendar.",
        _seconds_of_programme,
    ),
    _metric(
        "submitted_amount",
        "gauge",
        ACCOUNT,
        "Size by price by multiplier of the sides that were submitted, in the currency.",
        lambda view: [
            ((row.maker, row.account), row.submitted / PRICE_SCALE)
            for row in view.conduct.programme
        ],
    ),
    _metric(
        "cancelled_amount",
        "gauge",
        ACCOUNT,
        "The same of the sides that were withdrawn or replaced, without what was traded.",
        lambda view: [
            ((row.maker, row.account), row.cancelled / PRICE_SCALE)
            for row in view.conduct.programme
        ],
    ),
    _metric(
        "cancelled_share_ratio",
        "gauge",
        ACCOUNT,
        "Cancelled amount / submitted amount. No sample while nothing was submitted.",
        lambda view: [
            ((row.maker, row.account), ratio_number(row.share))
            for row in view.conduct.programme
            if row.share is not None
        ],
    ),
    _metric(
        "programme_signal",
        "gauge",
        (*ACCOUNT, "signal"),
        "1 when a threshold of the rulebook is reached; a signal to look at, never a breach.",
        _raised,
    ),
)
ALL = (*(entry.metric for entry in METRICS), HEDGE_DELAY)


def conduct_families(views: Sequence[StatusView]) -> Iterator[bytes]:
    """All of them, one family after the other."""
    for entry in METRICS:
        labels = entry.metric.labels
        samples = (
            (pairs(labels, (view.rulebook_id, *values)), value)
            for view in views
            for values, value in entry.samples(view)
        )
        yield from family(entry.metric, samples)
    yield HEDGE_DELAY.head().encode()
    for view in views:
        for row in view.conduct.hedging:
            yield _histogram(pairs(CLASS, (view.rulebook_id, row.maker, row.klass)), row).encode()


def _histogram(labels: str, row: HedgingRow) -> str:
    """Buckets grow: each counts all that took no longer than its edge."""
    name, delays, so_far = HEDGE_DELAY.name, row.delays, 0
    lines = []
    for edge, count in zip(EDGES, delays.buckets, strict=False):
        so_far += count
        lines.append(f'{name}_bucket{{{labels},le="{edge / NS!r}"}} {so_far}\n')
    lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {delays.count}\n')
    lines.append(f"{name}_sum{{{labels}}} {delays.total / NS!r}\n")
    lines.append(f"{name}_count{{{labels}}} {delays.count}\n")
    return "".join(lines)
