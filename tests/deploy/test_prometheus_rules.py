"""Prometheus takes the rules, every alert fires and stays quiet when it should, and every series read is exported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.folder import ALERT_FILES, PROMETHEUS, RULE_FILES, alerts, read, tool
from tests.repo.source import ROOT

TESTS = sorted(PROMETHEUS.glob("tests/*.yml"))
CONCERNS = {"blind", "wrong", "delivery", "breached", "watchdog"}


@pytest.mark.services
def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    tool("promtool", "check", "rules", *map(str, RULE_FILES))
    tool("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))


@pytest.mark.services
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_say_what_their_tests_say(path: Path) -> None:
    tool("promtool", "test", "rules", str(path))


def test_every_alert_is_tested_to_fire_and_to_stay_quiet() -> None:
    said: dict[str, set[bool]] = {}
    for path in TESTS:
        for test in read(path)["tests"]:
            for one in test.get("alert_rule_test", []):
                said.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))
    named = {rule["alert"] for rule in alerts()}
    assert said.pop("Watchdog") == {True}
    assert {name for name in named - {"Watchdog"} if said.get(name) != {True, False}} == set()
    assert set(said) <= named


def test_every_alert_says_how_urgent_it_is_and_what_it_is_about() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "none"), rule["alert"]
        assert rule["labels"]["concern"] in CONCERNS, rule["alert"]
        assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]


def test_every_series_that_is_read_is_exported_or_recorded() -> None:
    pages = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
    recorded = set(re.findall(r"record: (\S+)", text))
    read_names = set(re.findall(r"[a-z_]*:?mm_monitor_\w+(?::\w+)?", text))
    plain = {name for name in read_names if ":" not in name}
    assert {name for name in plain if f"`{name}`" not in pages} == set()
    assert {name for name in read_names - plain if name not in recorded} == set()
    assert len(plain) > 10
    assert ALERT_FILES
