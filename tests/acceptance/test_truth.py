"""Simulated makers with known truth: the engine equals it to the nanosecond, through the capture door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_monitor.simulator import Disorder, random_session, write_capture
from tests.acceptance.judging import TRUTH_KEYS, differences, judged


@pytest.mark.criterion("NUM-04")
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_truth_equals_engine(seed: int, fmt: str, tmp_path: Path) -> None:
    write_capture(random_session(seed), tmp_path, fmt, disorder=Disorder(seed, 2**62))
    truth = json.loads((tmp_path / "truth.json").read_text())
    got = judged(tmp_path, "szse-2025")
    assert truth["obligations"]
    assert differences(got["obligations"], truth["obligations"], TRUTH_KEYS) == []
    verdicts = {row["maker"]: row["verdict"] for row in got["makers"]}
    assert verdicts == {row["maker"]: row["verdict"] for row in truth["makers"]}
