"""The least size of a quote by expiry month (VAL-04)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.rulebook import Rulebook, SizeCell
from mm_monitor.core.sizes import least_sizes
from mm_monitor.rulebooks.lint import lint
from mm_monitor.rulebooks.loader import parse

EXPIRIES = ("2025-01-10", "2025-01-31", "2025-02-28", "2025-03-28", "")
PLAIN = Rulebook("r", 1, "0" * 64, min_size=5)
TWO = replace(PLAIN, size_by_month=(SizeCell(9, 0, 1), SizeCell(7, 1, 2), SizeCell(6, 2)))
HEAD = b'id = "r"\nversion = 1\nsource = "a test"\n'


def reference(*other: str) -> Reference:
    contracts = [Contract(f"C{i}", "K0", 1, "call", "3", day) for i, day in enumerate(EXPIRIES)]
    return Reference.of(
        [*contracts, *(Contract(f"D{d}", "K1", 1, "call", "3", d) for d in other)], []
    )


@pytest.mark.criterion("VAL-04")
@pytest.mark.parametrize(
    ("day", "sizes"),
    [
        ("2025-01-10", [9, 9, 7, 6, 6]),
        ("2025-01-11", [6, 9, 7, 6, 6]),  # the month goes on while anything in it does
        ("2025-02-01", [6, 6, 9, 7, 6]),
        ("", [9, 9, 7, 6, 6]),
    ],
)
def test_months_are_those_that_are_left(day: str, sizes: list[int]) -> None:
    assert least_sizes(TWO, reference(), day).tolist() == sizes


@pytest.mark.criterion("VAL-04")
def test_each_class_has_its_own_months_and_only_what_is_listed_makes_one() -> None:
    known = reference("2025-03-28", "2025-04-25")
    assert least_sizes(TWO, known, "2025-01-02").tolist() == [9, 9, 7, 6, 6, 9, 7]
    known.remove_contract("C0")
    known.remove_contract("C1")
    assert least_sizes(TWO, known, "2025-01-02").tolist() == [6, 6, 9, 7, 6, 9, 7]


@pytest.mark.criterion("VAL-04")
def test_where_no_cell_holds_the_size_for_all_does() -> None:
    near = replace(PLAIN, size_by_month=(SizeCell(9, 0, 1),))
    assert least_sizes(near, reference(), "2025-01-02").tolist() == [9, 9, 5, 5, 5]
    assert least_sizes(replace(near, min_size=None), reference(), "2025-01-02").tolist() == [
        9,
        9,
        1,
        1,
        1,
    ]
    assert least_sizes(replace(PLAIN, min_size=0), reference(), "").tolist() == [1] * 5


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("{ months_to = 4, size = 7 }", "gap: no size for expiry month 4"),
        ("{ months_from = 1, size = 7 }", "gap: no size for expiry month 0"),
        ("{ months_to = 4, size = 7 }, { size = 5 }", "overlaps [0] at expiry month 0"),
        ("{ months_to = 4, size = 7 }, { months_from = 4, size = 5 }", ""),
    ],
)
def test_lint_finds_gaps_and_overlaps(cells: str, found: str) -> None:
    book = parse(HEAD + f"[quote]\nmin_size_by_month = [{cells}]\n".encode())
    of_sizes = [f.message for f in lint(book) if f.path.startswith("quote.min_size_by_month")]
    assert (found in of_sizes[0]) if found else of_sizes == []
    whole = parse(HEAD + f"[quote]\nmin_size = 5\nmin_size_by_month = [{cells}]\n".encode())
    assert not any("gap" in f.message for f in lint(whole))
