"""The walks in `docs/architecture.md` are true: a day is replayed, and what they name is called, in their order."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from tests.acceptance.captures import THREE_PERCENT, judge
from tests.repo.source import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = PAGE.split("## One tick, one theo move, one breach")[1].split("\n## ")[0]
STEP = re.compile(r"`([\w/]+\.(?:py|pyx|pxd))` `([\w.]+)`")
STEPS = {part.split("\n")[0]: part for part in WALKS.split("### ")[1:]}
PACKAGE = f"{ROOT / 'mm_monitor'}/"
# A quote; a theo that makes it too wide; another quote that lets the lapse be noticed; the good one that ends it.
QUOTES = (
    "900,M0,C0,0.0490,1,0.0500,1",
    "1500,M0,C0,0.0491,1,0.0501,1",
    "1600,M0,C0,0.0292,1,0.0300,1",
)
THEO = ("900,C0,0.0495", "1200,C0,0.0296")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(file, function) of every call of ours while a day with one breach is judged."""
    called: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGE):
            called.append((file.removeprefix(PACKAGE), frame.f_code.co_qualname))

    folder = tmp_path_factory.mktemp("walk")
    sys.setprofile(note)
    try:
        rules = f'{THREE_PERCENT}[lapse]\nlongest_permitted = "100ns"\n'
        report = judge(folder, rules, quotes=QUOTES, theo=THEO)
    finally:
        sys.setprofile(None)
    assert [b.start for b in report.breaches("lapse")] == [1300]
    return called


@pytest.mark.parametrize("walk", STEPS)
def test_what_a_walk_names_is_called_in_its_order(walk: str, calls: list[tuple[str, str]]) -> None:
    listed = re.split(r"\n\nLive,", STEPS[walk])[0]
    steps = [step for step in STEP.findall(listed) if step[0].endswith(".py")]
    assert steps
    left = iter(calls)
    assert [step for step in steps if step not in left] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(STEP.findall(WALKS))))
def test_what_a_walk_names_is_there(file: str, name: str) -> None:
    home = ROOT if file.startswith("cext/") else ROOT / "mm_monitor"
    last = name.rpartition(".")[2]
    assert re.search(rf"\b(?:def|inline \w+) {last}\(", Path(home / file).read_text("utf-8"))
