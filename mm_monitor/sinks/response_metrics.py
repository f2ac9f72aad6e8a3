"""Metrics of how makers respond: re-quotes, requests for quotes, first moments; and where the day is heading.

The tables are the exporter, as in `metrics.py`. No bucket is finer than the clock's resolution (NUM-01).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mm_monitor import outlook
from mm_monitor.core.latency import CAUSES, buckets
from mm_monitor.core.view import StatusView
from mm_monitor.formats import NS
from mm_monitor.sinks.exposition import Metric, Number, family, pairs

MAKER = ("rulebook", "maker")
CLASS = (*MAKER, "class")

REQUOTE = Metric(
    "mm_monitor_requote_seconds",
    "histogram",
    CLASS,
    "Time from the theo, fill or withdrawal that made a valid quote lapse to the maker's next valid"
    " quote on the contract. Buckets are no finer than the clock.",
)
REQUOTES = Metric(
    "mm_monitor_requotes_total",
    "counter",
    (*CLASS, "cause"),
    "The same as a count, by cause: theo, fill, withdrawal.",
)
REQUESTS = Metric(
    "mm_monitor_requests_total",
    "counter",
    (*MAKER, "outcome"),
    "Requests for quotes by outcome: answered, missed, undecided. No sample without such a duty.",
)
WAITING = Metric(
    "mm_monitor_waiting_requests",
    "gauge",
    MAKER,
    "Requests for quotes that may still be answered. No sample without such a duty.",
)
ANSWER = Metric(
    "mm_monitor_request_answer_seconds",
    "histogram",
    MAKER,
    "Time from a request for quotes to its answer. Buckets are no finer than the clock.",
)
FIRST_MOMENTS = Metric(
    "mm_monitor_first_moments_ratio",
    "gauge",
    (*MAKER, "start", "first"),
    "Presence in the first so many seconds after each start of stress, or resumption. No sample "
    "while nothing was required in them.",
)
MAKER_TO_UNREACHABLE = Metric(
    "mm_monitor_maker_to_unreachable_seconds",
    "gauge",
    MAKER,
    "Time until the maker is out of reach if what is lapsed now stays lapsed. No sample if the close"
    " comes first.",
)
MAKER_FAILURE = Metric(
    "mm_monitor_maker_failure_probability",
    "gauge",
    MAKER,
    "Chance that the maker fails by the close, by a model of its own runs; decides nothing.",
)
CLASS_TO_UNREACHABLE = Metric(
    "mm_monitor_class_to_unreachable_seconds",
    "gauge",
    CLASS,
    "The same as of the maker, of the maker in the class.",
)
CLASS_FAILURE = Metric(
    "mm_monitor_class_failure_probability",
    "gauge",
    CLASS,
    "The same as of the maker, of the maker in the class.",
)
ALL = (
    REQUOTE, REQUOTES, REQUESTS, WAITING, ANSWER, FIRST_MOMENTS,
    MAKER_TO_UNREACHABLE, MAKER_FAILURE, CLASS_TO_UNREACHABLE, CLASS_FAILURE,
)  # fmt: skip


def response_families(views: Sequence[StatusView], resolution: int) -> Iterator[bytes]:
    """All of them, one family after the other; `resolution` of the clock of event time, ns."""
    yield from _requotes(views, resolution)
    yield from _requests(views, resolution)
    yield from family(FIRST_MOMENTS, _first_moments(views))
    yield from _outlooks(views)


def _requotes(views: Sequence[StatusView], resolution: int) -> Iterator[bytes]:
    rows = [
        (pairs(CLASS, (view.rulebook_id, row.maker, row.klass)), causes)
        for view in views
        for row, causes in zip(view.class_rows, view.latency.tolist(), strict=True)
    ]
    yield REQUOTE.head().encode()
    for labels, causes in rows:
        counts = [sum(column) for column in zip(*causes, strict=True)]
        yield _histogram(REQUOTE, labels, counts, resolution)
    yield from family(
        REQUOTES,
        (
            (f'{labels},cause="{cause}"', sum(counts[:-1]))
            for labels, causes in rows
            for cause, counts in zip(CAUSES, causes, strict=True)
        ),
    )


def _requests(views: Sequence[StatusView], resolution: int) -> Iterator[bytes]:
    rows = [
        (pairs(MAKER, (view.rulebook_id, row.maker)), row) for view in views for row in view.rfq
    ]
    outcomes: list[tuple[str, Number]] = []
    for labels, row in rows:
        missed = row.asked - row.answered - row.undecided - row.waiting
        for outcome, count in (
            ("answered", row.answered), ("missed", missed), ("undecided", row.undecided),
        ):  # fmt: skip
            outcomes.append((f'{labels},outcome="{outcome}"', count))
    yield from family(REQUESTS, outcomes)
    yield from family(WAITING, ((labels, row.waiting) for labels, row in rows))
    yield ANSWER.head().encode()
    for labels, row in rows:
        yield _histogram(ANSWER, labels, row.latency, resolution)


def _first_moments(views: Sequence[StatusView]) -> Iterator[tuple[str, Number]]:
    for view in views:
        for row in view.profile:
            if row.required_time:
                values = (view.rulebook_id, row.maker, row.kind, repr(row.first / NS))
                yield pairs(FIRST_MOMENTS.labels, values), row.quoted / row.required_time


def _outlooks(views: Sequence[StatusView]) -> Iterator[bytes]:
    makers: list[tuple[str, outlook.Outlook]] = []
    classes: list[tuple[str, outlook.Outlook]] = []
    for view in views:
        of_makers, of_classes = outlook.of_rows(view)
        for row, seen in zip(view.maker_rows, of_makers, strict=True):
            makers.append((pairs(MAKER, (view.rulebook_id, row.maker)), seen))
        for row, seen in zip(view.class_rows, of_classes, strict=True):
            classes.append((pairs(CLASS, (view.rulebook_id, row.maker, row.klass)), seen))
    for rows, time, chance in (
        (makers, MAKER_TO_UNREACHABLE, MAKER_FAILURE),
        (classes, CLASS_TO_UNREACHABLE, CLASS_FAILURE),
    ):
        yield from family(time, _times(rows))
        yield from family(
            chance, ((labels, s.failure) for labels, s in rows if s.failure is not None)
        )


def _times(rows: Iterable[tuple[str, outlook.Outlook]]) -> Iterator[tuple[str, Number]]:
    for labels, seen in rows:
        if seen.to_unreachable is not None:
            yield labels, seen.to_unreachable / NS


def _histogram(metric: Metric, labels: str, counts: Sequence[int], resolution: int) -> bytes:
    """Buckets grow: each counts all that took no longer than its bound."""
    lines, so_far = [], 0
    for bound, count in buckets(counts, resolution):
        so_far += count
        edge = "+Inf" if bound is None else repr(bound / NS)
        lines.append(f'{metric.name}_bucket{{{labels},le="{edge}"}} {so_far}\n')
    lines.append(f"{metric.name}_sum{{{labels}}} {counts[-1] / NS!r}\n")
    lines.append(f"{metric.name}_count{{{labels}}} {so_far}\n")
    return "".join(lines).encode()
