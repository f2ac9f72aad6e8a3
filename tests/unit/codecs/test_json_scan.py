"""What the scanner reads is what msgspec would have read, on any records, and both together keep the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs.json import JsonCodec
from mm_monitor.core.batch import Decoded
from mm_monitor.core.model import BadReason
from mm_monitor.core.reference import Appointment, Reference
from tests.kernels.json_records import LONG, plain, records
from tests.unit.codecs.samples import chunk, reference

CODEC = JsonCodec()


def shown(decoded: Decoded) -> tuple[object, ...]:
    return decoded.rows.tolist(), list(decoded.dead), len(decoded.controls)


def names() -> Reference:
    known = reference()
    known.appoint(Appointment(LONG, "*"))
    known.open_account("A8", "gone")
    known.foresee_tick(1, 2_000_000_000_000_000_000, 5_000_000)
    return known


@pytest.mark.parametrize("feed", ["quotes", "theo"])
@given(st.data())
def test_both_ways_give_the_same(feed: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(records(feed == "quotes"), max_size=5))
    one = CODEC.decode(chunk(feed, *values), names())
    other = CODEC.decode_any(chunk(feed, *values), names())
    assert shown(one) == shown(other)


def test_unusual_records_stay_in_their_place() -> None:
    odd = plain(maker="M1").replace(b"M1", b"\\u004d1")
    got = CODEC.decode(chunk("quotes", plain(), odd, b"x", plain(ask_size=7), odd), reference())
    assert got.rows["offset"].tolist() == [100, 101, 103, 104]
    assert got.rows["maker"].tolist() == [0, 1, 0, 1]
    assert [d.raw.offset for d in got.dead] == [102]


def test_a_tick_that_changes_in_the_day() -> None:
    known = reference()
    known.foresee_tick(0, 2_000, 20_000)
    fine, coarse = plain(ts_event=1_999), plain(ts_event=2_000)
    got = CODEC.decode(chunk("quotes", fine, coarse, b"[" + fine + b"," + coarse + b"]"), known)
    assert got.rows["flags"].tolist() == [0, 1, 0, 1]
    assert got.rows["offset"].tolist() == [100, 101, 102, 102]
    assert [(d.reason, d.raw.offset) for d in got.dead] == [
        (BadReason.OFF_TICK, 101),
        (BadReason.OFF_TICK, 102),
    ]


def test_names_are_those_of_now() -> None:
    known, codec, quote = reference(), JsonCodec(), plain(maker="A9")
    assert codec.decode(chunk("quotes", quote), known).rows["maker"].tolist() == [-1]
    known.open_account("A9", "M1")
    row = codec.decode(chunk("quotes", quote), known).rows[0]
    assert (row["maker"], row["account"]) == (1, 2)
    known.close_account("A9")
    assert codec.decode(chunk("quotes", quote), known).rows["maker"].tolist() == [-1]
    assert codec.decode(chunk("quotes", quote), reference()).rows["maker"].tolist() == [-1]


def test_a_bad_element_with_a_name_that_is_no_text_is_still_a_dead_letter() -> None:
    odd = b'{"ts_event":0,"contract":"nobody","theo":"1","\x80elta":"0.5"}'
    got = CODEC.decode(chunk("theo", odd), reference())
    assert [d.reason for d in got.dead] == [BadReason.UNKNOWN_CONTRACT]
    assert "no JSON" in got.dead[0].detail
