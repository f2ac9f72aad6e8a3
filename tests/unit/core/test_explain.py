"""Evidence: by how many price units each test fails, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mm_monitor.core.explain import Standing, failures, price_text, spread_limit
from mm_monitor.core.rulebook import Band, Ratio, Rulebook, SpreadTerm

E8 = 10**8
BOOK = Rulebook(
    id="b",
    version=1,
    sha256="",
    min_size=10,
    size_difference=Ratio(1, 2),
    size_difference_of="smaller",
    terms=(SpreadTerm("relative", "theo", Ratio(3, 100)), SpreadTerm("ticks", ticks=1)),
    off_theo=Band(absolute=5 * E8 // 100),
)
# theo 1.00: limit max(0.03, 0.01) = 0.03
QUOTE = Standing(99 * E8 // 100, 101 * E8 // 100, 10, 15, E8 // 100, E8)


def test_valid_quote_fails_nothing() -> None:
    assert failures(QUOTE, BOOK) == {}
    assert spread_limit(QUOTE, BOOK) == 3 * E8 // 100


@pytest.mark.parametrize(
    ("change", "test", "by"),
    [
        ({"bid_size": 0, "ask_size": 0}, "absent", ""),
        ({"ask_size": 0}, "one_sided", "no ask"),
        ({"bid": 101 * E8 // 100}, "crossed", "0"),
        ({"bid_size": 7}, "size", "3"),
        ({"ask_size": 16}, "unequal", "1"),
        ({"bid": 97 * E8 // 100}, "spread", "0.01"),  # 0.04 wide, 0.03 allowed
        ({"theo": 110 * E8 // 100}, "off_theo", "0.04"),  # ask 1.01 < 1.10 - 0.05
        ({"stale": True}, "stale", ""),
    ],
)
def test_one_defect(change: dict[str, int], test: str, by: str) -> None:
    assert failures(replace(QUOTE, **change), BOOK)[test] == by  # type: ignore[arg-type]


def test_limit_hangs_on_theo() -> None:
    assert spread_limit(replace(QUOTE, theo=None), BOOK) is None


def test_relief_multiplies_the_limit() -> None:
    assert spread_limit(replace(QUOTE, relief=Fraction(2)), BOOK) == 6 * E8 // 100


def test_zero_bid_rule_lets_the_ask_stand_alone() -> None:
    book = replace(BOOK, zero_bid_below=2 * E8)
    assert "one_sided" not in failures(replace(QUOTE, bid_size=0), book)
    assert failures(replace(QUOTE, bid_size=0, theo=2 * E8), book)["one_sided"] == "no bid"


@pytest.mark.parametrize(
    ("units", "text"), [(0, "0"), (1, "0.00000001"), (-150_000_000, "-1.5"), (E8, "1")]
)
def test_price_text(units: int, text: str) -> None:
    assert price_text(units) == text
