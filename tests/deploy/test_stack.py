"""The stack runs, its tour tells one story, and every query of every dashboard has an answer in it.

One session of some seconds serves all tests here: they are in the order in which they need it.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.__main__ import FOLDER
from deploy.stack.parts import TOPICS
from deploy.stack.tour import Told, Tour
from deploy.stack.world import Stack
from tests.repo.source import ROOT
from tests.services import Kafka, eventually, web
from tests.services.process import listening
from tests.services.require import require_service

SECONDS = 30
BOARDS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
EACH = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    for name in ("mosquitto", "prometheus", "alertmanager"):
        require_service(name)
    with Stack(tmp_path_factory.mktemp("stack"), SECONDS, kafka) as running:
        yield running
    for topic in TOPICS.values():
        kafka.delete_topic(topic)


async def test_a_maker_withdraws_and_everybody_tells_the_same_story(stack: Stack) -> None:
    said: list[str] = []
    told: Told = await Tour(stack, said.append).run()
    assert set(told.began) == set(told.ended)
    assert len(told.began) == 8
    assert max(*told.began.values(), *told.ended.values()) < 30, said
    assert told.report["id"] == told.breach
    posted = [alert for post in stack.receiver.to("/desk") for alert in post["alerts"]]
    (mine, *_) = [a for a in posted if a["annotations"].get("breach_id") == told.breach]
    assert mine["labels"]["venue"] == "stack"
    assert mine["annotations"]["count"] == str(len(told.contracts))
    assert mine["annotations"]["runbook_url"].endswith("/runbooks/MMLapseTooLong.md")


async def test_prometheus_alerts_of_the_stack_arrive_with_their_links(stack: Stack) -> None:
    await eventually(lambda: stack.receiver.to("/heartbeat"), timeout=60)
    (alert,) = stack.receiver.to("/heartbeat")[0]["alerts"]
    assert alert["labels"]["venue"] == "stack"
    assert not {"runbooks", "grafana"} & set(alert["labels"])
    assert alert["annotations"]["runbook_url"].endswith("/runbooks/Watchdog.md")
    assert alert["annotations"]["dashboard_url"].endswith("/d/mm-health")


def ask(stack: Stack, page: str, **words: str) -> Any:
    return web.get_json(f"{stack.prometheus.url}/api/v1/{page}?{urllib.parse.urlencode(words)}")[
        "data"
    ]


def values(stack: Stack, board: dict[str, Any]) -> dict[str, str]:
    """A value of each variable, by the variable's own query; of makers the one that the tour played."""
    chosen: dict[str, str] = {}
    for one in board["templating"]["list"]:
        if one["type"] != "query":
            continue
        query = one["query"]["query"]
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        assert found
        match = {"match[]": filled(found[1], chosen)}
        known: list[str] = ask(stack, f"label/{found[2]}/values", **match)
        assert known, query
        chosen[one["name"]] = next((v for v in known if v.startswith("absent")), known[0])
    return chosen


def filled(text: str, chosen: dict[str, str]) -> str:
    for name, value in {**chosen, "__rate_interval": "30s"}.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text, text
    return text


def has_data(stack: Stack, query: str) -> bool:
    """Some sample of the session that is a number; a query may also say that there is none."""
    now = time.time()
    span = {"start": str(now - 2 * SECONDS - 20), "end": str(now), "step": "2"}
    answer = ask(stack, "query_range", query=query, **span)
    samples = [float(value) for one in answer["result"] for _, value in one["values"]]
    return bool(samples) and ("vector(NaN)" in query or not all(map(math.isnan, samples)))


@EACH
def test_every_query_of_every_panel_returns_data(stack: Stack, board: dict[str, Any]) -> None:
    chosen = values(stack, board)
    empty = [
        (panel["title"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if not has_data(stack, filled(target["expr"], chosen))
    ]
    assert empty == []


@EACH
def test_every_annotation_marks_something_or_can(stack: Stack, board: dict[str, Any]) -> None:
    chosen = values(stack, board)
    for mark in board["annotations"]["list"]:
        marks = has_data(stack, filled(mark["expr"], chosen))
        # In this session nothing was restarted, and no alert of the monitor itself need have fired.
        assert marks or mark["name"] in ("Restarts", "Alerts"), mark["name"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
async def test_the_command_says_where_everything_is_and_ends_all_of_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    for name in ("kafka", "mosquitto", "prometheus", "alertmanager"):
        require_service(name)
    said, environment = tmp_path / "said", {**os.environ, "TMPDIR": str(tmp_path)}
    with said.open("w") as file:
        command = [sys.executable, "-m", "deploy.stack", "--seconds", "60"]
        process = subprocess.Popen(command, stdout=file, env=environment, cwd=ROOT)
    try:
        await eventually(lambda: "Ctrl-C" in said.read_text(), timeout=120)
        found = re.findall(r"127\.0\.0\.1:(\d+)", said.read_text())
        ports = {int(port) for port in found}
        assert len(ports) == 6
        assert all(listening(port) for port in ports)
        process.send_signal(number)
        await eventually(lambda: process.poll() is not None, timeout=120)
    finally:
        process.kill()
        process.wait()
    assert not any(listening(port) for port in ports)
    assert [path.name for path in tmp_path.iterdir()] == ["said"]
