"""systemd takes the units, and finds them as confined as such a service can be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.folder import DEPLOY
from tests.repo.source import relative

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSURE = 20  # tenths; 100 is none at all of it confined
EACH = pytest.mark.parametrize("unit", UNITS, ids=relative)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    return subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )


@EACH
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    # The program is not installed where the unit wants it; verify looks whether it is there.
    there = text.replace("/opt/mm-monitor/bin/mm-monitor", sys.executable)
    name = unit.name.replace("@", "@1") if "@" in unit.name else unit.name
    (tmp_path / name).write_text(there)
    done = analyze("verify", "--man=no", str(tmp_path / name))
    about_us = [line for line in done.stderr.splitlines() if "mm-monitor" in line]
    assert about_us == []
    assert done.returncode == 0, done.stderr


@EACH
def test_the_unit_is_confined(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout
    assert "exposure level" in done.stdout


@EACH
def test_the_unit_gives_up_where_starting_again_is_of_no_use(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "RestartPreventExitStatus=2" in text
    assert re.search(r"^ExecStartPre=.* check-config (\S+)$", text, re.MULTILINE)
    started = re.search(r"^ExecStart=(\S+) run --config (\S+)$", text, re.MULTILINE)
    checked = re.search(r"^ExecStartPre=(\S+) check-config (\S+)$", text, re.MULTILINE)
    assert started
    assert checked
    assert started.groups() == checked.groups()


def test_a_worker_differs_from_the_one_monitor_by_its_number_alone() -> None:
    one, worker = ((DEPLOY / "systemd" / name).read_text(encoding="utf-8").split("[Unit]")[1]
                   for name in ("mm-monitor.service", "mm-monitor@.service"))  # fmt: skip
    numbered = worker.replace(" worker %i", "").replace("worker-%i.toml", "monitor.toml")
    assert numbered.replace("/%i", "") == one
    assert json.dumps(worker).count("%i") >= 4
