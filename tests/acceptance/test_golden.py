"""The golden captures agree in every key, through the capture door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.judging import differences, judged

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_golden_capture_agrees_in_every_key(case: str) -> None:
    capture = GOLDEN / case
    want = json.loads((capture / "expected.json").read_text())
    got = judged(capture, capture / "rulebook.toml")
    keys = [key for key in want["obligations"][0] if key not in ("maker", "contract")]
    assert differences(got["obligations"], want["obligations"], keys) == []
    assert got["period"] == want["period"]
    assert {key: got["records"][key] for key in want["records"]} == want["records"]


def test_there_are_fourteen() -> None:
    assert len(CASES) == 14
