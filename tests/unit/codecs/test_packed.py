"""The packed codec: rows, dead letters with their position, and that no bytes make it raise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs.packed import PackedCodec
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING
from mm_monitor.core.model import BadReason, Kind
from mm_monitor.core.reference import Contract
from mm_monitor.kernels.reference_decode import HEADER, NULL, QUOTE, THEO
from tests.unit.codecs.samples import chunk, reference

CODEC = PackedCodec()
GOOD = (1_000, 2_750_000, 2_860_000, 40, 20, 1, 10)


def quotes(*rows: tuple[int, ...], template: int = 1, version: int = 1) -> bytes:
    header = HEADER.pack(0, template, 77, version, QUOTE.size, len(rows))
    return header + b"".join(QUOTE.pack(*row) for row in rows)


def theos(*rows: tuple[int, ...]) -> bytes:
    return HEADER.pack(0, 2, 77, 1, THEO.size, len(rows)) + b"".join(THEO.pack(*r) for r in rows)


def test_rows_of_several_records() -> None:
    other = (1_001, NULL, 3_000_000, 0, 5, 2, 11)
    got = CODEC.decode(chunk("quotes", quotes(GOOD, other), quotes(), quotes(GOOD)), reference())
    assert got.dead == []
    assert got.rows["offset"].tolist() == [100, 100, 102]
    assert got.rows[1].tolist() == (1_001, 100, 0, 3_000_000, 0, 5, 1, 1, 5, 1, Kind.QUOTE, 0, 0)


BAD = [
    ((-1, *GOOD[1:]), BadReason.BAD_TIME, "got -1"),
    ((*GOOD[:6], 12), BadReason.UNKNOWN_CONTRACT, "got 12"),
    ((*GOOD[:5], 9, 10), BadReason.UNKNOWN_MAKER, "got 9"),
    ((1_000, 2_750_001, *GOOD[2:]), BadReason.OFF_TICK, "tick 0.0001, got 0.02750001"),
    ((1_000, 2_750_000, NULL, *GOOD[3:]), BadReason.SIZE_WITHOUT_PRICE, "ask_size is 20"),
    ((1_000, 2_750_000, 10**19 // 2 * 1, -5, *GOOD[4:]), BadReason.BAD_SIZE, "got -5"),
    ((1_000, 2**63 - 1, *GOOD[2:]), BadReason.BAD_PRICE, "got 92233720368.54775807"),
    ((1_000, 0, *GOOD[2:]), BadReason.NON_POSITIVE_PRICE, "got 0"),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("row", "reason", "detail"), BAD)
def test_one_bad_row_is_dead_lettered_alone(
    row: tuple[int, ...], reason: BadReason, detail: str
) -> None:
    records = (quotes(), b"junk", quotes(GOOD, row, GOOD))
    got = CODEC.decode(chunk("quotes", *records), reference())
    junk, dead = got.dead
    assert (junk.reason, junk.raw.offset, junk.raw.value) == ("undecodable", 101, b"junk")
    assert (dead.reason, dead.raw.offset, dead.raw.value) == (reason, 102, QUOTE.pack(*row))
    assert dead.detail.startswith("row 1: ")
    assert detail in dead.detail
    changed = got.rows[got.rows["flags"] == QUOTE_BAD]
    unreadable = (BadReason.BAD_TIME, BadReason.UNKNOWN_CONTRACT, BadReason.UNKNOWN_MAKER)
    assert changed["sub"].tolist() == ([] if reason in unreadable else [1])
    assert got.rows[got.rows["flags"] == 0]["sub"].tolist() == [0, 2]
    assert dead.maker == ("" if reason == BadReason.UNKNOWN_MAKER else "M0")


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b"", "shorter"),
        (quotes(GOOD)[:-1], "48 bytes long, got 47"),
        (quotes(GOOD) + b"x", "48 bytes long, got 49"),
        (quotes(GOOD, template=2), "template_id is not 1, got 2"),
        (quotes(GOOD, version=0), "version"),
        (HEADER.pack(0, 1, 76, 1, 40, 0), "schema_id is not 77, got 76"),
        (HEADER.pack(4, 1, 77, 1, 40, 0), "block_length"),
        (HEADER.pack(0, 1, 77, 1, 39, 1) + bytes(39), "row_length is under 40, got 39"),
    ],
)
def test_a_record_that_is_none(value: bytes, detail: str) -> None:
    got = CODEC.decode(chunk("quotes", value, quotes(GOOD)), reference())
    assert [d.reason for d in got.dead] == [BadReason.UNDECODABLE]
    assert detail in got.dead[0].detail
    assert got.rows["offset"].tolist() == [101]


def test_theos_and_their_withdrawal() -> None:
    value = theos((5, 123, 11, 0), (6, NULL, 10, 0), (7, -1, 10, 0), (8, 1, 99, 0))
    got = CODEC.decode(chunk("theo", value), reference())
    assert got.rows["a"].tolist() == [123, 0]
    assert got.rows["flags"].tolist() == [0, THEO_MISSING]
    assert got.rows["contract"].tolist() == [1, 0]
    assert [d.reason for d in got.dead] == [BadReason.BAD_THEO, BadReason.UNKNOWN_CONTRACT]


def test_a_listing_is_known_from_the_next_chunk() -> None:
    names, value = reference(), quotes((*GOOD[:6], 12))
    assert len(CODEC.decode(chunk("quotes", value), names).rows) == 0
    names.add_contract(Contract("C2", "K0", 1, number=12))
    assert CODEC.decode(chunk("quotes", value), names).rows["contract"].tolist() == [2]


def test_an_empty_chunk() -> None:
    assert len(CODEC.decode(chunk("quotes"), reference()).rows) == 0


rows = st.tuples(
    st.integers(-2, 5), *[st.sampled_from([NULL, 0, 10_000, 2_750_000, 2**63 - 1])] * 2,
    *[st.integers(-1, 2)] * 2, st.integers(0, 3), st.integers(9, 12),
)  # fmt: skip
records = st.lists(rows, max_size=5).map(lambda r: quotes(*r))
damaged = st.builds(lambda r, cut: r[: len(r) - cut], records, st.integers(0, 30))


def test_values_in_a_larger_buffer() -> None:
    """As a fetch response holds them: between other bytes, of other lengths, or null."""
    value, junk = quotes(GOOD, GOOD), b"junk"
    data = np.frombuffer(b"\xff" * 7 + value + junk + b"\xff" + value, np.uint8)
    starts = np.array([7, 7 + len(value), 0, len(data) - len(value)], np.int64)
    lengths = np.array([len(value), len(junk), -1, len(value)], np.int64)
    columns = Values("mm.quotes", 3, data, starts, lengths, np.array([4, 5, 7, 9], np.int64), 99)
    got = CODEC.decode(Chunk("quotes", 5, columns), reference())
    assert got.rows["offset"].tolist() == [4, 4, 9, 9]
    assert [(d.raw.offset, d.raw.value) for d in got.dead] == [(5, junk), (7, b"")]
    assert (got.dead[0].raw.topic, got.dead[0].raw.partition) == ("mm.quotes", 3)
    again = CODEC.decode(Chunk("quotes", 5, list(columns[1:])), reference())
    assert again.rows.tolist() == got.rows[2:].tolist()


@pytest.mark.criterion("TAPE-04")
@given(st.lists(st.one_of(records, damaged, st.binary()), max_size=5))
def test_no_bytes_make_it_raise_and_no_row_is_lost(values: list[bytes]) -> None:
    for feed in ("quotes", "theo"):
        got = CODEC.decode(chunk(feed, *values), reference())
        flagged = int((got.rows["flags"] == QUOTE_BAD).sum()) if feed == "quotes" else 0
        whole = {d.raw.offset - 100 for d in got.dead if not d.detail.startswith("row ")}
        counted = sum(HEADER.unpack_from(v)[5] for i, v in enumerate(values) if i not in whole)
        good = len(got.rows) - flagged
        assert good + len(got.dead) - len(whole) == counted
