"""Breaches of one cause are told as one."""

from __future__ import annotations

from dataclasses import replace

from mm_monitor.core.model import Breach, BreachKind
from mm_monitor.sinks.alerts import AlertBook, AlertStyle, annotations_of, labels_of
from mm_monitor.sinks.causes import by_cause, cause_of
from tests.unit.sinks.builders import START, S, Slot, breach, view

GONE = START + 40 * S
DISCONNECT = {"kind": "disconnect", "account": "A1", "ts_event": GONE}
SLOTS = [Slot("M0", "C0", "A")]


def lapse(contract: str, *, began: int = GONE, end: int | None = None, **more: object) -> Breach:
    """A lapse that began then."""
    return replace(breach(contract=contract, end=end), evidence={"began": began, **more})


def test_what_began_at_one_instant_is_one() -> None:
    found = by_cause([lapse("C1"), lapse("C0"), lapse("C2", began=GONE + 1)])
    assert [(b.contract, b.evidence["count"]) for b in found] == [("", 2), ("C2", 1)]
    assert found[0].id == lapse("C0").id
    assert found[0].evidence["contracts"] == ["C0", "C1"]


def test_what_began_with_one_disconnect_is_one_whenever_it_began() -> None:
    one, other = lapse("C0", cause=DISCONNECT), lapse("C1", began=GONE + S, cause=DISCONNECT)
    assert cause_of(one) == "disconnect A1 2025-08-01T01:30:40.000000000Z"
    assert [b.evidence["count"] for b in by_cause([one, other])] == [2]


def test_makers_kinds_and_rulebooks_are_kept_apart() -> None:
    spread = replace(lapse("C0"), kind=BreachKind.SPREAD.value)
    others = [replace(lapse("C0"), maker="M1"), replace(lapse("C0"), rulebook="other"), spread]
    assert len(by_cause([lapse("C0"), *others])) == 4


def test_a_breach_without_a_begin_stands_by_itself() -> None:
    one = breach(contract="", kind=BreachKind.PRESENCE_UNREACHABLE)
    assert by_cause([one, breach()]) == [one, breach()]


def test_a_group_lasts_until_all_of_it_is_over() -> None:
    over = lapse("C0", end=START + 60 * S)
    [group] = by_cause([over, lapse("C1")])
    assert (group.end, group.evidence["open"]) == (None, 1)
    [group] = by_cause([over, lapse("C1", end=START + 70 * S)])
    assert (group.end, group.evidence["open"]) == (START + 70 * S, 0)


def test_the_alert_is_the_same_however_many_it_concerns() -> None:
    one, two = by_cause([lapse("C0")]), by_cause([lapse("C0"), lapse("C1")])
    labels = labels_of(one[0], AlertStyle())
    assert labels == labels_of(two[0], AlertStyle())
    assert labels["cause"] == "2025-08-01T01:30:40.000000000Z"
    assert "contract" not in labels
    assert (
        annotations_of(one[0])["summary"] == "M0 has no valid quote on C0 for longer than permitted"
    )
    told = annotations_of(two[0])
    assert told["summary"] == "M0 has no valid quote on 2 contracts for longer than permitted"
    assert (told["count"], told["open"]) == ("2", "2")


def test_one_alert_fires_and_ends_for_three_hundred_contracts() -> None:
    book, names = AlertBook(300 * S), [f"C{i}" for i in range(300)]
    book.reconcile([view(SLOTS, [lapse(name) for name in names])], START + 100 * S)
    [told] = book.breaches().values()
    assert (told.end, told.evidence["count"]) == (None, 300)
    over = [lapse(name, end=START + 60 * S) for name in names]
    book.reconcile([view(SLOTS, over)], START + 101 * S)
    [told] = book.breaches().values()
    assert told.end == START + 60 * S
