"""`/metrics`: the newest views and our own health as Prometheus text, read at scrape time.

Nothing is accumulated here, so no series outlives its subject. The many series are written by hand
in chunks that a server can send one by one without holding up the event loop; health goes through
prometheus_client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest

from mm_monitor.core.model import REASONS, BreachEvent, BreachKind
from mm_monitor.core.own import own_view
from mm_monitor.core.view import ObligationColumns, PresenceRow, StatusView
from mm_monitor.errors import ConfigError
from mm_monitor.formats import NS
from mm_monitor.sinks import metrics
from mm_monitor.sinks.conduct_metrics import conduct_families
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.exposition import CHUNK, Number, escape, family, pairs
from mm_monitor.sinks.health_metrics import HealthCollector
from mm_monitor.sinks.protocol import Sink
from mm_monitor.sinks.response_metrics import response_families
from mm_monitor.sinks.signal_metrics import signal_families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_MATCHES = (
    500  # obligations whose names are matched at once, with patterns enough a millisecond's work
)

Rows = Sequence[tuple[str, PresenceRow]]  # labels without braces, row


@dataclass(frozen=True, slots=True)
class PrometheusConfig:
    """Which obligations get series of their own; without `contracts_allow` none does.

    A pattern is a shell glob on the contract, or on `maker/contract` when it has a slash.
    """

    contracts_allow: tuple[str, ...] = ()
    contracts_deny: tuple[str, ...] = ()
    contracts_cap: int = 10_000  # obligations for each rulebook, the first by maker and contract
    clock_resolution: int = 1  # ns, of event time

    def __post_init__(self) -> None:
        if self.contracts_cap < 0:
            raise ConfigError("metrics.contracts_cap", "0 or more", self.contracts_cap)

    def wants(self, maker: str, contract: str) -> bool:
        """Is this obligation asked for (the cap aside)?"""
        is_denied = _matches(self.contracts_deny, maker, contract)
        return not is_denied and _matches(self.contracts_allow, maker, contract)


@dataclass(frozen=True, slots=True)
class _Selection:
    """The exported obligations of a view; it serves later views of the same obligations too."""

    makers: Sequence[str]
    contracts: Sequence[str]
    maker: NDArray[np.int32]
    contract: NDArray[np.int32]
    index: NDArray[np.intp]  # into the obligations
    labels: list[str]
    holes: frozenset[str]  # contracts
    dropped: int

    def fits(self, view: StatusView) -> bool:
        columns = view.obligations
        return (
            self.makers == view.makers
            and self.contracts == view.contracts
            and np.array_equal(self.maker, columns.maker)
            and np.array_equal(self.contract, columns.contract)
        )


class PrometheusSink:
    """A sink that keeps the newest views until somebody scrapes. Its lag is always 0."""

    name = "prometheus"

    def __init__(self, config: PrometheusConfig, context: SinkContext) -> None:
        self._config = config
        self._views: Sequence[StatusView] = ()
        self._signals = context.signals
        self._sinks: Sequence[Sink] = ()
        self._selections: dict[str, _Selection] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(HealthCollector(context, lambda: self._sinks))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def watch(self, sinks: Sequence[Sink]) -> None:
        """Export the lag of these sinks."""
        self._sinks = sinks

    async def start(self) -> None:
        """Nothing to start: others come and read."""

    def publish(self, views: Sequence[StatusView], events: Sequence[BreachEvent]) -> None:
        """Keep the newest views; transitions show in them."""
        self._views = views

    async def stop(self) -> None:
        """Nothing to release."""

    @property
    def pending(self) -> Sequence[BreachEvent]:
        """Nothing: what it tells is read from the picture."""
        return ()

    @property
    def lag_seconds(self) -> float:
        """Always 0: what is published can be scraped at once."""
        return 0.0

    def chunks(self, maker: str = "") -> Iterator[bytes]:
        """The exposition in chunks of about a millisecond's work, all from the same views; some are empty.

        Of one `maker` it has nothing of others, and nothing of our own health.
        """
        views = sorted(self._views, key=lambda view: view.rulebook_id)
        told = [one for one in self._signals.told() if maker in ("", one.maker)]
        if maker:
            views = [own_view(view, maker) for view in views]
        else:
            yield generate_latest(self.registry)
        yield from _rulebook_families(views)
        yield from _maker_families(views)
        yield from _class_families(views)
        yield from response_families(views, self._config.clock_resolution)
        yield from conduct_families(views)
        yield from signal_families(told)
        yield from self._contract_families(views, remember=not maker)

    def render(self) -> bytes:
        """The whole exposition, format `CONTENT_TYPE`."""
        return b"".join(self.chunks())

    def _contract_families(self, views: Sequence[StatusView], *, remember: bool) -> Iterator[bytes]:
        chosen = []
        for view in views:
            chosen.append((view, (yield from self._select(view))))
        if remember:
            self._selections = {view.rulebook_id: selection for view, selection in chosen}
        for entry in metrics.CONTRACT_METRICS:
            samples = (
                sample
                for view, selection in chosen
                for sample in _contract_samples(entry, view, selection)
            )
            yield from family(entry.metric, samples)
        yield from family(metrics.MARKET_HOLE, _hole_samples(chosen))
        for metric, count in (
            (metrics.EXPORTED, lambda selection: len(selection.labels)),
            (metrics.DROPPED, lambda selection: selection.dropped),
        ):
            yield from family(metric, [(_rulebook(view), count(s)) for view, s in chosen])

    def _select(self, view: StatusView) -> Generator[bytes, None, _Selection]:
        known = self._selections.get(view.rulebook_id)
        if known is not None and known.fits(view):
            return known
        return (yield from _select(self._config, view))


def _matches(patterns: Iterable[str], maker: str, contract: str) -> bool:
    return any(
        fnmatchcase(f"{maker}/{contract}" if "/" in pattern else contract, pattern)
        for pattern in patterns
    )


def _rulebook(view: StatusView) -> str:
    return pairs(metrics.RULEBOOK, (view.rulebook_id,))


def _rulebook_families(views: Sequence[StatusView]) -> Iterator[bytes]:
    info = metrics.RULEBOOK_INFO
    rows = [
        (view.rulebook_id, str(view.rulebook_version), view.rulebook_sha256, view.judged_by)
        for view in views
    ]
    yield from family(info, [(pairs(info.labels, row), 1) for row in rows])
    for entry in metrics.VIEW_METRICS:
        samples = ((_rulebook(view), entry.value(view)) for view in views)
        yield from family(entry.metric, _defined(samples))


def _maker_families(views: Sequence[StatusView]) -> Iterator[bytes]:
    rows = [
        (pairs(metrics.MAKER, (view.rulebook_id, row.maker)), row)
        for view in views
        for row in view.maker_rows
    ]
    for entry in metrics.MAKER_METRICS:
        yield from _row_family(entry, rows)
    yield from family(metrics.MAKER_VERDICT, _verdict_samples(rows))
    for metric, only_open in ((metrics.BREACHES, False), (metrics.OPEN_BREACHES, True)):
        samples = (sample for view in views for sample in _breach_samples(view, only_open))
        yield from family(metric, samples)


def _class_families(views: Sequence[StatusView]) -> Iterator[bytes]:
    rows = [
        (pairs(metrics.CLASS, (view.rulebook_id, row.maker, row.klass)), row)
        for view in views
        for row in view.class_rows
    ]
    for entry in metrics.CLASS_METRICS:
        yield from _row_family(entry, rows)
    yield from family(metrics.CLASS_VERDICT, _verdict_samples(rows))
    samples = (sample for view in views for sample in _reason_samples(view))
    yield from family(metrics.LAPSED_BY_REASON, samples)


def _row_family(entry: metrics.RowMetric, rows: Rows) -> Iterator[bytes]:
    return family(entry.metric, _defined((labels, entry.value(row)) for labels, row in rows))


def _defined(samples: Iterable[tuple[str, Number | None]]) -> Iterator[tuple[str, Number]]:
    return ((labels, value) for labels, value in samples if value is not None)


def _verdict_samples(rows: Rows) -> Iterator[tuple[str, Number]]:
    for labels, row in rows:
        for verdict in metrics.VERDICTS:
            yield f'{labels},verdict="{verdict}"', int(row.verdict == verdict)


def _breach_samples(view: StatusView, only_open: bool) -> Iterator[tuple[str, Number]]:
    """One sample for each maker and kind, 0 included: an alert can then see the first one."""
    counts = Counter(
        (breach.maker, breach.kind)
        for breach in view.breaches
        if breach.end is None or not only_open
    )
    subjects = [(row.maker, kind) for row in view.maker_rows for kind in BreachKind]
    subjects = [pair for pair in subjects if pair[1] != BreachKind.MARKET_HOLE]
    for maker, kind in [*subjects, ("", BreachKind.MARKET_HOLE)]:  # a hole is no maker's own
        labels = pairs((*metrics.MAKER, "kind"), (view.rulebook_id, maker, kind.value))
        yield labels, counts[maker, kind.value]


def _reason_samples(view: StatusView) -> Iterator[tuple[str, Number]]:
    sums = _lapsed_by_reason(view)
    none = [0] * len(REASONS)
    for row in view.class_rows:
        labels = pairs(metrics.CLASS, (view.rulebook_id, row.maker, row.klass))
        for reason, ns in zip(REASONS, sums.get((row.maker, row.klass), none), strict=True):
            yield f'{labels},reason="{reason}"', ns / NS


def _lapsed_by_reason(view: StatusView) -> dict[tuple[str, str], list[int]]:
    """(maker, class) -> ns lapsed by reason, exact: int64 sums over the sorted obligations."""
    columns = view.obligations
    if len(columns.maker) == 0:
        return {}
    width = len(view.classes)
    keys = columns.maker.astype(np.int64) * width + columns.klass
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sums = np.add.reduceat(columns.lapsed_by_reason[order], starts, axis=0)
    groups = ordered[starts].tolist()
    return {
        (view.makers[key // width], view.classes[key % width]): row
        for key, row in zip(groups, sums.tolist(), strict=True)
    }


def _select(config: PrometheusConfig, view: StatusView) -> Generator[bytes, None, _Selection]:
    """Names are matched and labels made bit by bit: an empty chunk after each lets others run."""
    columns = view.obligations
    makers, contracts, classes = view.makers, view.contracts, view.classes
    wanted = np.zeros(len(columns.maker) if config.contracts_allow else 0, dtype=np.bool_)
    for at in range(0, len(wanted), _MATCHES):
        here = slice(at, at + _MATCHES)
        both = zip(columns.maker[here].tolist(), columns.contract[here].tolist(), strict=True)
        wanted[here] = [config.wants(makers[m], contracts[c]) for m, c in both]
        yield b""
    index = np.flatnonzero(wanted)
    kept = index[: config.contracts_cap]
    labels: list[str] = []
    texts = [[escape(name) for name in part] for part in (makers, classes, contracts)]
    for at in range(0, len(kept), CHUNK):
        labels += _labels(_rulebook(view), texts, columns, kept[at : at + CHUNK])
        yield b""
    return _Selection(
        makers=makers,
        contracts=contracts,
        maker=columns.maker,
        contract=columns.contract,
        index=kept,
        labels=labels,
        holes=frozenset(contracts[c] for c in np.unique(columns.contract[kept]).tolist()),
        dropped=len(index) - len(kept),
    )


def _labels(
    start: str, texts: list[list[str]], columns: ObligationColumns, which: NDArray[np.intp]
) -> list[str]:
    names = (columns.maker[which], columns.klass[which], columns.contract[which])
    return [
        f'{start},maker="{texts[0][m]}",class="{texts[1][k]}",contract="{texts[2][c]}"'
        for m, k, c in zip(*(part.tolist() for part in names), strict=True)
    ]


def _contract_samples(
    entry: metrics.ColumnMetric, view: StatusView, selection: _Selection
) -> Iterator[tuple[str, Number]]:
    values = entry.values(view.obligations)[selection.index].tolist()
    return zip(selection.labels, values, strict=True)


def _hole_samples(chosen: Iterable[tuple[StatusView, _Selection]]) -> Iterator[tuple[str, Number]]:
    for view, selection in chosen:
        for contract, ns in view.market_hole:
            if contract in selection.holes:
                yield pairs(metrics.MARKET_HOLE.labels, (view.rulebook_id, contract)), ns / NS
