"""The files of deploy/ as tests read them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mm_monitor.sinks.alerts import KINDS
from tests.repo.source import ROOT
from tests.services import find
from tests.services.require import require_service

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager"
RUNBOOKS = DEPLOY / "runbooks"
ALERT_FILES = sorted(PROMETHEUS.glob("alerts/*.yml"))
RULE_FILES = sorted([*PROMETHEUS.glob("rules/*.yml"), *ALERT_FILES])


def read(path: Path) -> Any:
    """One YAML document."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def alerts() -> Iterator[dict[str, Any]]:
    """Every alerting rule for Prometheus."""
    for path in ALERT_FILES:
        for group in read(path)["groups"]:
            yield from group["rules"]


def alert_names() -> list[str]:
    """Those of Prometheus, then those that the monitor pushes."""
    return [rule["alert"] for rule in alerts()] + [kind.name for kind in KINDS.values()]


def tool(name: str, *words: str, cwd: Path | None = None) -> str:
    """Run promtool, amtool or hadolint, which must have nothing to say against it; what it printed."""
    require_service(name)
    program = {"promtool": find.promtool, "amtool": find.amtool, "hadolint": find.hadolint}[name]()
    assert program is not None
    done = subprocess.run(
        [program, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
