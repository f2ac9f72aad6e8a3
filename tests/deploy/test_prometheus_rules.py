"""Prometheus takes the rules, they fire for sums over workers, and every series that they read is exported."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.repo.source import ROOT
from tests.services import find
from tests.services.require import require_service

FOLDER = ROOT / "deploy" / "prometheus"
RULES = sorted([*FOLDER.glob("rules/*.yml"), *FOLDER.glob("alerts/*.yml")])


def promtool(*words: str) -> None:
    require_service("promtool")
    program = find.promtool()
    assert program is not None
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.services
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *map(str, RULES))


@pytest.mark.services
@pytest.mark.parametrize("path", sorted(FOLDER.glob("tests/*.yml")), ids=lambda path: path.name)
def test_the_rules_say_what_their_tests_say(path: Path) -> None:
    promtool("test", "rules", str(path))


def test_every_series_that_is_read_is_exported_or_recorded() -> None:
    pages = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    recorded = set(re.findall(r"record: (\S+)", text))
    read = set(re.findall(r"[a-z_]*:?mm_monitor_\w+(?::\w+)?", text))
    plain = {name for name in read if ":" not in name}
    assert {name for name in plain if f"`{name}`" not in pages} == set()
    assert {name for name in read - plain if name not in recorded} == set()
    assert len(plain) > 10
