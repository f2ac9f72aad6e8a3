"""The tutorial works as it stands: its files are written, its commands run, what they say is what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.repo.source import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
# A file with its name before it, or commands with what they say behind them.
PART = re.compile(
    r"`(?P<name>[\w/-]+\.\w+)`:\n\n```\w+\n(?P<text>.*?)```\n"
    r"|```sh\n(?P<commands>.*?)```\n(?:\n```text\n(?P<said>.*?)```\n)?",
    re.DOTALL,
)
SETTING_UP = ("make ", "export ")


def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "mm-monitor").write_text(f'#!/bin/sh\nexec {sys.executable} -m mm_monitor "$@"\n')
    (tmp_path / "mm-monitor").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    ran = 0
    for part in PART.finditer(PAGE):
        if part["name"]:
            file = tmp_path / part["name"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(part["text"])
        elif not part["commands"].startswith(SETTING_UP):
            done = subprocess.run(["/bin/sh", "-c", part["commands"]], cwd=tmp_path, text=True, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
            lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
            assert "\n".join(lines) == (part["said"] or "").rstrip("\n"), part["commands"]
            ran += 1
    assert ran >= 7
