"""Random tapes with every feature in some combination: the engine's whole report equals the oracle's."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.acceptance.judging import judged
from tests.oracle.oracle import judge_capture
from tests.oracle.tapes import random_capture

SLICES = 8
TAPES = int(os.environ.get("MM_MONITOR_ORACLE_TAPES", "400"))


@pytest.mark.parametrize("part", range(SLICES))
def test_engine_equals_oracle(part: int, tmp_path: Path) -> None:
    for seed in range(part, TAPES, SLICES):
        capture = tmp_path / str(seed)
        capture.mkdir()
        rulebook = random_capture(random.Random(seed), capture)
        want, got = judge_capture(capture, rulebook), judged(capture, rulebook)
        for section in want:
            assert got[section] == want[section], f"seed {seed}: {section}"
