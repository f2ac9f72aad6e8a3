"""`docs/report.md` has every key of a report and of its details, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.captures import gone, judge, quote
from tests.repo.source import ROOT

PAGE, DETAILS = (ROOT / "docs" / "report.md").read_text(encoding="utf-8").split("\n## Details\n")
# A rulebook that asks for all that the details can have.
PRESENCE = 'required = "90%"\nwindows = ["session", "am_pm", "100ns"]'
EVERYTHING = '[stress]\nweight = "2"\nrequired = "80%"\n[signals]\nper_day = 1\n'
# Only the command adds them, for they take two more replays.
BY_THE_COMMAND = {"obligations[].theo_sensitivity", "makers[].theo_sensitivity"}
# Explained by their own lines.
WHOLE = (
    "obligations[].lapsed_by_reason_ns",
    "makers[].signals[].numbers",
    "makers[].rejects.by_reason",
    "makers[].requote.buckets",
    "makers[].requote_by_class",
    "makers[].rfq.latency",
    "makers[].profile",
    "makers[].programme_trading[].raised",
)
FED: dict[str, Any] = {  # what the details say something of only where it is fed
    "fills": ["1100,M0,C0,buy,1,5"],
    "positions": ["1000,M0,K0,1,10", "1110,M0,K0,11,10", "1200,M0,K0,1,10"],
    "sessions": ["1000,M0,A1,logon", "1500,M0,A1,disconnect"],
    "rejects": ["1100,M0,price_band"],
}


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys; a list's elements are one."""
    if path in WHOLE:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from keys(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        yield f"{path}[]"
        for inner in value:
            yield from keys(inner, f"{path}[]")
    else:
        yield path


def written(page: str) -> set[str]:
    """Keys that a page has a line for."""
    cells = re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE)
    return {key.strip("` ") for cell in cells for key in cell.split(",")}


def test_every_key_has_a_line_and_every_line_a_key(tmp_path: Path) -> None:
    report = judge(tmp_path, quotes=[quote(1000), gone(1500)]).raw
    assert written(PAGE) == set(keys(report))


def test_so_have_the_details(tmp_path: Path) -> None:
    lines = [quote(1000), gone(1500)]
    details = judge(
        tmp_path, EVERYTHING, presence=PRESENCE, watch=True, quotes=lines, **FED
    ).details
    rows = {f"{name}[]" for name in ("obligations", "makers", "contracts")}
    assert written(DETAILS) - BY_THE_COMMAND == {
        key for key in keys(details) if not key.endswith("[]")
    }
    assert rows <= set(keys(details))


def test_the_reasons_are_those_of_the_report(tmp_path: Path) -> None:
    row = judge(tmp_path).row()
    reasons = re.search(r"by primary reason: `([^`]+)`", PAGE)
    assert reasons
    assert reasons[1].split() == list(row["lapsed_by_reason_ns"])
