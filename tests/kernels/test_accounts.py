"""The accounts kernel and its plain twin make the same quotes; by hand what union and best are, and what is refused."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.core.batch import QUOTE_BAD, ROW
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, Kind
from mm_monitor.kernels import reference_accounts as plain
from mm_monitor.kernels.layout import HELD
from tests.kernels.worlds import shifted

MODULES = pytest.mark.parametrize("module", [kernels, plain], ids=["kernel", "twin"])
# Maker 0 has accounts 1 and 3 (places 1, 0 and 3 in name order), maker 1 none, maker 2 account 2.
OWN = np.array([1, -1, 2], np.int32)
PLACE = np.array([-1, 0, 4, 3], np.int32)
FIRST = np.array([0, 3, 3, 5], np.int32)
MEMBERS = np.array([1, 0, 3, 4, 2], np.int32)
CONTRACTS = 2

prices = st.one_of(st.integers(1, 6), st.sampled_from([MAX_PRICE, MAX_PRICE - 1]))
sizes = st.sampled_from([0, 0, 1, 5, 6, MAX_SIZE, MAX_SIZE - 3])


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, ...]:
    kind = draw(st.sampled_from([Kind.QUOTE] * 8 + [Kind.THEO]))
    flags = QUOTE_BAD if draw(st.integers(0, 7)) == 0 else 0
    maker = draw(st.sampled_from([0, 0, 0, 1, 2, -1]))
    account = draw(st.sampled_from({0: [0, 1, 3], 2: [0, 2]}.get(maker, [0])))
    numbers = (draw(prices), draw(prices), draw(sizes), draw(sizes))
    return (0, 0, *numbers, maker, draw(st.integers(0, 1)), 0, 0, kind, flags, account)


def fold(
    module: Any, drawn: list[tuple[int, ...]], wanted: list[int], best: bool, shift: int = 0
) -> Any:
    tape = shifted(np.array(drawn, ROW), shift)
    quotes = shifted(np.zeros((5, CONTRACTS), HELD), shift)
    columns = [shifted(column, shift) for column in (OWN, PLACE, FIRST, MEMBERS)]
    module.fold_accounts(tape, np.array(wanted, np.uint8), quotes, *columns, best)
    return tape, quotes


@pytest.mark.criterion("OBL-01")
@given(st.lists(rows(), max_size=20), st.booleans(), st.sampled_from([0, 1]), st.data())
def test_the_kernel_is_its_plain_twin(
    drawn: list[tuple[int, ...]], best: bool, shift: int, data: st.DataObject
) -> None:
    wanted = [data.draw(st.sampled_from([1, 1, 1, 0])) for _ in drawn]
    one, two = fold(kernels, drawn, wanted, best, shift), fold(plain, drawn, wanted, best)
    for a, b in zip(one, two, strict=True):
        assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def quote(account: int, bid: int, bid_size: int, ask: int, ask_size: int) -> tuple[int, ...]:
    return (0, 0, bid, ask, bid_size, ask_size, 0, 0, 0, 0, Kind.QUOTE, 0, account)


TAPE = [
    quote(0, 10, 5, 14, 5),
    quote(1, 11, 3, 15, 9),
    quote(3, 11, 4, 14, 1),
    quote(3, 0, 0, 13, 2),
]


def numbers(tape: Any) -> list[tuple[int, ...]]:
    return [tuple(int(row[name]) for name in ("a", "a_size", "b", "b_size")) for row in tape]


@MODULES
def test_union_is_the_best_of_each_side_with_the_sizes_there(module: ModuleType) -> None:
    tape, _ = fold(module, TAPE, [1] * 4, False)
    assert numbers(tape) == [(10, 5, 14, 5), (11, 3, 14, 5), (11, 7, 14, 6), (11, 3, 13, 2)]


@MODULES
def test_best_is_one_quote_with_two_sides_narrow_and_large(module: ModuleType) -> None:
    tape, _ = fold(module, TAPE, [1] * 4, True)
    # as wide as the first but smaller, then narrower, then one-sided
    assert numbers(tape) == [(10, 5, 14, 5), (10, 5, 14, 5), (11, 4, 14, 1), (10, 5, 14, 5)]
    tie = [quote(1, 10, 5, 14, 5), quote(0, 11, 5, 15, 7), quote(1, 10, 6, 14, 6)]
    tape, _ = fold(module, tie, [1] * 3, True)
    assert numbers(tape) == [(10, 5, 14, 5), (11, 5, 15, 7), (10, 6, 14, 6)]  # place 1 is preferred


@MODULES
def test_sizes_stop_at_the_most_that_there_is(module: ModuleType) -> None:
    tape, _ = fold(module, [quote(0, 10, MAX_SIZE, 12, 1), quote(1, 10, 1, 12, 1)], [1, 1], False)
    assert numbers(tape)[1] == (10, MAX_SIZE, 12, 2)


WRONG = {
    "wanted": (np.zeros(3, np.uint8), OWN, PLACE, FIRST, MEMBERS),
    "first": (np.ones(4, np.uint8), OWN, PLACE, FIRST[:-1].copy(), MEMBERS),
    "maker 0": (np.ones(4, np.uint8), np.array([7, -1, 2], np.int32), PLACE, FIRST, MEMBERS),
    "member": (np.ones(4, np.uint8), OWN, PLACE, FIRST, np.array([1, 0, 3, 9, 2], np.int32)),
    "account 1": (np.ones(4, np.uint8), OWN, np.array([-1, 9, 2, 3], np.int32), FIRST, MEMBERS),
    "account 3 has no place": (np.ones(4, np.uint8), OWN, PLACE[:3].copy(), FIRST, MEMBERS),
    "row 0: maker": (
        np.ones(4, np.uint8),
        OWN[:0].copy(),
        PLACE,
        np.zeros(1, np.int32),
        MEMBERS[:0].copy(),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_out_of_range_is_refused(what: str) -> None:
    wanted, own, place, first, members = WRONG[what]
    quotes = np.zeros((5, CONTRACTS), HELD)
    with pytest.raises(ValueError, match=what):
        kernels.fold_accounts(
            np.array(TAPE, ROW), wanted, quotes, own, place, first, members, False
        )
