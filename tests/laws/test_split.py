"""L2: any way of cutting the tape into batches gives the same bytes of state and the same breaches (TAPE-02)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.running import breaches, differences, run, state
from tests.laws.tapes import Case, cases

few = st.lists(st.integers(0, 10_000), min_size=1, max_size=12)
row_by_row = st.just(range(10_000))


@pytest.mark.criterion("TAPE-02")
@given(cases(), few | row_by_row)
def test_any_split_gives_the_same_state(case: Case, where: Sequence[int]) -> None:
    whole, pieces = run(case), run(case, where)
    assert differences(state(whole), state(pieces)) == []
    assert differences(breaches(whole, case.end), breaches(pieces, case.end)) == []
