"""L2: any way of cutting the tape into batches gives the same bytes of state and the same breaches (TAPE-02)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.running import breaches, differences, run, state
from tests.laws.tapes import Case, cases

cuts = st.lists(st.integers(0, 10_000), min_size=1, max_size=12)


@pytest.mark.criterion("TAPE-02")
@given(cases(), cuts)
def test_any_split_gives_the_same_state(case: Case, where: list[int]) -> None:
    whole, pieces = run(case), run(case, where)
    assert differences(state(whole), state(pieces)) == []
    assert differences(breaches(whole, case.end), breaches(pieces, case.end)) == []


@pytest.mark.criterion("TAPE-02")
@given(cases())
def test_row_by_row_is_the_same_as_at_once(case: Case) -> None:
    whole, pieces = run(case), run(case, range(len(case.records) + 1))
    assert differences(state(whole), state(pieces)) == []
    assert differences(breaches(whole, case.end), breaches(pieces, case.end)) == []
