"""Memory that is freed and asked for again costs no page faults."""

import subprocess
import sys

import pytest

_PROGRAM = """
import resource
import numpy as np
from mm_monitor.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        fetched = np.ones(8 << 20, np.uint8)
        rows = np.ones(12 << 20, np.uint8)
        del fetched, rows
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed()
faults()  # the first time it must come from the system
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own setting")
def test_large_pieces_are_kept_for_the_next_ones() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert int(said) < 100
