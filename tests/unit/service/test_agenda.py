"""Which timetables a live tape is handed, and when."""

from __future__ import annotations

from datetime import UTC, datetime

from mm_monitor.agenda import Agenda
from mm_monitor.core.model import Control, PeriodRecord, PhaseRecord
from mm_monitor.rulebooks import load

HOUR = 3_600 * 10**9


def at(text: str) -> int:
    """ns of a local time in Shanghai."""
    return int(datetime.fromisoformat(text + "+08:00").astimezone(UTC).timestamp()) * 10**9


def pushed(agenda: Agenda, t: int) -> list[Control]:
    return [control for delivery in agenda.due(t) for control in delivery.decoded.controls]


def test_today_and_the_trading_date_after_it() -> None:
    agenda = Agenda([load("szse-2025")], phases=True)
    records = pushed(agenda, at("2025-09-05T10:00:00"))  # a Friday
    dates = {r.trading_date for r in records if isinstance(r, PeriodRecord)}
    assert dates == {"2025-09-05", "2025-09-08"}
    assert any(isinstance(r, PhaseRecord) and r.phase == "continuous" for r in records)
    assert pushed(agenda, at("2025-09-05T14:00:00")) == []


def test_next_day_is_pushed_as_time_comes_near() -> None:
    agenda = Agenda([load("szse-2025")], phases=True)
    agenda.due(at("2025-09-04T10:00:00"))
    later = pushed(agenda, at("2025-09-05T00:00:01"))
    assert {r.trading_date for r in later if isinstance(r, PeriodRecord)} == {"2025-09-08"}


def test_a_weekend_rolls_over_and_judges_nothing() -> None:
    agenda = Agenda([load("szse-2025")], phases=True)
    records = pushed(agenda, at("2025-09-06T10:00:00"))  # a Saturday
    saturday = [
        r for r in records if isinstance(r, PeriodRecord) and r.trading_date == "2025-09-06"
    ]
    assert [r.edge for r in saturday] == ["roll"]


def test_records_speak_for_the_market_when_told_so() -> None:
    agenda = Agenda([load("szse-2025")], phases=False)
    records = pushed(agenda, at("2025-09-05T10:00:00"))
    assert {r.edge for r in records if isinstance(r, PeriodRecord)} == {"roll"}
    assert not [r for r in records if isinstance(r, PhaseRecord)]


def test_begin_and_date() -> None:
    agenda = Agenda([load("szse-2025")], phases=True)
    now = at("2025-09-05T10:00:00")
    assert agenda.begins(now) == at("2025-09-05T00:00:00")
    assert agenda.date(now) == "2025-09-05"


def test_without_a_calendar_there_is_nothing_to_push() -> None:
    agenda = Agenda([], phases=True)
    assert agenda.due(at("2025-09-05T10:00:00")) == []
    assert agenda.begins(0) is None
    assert agenda.date(0) == ""


def test_after_a_restart_nothing_is_pushed_twice_and_no_date_is_missed() -> None:
    agenda = Agenda([load("szse-2025")], phases=True)
    agenda.due(at("2025-09-04T10:00:00"))  # and the 5th
    again = Agenda([load("szse-2025")], phases=True)
    again.restore(agenda.state())
    assert again.missed(at("2025-09-04T11:00:00")) == []
    again.restore(agenda.state())
    deliveries = again.missed(at("2025-09-10T10:00:00"))  # a Wednesday: four dates later
    dates = [
        record.trading_date
        for delivery in deliveries
        for record in delivery.decoded.controls
        if isinstance(record, PeriodRecord) and record.edge == "roll"
    ]
    assert dates == ["2025-09-08", "2025-09-09", "2025-09-10", "2025-09-11"]
    offsets = [offset for d in deliveries for offset in d.decoded.rows["offset"].tolist()]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    assert offsets[0] == agenda.state()["offset"]
