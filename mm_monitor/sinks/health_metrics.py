"""The monitor's own health on `/metrics`, through prometheus_client: few series, read at scrape
time.

Values come from `HealthStats` and from the sinks themselves; nothing is kept here.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from mm_monitor.core.model import Phase
from mm_monitor.formats import NS
from mm_monitor.health import CheckpointStats, HealthStats, Histogram
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.exposition import Metric, Number
from mm_monitor.sinks.feed_metrics import ALL as FEED_METRICS
from mm_monitor.sinks.feed_metrics import feed_samples
from mm_monitor.sinks.protocol import Sink
from mm_monitor.sinks.theo_metrics import ALL as THEO_METRICS
from mm_monitor.sinks.theo_metrics import theo_samples

Samples = Iterable[tuple[tuple[str, ...], Number]]

BUILD_INFO = Metric(
    "mm_monitor_build_info", "gauge", ("version", "python"), "Always 1: what is running."
)
READY = Metric(
    "mm_monitor_ready",
    "gauge",
    (),
    "1 when the monitor has caught up and its verdicts can be used.",
)
PHASE = Metric(
    "mm_monitor_phase",
    "gauge",
    ("rulebook", "phase"),
    "1 for the phase in which the whole market is at the watermark, 0 for the others.",
)
RECORDS = Metric(
    "mm_monitor_records_total", "counter", ("kind",), "Records applied to the tape, by kind."
)
DEAD_LETTERS = Metric(
    "mm_monitor_dead_letters_total",
    "counter",
    ("reason", "maker"),
    "Records that could not be used; the maker is empty where it could not be read or is not "
    "known.",
)
DUPLICATES = Metric(
    "mm_monitor_duplicate_records_total",
    "counter",
    (),
    "Records skipped because their partition and offset had been seen.",
)
LATE = Metric(
    "mm_monitor_late_records_total",
    "counter",
    (),
    "Records behind the watermark: journalled, not applied; their windows are provisional.",
)
NO_OBLIGATION = Metric(
    "mm_monitor_no_obligation_quotes_total",
    "counter",
    (),
    "Quotes by a maker who is not appointed to the contract.",
)
WATERMARK = Metric(
    "mm_monitor_watermark_timestamp_seconds",
    "gauge",
    (),
    "Event time up to which the tape is complete and applied. No sample before the first record.",
)
WATERMARK_LAG = Metric(
    "mm_monitor_watermark_lag_seconds",
    "gauge",
    (),
    "How far the watermark is behind the clock. No sample before the first record.",
)
BUFFER = Metric(
    "mm_monitor_buffer_rows",
    "gauge",
    (),
    "Rows decoded and waiting for the watermark to pass them.",
)
APPLY_ROWS = Metric("mm_monitor_apply_rows_total", "counter", (), "Rows applied by the engine.")
APPLY = Metric(
    "mm_monitor_apply_seconds",
    "histogram",
    (),
    "Time that the engine took for one batch; its sum over the rows applied is the time for a row.",
)
SKEW = Metric(
    "mm_monitor_event_skew_seconds",
    "histogram",
    ("source",),
    "Our clock at reception less event time, by source; negative when the venue's clock is ahead.",
)
SOURCE_LAG = Metric(
    "mm_monitor_source_lag_records",
    "gauge",
    ("topic", "partition"),
    "Records of the partition that are not read yet.",
)
RAW_FETCH = Metric(
    "mm_monitor_raw_fetch",
    "gauge",
    (),
    "1 while Kafka's record batches are read as they are, 0 while the client makes an object of "
    "each record: same results, slower.",
)
WORKERS = Metric(
    "mm_monitor_workers",
    "gauge",
    (),
    "Workers that share the partitions, by this one's configuration; 1 where it reads them all.",
)
WORKER = Metric(
    "mm_monitor_worker_info",
    "gauge",
    ("worker",),
    "Always 1: which of the workers this is, from 1 on.",
)
MISPLACED = Metric(
    "mm_monitor_misplaced_classes",
    "gauge",
    (),
    "Classes heard on a partition that is not the one of their key, where several workers share the "
    "partitions: another worker judges them and hears nothing of them.",
)
LOOP_LAG = Metric(
    "mm_monitor_event_loop_lag_seconds",
    "histogram",
    (),
    "How late the event loop woke a sleeping task.",
)
TASKS = Metric(
    "mm_monitor_tasks",
    "gauge",
    (),
    "Tasks of the event loop: one for each part of the service and each request being answered.",
)
SINK_PENDING = Metric(
    "mm_monitor_sink_pending_events",
    "gauge",
    ("sink",),
    "Transitions that the sink has not delivered.",
)
SINK_LAG = Metric(
    "mm_monitor_sink_lag_seconds",
    "gauge",
    ("sink",),
    "Age of the oldest transition that the sink has not delivered; 0 when there is none.",
)
SINK_DROPPED = Metric(
    "mm_monitor_sink_dropped_events_total",
    "counter",
    ("sink",),
    "Transitions lost because the sink's outbox was full.",
)
SINK_FAILURES = Metric(
    "mm_monitor_sink_failures_total",
    "counter",
    ("sink",),
    "Failed attempts to connect or deliver, of `journal` also to close a date; each is tried again.",
)
CHECKPOINTS = Metric(
    "mm_monitor_checkpoints_total",
    "counter",
    (),
    "Checkpoints written; each is on the disk whole.",
)
CHECKPOINT_FAILURES = Metric(
    "mm_monitor_checkpoint_failures_total",
    "counter",
    (),
    "Checkpoints that could not be written; the next one is tried.",
)
CHECKPOINT_REFUSED = Metric(
    "mm_monitor_checkpoint_refused_total",
    "counter",
    ("reason",),
    "Checkpoints found at the start and not used: `damaged`, of another `schema`, made with other `settings`.",
)
CHECKPOINT_SIZE = Metric(
    "mm_monitor_checkpoint_bytes",
    "gauge",
    (),
    "Size of the last checkpoint; mostly a difference from a whole one.",
)
CHECKPOINT_SECONDS = Metric(
    "mm_monitor_checkpoint_seconds",
    "gauge",
    (),
    "Time that the last checkpoint took to pack and write, beside the tape.",
)
CHECKPOINT_AT = Metric(
    "mm_monitor_checkpoint_timestamp_seconds",
    "gauge",
    (),
    "When the state of the last checkpoint was taken. No sample before the first.",
)

_CHECKPOINTS = (
    CHECKPOINTS,
    CHECKPOINT_FAILURES,
    CHECKPOINT_REFUSED,
    CHECKPOINT_SIZE,
    CHECKPOINT_SECONDS,
    CHECKPOINT_AT,
)
ALL = (
    BUILD_INFO,
    READY,
    PHASE,
    RECORDS,
    DEAD_LETTERS,
    DUPLICATES,
    LATE,
    NO_OBLIGATION,
    WATERMARK,
    WATERMARK_LAG,
    BUFFER,
    APPLY_ROWS,
    APPLY,
    SKEW,
    SOURCE_LAG,
    RAW_FETCH,
    WORKERS,
    WORKER,
    MISPLACED,
    LOOP_LAG,
    TASKS,
    SINK_LAG,
    SINK_PENDING,
    SINK_DROPPED,
    SINK_FAILURES,
    *_CHECKPOINTS,
    *FEED_METRICS,
    *THEO_METRICS,
)


class HealthCollector(Collector):
    """Reads `context.health` and the lag of `sinks` whenever the registry is scraped."""

    def __init__(self, context: SinkContext, sinks: Callable[[], Sequence[Sink]]) -> None:
        self._context = context
        self._sinks = sinks

    def describe(self) -> list[Family]:
        """The families without samples, so that registering does not read anything."""
        return [_family(metric, ()) for metric in ALL]

    def collect(self) -> Iterator[Family]:
        """All health families as of now."""
        stats = self._context.health
        yield _family(BUILD_INFO, [((self._context.version, platform.python_version()), 1)])
        yield _family(WORKER, [((str(stats.worker[0]),), 1)])
        for metric, value in _plain(stats):
            yield _family(metric, [((), value)])
        yield from self._watermark(stats)
        yield _family(PHASE, _phases(stats))
        yield _family(RECORDS, (((kind,), n) for kind, n in stats.records.items()))
        yield _family(DEAD_LETTERS, stats.dead_letters.items())
        lags = (((topic, str(part)), n) for (topic, part), n in stats.source_lag.items())
        yield _family(SOURCE_LAG, lags)
        yield _histograms(APPLY, [((), stats.apply)])
        yield _histograms(LOOP_LAG, [((), stats.loop_lag)])
        yield _histograms(SKEW, (((source,), skew) for source, skew in stats.skew.items()))
        yield _family(TASKS, [((), len(_tasks()))])
        yield from self._sink_families(stats)
        for metric, samples in _checkpoint_samples(stats.checkpoints):
            yield _family(metric, samples)
        for metric, samples in feed_samples(stats):
            yield _family(metric, samples)
        for metric, samples in theo_samples(stats.pricer, stats.watermark):
            yield _family(metric, samples)

    def _watermark(self, stats: HealthStats) -> Iterator[Family]:
        known = stats.watermark is not None
        mark = stats.watermark or 0
        yield _family(WATERMARK, [((), mark / NS)] if known else [])
        yield _family(WATERMARK_LAG, [((), (self._context.now() - mark) / NS)] if known else [])

    def _sink_families(self, stats: HealthStats) -> Iterator[Family]:
        yield _family(SINK_LAG, (((sink.name,), sink.lag_seconds) for sink in self._sinks()))
        yield _family(SINK_PENDING, (((sink.name,), len(sink.pending)) for sink in self._sinks()))
        yield _family(SINK_DROPPED, (((name,), n) for name, n in stats.sink_dropped.items()))
        yield _family(SINK_FAILURES, (((name,), n) for name, n in stats.sink_failures.items()))


def _phases(stats: HealthStats) -> Samples:
    """A sample for each, so that one that is over says so."""
    for rulebook, now in stats.phases.items():
        for phase in Phase:
            yield (rulebook, phase.value), int(now == phase)


def _tasks() -> set[asyncio.Task[object]]:
    """Those of the running loop; none where there is no loop, as in a test that scrapes by hand."""
    try:
        return asyncio.all_tasks()
    except RuntimeError:
        return set()


def _checkpoint_samples(stats: CheckpointStats | None) -> Iterator[tuple[Metric, Samples]]:
    """None at all where the service keeps no checkpoints."""
    if stats is None:
        yield from ((metric, ()) for metric in _CHECKPOINTS)
        return
    yield CHECKPOINTS, [((), stats.written)]
    yield CHECKPOINT_FAILURES, [((), stats.failures)]
    yield CHECKPOINT_REFUSED, [((reason,), n) for reason, n in stats.refused.items()]
    taken = stats.taken_at > 0
    yield CHECKPOINT_SIZE, [((), stats.size)] if taken else []
    yield CHECKPOINT_SECONDS, [((), stats.seconds)] if taken else []
    yield CHECKPOINT_AT, [((), stats.taken_at)] if taken else []


def _plain(stats: HealthStats) -> Iterator[tuple[Metric, Number]]:
    yield READY, int(stats.ready)
    yield DUPLICATES, stats.duplicates
    yield LATE, stats.late
    yield NO_OBLIGATION, stats.no_obligation
    yield BUFFER, stats.buffer_rows
    yield APPLY_ROWS, stats.apply_rows
    yield RAW_FETCH, int(stats.raw_fetch)
    yield WORKERS, stats.worker[1]
    yield MISPLACED, stats.misplaced_classes


def _family(metric: Metric, samples: Samples) -> Family:
    if metric.type == "counter":
        counter = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, value in samples:
            counter.add_metric(labels, value)
        return counter
    if metric.type == "histogram":
        return HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    gauge = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        gauge.add_metric(labels, value)
    return gauge


def _histograms(metric: Metric, samples: Iterable[tuple[tuple[str, ...], Histogram]]) -> Family:
    made = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, histogram in samples:
        limits = [*(repr(bound / NS) for bound in histogram.bounds), "+Inf"]
        buckets = zip(limits, accumulate(histogram.counts), strict=True)
        made.add_metric(labels, buckets=list(buckets), sum_value=histogram.total / NS)
    return made
