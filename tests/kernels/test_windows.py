"""PRES-06: windows counted by one division are those that one finds by laying them out nanosecond by nanosecond."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.kernels import layout
from mm_monitor.kernels.reference_state import Apart, Win
from mm_monitor.kernels.reference_windows import Rule, add, add_apart
from tests.laws.laid import laid

CODES = {
    "quoted": (layout.VALID, layout.DEEMED),
    "lapsed": (layout.LAPSED, layout.LAPSED + 7),
    "exempt": (layout.EXEMPT,),
    "unknown": (layout.UNKNOWN,),
}
names = st.sampled_from(["quoted", "lapsed", "quoted", "lapsed", "unknown", "exempt"])
stretches = st.lists(st.tuples(names, st.integers(1, 25), st.integers(0, 1)), max_size=12)
ratios = st.sampled_from([(0, 1), (1, 2), (9, 10), (1, 1), (2, 1), (1, 3)])


@pytest.mark.criterion("PRES-06")
@given(stretches, st.integers(1, 12), ratios)
def test_one_division_lays_the_same_windows(
    stretches: list[tuple[str, int, int]], width: int, ratio: tuple[int, int]
) -> None:
    row = Win(*[0] * 9)
    states: list[str] = []
    for name, d, which in stretches:
        codes = CODES[name]
        add(row, Rule(width, *ratio), codes[which % len(codes)], d)
        states += [name] * d
    found = laid(states, width, Fraction(*ratio))
    assert (row.passed, row.failed, row.hanging, row.longest) == tuple(
        found[name] for name in ("passed", "failed", "open", "longest_failed_run")
    )
    open_window = states[len(states) // width * width :]
    assert (row.elapsed, row.quoted, row.exempt, row.unknown) == (
        len(open_window), *(open_window.count(name) for name in ("quoted", "exempt", "unknown"))
    )  # fmt: skip


@pytest.mark.criterion("PRES-06")
def test_a_day_of_a_nanosecond_each_costs_as_much_as_one() -> None:
    row = Win(*[0] * 9)
    add(row, Rule(1, 9, 10), layout.VALID, 2**62)
    add(row, Rule(1, 9, 10), layout.LAPSED, 2**61)
    assert (row.passed, row.failed, row.longest) == (2**62, 2**61, 2**61)


@pytest.mark.criterion("PRES-09")
def test_exempt_time_is_no_part_of_stress() -> None:
    apart = Apart(0, 0, 0)
    for state in (layout.VALID, layout.DEEMED, layout.LAPSED + 3, layout.UNKNOWN, layout.EXEMPT):
        add_apart(apart, state, 10 + state)
    assert (apart.quoted, apart.lapsed, apart.unknown) == (10 + 22, 16, 11)
