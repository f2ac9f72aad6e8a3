"""Breach events: their ids, times and schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mm_monitor.core.model import BreachEvent, BreachKind
from mm_monitor.sinks.events import SCHEMA, cloud_event, event_id
from tests.unit.sinks.builders import START, S, breach, closed, opened
from tests.unit.sinks.schema import errors

FILE = Path(__file__).parents[3] / "docs" / "schemas" / "breach-event.schema.json"
SCHEMA_OF_EVENTS: dict[str, Any] = json.loads(FILE.read_text())
MAKER_LEVEL = breach(contract="", klass="", kind=BreachKind.PRESENCE_UNREACHABLE)


@pytest.mark.parametrize("kind", list(BreachKind))
@pytest.mark.parametrize("action", ["opened", "updated", "closed", "withdrawn"])
def test_every_event_has_the_published_form(kind: BreachKind, action: str) -> None:
    end = START + 60 * S if action == "closed" else None
    event = BreachEvent(action, breach(kind=kind, end=end), START + 70 * S)
    assert errors(SCHEMA_OF_EVENTS, json.loads(cloud_event(event, "prod-1"))) == []


def test_a_breach_of_the_maker_has_it_too() -> None:
    made = json.loads(cloud_event(opened(MAKER_LEVEL), "prod-1"))
    assert errors(SCHEMA_OF_EVENTS, made) == []
    assert made["subject"] == "M0"


def test_the_schema_refuses_what_is_not_an_event() -> None:
    made = json.loads(cloud_event(opened(breach()), "prod-1"))
    made["data"]["breach"]["start"] = "soon"
    del made["time"]
    made["extra"] = 1
    assert len(errors(SCHEMA_OF_EVENTS, made)) == 3


def test_the_schema_is_the_one_that_events_name() -> None:
    assert SCHEMA_OF_EVENTS["$id"] == SCHEMA


def test_every_kind_is_in_the_schema() -> None:
    kinds = SCHEMA_OF_EVENTS["properties"]["data"]["properties"]["breach"]["properties"]["kind"]
    assert kinds["enum"] == [kind.value for kind in BreachKind]


@pytest.mark.criterion("BRCH-02")
def test_a_repeat_has_the_same_id_and_each_transition_its_own() -> None:
    found = breach()
    late = replace(opened(found), noticed_at=START + 999 * S)
    assert event_id(late) == event_id(opened(found)) == f"{found.id}-opened"
    assert event_id(closed(found)) == f"{found.id}-closed"
    first, second = (BreachEvent("updated", found, START + i) for i in (1, 2))
    assert event_id(first) != event_id(second)


def test_an_event_happened_when_it_happened_not_when_it_was_noticed() -> None:
    made = json.loads(cloud_event(opened(breach(start=START + 1)), "prod-1"))
    assert made["time"] == "2025-08-01T01:30:00.000000001Z"
    made = json.loads(cloud_event(closed(breach()), "prod-1"))
    assert made["time"] == "2025-08-01T01:31:00.000000000Z"
