"""Every alert has a runbook of its name, links to it, and stands on the page of alerts; every runbook has an alert."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mm_monitor.core.model import Breach
from mm_monitor.sinks.alerts import KINDS, AlertStyle, alert
from tests.deploy.folder import RUNBOOKS, alert_names, alerts
from tests.repo.source import ROOT, relative

BOOKS = sorted(RUNBOOKS.glob("*.md"))
PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {path.stem for path in BOOKS} == set(alert_names())


@pytest.mark.parametrize("path", BOOKS, ids=relative)
def test_a_runbook_has_its_four_parts_and_links_that_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    bodies = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(len(body.strip()) > 30 for body in bodies)
    for file, anchor in LINK.findall(text):
        target = path.parent / file
        assert target.exists(), file
        headings = [
            re.sub(r"[^\w\s-]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
            for line in target.read_text(encoding="utf-8").splitlines()
            if line.startswith("#")
        ]
        assert not anchor or anchor[1:] in headings, anchor


def test_an_alert_of_prometheus_links_to_its_runbook_and_a_dashboard() -> None:
    for rule in alerts():
        links = rule["annotations"]
        assert links["runbook_url"] == "{{ $externalLabels.runbooks }}/" + rule["alert"] + ".md"
        assert links["dashboard_url"].startswith("{{ $externalLabels.grafana }}/d/mm-")


@pytest.mark.parametrize("kind", KINDS)
def test_a_pushed_alert_links_to_its_runbook_and_a_dashboard(kind: str) -> None:
    style = AlertStyle(runbooks_url="http://r/", dashboards_url="http://g")
    maker = "" if kind == "market_hole" else "M 0"
    breach = Breach("id", "book", 1, kind, maker, "C0", "K0", 5, None, "absent", {})
    made = alert(breach, style, now=10, hold=1)
    notes = made["annotations"]
    assert isinstance(notes, dict)
    assert notes["runbook_url"] == f"http://r/{KINDS[kind].name}.md"
    board = "mm-maker" if maker else "mm-class"
    named = "var-maker=M+0&" if maker else ""
    assert notes["dashboard_url"] == f"http://g/d/{board}?var-rulebook=book&{named}var-class=K0"


def test_the_page_of_alerts_has_them_all() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert {name for name in alert_names() if f"`{name}`" not in page} == set()
