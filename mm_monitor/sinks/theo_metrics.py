"""Where theos come from, on `/metrics`: only where the monitor computes those that its theo topic does not give.

Signals about our inputs, never verdicts: what a theo that is missing means is the rulebook's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mm_monitor.formats import NS
from mm_monitor.sinks.exposition import Metric, Number
from mm_monitor.theo.cascade import UNKNOWN
from mm_monitor.theo.pricer import Pricer

Sample = tuple[tuple[str, ...], Number]
SOURCE = ("source",)

CONTRACTS = Metric(
    "mm_monitor_theo_contracts",
    "gauge",
    SOURCE,
    "Options that are listed, by the source of the theo that stands; `unknown` is without one. These and the next "
    "are there where the monitor computes theos.",
)
AGE = Metric(
    "mm_monitor_theo_input_age_seconds",
    "gauge",
    SOURCE,
    "How far the oldest input of any theo of this source that stands is behind the watermark. No sample without one.",
)
COMPUTED = Metric(
    "mm_monitor_theo_computed_total", "counter", SOURCE, "Theos computed, by the source of the vol."
)
FALLBACKS = Metric(
    "mm_monitor_theo_fallbacks_total",
    "counter",
    SOURCE,
    "How often a contract came down to this source because what stood before was stale or gone; `unknown` is the end.",
)
DISAGREEMENTS = Metric(
    "mm_monitor_theo_disagreements_total",
    "counter",
    SOURCE,
    "Looks at which the theo of the topic differed by more than `theo.disagreement` from what this source gave.",
)
UNPRICED = Metric(
    "mm_monitor_theo_unpriced_contracts",
    "gauge",
    (),
    "Options without a strike or an expiry by which they could be priced.",
)

ALL = (CONTRACTS, AGE, COMPUTED, FALLBACKS, DISAGREEMENTS, UNPRICED)


def theo_samples(
    pricer: Pricer | None, watermark: int | None
) -> Iterator[tuple[Metric, list[Sample]]]:
    """Every family with its samples, of which there are none where nothing is computed; `watermark` in ns."""
    if pricer is None:
        yield from ((metric, []) for metric in ALL)
        return
    cascade, sources = pricer.cascade, pricer.cascade.settings.sources
    standing = cascade.standing()
    counts = {source: standing.get(source, (0, 0))[0] for source in sources}
    yield CONTRACTS, _by({**counts, UNKNOWN: cascade.listed - sum(counts.values())})
    ages = {} if watermark is None else {s: watermark - since for s, (_, since) in standing.items()}
    yield AGE, _by({source: age / NS for source, age in ages.items()})
    figures, ours = cascade.figures, sources[1:]
    yield COMPUTED, _by({source: figures.computed[source] for source in ours})
    yield FALLBACKS, _by({source: figures.fallbacks[source] for source in (*ours, UNKNOWN)})
    yield DISAGREEMENTS, _by({source: figures.disagreements[source] for source in ours})
    yield UNPRICED, [((), len(pricer.unpriced))]


def _by(values: Mapping[str, Number]) -> list[Sample]:
    return [((source,), value) for source, value in values.items()]
