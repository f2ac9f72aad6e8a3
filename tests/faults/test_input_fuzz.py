"""A slice of the proof that garbage at every door is refused aloud: no other error, no hang, no memory kept."""

from __future__ import annotations

import pytest

from tests.faults.garbage_in import targets
from tests.faults.input_fuzz import attack


@pytest.mark.parametrize("name", targets())
def test_garbage_is_refused(name: str) -> None:
    assert attack(name, number=1, inputs=40) == ""


@pytest.mark.parametrize("name", targets())
def test_what_is_good_is_read(name: str) -> None:
    read, samples = targets()[name]
    for sample in samples:
        read(sample)
