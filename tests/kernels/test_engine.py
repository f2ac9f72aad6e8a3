"""The engine kernel and its plain twin leave the same bytes after every call of any sequence (law L6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import ROW
from mm_monitor.kernels import _engine, layout
from mm_monitor.kernels import reference as plain
from tests.kernels.worlds import LAST, WHOLE, Call, Machine, Setup, sequences

DTYPES = {
    "slot": layout.SLOT, "con": layout.CON, "edge": layout.EDGE, "term": layout.TERM,
    "param": layout.PARAM, "row": ROW, "win": layout.WIN, "apart": layout.APART,
    "rest": layout.REST, "cell": layout.CELL, "reply": layout.REPLY, "past": layout.PAST,
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_a_struct_has_the_layout_of_its_dtype(name: str) -> None:
    data = bytes((7 * i + 3) % 251 for i in range(max(d.itemsize for d in DTYPES.values())))
    size, fields = _engine.as_structs(data)[name]
    row = np.frombuffer(data[:size], DTYPES[name])[0]
    assert size == DTYPES[name].itemsize
    assert list(fields) == list(DTYPES[name].names or ())
    assert {key: np.array(row[key]).tolist() for key in fields} == fields


def unlike(one: dict[str, bytes], other: dict[str, bytes]) -> dict[str, Any]:
    """Which fields of which rows differ, for a person."""
    dtypes = {
        "slots": layout.SLOT, "past": layout.PAST, "cons": layout.CON, "edges": layout.EDGE, "win": layout.WIN,
        "apart": layout.APART, "rests": layout.REST, "replies": layout.REPLY,
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name in one:
        dtype = dtypes.get(name, np.dtype(np.int64))
        a: Any = np.frombuffer(one[name], dtype)
        b: Any = np.frombuffer(other[name], dtype)
        if name not in dtypes or len(a) != len(b):
            found |= {name: (a.tolist(), b.tolist())} if a.tobytes() != b.tobytes() else {}
            continue
        for field in dtypes[name].names or ():
            if a[field].tobytes() != b[field].tobytes():
                found[f"{name}.{field}"] = (a[field].tolist(), b[field].tolist())
    return found


def run_both(setup: Setup, calls: list[Call]) -> None:
    one, other = Machine(kernels, setup), Machine(plain, setup)
    resumed = 0
    for call in calls:
        n = len(setup.cls) if call.name in WHOLE else len(call.columns)
        if call.name not in (*WHOLE, "apply_rows"):
            n = len(call.columns[0])
        at = 0
        while (
            True
        ):  # edges are read only when there is no more room: the next call meets what is left
            reached = one.step(call, at)
            assert reached == other.step(call, at)
            assert unlike(one.image(), other.image()) == {}, call
            if reached >= n:
                break
            resumed += 1
            at = reached
            one.kernel.clear_edges()
            other.kernel.clear_edges()
    event(f"resumed {min(resumed, 2)}")
    event(f"edges {min(one.kernel.edge_count, 3)}")
    event(f"latencies {min(int(one.latency.sum()), 1)}")


@pytest.mark.criterion("L6")
@given(sequences())
def test_the_kernel_is_its_plain_twin(sequence: tuple[Setup, list[Call]]) -> None:
    run_both(*sequence)


numbers = st.one_of(st.integers(0, 30), st.sampled_from([LAST, LAST - 1, 2**62]))
columns = st.lists(st.tuples(numbers, numbers), max_size=6)
ratios = st.one_of(
    st.tuples(st.integers(0, 10), st.integers(10, 12)),
    st.sampled_from([(2**34 - 1, 2**34), (1, 2**34), (0, 1), (2**34, 2**34)]),
)


@pytest.mark.criterion("NUM-03")
@given(columns, ratios, st.sampled_from([0, 1]))
def test_ratios_compare_exactly(
    pairs: list[tuple[int, int]], ratio: tuple[int, int], shift: int
) -> None:
    have = np.array([a for a, _ in pairs], np.int64)
    whole = np.array([b for _, b in pairs], np.int64)
    results = []
    for module in (kernels, plain):
        passes, slacks = np.zeros(len(pairs), np.uint8), np.zeros(len(pairs), np.int64)
        module.compare(have, whole, *ratio, passes)
        module.slacks(have, whole, *ratio, slacks)
        results.append((passes.tolist(), slacks.tolist()))
    assert results[0] == results[1]
