"""The AsyncAPI document and the schemas: valid by their own rules, complete, and true of what a judged day gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.config_sections import Topics
from mm_monitor.core.model import BadReason, BreachEvent, BreachKind, DeadLetter, RawRecord, Verdict
from mm_monitor.sinks.dead_letter import letter_line
from mm_monitor.sinks.events import cloud_event
from mm_monitor.sinks.mqtt import MqttConfig
from tests.contracts.published import ASYNCAPI, DOCS, SCHEMAS, faults, schema_of, validator
from tests.repo.source import ROOT
from tests.unit.sinks.builders import START, breach, closed, opened

GOLDEN = ROOT / "tests" / "data" / "golden"
OF_ASYNCAPI = ROOT / "tests" / "data" / "asyncapi-3.0.0.schema.json"
NAMES = sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.json"))


def asyncapi_faults(document: dict[str, Any]) -> list[str]:
    rules = json.loads(OF_ASYNCAPI.read_bytes())
    return [error.message for error in Draft7Validator(rules).iter_errors(document)]


def test_the_asyncapi_document_is_one() -> None:
    assert asyncapi_faults(ASYNCAPI) == []


def test_what_is_no_asyncapi_document_is_found() -> None:
    broken = json.loads(json.dumps(ASYNCAPI))
    broken["operations"]["sendBreaches"]["action"] = "shout"
    del broken["info"]["title"]
    assert len(asyncapi_faults(broken)) >= 2


def test_every_channel_has_a_schema_and_every_schema_a_channel() -> None:
    used = {m["payload"]["$ref"] for m in ASYNCAPI["components"]["messages"].values()}
    assert used == {f"schemas/{name}.schema.json" for name in NAMES}
    messages = {name for c in ASYNCAPI["channels"].values() for name in c["messages"]}
    assert messages == set(ASYNCAPI["components"]["messages"])
    channels = {o["channel"]["$ref"] for o in ASYNCAPI["operations"].values()}
    assert channels == {f"#/channels/{name}" for name in ASYNCAPI["channels"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_names_itself(name: str) -> None:
    assert validator(name).schema["$id"] == f"urn:mm-monitor:{name}:1"


def test_addresses_are_those_of_the_configuration() -> None:
    channels, topics = ASYNCAPI["channels"], Topics()
    assert channels["breaches"]["address"] == topics.breaches
    assert channels["deadLetters"]["address"] == topics.dead_letter
    assert channels["makerState"]["parameters"]["prefix"]["default"] == MqttConfig().topic_prefix


def test_lists_of_words_are_those_of_the_program() -> None:
    kinds = [kind.value for kind in BreachKind]
    state = validator("maker-state").schema["properties"]
    assert ASYNCAPI["channels"]["breachEvents"]["parameters"]["kind"]["enum"] == kinds
    assert state["open_breaches"]["items"]["properties"]["kind"]["enum"] == kinds
    assert state["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    letter = validator("dead-letter").schema["properties"]
    assert letter["reason"]["enum"] == [reason.value for reason in BadReason]


@pytest.mark.parametrize("name", ["01", "05", "06", "12"])
def test_what_a_worker_says_is_as_the_schema_has_it(name: str, tmp_path: Path) -> None:
    day, out = GOLDEN / name, tmp_path / "accruals.jsonl"
    words = ["replay", str(day), "--rulebook", str(day / "rulebook.toml"), "--accruals", str(out)]
    assert CliRunner().invoke(app, [*words, "-q"]).exit_code == 0
    values = [json.loads(line)["value"] for line in out.read_bytes().splitlines()]
    assert len(values) > 2
    for value in values:
        assert faults("accruals", value) == []
    assert faults("accruals", {**values[0], "more": 1})


def test_letters_and_events_are_as_their_schemas_have_them() -> None:
    for reason in BadReason:
        letter = DeadLetter(RawRecord("quotes.csv", 0, 7, b"\xff,1"), reason, "why", "M0")
        assert faults("dead-letter", json.loads(letter_line(letter))) == []
    found = breach()
    for event in (opened(found), closed(found), BreachEvent("updated", replace(found), START)):
        assert faults("breach-event", json.loads(cloud_event(event, "prod-1"))) == []


def test_topics_find_their_schemas() -> None:
    assert schema_of("p/szse-2025/makers/M0/state", "p") == "maker-state"
    assert schema_of("p/szse-2025/events/lapse/M0", "p") == "mqtt-breach-event"
    assert schema_of("p/status/prod-1", "p") == "service-status"
    assert schema_of("p/elsewhere", "p") == ""


def test_the_page_on_events_leads_to_all_of_it() -> None:
    page = (DOCS / "events.md").read_text(encoding="utf-8")
    assert "(asyncapi.json)" in page
    assert all(f"schemas/{name}.schema.json" in page for name in NAMES)
