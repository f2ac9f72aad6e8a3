"""When contracts may cross a limit: the compiled kernel and its plain twin say the same of any arrays (law L6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.kernels import layout, reference_crossings

FAR = reference_crossings.FAR
near = st.one_of(st.integers(0, 9), st.sampled_from([-FAR, FAR, layout.NEVER // 4]))
few = st.integers(0, 6)
limits = st.sampled_from([-1, 0, 1, 3, layout.NEVER])
SLOT = {"current": few, "n_last": few, "ex": st.sampled_from([0, layout.WIDE])}
CON = {"t_last": few, "n_val": few, "e_val": few, "hole_e": few, "hole_now": few,
       "due": st.sampled_from([-3, 2, 7, layout.NEVER]), "n_run": st.integers(0, 1), "e_run": st.integers(0, 1),
       "cover": st.integers(0, 1), "held": st.integers(0, 1)}  # fmt: skip
states = st.sampled_from(
    [layout.VALID, layout.UNKNOWN, layout.EXEMPT, layout.LAPSED, layout.DEEMED, layout.NONE]
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Arrays of up to four contracts."""
    held = draw(st.lists(st.integers(0, 3), max_size=4))
    n, m = sum(held), len(held)
    slots, cons = np.zeros(n, layout.SLOT), np.zeros(m, layout.CON)
    for name, values in (SLOT | {"state": states}).items():
        slots[name] = draw(st.lists(values, min_size=n, max_size=n))
    for name, values in CON.items():
        cons[name] = draw(st.lists(values, min_size=m, max_size=m))
    cons["slots"], cons["slot0"] = held, np.cumsum([0, *held])[:-1]
    return {
        "slots": slots,
        "wide": np.array(draw(st.lists(few, min_size=n, max_size=n)), dtype=np.int64),
        "cons": cons,
        "limits": draw(st.tuples(limits, limits, limits)),
        "looked": np.array(draw(st.lists(near, min_size=m, max_size=m)), dtype=np.int64),
        "due": np.array(draw(st.lists(near, min_size=m, max_size=m)), dtype=np.int64),
        "doubtful": np.array(draw(st.lists(st.integers(0, 1), min_size=m, max_size=m)), np.uint8),
    }


def looks(maker: Any, world: dict[str, Any], t: int, renewed: list[int]) -> list[Any]:
    due, doubtful = world["due"].copy(), world["doubtful"].copy()
    made = maker(
        world["slots"], world["wide"], world["cons"], *world["limits"], world["looked"], due
    )
    found = np.zeros(len(due), dtype=np.int64)
    count = made.find(doubtful, t, found)
    seen = [found[:count].tolist(), due.tolist(), doubtful.tolist()]
    made.renew(np.array([c for c in renewed if c < len(due)], dtype=np.int64))
    return [*seen, due.tolist()]


@pytest.mark.criterion("L6")
@given(worlds(), st.integers(-2, 12), st.lists(st.integers(0, 3), max_size=3))
def test_the_kernel_is_its_plain_twin(world: dict[str, Any], t: int, renewed: list[int]) -> None:
    compiled = looks(kernels.Looks, world, t, renewed)
    assert compiled == looks(reference_crossings.Looks, world, t, renewed)


@pytest.mark.parametrize("maker", [kernels.Looks, reference_crossings.Looks])
def test_arrays_that_do_not_belong_together_are_refused(maker: Any) -> None:
    slots, cons = np.zeros(1, layout.SLOT), np.zeros(2, layout.CON)
    none, two = np.zeros(0, dtype=np.int64), np.zeros(2, dtype=np.int64)
    with pytest.raises(ValueError, match="looked, due: 2 elements, got 0, 2"):
        maker(slots, none, cons, 1, -1, -1, none, two)
    with pytest.raises(ValueError, match="wide: 1 elements, got 0"):
        maker(slots, none, cons, 1, 1, -1, two, two)
    made = maker(slots, none, cons, 1, -1, -1, two, two)
    with pytest.raises(ValueError, match="contract 2 of 2"):
        made.renew(np.array([2]))
    with pytest.raises(ValueError, match="doubtful, found: 2 elements, got 2, 0"):
        made.find(np.zeros(2, np.uint8), 1, none)
    cons["slots"] = 1, 1
    cons["slot0"] = 0, 1
    with pytest.raises(ValueError, match="contract 1: slots outside of 1"):
        maker(slots, none, cons, 1, -1, -1, two, two)
