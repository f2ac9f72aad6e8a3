"""RESP-01 to RESP-03 of makers: how fast they quote again, answer requests, and are there after a start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mm_monitor.core.latency import CAUSES, P50, P99, buckets, percentile
from mm_monitor.formats import ratio_text
from mm_monitor.kernels.layout import LATENCIES
from mm_monitor.reports.sections.period import Period

_KINDS = ("resumption", "stress")


def _zeros() -> list[int]:
    return [0] * LATENCIES


@dataclass(slots=True)
class _Maker:
    """Sums over the dates."""

    asked: int = 0
    answered: int = 0
    undecided: int = 0
    rfq: list[int] = field(default_factory=_zeros)
    requotes: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(_zeros))
    profile: dict[tuple[str, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0])
    )


def section(period: Period) -> dict[str, dict[str, object]]:
    """By maker."""
    found: dict[str, _Maker] = defaultdict(_Maker)
    for view in period.days:
        for name in view.makers:
            found[name]
        for row, causes in zip(view.class_rows, view.latency.tolist(), strict=True):
            for cause, counts in zip(CAUSES, causes, strict=True):
                _add(found[row.maker].requotes[row.klass, cause], counts)
        for rfq in view.rfq:
            mine = found[rfq.maker]
            mine.asked += rfq.asked
            mine.answered += rfq.answered
            mine.undecided += rfq.undecided
            _add(mine.rfq, rfq.latency)
        for p in view.profile:
            numbers = (p.starts, p.quoted, p.required_time, p.unknown)
            _add(found[p.maker].profile[p.kind, p.first], numbers)
    return {name: _plain(sums, period.resolution) for name, sums in found.items()}


def _add(sums: list[int], numbers: Sequence[int]) -> None:
    for i, number in enumerate(numbers):
        sums[i] += number


def _plain(sums: _Maker, resolution: int) -> dict[str, object]:
    everything = _zeros()
    for counts in sums.requotes.values():
        _add(everything, counts)
    return {
        "rfq": {
            "asked": sums.asked, "answered": sums.answered, "undecided": sums.undecided,
            "latency": _histogram(sums.rfq, resolution),
        },
        "requote": _histogram(everything, resolution),
        "requote_by_class": [
            {"class": klass, "cause": cause, **_histogram(counts, resolution)}
            for (klass, cause), counts in sorted(sums.requotes.items())
            if any(counts)
        ],
        "profile": {kind: _profile(sums, kind) for kind in _KINDS},
    }  # fmt: skip


def _histogram(counts: Sequence[int], resolution: int) -> dict[str, object]:
    """Buckets with something in them by their bound in ns, both ends in; the sum; percentiles as bounds."""
    filled = [(bound, count) for bound, count in buckets(counts, resolution) if count]
    return {
        "buckets": {"inf" if bound is None else str(bound): count for bound, count in filled},
        "count": sum(counts[:-1]),
        "sum_ns": counts[-1],
        "p50_ns": percentile(counts, P50, resolution),
        "p99_ns": percentile(counts, P99, resolution),
    }


def _profile(sums: _Maker, kind: str) -> list[dict[str, object]]:
    return [
        {
            "first_ns": first, "starts": starts, "quoted_ns": quoted, "required_ns": required,
            "unknown_ns": unknown, "presence": ratio_text(Fraction(quoted, required) if required else None),
        }
        for (name, first), (starts, quoted, required, unknown) in sorted(sums.profile.items())
        if name == kind
    ]  # fmt: skip
