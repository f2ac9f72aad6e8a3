"""Looking at the engine: the picture as of an instant, the snapshot, and what a scrape of /metrics costs."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.day import CONTRACTS, MAKERS, make_day, warm_engine
from benchmarks.measure import Row, ns_each, repeat
from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.core.engine import Engine
from mm_monitor.core.snapshot import restore, snapshot
from mm_monitor.rulebooks.loader import load
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.prometheus import PrometheusConfig, PrometheusSink
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.protocol import Delivery

TITLE = f"views: ms (least, median of runs), {MAKERS} makers x {CONTRACTS} contracts"
RUNS = 20


def run() -> list[Row]:
    """at(), publish and render, snapshot and restore."""
    engine = _traded()
    later = iter(range(1, 1_000_000))
    rows = [_measure("at", lambda: engine.at(engine.position + next(later)))]
    for what, config in (
        ("always-on", PrometheusConfig()),
        ("2 000 obligations", PrometheusConfig(contracts_allow=("*",))),
    ):
        sink = PrometheusSink(config, SinkContext())
        sink.publish(engine.at(engine.position), [])
        rows.append(_measure(f"/metrics, {what}", sink.render))
    data = snapshot(engine)
    rows.append(_measure("snapshot", lambda: snapshot(engine)))
    rows.append(_measure("restore", lambda: restore(data, [load("szse-2025")], {})))
    return rows


def _traded() -> Engine:
    engine, merge, codec = warm_engine(), Merge(), PackedCodec()
    for chunks in make_day(200_000, 0.01, "session", 100_000).rounds:
        for chunk in chunks:
            decoded = codec.decode(chunk, engine.reference)
            merge.push(Delivery(chunk.part, decoded, len(chunk.records)))
    engine.apply(merge.release(AFTER_ALL))
    return engine


def _measure(what: str, work: Callable[[], object]) -> Row:
    least, median = ns_each(repeat(work, RUNS), 1)
    return {"what": what, "ms": round(least / 1e6, 2), "ms med": round(median / 1e6, 2)}
