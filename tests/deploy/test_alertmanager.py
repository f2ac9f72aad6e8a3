"""Alertmanager takes the configuration, and does with alerts what it says: a real one, a real webhook.

Its waits are made short; all else is the file as it is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.folder import ALERTMANAGER, alert_names, read, tool
from tests.repo.source import ROOT
from tests.services import Alertmanager, eventually, free_port
from tests.services.process import listening
from tests.services.receiver import Receiver
from tests.services.require import require_service

CONFIG = ALERTMANAGER / "alertmanager.yml"
RECEIVERS = sorted(ALERTMANAGER.glob("receivers/*.yml"))
VENUE = {"venue": "v"}
HOUR = timedelta(hours=1)


def config(receivers: Path | None = None) -> dict[str, Any]:
    """The configuration, with other receivers if so asked."""
    made: dict[str, Any] = read(CONFIG)
    return made if receivers is None else {**made, **read(receivers)}


def hurried(made: dict[str, Any]) -> str:
    """With waits of a second, for who cannot wait."""
    text = yaml.safe_dump(made)
    return re.sub(r"group_(wait|interval): \w+", lambda m: f"group_{m[1]}: 1s", text)


@pytest.mark.services
@pytest.mark.parametrize("path", [None, *RECEIVERS], ids=lambda p: p.stem if p else "plain")
def test_alertmanager_takes_it(path: Path | None, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config(path)))
    assert "SUCCESS" in tool("amtool", "check-config", str(file))


@pytest.mark.services
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=Watchdog severity=none", "heartbeat"),
        ("alertname=MonitorDown severity=critical concern=blind", "page"),
        ("alertname=MMPresenceUnreachable severity=critical concern=breached", "page"),
        ("alertname=MMLapseTooLong severity=warning concern=breached", "desk"),
        ("alertname=SinkBehind severity=warning concern=delivery", "desk"),
    ],
)
def test_who_hears_of_what(labels: str, receiver: str) -> None:
    told = tool("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels.split())
    assert told.split() == [receiver]


def test_what_inhibits_and_is_inhibited_exists() -> None:
    for rule in config()["inhibit_rules"]:
        said = " ".join(rule["source_matchers"] + rule["target_matchers"])
        assert set(re.findall(r"\bM+[A-Z]?[a-z]\w+", said)) <= set(alert_names())


@contextmanager
def running(folder: Path, receiver: Receiver) -> Iterator[Alertmanager]:
    """An Alertmanager by our configuration, whose webhooks lead to the receiver."""
    require_service("alertmanager")
    text = hurried(config()).replace("http://alert-receiver:9095", receiver.url)
    with Alertmanager(folder, text) as service:
        yield service


def fired(name: str, severity: str, concern: str, **labels: str) -> dict[str, Any]:
    """An alert as it is posted."""
    now = datetime.now(UTC)
    named = {"alertname": name, "severity": severity, "concern": concern}
    return {
        "labels": {**VENUE, **named, **labels},
        "annotations": {"summary": f"{name} {labels.get('maker', '')}"},
        "startsAt": now.isoformat(),
        "endsAt": (now + HOUR).isoformat(),
    }


def maker(name: str, severity: str, number: int) -> dict[str, Any]:
    return fired(name, severity, "breached", rulebook="r", maker=f"M{number}")


async def test_a_gateway_that_is_gone_is_one_page_and_one_ticket(tmp_path: Path) -> None:
    with Receiver() as receiver, running(tmp_path, receiver) as service:
        gone = [maker("MMLapseTooLong", "warning", i) for i in range(20)]
        gone += [maker("MakerBurnsFast", "critical", i) for i in range(20)]
        service.post_alerts(gone)
        await eventually(lambda: receiver.to("/page") and receiver.to("/desk"))
        # More of the same, after the first was told, goes into the same group.
        service.post_alerts([maker("MMPresenceUnreachable", "critical", i) for i in range(20)])
        await eventually(lambda: len(receiver.to("/page")) >= 2)
        first, *more = receiver.to("/page")
        assert len(first["alerts"]) == 20
        assert {page["groupKey"] for page in more} == {first["groupKey"]}
        (ticket,) = receiver.to("/desk")
        assert len(ticket["alerts"]) == 20
        assert ticket["groupLabels"] == {**VENUE, "rulebook": "r", "alertname": "MMLapseTooLong"}
        # Who is out of reach is no longer at risk.
        names = {a["labels"]["alertname"] for a in more[-1]["alerts"] if a["status"] == "firing"}
        assert names == {"MMPresenceUnreachable"}


async def test_blind_goes_before_wrong_and_wrong_before_breached(tmp_path: Path) -> None:
    other = {**fired("MakerBurnsFast", "critical", "breached", maker="M9")}
    other["labels"] = {**other["labels"], "venue": "elsewhere"}
    with Receiver() as receiver, running(tmp_path, receiver) as service:
        blind = fired("TapeBehind", "critical", "blind", instance="w1")
        service.post_alerts([blind])
        await eventually(lambda: receiver.to("/page"))
        wrong = fired("WorkerMissing", "critical", "wrong", job="m")
        service.post_alerts([wrong, maker("MMPresenceUnreachable", "critical", 1), other])
        await eventually(lambda: len(receiver.to("/page")) >= 2)
        assert told(receiver) == ["TapeBehind", "MakerBurnsFast"], "the other venue is not blind"

        service.post_alerts([ended(blind)])
        await eventually(lambda: "WorkerMissing" in told(receiver))
        assert "MMPresenceUnreachable" not in told(receiver)
        service.post_alerts([ended(wrong)])
        await eventually(lambda: "MMPresenceUnreachable" in told(receiver))


def told(receiver: Receiver) -> list[str]:
    """Names of the alerts that fire in pages, in the order of their first page."""
    fire = [a for page in receiver.to("/page") for a in page["alerts"] if a["status"] == "firing"]
    return list(dict.fromkeys(alert["labels"]["alertname"] for alert in fire))


def ended(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "endsAt": datetime.now(UTC).isoformat()}


async def test_what_pagerduty_and_slack_are_sent_has_the_breach_and_the_links(
    tmp_path: Path,
) -> None:
    require_service("alertmanager")
    alert = maker("MMPresenceUnreachable", "critical", 0)
    alert["annotations"] |= {"breach_id": "0123abcd", "runbook_url": "http://r/x.md"}
    (tmp_path / "key").write_text("k")
    with Receiver() as receiver:
        (tmp_path / "address").write_text(receiver.url + "/slack")
        pager, slack = (config(ALERTMANAGER / "receivers" / name) for name in
                        ("pagerduty.yml", "slack.yml"))  # fmt: skip
        page = pager["receivers"][0]
        page["pagerduty_configs"][0] |= {"url": receiver.url + "/enqueue"}
        page["slack_configs"] = slack["receivers"][0]["slack_configs"]
        text = re.sub(r"/etc/alertmanager/\S+\.key", str(tmp_path / "key"), hurried(pager))
        text = text.replace("/etc/alertmanager/slack.url", str(tmp_path / "address"))
        with Alertmanager(tmp_path / "am", text) as service:
            service.post_alerts([alert])
            await eventually(lambda: receiver.to("/enqueue") and receiver.to("/slack"))
    (event, *_), (message, *_) = receiver.to("/enqueue"), receiver.to("/slack")
    assert event["payload"]["summary"].startswith("1 firing: MMPresenceUnreachable M0")
    assert "0123abcd" in event["payload"]["custom_details"]["breaches"]
    assert event["links"][0] == {"href": "http://r/x.md", "text": "Runbook"}
    (attachment,) = message["attachments"]
    assert "FIRING v breached (1)" in attachment["title"]
    assert "`0123abcd` <http://r/x.md|runbook>" in attachment["text"]


async def test_the_consumer_on_the_page_of_alerts_prints_each_breach_once(tmp_path: Path) -> None:
    require_service("alertmanager")
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    assert code == (ALERTMANAGER / "print_alerts.py").read_text(encoding="utf-8")
    (tmp_path / "consumer.py").write_text(code)
    port, alert = free_port(), maker("MMPresenceUnreachable", "critical", 0)
    alert["annotations"]["breach_id"] = "0123abcd"
    command = [sys.executable, str(tmp_path / "consumer.py"), "127.0.0.1", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        try:
            await eventually(lambda: listening(port))
            text = hurried(config()).replace("alert-receiver:9095", f"127.0.0.1:{port}")
            with Alertmanager(tmp_path / "am", text) as service:
                service.post_alerts([alert])
                first = consumer.stdout.readline()
                service.post_alerts([ended(alert)])
                last = consumer.stdout.readline()
        finally:
            consumer.terminate()
        rest = consumer.stdout.read()
    said = "MMPresenceUnreachable M0 MMPresenceUnreachable M0\n"
    assert (first, last, rest) == (f"0123abcd firing {said}", f"0123abcd resolved {said}", "")
