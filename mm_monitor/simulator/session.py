"""A scenario played out: batches of rows in time order, and the edges that make the truth.

The rows do not depend on how the session is cut into windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mm_monitor.simulator.book import ClassBook, Edges, Mask
from mm_monitor.simulator.rows import QUOTE, THEO, Rows
from mm_monitor.simulator.scenario import ALL, SECOND, FeedOutage, Scenario
from mm_monitor.simulator.timeline import Event, What, timeline


@dataclass(frozen=True, slots=True)
class Control:
    """A control record: phase, exemption or feed; `fields` are its columns after ts_event."""

    ts: int
    record: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """What was sent in [start, end): each array in tape order."""

    start: int
    end: int
    quotes: Rows
    theos: Rows
    controls: list[Control] = field(default_factory=list)


def controls(scenario: Scenario) -> list[Control]:
    """Every control record of the session, in tape order."""
    found = [
        (ts, 0, Control(ts, "phase", {"scope": s, "phase": p})) for ts, s, p in scenario.phases
    ]
    for ex in scenario.exemptions:
        names = {"scope": ex.scope, "maker": ex.maker, "kind": ex.kind}
        found.append((ex.start, 1, Control(ex.start, "exemption", {**names, "action": "start"})))
        found.append((ex.end, 1, Control(ex.end, "exemption", {**names, "action": "end"})))
    for outage in scenario.feed_outages:
        names = {"scope": outage.scope, "maker": outage.maker}
        for ts, status in zip(outage[2:], ("down", "up", "synced"), strict=True):
            if ts is not None:
                found.append((ts, 2, Control(ts, "feed", {**names, "status": status})))
    return [control for _, _, control in sorted(found, key=lambda item: item[:2])]


class Session:
    """Plays a scenario once. After `batches` is exhausted, `edges` and `counts` are complete."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.finished = False  # played to its end
        self.counts: Counter[str] = Counter()  # quotes, theos, controls
        self.poison: Counter[str] = Counter()  # bad quotes by the reason to refuse them for
        self._books = [ClassBook(scenario, klass) for klass in range(len(scenario.classes))]
        self._quotes: list[Rows] = []
        self._theos: list[Rows] = []

    @property
    def edges(self) -> list[Edges]:
        """Changes of state so far; in time order for each slot."""
        return [edge for book in self._books for edge in book.edges]

    @property
    def default_window_ns(self) -> int:
        """A window that holds about 2 500 records."""
        return max(1, 2_500 * SECOND // self.scenario.records_per_second)

    def batches(self, window_ns: int | None = None) -> Iterator[Batch]:
        """The session in windows of `window_ns` of session time; empty windows are left out."""
        window = window_ns or self.default_window_ns
        waiting = controls(self.scenario)
        start = min(self.scenario.first_instant, waiting[0].ts)
        events = timeline(self.scenario)
        event = next(events, None)
        while event is not None or waiting:
            head = min(
                event.ts if event else self.scenario.end, waiting[0].ts if waiting else 2**63
            )
            start += (head - start) // window * window
            end = start + window
            while event is not None and event.ts < end:
                self._play(event)
                event = next(events, None)
            ready = [control for control in waiting if control.ts < end]
            del waiting[: len(ready)]
            yield self._collect(start, end, ready)
            start = end
        self.finished = True

    def _collect(self, start: int, end: int, ready: list[Control]) -> Batch:
        quotes = np.concatenate([np.empty(0, dtype=QUOTE), *self._quotes])
        theos = np.concatenate([np.empty(0, dtype=THEO), *self._theos])
        self._quotes, self._theos = [], []
        self.counts.update(quotes=len(quotes), theos=len(theos), controls=len(ready))
        return Batch(start, end, quotes, theos, ready)

    def _play(self, event: Event) -> None:
        """Let the event happen in its book; feed events go to every book they touch."""
        ts, book = event.ts, self._books[event.klass]
        match event.what:
            case What.MOVE | What.CLOSE:
                move = book.move if event.what is What.MOVE else book.close
                theos, quotes = move(ts)
                self._theos.append(theos)
                self._quotes.append(quotes)
            case What.THEO_GONE:
                self._theos.append(book.theo_gone(ts, event.arg))
            case What.THEO_BACK:
                self._theos.append(book.theo_back(ts, event.arg))
            case What.STEP:
                self._quotes.append(book.step(ts, event.maker, event.part, event.arg))
            case What.REACT:
                self._quotes.append(book.react(ts, event.maker))
            case What.SNAPSHOT:
                self._quotes.append(book.snapshot(ts, self._restated(event)))
            case What.POISON:
                quotes, reason = book.poison(ts, event.maker, event.arg)
                self._quotes.append(quotes)
                self.poison[reason] += 1
            case _:
                self._feed(event)

    def _restated(self, event: Event) -> Mask:
        outage = self.scenario.feed_outages[event.arg]
        book = self._books[event.klass]
        return book.part(event.maker, event.part) & self._cells(event.klass, outage)

    def _feed(self, event: Event) -> None:
        outage = self.scenario.feed_outages[event.arg]
        for klass, book in enumerate(self._books):
            cells = self._cells(klass, outage)
            match event.what:
                case What.FEED_DOWN:
                    book.feed_down(event.ts, cells)
                case What.FEED_UP:
                    book.feed_up(event.ts, cells)
                case _:
                    book.feed_synced(event.ts, cells)

    def _cells(self, klass: int, outage: FeedOutage) -> Mask:
        """The cells of class number `klass` that an outage is about."""
        name = self.scenario.classes[klass].name
        contracts = [c for c in self.scenario.contracts if c.klass == name]
        of_contract = np.array([outage.scope in (ALL, name, c.name) for c in contracts])
        of_maker = np.array([outage.maker in (ALL, maker.name) for maker in self.scenario.makers])
        cells: Mask = np.logical_and.outer(of_maker, of_contract).reshape(-1)
        return cells
