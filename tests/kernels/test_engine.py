"""The engine kernel and its plain twin leave the same bytes after every call of any sequence (law L6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import QUOTE_BAD, ROW, THEO_MISSING
from mm_monitor.core.model import Kind
from mm_monitor.kernels import _engine, layout
from mm_monitor.kernels import reference as plain
from tests.kernels.test_calls import PARAM, SETUP
from tests.kernels.worlds import BARE, COMMON, LAST, WHOLE, Call, Machine, Setup, sequences

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


THEOS = (
    700,
    1000,
    1000,
    1001,
    1400,
    100,
    2**62,
)  # 3 % of them: 21, 30, 30.03, 42, 3 and more than fits
WIDTHS = (10, 10, 10, 1, 5, 6, 11, 21, 22, 30, 31, 42, 60, 61, 0)  # at and beside what is allowed


OPENING = tuple(
    [(0, 0, 1000, 0, 0, 0, -1, contract, 3, 0, Kind.THEO, 0, 0) for contract in (0, 1)]
    + [
        (0, 1, 990, 1000, 5, 5, m, contract, 3, 1, Kind.QUOTE, 0, 0)
        for contract in (0, 1)
        for m in (0, 1)
    ]
)


@st.composite
def usual(draw: st.DrawFn, setup: Setup, t: int) -> tuple[int, ...]:
    """A quote that often is valid as the last one was, or a theo that often lets it be."""
    contract = draw(st.integers(0, len(setup.cls) - 1))
    number = draw(st.integers(0, 99))
    if draw(st.integers(0, 7)) == 0:
        theo, flag = draw(st.sampled_from([(theo, 0) for theo in THEOS] + [(0, THEO_MISSING)] * 2))
        return (t, number, theo, 0, 0, 0, -1, contract, 3, 0, Kind.THEO, flag, 0)
    bid = draw(st.sampled_from([990, 991, 995, 2**62 - 30, 2**62 - 7]))
    ask = bid + draw(st.sampled_from(WIDTHS))
    bid_size, ask_size = draw(st.tuples(*[st.sampled_from([5, 5, 5, 5, 6, 4, 0])] * 2))
    maker, flag = (
        draw(st.integers(0, setup.makers - 1)),
        draw(st.sampled_from([0] * 6 + [QUOTE_BAD])),
    )
    return (t, number, bid, ask, bid_size, ask_size, maker, contract, 3, 1, Kind.QUOTE, flag, 0)


@st.composite
def between(draw: st.DrawFn, t: int) -> Call:
    """What changes beside the tape: clocks, stress, what is listed, reliefs and a side that need not be quoted."""
    both = st.tuples(st.integers(0, 1), st.integers(0, 1))
    name = draw(st.sampled_from(["set_clocks", "set_stress", "restate", "live", "tick"]))
    if name == "live":
        return Call(name, t, ((0, 1), draw(both)))
    if name == "tick":
        return Call(name, t, ((0, 1), draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))))
    if name == "set_clocks":
        return Call(name, t, ((0, 1), (1, 1), draw(both)))
    if name == "set_stress":
        return Call(name, t, ((0, 1), draw(both)))
    slot, ex, relax = (
        draw(st.integers(0, 3)),
        draw(st.sampled_from([0, 0, 4])),
        draw(st.integers(0, 1)),
    )
    return Call(name, t, ((slot,), (0,), (ex,), (relax,), (draw(st.integers(0, 1)),)))


@st.composite
def usual_days(draw: st.DrawFn) -> tuple[Setup, list[Call]]:
    """The rulebook of most venues, two makers, and quotes that are mostly valid."""
    missing, longest = draw(st.sampled_from([0, 1, 1, 3])), draw(st.sampled_from([-1, 2]))
    param = PARAM | COMMON | BARE | {
        "makers": 2, "terms": 2, "widths": 0, "missing": missing, "buckets": 1, "longest": longest,
        "zero_bid": draw(st.sampled_from([-1, 1050])),
    }  # fmt: skip
    bid_term = draw(st.integers(0, 4)) == 0  # then a quote that moves is judged again
    first = layout.BID if bid_term else layout.THEO
    factors = (1, 2, 3, 6)  # alone, in stress, with relief, with both
    terms: list[tuple[int, ...]] = [
        term for k in factors for term in ((first, 3 * k, 100, 0), (layout.TICKS, 5 * k, 1, 0))
    ]
    setup = replace(
        SETUP, cls=[0, 0], rank=[[0, 1]], ticks=[1, 2], dead=[False, draw(st.integers(0, 5)) == 5],
        outside=[False, draw(st.booleans())], idle=[False] * 4,
        watched=[draw(st.integers(0, 5)) == 5 for _ in range(4)], widths=[], param=param,
        buckets=[0, 0], sizes=[5, 1], terms=terms, cells=[], reliefs=2, spare_edges=1000,
        shift=draw(st.sampled_from([0, 1])),
    )  # fmt: skip
    made, t = [Call("set_clocks", 0, ((0, 1), (1, 1), (1, 1))), Call("apply_rows", 0, OPENING)], 1
    for _ in range(draw(st.integers(1, 4))):
        steps = draw(st.lists(st.sampled_from([0, 1, 1, 5]), min_size=1, max_size=20))
        times = (t + np.cumsum(steps)).tolist()
        made.append(Call("apply_rows", times[-1], tuple(draw(usual(setup, x)) for x in times)))
        t = times[-1] + 1
        made.append(draw(between(t)))
    return setup, [*made, Call("settle", t + 9)]


@pytest.mark.criterion("L6")
@given(usual_days())
def test_a_usual_day_is_as_its_plain_twin_has_it(day: tuple[Setup, list[Call]]) -> None:
    run_both(*day)


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
