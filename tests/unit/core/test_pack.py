"""Snapshots: bytes that were touched are refused with what was wrong, never half read (law L5's guard)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.core.pack import SCHEMA, pack, unpack
from mm_monitor.errors import SnapshotError
from mm_monitor.kernels import layout

VALUE = {
    "numbers": [1, -(2**70), None, True, "做市商"],
    "ratio": Fraction(2, 3),
    "slots": np.ones(3, dtype=layout.SLOT),
    "empty": np.zeros(0, dtype=np.int64),
    "matrix": np.arange(6, dtype=np.int64).reshape(2, 3),
}


def test_values_come_back_as_they_were() -> None:
    back = unpack(pack(VALUE))
    assert back["numbers"] == VALUE["numbers"]
    assert back["ratio"] == Fraction(2, 3)
    for name in ("slots", "empty", "matrix"):
        assert back[name].dtype == VALUE[name].dtype  # type: ignore[attr-defined]
        assert np.array_equal(back[name], VALUE[name])  # type: ignore[arg-type]


def test_same_value_same_bytes() -> None:
    assert pack(VALUE) == pack(dict(reversed(VALUE.items())))


@given(cut=st.integers(0, 10_000))
def test_truncated_bytes_are_refused(cut: int) -> None:
    data = pack(VALUE)
    with pytest.raises(SnapshotError):
        unpack(data[: cut % len(data)])


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused(place: int, bit: int) -> None:
    data = bytearray(pack(VALUE))
    place %= len(data)
    if 6 <= place < 8:  # the header's unused bytes
        return
    data[place] ^= 1 << bit
    with pytest.raises(SnapshotError):
        unpack(bytes(data))


def test_other_schema_is_named() -> None:
    data = bytearray(pack(VALUE))
    data[4] = 9
    with pytest.raises(SnapshotError, match=f"schema {SCHEMA}, got 9"):
        unpack(bytes(data))


def test_unknown_types_are_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        pack({"things": {1, 2}})
