"""Which trading dates a live tape needs next: their timetables are pushed as event time comes near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mm_monitor.core.model import Control
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.core.timetable import TIMETABLE_PART, decoded, trading_day
from mm_monitor.sources.protocol import Delivery


class Agenda:
    """The calendars of all rulebooks; `phases` says whether they also speak for `*`."""

    def __init__(self, rulebooks: Sequence[Rulebook], *, phases: bool) -> None:
        self.phases = phases
        self._schedules = {book.id: Schedule(book.calendar) for book in rulebooks if book.calendar}
        self._last: dict[str, str] = {}  # rulebook -> last trading date pushed
        self._offset = 0

    def begins(self, now: int) -> int | None:
        """When the trading dates of `now` begin, the earliest of all calendars; None without calendars."""
        starts = [s.roll_over(s.trading_date(now)) for s in self._schedules.values()]
        return min(starts, default=None)

    def date(self, now: int) -> str:
        """The trading date of `now` by the first calendar, "" without one."""
        for schedule in self._schedules.values():
            return schedule.trading_date(now)
        return ""

    def state(self) -> dict[str, Any]:
        """What has been pushed, for a checkpoint."""
        return {"last": dict(self._last), "offset": self._offset}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self._last, self._offset = dict(state["last"]), state["offset"]

    def missed(self, now: int) -> list[Delivery]:
        """After a restart: timetables of the dates since the last one pushed, and those that are due at `now`."""
        records: list[Control] = []
        for rulebook, last in list(self._last.items()):
            schedule = self._schedules[rulebook]
            while (following := schedule.next_trading_date(last)) <= schedule.trading_date(now):
                records += trading_day(schedule, following, rulebook, phases=self.phases)
                self._last[rulebook] = last = following
        return [*self._delivery(records), *self.due(now)]

    def due(self, watermark: int) -> list[Delivery]:
        """Timetables that the tape needs: of the date of `watermark`, and of the trading date after it."""
        records: list[Control] = []
        for rulebook, schedule in self._schedules.items():
            records += self._of(rulebook, schedule, schedule.trading_date(watermark))
        return self._delivery(records)

    def _delivery(self, records: list[Control]) -> list[Delivery]:
        if not records:
            return []
        delivery = Delivery(TIMETABLE_PART, decoded(records, self._offset), 0)
        self._offset += len(records)
        return [delivery]

    def _of(self, rulebook: str, schedule: Schedule, today: str) -> list[Control]:
        records: list[Control] = []
        if rulebook not in self._last:
            records += trading_day(schedule, today, rulebook, phases=self.phases)
            self._last[rulebook] = today
        following = schedule.next_trading_date(today)
        if following > self._last[rulebook]:
            records += trading_day(schedule, following, rulebook, phases=self.phases)
            self._last[rulebook] = following
        return records
