"""What a state may hold beside what the core defines: a record with its key, a float to the last bit."""

from __future__ import annotations

import math

import pytest

from mm_monitor.codecs.control import KeyedRecord
from mm_monitor.core.pack import pack, unpack


def test_a_keyed_record_comes_back_with_its_key() -> None:
    record = KeyedRecord("mm.reference", 0, 7, b"{}", 1, b"contracts/C0", 5)
    again = unpack(pack({"held": [record]}))["held"][0]
    assert again == record
    assert type(again) is KeyedRecord


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-310, math.pi * 1e200, 5.0])
def test_a_float_comes_back_to_the_last_bit(value: float) -> None:
    again = unpack(pack([value]))[0]
    assert isinstance(again, float)
    assert math.copysign(1, again) == math.copysign(1, value)
    assert again == value
