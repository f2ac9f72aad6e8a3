"""What holds for every calendar and instant: dates tile the time line, phases lie in their date."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from mm_monitor.core.model import Phase
from mm_monitor.core.rulebook import Calendar, PhaseAt
from mm_monitor.core.schedule import Schedule

NS = 10**9
ZONES = [
    "Asia/Shanghai", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Beirut",
    "America/Havana", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "UTC",
]  # fmt: skip
DATES = st.dates(date(2009, 1, 1), date(2030, 12, 31))


@st.composite
def phase_lists(draw: st.DrawFn, *, nights: bool) -> tuple[PhaseAt, ...]:
    """Distinct times from 00:30 on, in order, the last one `closed`; perhaps an eve before."""
    day = draw(st.lists(st.integers(30, 23 * 60), min_size=2, max_size=6, unique=True))
    names = st.sampled_from([phase.value for phase in Phase])
    phases = [PhaseAt(minute * 60, draw(names)) for minute in sorted(day)[:-1]]
    phases.append(PhaseAt(max(day) * 60, "closed"))
    if nights:
        eve = draw(st.integers(23 * 60 + 1, 24 * 60))
        end = draw(st.integers(1, 29))
        phases = [
            PhaseAt(eve * 60, "continuous", -1), PhaseAt((24 * 60 + end) * 60, "break", -1), *phases
        ]  # fmt: skip
    return tuple(phases)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    zone = draw(st.sampled_from(ZONES))
    days = tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1))))
    nights = draw(st.booleans())
    holidays = draw(st.frozensets(DATES.map(date.isoformat), max_size=20))
    special = draw(
        st.dictionaries(DATES.map(date.isoformat), phase_lists(nights=False), max_size=3)
    )
    return Schedule(Calendar(zone, days, holidays, draw(phase_lists(nights=nights)), special))


def after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


INSTANTS = st.integers(1_230_000_000 * NS, 1_920_000_000 * NS)


@given(schedules(), INSTANTS)
def test_every_instant_belongs_to_the_one_date_that_has_begun(schedule: Schedule, t: int) -> None:
    day = schedule.trading_date(t)
    assert schedule.roll_over(day) <= t < schedule.roll_over(after(day))


@given(schedules(), DATES)
def test_dates_follow_each_other_and_only_idle_ones_are_empty(
    schedule: Schedule, first: date
) -> None:
    days = [(first + timedelta(days=n)).isoformat() for n in range(10)]
    for day, next_day in pairwise(days):
        begin, end = schedule.roll_over(day), schedule.roll_over(next_day)
        assert begin <= end
        if begin == end:
            # Samoa had no 2011-12-30 at all.
            assert not schedule.is_trading_date(day) or day == "2011-12-30"
        else:
            assert schedule.trading_date(begin) == day
            assert schedule.trading_date(end - 1) == day


@given(schedules(), DATES)
def test_the_phases_of_a_date_lie_in_it(schedule: Schedule, day: date) -> None:
    iso = day.isoformat()
    assume(iso != "2011-12-30")
    changes = schedule.phases(iso)
    assert bool(changes) == schedule.is_trading_date(iso)
    assert list(changes) == sorted(changes, key=lambda change: change[0])
    if changes:
        assert schedule.period(iso) == (changes[0][0], changes[-1][0])
        assert schedule.roll_over(iso) <= changes[0][0]
        assert changes[-1][0] <= schedule.roll_over(after(iso))


@given(schedules(), DATES, INSTANTS)
def test_what_remains_is_the_continuous_time_after(schedule: Schedule, first: date, t: int) -> None:
    day = schedule.next_trading_date(first.isoformat())
    changes = schedule.phases(day)
    t = changes[0][0] + t % max(1, changes[-1][0] - changes[0][0])

    def continuous(instant: int) -> bool:
        return [name for at, name in changes if at <= instant][-1:] == ["continuous"]

    edges = sorted({t, *(at for at, _ in changes if at > t)})
    expected = sum(end - start for start, end in pairwise(edges) if continuous(start))
    assert schedule.remaining(day, t) == expected
    assert schedule.remaining(day, changes[-1][0]) == 0
    total = sum(end - start for start, end in schedule.continuous_intervals(day))
    assert schedule.remaining(day, changes[0][0]) == total


@given(schedules(), DATES)
def test_neighbours_are_trading_dates_with_none_between(schedule: Schedule, first: date) -> None:
    after_first = schedule.next_trading_date(first.isoformat())
    assert after_first > first.isoformat()
    assert schedule.is_trading_date(after_first)
    gap = (date.fromisoformat(after_first) - first).days
    between = ((first + timedelta(days=n)).isoformat() for n in range(1, gap))
    assert not any(schedule.is_trading_date(day) for day in between)
    back = schedule.previous_trading_date(after_first)
    assert back <= first.isoformat()


@given(schedules(), DATES)
def test_asking_in_any_order_gives_the_same(schedule: Schedule, day: date) -> None:
    iso = day.isoformat()
    fresh = Schedule(schedule.calendar)
    schedule.remaining(after(iso), 0)
    schedule.trading_date(schedule.roll_over(iso))
    assert schedule.roll_over(iso) == fresh.roll_over(iso)
    assert schedule.phases(iso) == fresh.phases(iso)


@given(st.sampled_from(ZONES), DATES, st.integers(0, 86_399))
def test_a_local_time_that_is_one_instant_is_that_instant(
    zone: str, day: date, seconds: int
) -> None:
    phases = (PhaseAt(seconds, "continuous"),)
    schedule = Schedule(Calendar(zone, tuple(range(7)), frozenset(), phases))
    instant = schedule.phases(day.isoformat())[0][0]
    wall = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(
        seconds=seconds
    )
    if wall.utcoffset() == wall.replace(fold=1).utcoffset():
        assert datetime.fromtimestamp(instant // NS, tz=ZoneInfo(zone)) == wall
        assert datetime.fromtimestamp(instant // NS, tz=ZoneInfo(zone)).date() == day
