"""The schedule against the oracle's own reading of a calendar; the two share no code."""

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.schedule import Schedule
from mm_monitor.rulebooks import parse
from tests.oracle.reading import trading_dates

NS = 10**9
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = [
    {"at": "09:15", "phase": "opening_auction"}, {"at": "09:30", "phase": "continuous"},
    {"at": "11:30", "phase": "break"}, {"at": "13:00", "phase": "continuous"},
    {"at": "15:00", "phase": "closed"},
]  # fmt: skip
NIGHT = [
    {"at": "21:00", "day": -1, "phase": "continuous"}, {"at": "23:00", "day": -1, "phase": "break"}
]  # fmt: skip
HALF = [{"at": "09:30", "phase": "continuous"}, {"at": "11:30", "phase": "closed"}]


def toml(value: Any) -> str:
    """A value as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(v)}" for name, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


@st.composite
def calendars(draw: st.DrawFn, around: datetime.date) -> dict[str, Any]:
    near = st.integers(-20, 20).map(lambda n: around + datetime.timedelta(days=n))
    return {
        "timezone": draw(st.sampled_from(["Asia/Shanghai", "America/New_York", "Europe/London"])),
        "days": draw(st.lists(st.sampled_from(WEEKDAYS), min_size=3, unique=True)),
        "holidays": draw(st.lists(near, max_size=4, unique=True)),
        "special": [
            {"date": day, "phases": HALF} for day in draw(st.lists(near, max_size=2, unique=True))
        ],
        "phases": draw(st.sampled_from([DAY, NIGHT + DAY])),
    }


@given(st.data(), st.dates(datetime.date(2024, 1, 1), datetime.date(2026, 12, 31)))
def test_the_schedule_agrees_with_the_oracle(data: st.DataObject, around: datetime.date) -> None:
    raw = data.draw(calendars(around))
    head = 'id = "x"\nversion = 1\nsource = "x"\n'
    calendar = parse(f"{head}calendar = {toml(raw)}\n".encode()).calendar
    assert calendar is not None
    schedule = Schedule(calendar)
    noon = datetime.datetime.combine(around, datetime.time(12), datetime.UTC)
    t = int(noon.timestamp()) * NS
    for day in trading_dates(raw, t, t)[5:]:  # the first ones know no date before them
        name = schedule.trading_date(day.start)
        assert schedule.trading_date(day.end - 1) == name
        assert schedule.roll_over(name) == day.roll
        assert schedule.period(name) == (day.start, day.end)
        assert list(schedule.phases(name)) == day.phases
