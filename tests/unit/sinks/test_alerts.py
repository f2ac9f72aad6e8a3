"""Which alerts there are, what identifies them, and when they end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mm_monitor.core.model import BreachKind
from mm_monitor.errors import ConfigError
from mm_monitor.sinks.alertmanager import AlertmanagerConfig
from mm_monitor.sinks.alerts import (
    KINDS,
    AlertBook,
    AlertStyle,
    alert,
    annotations_of,
    kind_of,
    labels_of,
)
from tests.unit.sinks.builders import START, S, Slot, breach, view

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
SLOTS = [Slot("M0", "C0", "A")]
NOW = START + 1000 * S
TOLD = 300 * S
STYLE = AlertStyle()


def states(book: AlertBook) -> list[tuple[str, bool]]:
    return [(told.contract, told.end is None) for told in book.breaches().values()]


def test_labels_are_a_stable_identity_without_numbers() -> None:
    assert labels_of(breach(), STYLE) == {
        "alertname": "MMLapseTooLong",
        "rulebook": "szse-2025",
        "kind": "lapse",
        "maker": "M0",
        "contract": "C0",
        "class": "510050",
        "severity": "warning",
        "concern": "breached",
    }
    later = breach(start=START + 70 * S, end=START + 80 * S)
    assert labels_of(later, STYLE) == labels_of(breach(), STYLE)


def test_a_breach_of_the_maker_has_no_contract_label() -> None:
    made = labels_of(breach(contract="", klass="", kind=BreachKind.PRESENCE_UNREACHABLE), STYLE)
    assert made["alertname"] == "MMPresenceUnreachable"
    assert not {"contract", "class"} & set(made)


def test_configured_labels_and_severities() -> None:
    style = AlertStyle({"site": "sz"}, {"lapse": "page"})
    made = labels_of(breach(), style)
    assert (made["site"], made["severity"]) == ("sz", "page")


def test_numbers_are_in_annotations() -> None:
    made = annotations_of(breach())
    assert made["breach_id"] == breach().id
    assert made["started"] == "2025-08-01T01:30:50.000000000Z"
    assert '"limit":1000000' in made["evidence"]
    assert made["summary"] == "M0 has no valid quote on C0 for longer than permitted"


def test_every_kind_has_an_alert_and_a_line_in_the_docs() -> None:
    assert set(KINDS) == {kind.value for kind in BreachKind}
    documented = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (\w+) \|", DOCS.read_text(), re.MULTILINE)
    assert documented == [(kind.name, name, kind.severity) for name, kind in KINDS.items()]


def test_a_kind_without_an_entry_still_alerts() -> None:
    assert kind_of("market_hole").name == "MMMarketHole"


def test_an_open_alert_outlives_its_resend_and_a_closed_one_is_over() -> None:
    made = alert(breach(), STYLE, NOW, hold=120 * S)
    assert made["startsAt"] == "2025-08-01T01:30:50.000000000Z"
    assert made["endsAt"] == "2025-08-01T01:48:40.000000000Z"
    made = alert(breach(end=START + 60 * S), STYLE, NOW, hold=120 * S)
    assert made["endsAt"] == "2025-08-01T01:31:00.000000000Z"


def test_a_session_ahead_of_the_clock_does_not_end_in_the_future() -> None:
    ahead = breach(start=NOW + 10 * S, end=NOW + 20 * S)
    made = alert(ahead, STYLE, NOW, hold=120 * S)
    assert made["startsAt"] == made["endsAt"] == "2025-08-01T01:46:40.000000000Z"


def test_a_closed_breach_is_told_for_its_time_and_then_forgotten() -> None:
    book = AlertBook(TOLD)
    book.reconcile([view(SLOTS, [breach()])], NOW)
    assert states(book) == [("C0", True)]
    over = [view(SLOTS, [breach(end=START + 60 * S)])]
    book.reconcile(over, NOW + S)
    book.reconcile(over, NOW + TOLD)
    assert states(book) == [("C0", False)]
    book.reconcile(over, NOW + S + TOLD)
    assert states(book) == []


def test_a_breach_that_vanishes_is_resolved_now() -> None:
    book = AlertBook(TOLD)
    book.reconcile([view(SLOTS, [breach()])], NOW)
    book.reconcile([view(SLOTS)], NOW + S)
    [told] = book.breaches().values()
    assert told.end == NOW + S


def test_a_failed_presence_fires_until_its_trading_date_is_over() -> None:
    book = AlertBook(TOLD)
    failed = breach(contract="", kind=BreachKind.PRESENCE, start=START, end=START)
    book.reconcile([view(SLOTS, breaches=(failed,))], NOW)
    assert states(book) == [("", True)]
    book.reconcile([view(SLOTS, breaches=(failed,))], NOW + 3600 * S)
    assert states(book) == [("", True)]
    book.reconcile([view(SLOTS)], NOW + 7200 * S)
    assert states(book) == [("", False)]


def test_an_open_breach_wins_over_an_earlier_one_of_the_same_identity() -> None:
    book = AlertBook(TOLD)
    first = breach(end=START + 60 * S)
    book.reconcile([view(SLOTS, [replace(first, end=None)])], NOW)
    second = breach(start=START + 70 * S)
    book.reconcile([view(SLOTS, [first, second])], NOW + S)
    assert states(book) == [("C0", True)]
    book.reconcile([view(SLOTS, [first, replace(second, end=START + 75 * S)])], NOW + 2 * S)
    [told] = book.breaches().values()
    assert (told.id, told.end) == (second.id, START + 75 * S)


def test_a_restart_tells_what_was_closed_lately_and_not_the_whole_day() -> None:
    at = START + 7200 * S
    old = breach(contract="C1", end=START + 60 * S)
    lately = breach(contract="C2", start=at - 200 * S, end=at - 100 * S)
    book = AlertBook(TOLD)
    book.reconcile([view(SLOTS, [old, lately, breach()], at=at)], NOW)
    assert sorted(states(book)) == [("C0", True), ("C2", False)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"urls": ("am:9093",)}, r"alertmanager\.urls: http:// .*, got 'am:9093'"),
        ({"resend_every": 400.0}, r"alertmanager\.resolve_after: more than resend_every.*300"),
        ({"resend_every": 0}, r"alertmanager\.resend_every: more than 0, got 0"),
    ],
)
def test_useless_settings_are_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AlertmanagerConfig(**option)  # type: ignore[arg-type]
