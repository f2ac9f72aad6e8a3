"""What a terminal may expect of every command: JSON for programs, completion for hands, bars where somebody looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT
from tests.repo.test_commands import COMMANDS

# What has no `--json`, and why.
WITHOUT_JSON = {
    "mm-monitor": "does nothing by itself",
    "mm-monitor run": "its log is JSON lines, its results are topics, metrics and the API",
    "mm-monitor demo": "a show for people; simulate and run are its parts",
    "mm-monitor report rollup": "goes on for as long as its topic does; what it writes is the ledger",
    "mm-monitor evidence part": "its output is a log of evidence, byte for byte",
    "mm-monitor evidence verifier": "its output is a program",
}


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(WITHOUT_JSON)))
def test_every_command_speaks_json(name: str) -> None:
    assert "--json" in {option for p in COMMANDS[name].params for option in p.opts}


def test_what_has_no_json_still_has_none() -> None:
    for name in WITHOUT_JSON:
        assert "--json" not in {option for p in COMMANDS[name].params for option in p.opts}


@pytest.mark.parametrize(("shell", "words", "offered"), [
    ("bash", "mm-monitor re", {"replay", "report"}),
    ("bash", "mm-monitor report ", {"day", "month", "check"}),
    ("bash", "mm-monitor replay day1 --rulebook szse", {"szse-2025"}),
    ("zsh", "mm-monitor report day day1 --rulebook mifid", {"mifid2-rts8"}),
    ("fish", "mm-monitor report month ledger --lang", {"--language"}),
])  # fmt: skip
def test_a_shell_completes(shell: str, words: str, offered: set[str]) -> None:
    parts = words.split(" ")
    asked = {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args",
             "COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1)}  # fmt: skip
    environment = {**os.environ, **asked, "_MM_MONITOR_COMPLETE": f"complete_{shell}"}
    program = Path(sys.executable).with_name("mm-monitor")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert all(word in done.stdout for word in offered), done.stdout + done.stderr


def test_no_bar_is_drawn_where_nobody_looks() -> None:
    golden = ROOT / "tests" / "data" / "golden" / "05"
    rules = str(golden / "rulebook.toml")
    words = ["-m", "mm_monitor", "replay", str(golden), "--rulebook", rules, "--json"]
    done = subprocess.run([sys.executable, *words], capture_output=True, timeout=100, check=True)
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stdout.startswith(b"{\n")
