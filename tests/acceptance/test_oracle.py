"""Random tapes with every feature in some combination: the engine's whole report equals the oracle's.

A slice of what `make fuzz` judges.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.fuzz.fuzz import difference
from tests.fuzz.tapes import random_capture

SLICES = 8
TAPES = int(os.environ.get("MM_MONITOR_ORACLE_TAPES", "600"))


@pytest.mark.parametrize("part", range(SLICES))
def test_engine_equals_oracle(part: int, tmp_path: Path) -> None:
    for seed in range(part, TAPES, SLICES):
        capture = tmp_path / str(seed)
        capture.mkdir()
        random_capture(random.Random(seed), capture)
        assert difference(capture) == "", f"seed {seed}"
