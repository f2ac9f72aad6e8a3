"""Instants and ratios as text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mm_monitor.formats import json_bytes, percent_text, ratio_number, ratio_text, rfc3339


def test_all_nine_digits_of_an_instant_are_kept() -> None:
    assert rfc3339(1_754_011_800_123_456_789) == "2025-08-01T01:30:00.123456789Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000000000Z"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Fraction(9, 10), "0.900000000"),
        (Fraction(9 * 10**17 - 1, 10**18), "0.899999999"),
        (Fraction(1), "1.000000000"),
        (Fraction(2, 3), "0.666666666"),
        (None, None),
    ],
)
def test_ratios_are_truncated(ratio: Fraction | None, text: str | None) -> None:
    assert ratio_text(ratio) == text
    if ratio is not None:
        assert ratio_number(ratio) == float(text or "")


def test_percentages_for_people_are_truncated_too() -> None:
    assert percent_text(Fraction(89_999, 100_000)) == "89.99 %"
    assert percent_text(None) == "n/a"


def test_evidence_with_integers_of_numpy_is_json_all_the_same() -> None:
    value = {"limit": np.int64(2**62), "ratio": Fraction(1, 3), "text": "做市", "none": None}
    assert json_bytes(value, order="sorted").decode() == (
        '{"limit":4611686018427387904,"none":null,"ratio":"1/3","text":"做市"}'
    )
