"""Numbers as a person reads them: cut, never rounded."""

from __future__ import annotations

import pytest

from mm_monitor.screens import duration, percent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.899999999", "89.9999 %"),
        ("1.000000000", "100.0000 %"),
        ("0.000000001", "0.0000 %"),
        (None, "-"),
    ],
)
def test_percent_is_cut_not_rounded(text: str | None, shown: str) -> None:
    assert percent(text) == shown


@pytest.mark.parametrize(
    ("ns", "shown"), [(61 * 10**9, "1:01"), (-3_599 * 10**9, "-59:59"), (None, "-")]
)
def test_duration(ns: int | None, shown: str) -> None:
    assert duration(ns) == shown
