"""Every lapse of every obligation on a recorded day: from when to when, how long it counted, and why.

The capture is judged once more by the same rules with a permitted gap of nothing: then each lapse is a breach, found at
its own instant, with its evidence. Only these are read of that replay; its verdicts are nobody's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mm_monitor.core.breaches import BreachBook
from mm_monitor.core.evaluator import Evaluator
from mm_monitor.core.model import Breach, BreachKind, ExemptionRecord
from mm_monitor.core.reference import ALL
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.replay import Progress, Replayed, replay
from mm_monitor.sources.protocol import Delivery, Source

Span = tuple[int, int]  # [start, end) in ns


@dataclass(frozen=True, slots=True)
class Lapse:
    """A maximal time without a valid quote; ns. `counted` is the obliged time in it, the sum of `spans`."""

    maker: str
    contract: str
    klass: str
    start: int
    end: int
    counted: int
    spans: tuple[Span, ...]
    reason: str  # primary, when it began
    failed_by: str  # every test that failed then, and by how much
    cause: str
    evidence: Mapping[
        str, Any
    ]  # that of a breach: quote, theo, limit and their places; empty unless asked for


@dataclass(frozen=True, slots=True)
class Exempted:
    """An exemption that was on; `end` is None for one that nobody ended."""

    start: int
    end: int | None
    scope: str
    maker: str
    kind: str


@dataclass(frozen=True, slots=True)
class Lapses:
    """All lapses, by start, maker, contract; and the exemptions that the tape spoke of, by start."""

    lapses: Sequence[Lapse]
    exemptions: Sequence[Exempted]
    judged: Replayed  # with a permitted gap of nothing: of use for its dates and names, not for its verdicts


async def lapses_of(
    capture: Path,
    rulebook: Rulebook,
    progress: Progress | None = None,
    journal: Path | None = None,
    *,
    whole: bool = False,
) -> Lapses:
    """Read a capture, or a journal's day, for its lapses; `whole` with their evidence. InputError as `replay`."""
    heard, kept = _Exemptions(rulebook), _Kept(whole)

    def listen(source: Source) -> Source:
        heard.source = source
        return heard

    judged = await replay(
        capture,
        replace(rulebook, longest_permitted=0),
        progress=progress,
        wrap=listen,
        journal=journal,
        prepare=kept.watch,
    )
    found = sorted(_lapses(kept, heard), key=lambda one: (one.start, one.maker, one.contract))
    return Lapses(found, heard.sorted(), judged)


def _lapses(kept: _Kept, heard: _Exemptions) -> Iterator[Lapse]:
    for breach, spans in kept.found.values():
        left = list(spans)
        for hole in heard.excluded(breach):
            left = [piece for span in left for piece in _without(span, hole)]
        counted = sum(end - start for start, end in left)
        if not counted:
            continue
        evidence: Mapping[str, Any] = breach.evidence
        failed = ", ".join(f"{k} by {v}" if v else k for k, v in evidence["failed_by"].items())
        cause = evidence.get("cause") or {}
        yield Lapse(
            breach.maker, breach.contract, breach.klass, breach.start, breach.end or breach.start,
            counted, tuple(left), breach.reason, failed, str(cause.get("kind", "")),
            evidence if kept.whole else {},
        )  # fmt: skip


def _without(span: Span, hole: Span) -> Iterator[Span]:
    """What is left of `span` where `hole` is taken out of it."""
    if hole[0] > span[0]:
        yield span[0], min(span[1], hole[0])
    if hole[1] < span[1]:
        yield max(span[0], hole[1]), span[1]


@dataclass(slots=True)
class _Kept:
    """Closed lapses by breach id, each with the obliged time in it by the clock of its contract."""

    whole: bool  # with all their evidence, or with what a report tells of it
    found: dict[str, tuple[Breach, tuple[Span, ...]]] = field(default_factory=dict)

    def watch(self, evaluator: Evaluator) -> None:
        """Keep what this evaluator finds."""
        book = evaluator.breaches
        evaluator.breaches = _LapseBook(book.rulebook, book.version, keep=self, judge=evaluator)


@dataclass(slots=True)
class _LapseBook(BreachBook):
    """A book that keeps lapses and nothing else. `keep` and `judge` are always given."""

    keep: _Kept = field(default_factory=lambda: _Kept(whole=False))
    judge: Evaluator | None = None

    def open(
        self, kind: str, maker: str, contract: str, klass: str, start: int, reason: str,
        evidence: Mapping[str, object], noticed_at: int,
    ) -> Breach:  # fmt: skip
        """As `BreachBook.open`, with as much of the evidence as is wanted."""
        told = evidence if self.keep.whole else {
            name: evidence[name] for name in ("failed_by", "cause") if name in evidence
        }  # fmt: skip
        args = (kind, maker, contract, klass, start, reason, told, noticed_at)
        breach = BreachBook.open(self, *args)
        self.events.clear()
        return breach

    def close(self, kind: str, maker: str, contract: str, end: int, noticed_at: int) -> None:
        """As `BreachBook.close`."""
        key = self.open_by_subject.get((kind, maker, contract))
        BreachBook.close(self, kind, maker, contract, end, noticed_at)
        if kind == BreachKind.LAPSE and key and self.found[key].end is not None:
            breach = self.found[key]
            assert self.judge is not None
            spans = tuple(_running(self.judge, contract, breach.start, end))
            self.keep.found[key] = (breach, spans)
        self.events.clear()


def _running(evaluator: Evaluator, contract: str, start: int, end: int) -> Iterator[Span]:
    """Within [start, end): when the contract's net clock ran."""
    index = evaluator.reference.contract_index[contract]
    history = evaluator.accruals.histories[index]
    stands = int(evaluator.accruals.cons["n_val"][index])
    runs = bool(evaluator.accruals.cons["n_run"][index])
    first = max(bisect_right(history, start, key=lambda entry: entry[0]) - 1, 0)
    for i in range(first, len(history)):
        t, n = history[i]
        last = i + 1 == len(history)
        ran = end if last and runs else t + ((stands if last else history[i + 1][1]) - n)
        piece = max(t, start), min(ran, end)
        if t >= end:
            return
        if piece[0] < piece[1]:
            yield piece


class _Exemptions:
    """The source, and the exemptions that pass by: a maker's own `exclude` is no part of its lapses (PRES-07)."""

    source: Source

    def __init__(self, rulebook: Rulebook) -> None:
        self._meanings = rulebook.exemptions
        self._records: list[ExemptionRecord] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    async def poll(self) -> Sequence[Delivery]:
        """The next deliveries of the source."""
        deliveries = await self.source.poll()
        for delivery in deliveries:
            controls = delivery.decoded.controls
            self._records += [c for c in controls if isinstance(c, ExemptionRecord)]
        return deliveries

    def sorted(self) -> list[Exempted]:
        """What was on, by start; kinds that the rulebook does not name mean nothing to it and are left out."""
        on: dict[tuple[str, str, str], int] = {}
        found = []
        for record in sorted(self._records, key=lambda r: r.ts):
            key = (record.scope, record.maker, record.kind)
            if record.kind not in self._meanings or (record.action == "start") == (key in on):
                continue
            if record.action == "start":
                on[key] = record.ts
            elif on[key] < record.ts:
                found.append(Exempted(on.pop(key), record.ts, *key))
            else:
                del on[key]
        found += [Exempted(start, None, *key) for key, start in on.items()]
        return sorted(found, key=lambda e: (e.start, e.scope, e.maker, e.kind))

    def excluded(self, breach: Breach) -> Iterator[Span]:
        """When the maker of a breach was excluded for itself; for all makers the contract's clock stands."""
        for one in self.sorted():
            mine = one.maker == breach.maker and one.maker != ALL
            here = one.scope in (ALL, breach.klass, breach.contract)
            if mine and here and self._meanings[one.kind].effect == "exclude":
                yield one.start, one.end if one.end is not None else 2**63 - 1
