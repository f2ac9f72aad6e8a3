"""Named days: lunch breaks, holidays, special days, nights before weekends, changed clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mm_monitor.core.rulebook import Calendar, PhaseAt
from mm_monitor.core.schedule import Schedule
from mm_monitor.rulebooks import load

WEEK = (0, 1, 2, 3, 4)
HOUR = 3600
NS = 10**9


def at(text: str, zone: str = "Asia/Shanghai") -> int:
    """Instant of a local time in ISO text."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS


def phase(hour: float, name: str, day: int = 0) -> PhaseAt:
    return PhaseAt(int(hour * HOUR), name, day)


def night() -> Schedule:
    """21:00 to 02:30 on the eve, 09:00 to 15:00 on the day; shut on the Wednesday 2025-10-01."""
    phases = (
        phase(21, "continuous", -1),
        phase(26.5, "break", -1),
        phase(9, "continuous"),
        phase(15, "closed"),
    )
    return Schedule(Calendar("Asia/Shanghai", WEEK, frozenset({"2025-10-01"}), phases))


def szse() -> Schedule:
    calendar = load("szse-2025").calendar
    assert calendar is not None
    return Schedule(calendar)


# A day without a night ----------------------------------------------------------------------------


@pytest.mark.criterion("OBL-01")
def test_a_day_of_szse_options() -> None:
    assert szse().phases("2025-08-01") == (
        (at("2025-08-01T09:15"), "opening_auction"),
        (at("2025-08-01T09:25"), "break"),
        (at("2025-08-01T09:30"), "continuous"),
        (at("2025-08-01T11:30"), "break"),
        (at("2025-08-01T13:00"), "continuous"),
        (at("2025-08-01T14:57"), "closing_auction"),
        (at("2025-08-01T15:00"), "closed"),
    )
    assert szse().period("2025-08-01") == (at("2025-08-01T09:15"), at("2025-08-01T15:00"))
    assert szse().continuous_intervals("2025-08-01") == [
        (at("2025-08-01T09:30"), at("2025-08-01T11:30")),
        (at("2025-08-01T13:00"), at("2025-08-01T14:57")),
    ]


@pytest.mark.criterion("PRES-04")
def test_what_remains_of_a_day() -> None:
    schedule, day = szse(), "2025-08-01"
    left = {
        "00:00": 14_220, "09:30": 14_220, "09:30:01": 14_219, "11:30": 7_020, "12:59": 7_020,
        "14:56:59": 1, "14:57": 0, "23:00": 0,
    }  # fmt: skip
    assert {t: schedule.remaining(day, at(f"{day}T{t}")) // NS for t in left} == left
    assert schedule.remaining(day, at(f"{day}T14:57") - 1) == 1
    assert schedule.remaining("2025-08-02", 0) == 0


@pytest.mark.criterion("OBL-05")
def test_the_date_is_the_local_one_trading_or_not() -> None:
    schedule = szse()
    saturday = at("2025-08-02T00:00")
    assert schedule.roll_over("2025-08-02") == saturday
    assert schedule.trading_date(saturday - 1) == "2025-08-01"
    assert schedule.trading_date(saturday) == "2025-08-02"
    assert not schedule.is_trading_date("2025-08-02")
    assert schedule.phases("2025-08-02") == ()
    assert schedule.period("2025-08-02") is None
    assert schedule.continuous_intervals("2025-08-02") == []
    assert schedule.next_trading_date("2025-08-01") == "2025-08-04"
    assert schedule.previous_trading_date("2025-08-04") == "2025-08-01"


@pytest.mark.criterion("OBL-01")
def test_a_special_day_trades_by_its_own_phases_even_on_a_holiday() -> None:
    half = (phase(10, "continuous"), phase(12, "closed"))
    regular = (phase(9, "continuous"), phase(15, "closed"))
    holidays = frozenset({"2025-10-01", "2025-10-02"})
    calendar = Calendar("Asia/Shanghai", WEEK, holidays, regular, {"2025-10-02": half})
    schedule = Schedule(calendar)
    assert schedule.next_trading_date("2025-09-30") == "2025-10-02"
    assert schedule.period("2025-10-02") == (at("2025-10-02T10:00"), at("2025-10-02T12:00"))
    assert schedule.remaining("2025-10-02", 0) == 2 * HOUR * NS
    assert schedule.phases("2025-10-01") == ()


def test_a_calendar_without_trading_says_so() -> None:
    closed = Calendar("Asia/Shanghai", (), frozenset(), (phase(9, "continuous"),))
    with pytest.raises(ValueError, match="no trading date within ten years of 2025-08-01"):
        Schedule(closed).next_trading_date("2025-08-01")


# Nights -------------------------------------------------------------------------------------------


@pytest.mark.criterion("OBL-05")
def test_a_night_session_belongs_to_the_day_that_follows() -> None:
    schedule = night()
    assert schedule.period("2025-08-05") == (at("2025-08-04T21:00"), at("2025-08-05T15:00"))
    assert schedule.continuous_intervals("2025-08-05") == [
        (at("2025-08-04T21:00"), at("2025-08-05T02:30")),
        (at("2025-08-05T09:00"), at("2025-08-05T15:00")),
    ]
    assert schedule.trading_date(at("2025-08-04T21:00")) == "2025-08-05"


@pytest.mark.criterion("OBL-05")
def test_a_trading_date_with_a_night_begins_when_the_one_before_closes() -> None:
    schedule, close = night(), at("2025-08-04T15:00")
    assert schedule.roll_over("2025-08-05") == close
    assert schedule.trading_date(close - 1) == "2025-08-04"
    assert schedule.trading_date(close) == "2025-08-05"


@pytest.mark.criterion("OBL-05")
def test_the_night_before_a_weekend_belongs_to_monday() -> None:
    schedule, close = night(), at("2025-08-01T15:00")
    assert schedule.period("2025-08-04") == (at("2025-08-01T21:00"), at("2025-08-04T15:00"))
    assert schedule.remaining("2025-08-04", 0) == int(11.5 * HOUR) * NS
    for t in (close, at("2025-08-02T01:00"), at("2025-08-03T12:00"), at("2025-08-04T09:00")):
        assert schedule.trading_date(t) == "2025-08-04"
    days = ("2025-08-02", "2025-08-03", "2025-08-04")
    assert [schedule.roll_over(day) for day in days] == [close] * 3


@pytest.mark.criterion("OBL-05")
def test_the_night_before_a_holiday_belongs_to_the_day_after_it() -> None:
    schedule = night()
    assert schedule.trading_date(at("2025-09-30T21:00")) == "2025-10-02"
    assert schedule.trading_date(at("2025-10-01T10:00")) == "2025-10-02"
    assert schedule.period("2025-10-02") == (at("2025-09-30T21:00"), at("2025-10-02T15:00"))


@pytest.mark.criterion("OBL-05")
def test_a_session_past_midnight_keeps_its_date_until_it_ends() -> None:
    phases = (phase(17, "continuous"), phase(29, "closed"))  # five in the morning after
    schedule = Schedule(Calendar("Asia/Tokyo", WEEK, frozenset(), phases))
    end = at("2025-08-06T05:00", "Asia/Tokyo")
    assert schedule.period("2025-08-05") == (at("2025-08-05T17:00", "Asia/Tokyo"), end)
    assert schedule.roll_over("2025-08-06") == end
    assert schedule.trading_date(end - 1) == "2025-08-05"
    assert schedule.trading_date(end) == "2025-08-06"
    saturday = at("2025-08-09T05:00", "Asia/Tokyo")
    assert (schedule.trading_date(saturday - 1), schedule.trading_date(saturday)) == (
        "2025-08-08",
        "2025-08-09",
    )


def test_a_market_that_never_closes() -> None:
    phases = (phase(0, "continuous"), phase(24, "closed"))
    schedule = Schedule(Calendar("UTC", tuple(range(7)), frozenset(), phases))
    assert schedule.remaining("2025-08-02", 0) == 24 * HOUR * NS
    assert schedule.roll_over("2025-08-03") == at("2025-08-03T00:00", "UTC")
    assert schedule.trading_date(at("2025-08-03T00:00", "UTC") - 1) == "2025-08-02"


# Changed clocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-08", 24), ("2025-03-09", 23), ("2025-11-02", 25)]
)
def test_a_day_is_as_long_as_its_clocks_make_it(day: str, hours: int) -> None:
    phases = (phase(0, "continuous"), phase(24, "closed"))
    schedule = Schedule(Calendar("America/New_York", tuple(range(7)), frozenset(), phases))
    assert schedule.remaining(day, 0) == hours * HOUR * NS


@pytest.mark.criterion("OBL-01")
def test_the_session_keeps_its_local_time_across_a_change() -> None:
    phases = (phase(9.5, "continuous"), phase(16, "closed"))
    schedule = Schedule(Calendar("America/New_York", WEEK, frozenset(), phases))
    friday, monday = schedule.period("2025-03-07"), schedule.period("2025-03-10")
    assert friday is not None
    assert monday is not None
    assert monday[0] - friday[0] == (3 * 24 - 1) * HOUR * NS


def test_a_midnight_that_does_not_exist_is_the_moment_of_the_change() -> None:
    """In Beirut 2025-03-30 began at one in the morning."""
    phases = (phase(9.5, "continuous"), phase(12.5, "closed"))
    schedule = Schedule(Calendar("Asia/Beirut", tuple(range(7)), frozenset(), phases))
    change = at("2025-03-30T01:00", "Asia/Beirut")
    assert schedule.roll_over("2025-03-30") == change
    assert schedule.trading_date(change - 1) == "2025-03-29"
    assert schedule.trading_date(change) == "2025-03-30"


def test_a_midnight_that_exists_twice_is_its_first() -> None:
    """In Havana one o'clock of 2025-11-02 was midnight again."""
    phases = (phase(9.5, "continuous"), phase(12.5, "closed"))
    schedule = Schedule(Calendar("America/Havana", tuple(range(7)), frozenset(), phases))
    first = schedule.roll_over("2025-11-02")
    assert schedule.roll_over("2025-11-03") - first == 25 * HOUR * NS
    assert schedule.trading_date(first - 1) == "2025-11-01"
    assert schedule.trading_date(first + HOUR * NS) == "2025-11-02"
