"""The oracle agrees with every golden capture, on all that their expected.json states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .oracle import judge_capture

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CAPTURES = sorted(p.parent for p in GOLDEN.glob("*/expected.json"))


def _cut(actual: Any, expected: Any) -> Any:
    """`actual` without the keys that `expected` does not state."""
    if isinstance(expected, dict):
        return {key: _cut(actual[key], value) for key, value in expected.items()}
    if isinstance(expected, list):
        assert len(actual) == len(expected)
        return [_cut(a, e) for a, e in zip(actual, expected, strict=True)]
    return actual


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda p: p.name)
def test_the_oracle_agrees_with_the_golden_capture(capture: Path) -> None:
    expected = json.loads((capture / "expected.json").read_text(encoding="utf-8"))
    assert _cut(judge_capture(capture, capture / "rulebook.toml"), expected) == expected


def test_there_are_fourteen_golden_captures() -> None:
    assert len(CAPTURES) == 14
