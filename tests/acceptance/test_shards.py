"""Shares of a capture, judged apart and merged, are the ledger of the whole, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mm_monitor.cli import app
from mm_monitor.core.share import partition_of
from mm_monitor.simulator import random_session
from mm_monitor.simulator.capture import write_capture
from tests.repo.source import ROOT

GOLDEN = sorted(path.parent for path in (ROOT / "tests/data/golden").glob("*/rulebook.toml"))
DOWNSTREAM = ("presence_unreachable", "presence_at_risk")  # of makers, at instants within the day


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def days(folder: Path) -> dict[str, dict[str, Any]]:
    """The days of a ledger without the breaches that sums at the end of a day cannot tell."""
    found = {}
    for path in folder.iterdir():
        day = json.loads(path.read_bytes())
        day["breaches"] = [b for b in day["breaches"] if b["kind"] not in DOWNSTREAM]
        found[path.name] = day
    return found


def both(capture: Path, rulebook: Path | str, folder: Path, shares: int = 2) -> None:
    """Judge a capture whole and in shares, and compare."""
    replay = ("replay", capture, "--rulebook", rulebook, "-q")
    run(*replay, "--ledger", folder / "one")
    files = [folder / f"{k}.jsonl" for k in range(1, shares + 1)]
    for k, file in enumerate(files, 1):
        run(*replay, "--shard", f"{k}/{shares}", "--accruals", file)
    merge = ("--rulebook", rulebook, "--ledger", folder / "many")
    assert "waits" in run("report", "merge", *files[1:], *merge, code=1)
    assert "written to" in run("report", "merge", *files, *merge)
    assert days(folder / "many") == days(folder / "one")
    whole = b"".join(path.read_bytes() for path in sorted((folder / "one").iterdir()))
    merged = b"".join(path.read_bytes() for path in sorted((folder / "many").iterdir()))
    assert merged == whole or any(word.encode() in whole for word in DOWNSTREAM)


@pytest.mark.parametrize("capture", GOLDEN, ids=lambda path: path.name)
def test_golden_days_in_shares(capture: Path, tmp_path: Path) -> None:
    both(capture, capture / "rulebook.toml", tmp_path)


def test_a_session_of_four_classes_in_four_shares(tmp_path: Path) -> None:
    scenario = random_session(4, classes=4, contracts=12)
    write_capture(scenario, tmp_path / "capture")
    both(tmp_path / "capture", "szse-2025", tmp_path, 4)
    owners = {partition_of(c.name, 4) for c in scenario.classes}
    assert len(owners) > 1


def test_what_a_share_cannot_say_is_refused(tmp_path: Path) -> None:
    replay = ("replay", GOLDEN[0], "--rulebook", GOLDEN[0] / "rulebook.toml", "--shard")
    for option in ("--report", "--details", "--ledger"):
        done = CliRunner().invoke(app, [*map(str, replay), "1/2", option, str(tmp_path / "x")])
        assert "makers are judged by all classes" in str(done.exception)
    done = CliRunner().invoke(app, [*map(str, replay), "3/2"])
    assert '"K/N"' in str(done.exception)


def test_a_line_that_is_no_accrual_is_named(tmp_path: Path) -> None:
    file = tmp_path / "1.jsonl"
    for line in ("{", "[]", '{"key": ["r"]}', '{"key": ["r"], "value": {"schema": "other"}}'):
        file.write_text(line + "\n")
        words = ["report", "merge", str(file), "--rulebook", "szse-2025", "--ledger", str(tmp_path)]
        done = CliRunner().invoke(app, words)
        assert f"{file}:1: no accruals" in str(done.exception)
