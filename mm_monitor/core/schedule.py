"""A calendar as instants: which trading date an instant belongs to, and when it is in which phase.

Trading dates follow each other without gap or overlap: date D is the instants t with
`roll_over(D) <= t < roll_over(the day after D)`. All instants are ns since the epoch, half-open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from mm_monitor.core.model import Phase
from mm_monitor.core.rulebook import Calendar, PhaseAt

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_FARTHEST = 3660  # days to look for a trading date: ten years, far beyond any holiday

PhaseChange = tuple[int, str]  # instant, the phase that begins


class Schedule:
    """The trading dates of one calendar. Dates are ISO text; answers are remembered.

    A local time that exists twice means its first instant; one that does not exist means the
    instant at which the clocks, had they not been changed, would have shown it.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._zone = ZoneInfo(calendar.timezone)
        self._phases: dict[date, tuple[PhaseChange, ...]] = {}
        self._rolls: dict[date, int] = {}
        self._following: dict[str, str] = {}
        self._latest = (0, 0, "")  # begin and end of the date that was asked for last

    def is_trading_date(self, day: str) -> bool:
        """Is there trading: a listed weekday that is no holiday, or a special day?"""
        return self._trades(date.fromisoformat(day))

    def trading_date(self, t: int) -> str:
        """The date that instant `t` belongs to.

        Without night sessions it is the local calendar date, trading or not. Where a date begins
        on the eve, all that follows the last phase of the trading date before belongs to it.
        """
        if not self._latest[0] <= t < self._latest[1]:
            day = datetime.fromtimestamp(t // NS, tz=self._zone).date()
            while t >= self._roll_over(day + _DAY):
                day += _DAY
            while t < self._roll_over(day):
                day -= _DAY
            self._latest = self._roll_over(day), self._roll_over(day + _DAY), day.isoformat()
        return self._latest[2]

    def roll_over(self, day: str) -> int:
        """Instant at which a date begins.

        A trading date begins at the local midnight before its first phase, or when the last phase
        of the trading date before it begins, if that is later: with a night session at 21:00 on
        the eve, at the close of the eve's own session. A date without trading that would begin
        after its successor is empty and begins with it.
        """
        return self._roll_over(date.fromisoformat(day))

    def phases(self, day: str) -> Sequence[PhaseChange]:
        """Changes of phase of a trading date in order; none on a date without trading."""
        return self._phases_of(date.fromisoformat(day))

    def period(self, day: str) -> tuple[int, int] | None:
        """From the first to the last change of phase, or None on a date without trading."""
        changes = self.phases(day)
        return (changes[0][0], changes[-1][0]) if changes else None

    def next_trading_date(self, day: str) -> str:
        """The first trading date after `day`. Raises ValueError if none comes within ten years."""
        if day not in self._following:
            self._following[day] = self._neighbour(date.fromisoformat(day), _DAY).isoformat()
        return self._following[day]

    def previous_trading_date(self, day: str) -> str:
        """The last trading date before `day`. Raises ValueError if there is none in ten years."""
        return self._neighbour(date.fromisoformat(day), -_DAY).isoformat()

    def continuous_intervals(self, day: str) -> list[tuple[int, int]]:
        """The intervals [start, end) of continuous trading of a date, in order."""
        changes = self.phases(day)
        return [
            (start, end)
            for (start, phase), (end, _) in pairwise(changes)
            if phase == Phase.CONTINUOUS and start < end
        ]

    def remaining(self, day: str, t: int) -> int:
        """Nanoseconds of continuous trading that a date still has from `t` on (R of PRES-04)."""
        return sum(max(0, end - max(start, t)) for start, end in self.continuous_intervals(day))

    def wall(self, day: str, phase: PhaseAt) -> datetime:
        """The local time, with zone and `fold` 0, at which a phase of trading date `day` begins.

        `phase.day` counts trading dates: -1 is the eve's own trading date, so that on a Monday
        the night session is Friday's.
        """
        return self._wall(date.fromisoformat(day), phase)

    def _trades(self, day: date) -> bool:
        calendar, iso = self.calendar, day.isoformat()
        regular = day.weekday() in calendar.days and iso not in calendar.holidays
        return regular or iso in calendar.special

    def _neighbour(self, day: date, step: timedelta) -> date:
        for n in range(1, _FARTHEST + 1):
            if self._trades(day + n * step):
                return day + n * step
        raise ValueError(f"the calendar has no trading date within ten years of {day}")

    def _wall(self, day: date, phase: PhaseAt) -> datetime:
        for _ in range(abs(phase.day)):
            day = self._neighbour(day, _DAY if phase.day > 0 else -_DAY)
        return self._midnight(day) + timedelta(seconds=phase.at)  # aware: arithmetic of wall time

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone)

    def _phases_of(self, day: date) -> tuple[PhaseChange, ...]:
        if day not in self._phases:
            self._phases[day] = self._changes(day) if self._trades(day) else ()
        return self._phases[day]

    def _changes(self, day: date) -> tuple[PhaseChange, ...]:
        phases = self.calendar.special.get(day.isoformat(), self.calendar.phases)
        changes = [(_instant(self._wall(day, phase)), str(phase.phase)) for phase in phases]
        return tuple(sorted(changes, key=lambda change: change[0]))

    def _roll_over(self, day: date) -> int:
        if day not in self._rolls:
            self._rolls[day] = self._begin(day)
        return self._rolls[day]

    def _begin(self, day: date) -> int:
        changes = self._phases_of(day)
        closed = self._phases_of(self._neighbour(day, -_DAY))[-1][0]
        if not changes:
            begin = max(_instant(self._midnight(day)), closed)
            return min(begin, self._roll_over(self._neighbour(day, _DAY)))
        first = datetime.fromtimestamp(changes[0][0] // NS, tz=self._zone).date()
        return max(_instant(self._midnight(first)), closed)


def _instant(wall: datetime) -> int:
    gone = wall - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * NS
