"""The decode kernel and its plain twin agree byte for byte, on any bytes."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor import kernels
from mm_monitor.codecs.directory import IdTable
from mm_monitor.core.batch import QUOTE_BAD, Rows, empty_rows
from mm_monitor.core.model import MAX_PRICE, Kind
from mm_monitor.kernels import _decode
from mm_monitor.kernels import reference_decode as plain
from mm_monitor.kernels.reference_decode import NULL, QUOTES, THEOS, Code
from mm_monitor.kernels.reference_merge import survey as plain_survey

TICKS = np.array([10_000, 1, 500_000_000], np.int64)
CONTRACTS = IdTable.of({7: 0, 1_000_007: 1, 2**32 - 1: 2, 3: 0})
MAKERS = IdTable.of({1: 0, 2: 1, 0: 2})

prices = st.one_of(
    st.just(NULL),
    st.integers(-3, 50).map(lambda n: n * 10_000),
    st.sampled_from([MAX_PRICE, MAX_PRICE + 1, -MAX_PRICE, -MAX_PRICE - 1, 2**63 - 1, NULL + 1]),
    st.integers(-(2**63), 2**63 - 1),
)
sizes = st.one_of(st.integers(-1, 3), st.sampled_from([2**31 - 1, -(2**31)]))
times = st.one_of(st.integers(0, 10**19 // 2), st.sampled_from([-1, 2**63 - 1, -(2**63)]))
quotes = st.tuples(
    times, prices, prices, sizes, sizes, st.integers(0, 3), st.sampled_from([7, 1_000_007, 3, 9])
)
theos = st.tuples(times, prices, st.sampled_from([7, 1_000_007, 9, 0]), st.just(0))


def packed(template: int, rows: list[tuple[int, ...]], extra: int = 0) -> bytes:
    layout = plain.QUOTE if template == QUOTES else plain.THEO
    header = plain.HEADER.pack(0, template, 77, 1, layout.size + extra, len(rows))
    return header + b"".join(layout.pack(*row) + bytes(extra) for row in rows)


def damaged(record: bytes, cut: int, at: int, byte: int) -> bytes:
    data = bytearray(record[: len(record) - cut])
    if data:
        data[at % len(data)] = byte
    return bytes(data)


def records_of(template: int, row: st.SearchStrategy[tuple[int, ...]]) -> st.SearchStrategy[bytes]:
    good = st.builds(
        packed, st.just(template), st.lists(row, max_size=5), st.sampled_from([0, 0, 8])
    )
    broken = st.builds(damaged, good, st.integers(0, 9), st.integers(0, 50), st.integers(0, 255))
    return st.one_of(good, good, good, broken, st.binary(max_size=60))


NAMED = np.zeros(
    2, np.uint8
)  # one less than there are contracts: who has no element is passed over
UNSEEN = np.array([10_000, 0, 0], np.int64)  # 0: the caller has the tick


def decode(
    module: ModuleType, template: int, records: list[bytes], ticks: Any = TICKS
) -> tuple[Any, ...]:
    data = b"".join(records)
    lengths = np.array([len(r) for r in records], np.int64)
    starts = np.cumsum(lengths) - lengths
    lengths[lengths == 0] = -1  # a null value is as short as an empty one
    offsets = np.arange(100, 100 + len(records), dtype=np.int64)
    rows = empty_rows(len(data) // (plain.QUOTE if template == QUOTES else plain.THEO).size)
    out = (rows, np.zeros(len(rows), np.uint8), np.empty(len(records), np.int32), NAMED.copy())
    contracts = (CONTRACTS.keys, CONTRACTS.values)
    if template == QUOTES:
        makers = (MAKERS.keys, MAKERS.values)
        told = module.decode_quotes(
            data, starts, lengths, offsets, 3, *makers, *contracts, ticks, *out
        )
    else:
        told = module.decode_theos(data, starts, lengths, offsets, 3, *contracts, *out)
    n, bad, unread, *survey = told
    rows, codes, counts, named = out
    assert (n, unread) == (counts[counts > 0].sum(), (counts < 0).sum())
    if n:
        assert tuple(survey) == plain_survey(rows[:n])
    seen = set(rows["contract"][:n].tolist())
    assert named.tolist() == [int(i in seen) for i in range(len(named))]
    return bad, counts.tolist(), rows.tobytes(), codes.tobytes(), rows[:n], codes[:n]


@pytest.mark.criterion("TAPE-04")
@given(st.lists(records_of(QUOTES, quotes), max_size=6))
@pytest.mark.parametrize("ticks", [TICKS, UNSEEN], ids=["ticks", "unseen"])
def test_quotes_agree_with_the_plain_twin(ticks: Any, records: list[bytes]) -> None:
    one, other = (decode(module, QUOTES, records, ticks) for module in (_decode, plain))
    assert one[:4] == other[:4]


@pytest.mark.criterion("TAPE-04")
@given(st.lists(records_of(THEOS, theos), max_size=6))
def test_theos_agree_with_the_plain_twin(records: list[bytes]) -> None:
    assert decode(_decode, THEOS, records)[:4] == decode(plain, THEOS, records)[:4]


def text_rows(
    fields: list[tuple[int, ...]], preset: list[int]
) -> tuple[Rows, np.ndarray[Any, Any]]:
    rows = empty_rows(len(fields))
    for i, (ts, bid, ask, bid_size, ask_size, maker, contract) in enumerate(fields):
        rows[i] = (ts, i, bid, ask, bid_size, ask_size, maker - 1, contract, 1, 0, 9, 0, 0)
    codes = np.zeros(len(fields), np.uint8)
    codes[: len(preset)] = preset[: len(fields)]
    return rows, codes


@pytest.mark.criterion("TAPE-04")
@given(
    st.lists(st.tuples(times, prices, prices, sizes, sizes, st.integers(0, 2), st.integers(-1, 3))),
    st.lists(st.sampled_from([0, 0, 0, int(Code.UNDECODABLE)])),
)
@pytest.mark.parametrize("ticks", [TICKS, UNSEEN], ids=["ticks", "unseen"])
def test_checks_agree_with_the_plain_twin(
    ticks: Any, fields: list[tuple[int, ...]], preset: list[int]
) -> None:
    results = []
    for module in (kernels, plain):
        rows, codes = text_rows(fields, preset)
        bad = module.check_quotes(rows, ticks, codes)
        theo_rows, theo_codes = text_rows(fields, preset)
        theo_bad = module.check_theos(theo_rows, theo_codes)
        results.append(
            (
                bad,
                rows.tobytes(),
                codes.tobytes(),
                theo_bad,
                theo_rows.tobytes(),
                theo_codes.tobytes(),
            )
        )
    assert results[0] == results[1]


GOOD = (5, 20_000, 30_000, 1, 2, 1, 7)
BAD_ROWS = [
    ((-1, 20_000, 30_000, 1, 2, 1, 7), Code.BAD_TIME),
    ((5, 20_000, 30_000, 1, 2, 1, 8), Code.UNKNOWN_CONTRACT),
    ((5, 20_000, 30_000, 1, 2, 9, 8), Code.UNKNOWN_CONTRACT),
    ((5, 20_000, 30_000, 1, 2, 9, 7), Code.UNKNOWN_MAKER),
    ((5, 20_000, 30_000, -1, 2, 1, 7), Code.BID_SIZE),
    ((5, MAX_PRICE + 1, 30_000, 1, 2, 1, 7), Code.BID_PRICE),
    ((5, 20_001, 30_000, 1, 2, 1, 7), Code.BID_OFF_TICK),
    ((5, NULL, 30_000, 1, 2, 1, 7), Code.BID_WITHOUT_PRICE),
    ((5, 0, 30_000, 1, 2, 1, 7), Code.BID_NON_POSITIVE),
    ((5, 20_000, 30_000, 1, -(2**31), 1, 7), Code.ASK_SIZE),
    ((5, 20_000, -MAX_PRICE - 1, 1, 0, 1, 7), Code.ASK_PRICE),
    ((5, 20_000, 30_001, 1, 0, 1, 7), Code.ASK_OFF_TICK),
    ((5, 20_000, NULL, 1, 2, 1, 7), Code.ASK_WITHOUT_PRICE),
    ((5, 20_000, -10_000, 1, 2, 1, 7), Code.ASK_NON_POSITIVE),
]


@pytest.mark.criterion("TAPE-04")
@pytest.mark.parametrize(("row", "code"), BAD_ROWS)
def test_one_bad_row_between_good_ones(row: tuple[int, ...], code: Code) -> None:
    bad, _, _, _, rows, codes = decode(_decode, QUOTES, [packed(QUOTES, [GOOD, row, GOOD])])
    assert (bad, codes.tolist()) == (1, [0, code, 0])
    assert rows["sub"].tolist() == [0, 1, 2]
    assert rows[1]["flags"] == QUOTE_BAD
    assert (rows[1]["a"], rows[1]["b"], rows[1]["a_size"], rows[1]["b_size"]) == (0, 0, 0, 0)
    assert rows[2]["a"] == 20_000


@pytest.mark.criterion("TAPE-04")
def test_a_side_of_size_zero_is_withdrawn_whatever_its_price() -> None:
    row = (5, -20_000, 0, 0, 0, 2, 1_000_007)
    bad, _, _, _, rows, _ = decode(_decode, QUOTES, [packed(QUOTES, [row], extra=16)])
    assert bad == 0
    assert rows[0].tolist() == (5, 100, 0, 0, 0, 0, 1, 1, 3, 0, Kind.QUOTE, 0, 0)


def test_the_longest_record_decodes() -> None:
    bad, counts, _, _, rows, _ = decode(_decode, QUOTES, [packed(QUOTES, [GOOD] * 65_535)])
    assert (bad, counts, len(rows), rows[-1]["sub"]) == (0, [65_535], 65_535, 65_534)


def test_unaligned_and_read_only_input() -> None:
    record = packed(QUOTES, [GOOD])
    shifted = np.frombuffer(b"x" + record, np.uint8)[1:]
    rows, codes = empty_rows(1), np.zeros(1, np.uint8)
    told = (np.zeros(1, np.int32), NAMED.copy())
    spans = (np.zeros(1, np.int64), np.array([len(record)]), np.array([4]), 0)
    tables = (MAKERS.keys, MAKERS.values, CONTRACTS.keys, CONTRACTS.values)
    assert kernels.decode_quotes(shifted, *spans, *tables, TICKS, rows, codes, *told)[:2] == (1, 0)
    assert rows[0]["b"] == 30_000


def wrong_calls() -> list[tuple[str, dict[str, Any]]]:
    ints = np.int64
    return [
        ("the buffer has 48", {"lengths": np.array([49], ints)}),
        ("the buffer has 48", {"starts": np.array([1], ints)}),
        ("the buffer has 48", {"starts": np.array([-1], ints)}),
        ("the buffer has 48", {"starts": np.array([2**63 - 1], ints)}),
        ("-2 bytes", {"lengths": np.array([-2], ints)}),
        ("starts", {"starts": np.zeros(2, ints)}),
        ("offsets", {"offsets": np.zeros(2, ints)}),
        ("codes", {"codes": np.zeros(2, np.uint8)}),
        ("counts", {"counts": np.zeros(2, np.int32)}),
        ("rows", {"rows": empty_rows(0), "codes": np.zeros(0, np.uint8)}),
        ("part", {"part": 65_536}),
        ("power of two", {"maker_keys": np.zeros(3, np.uint32)}),
    ]


@pytest.mark.parametrize(("message", "change"), wrong_calls())
def test_arguments_that_do_not_belong_together(message: str, change: dict[str, Any]) -> None:
    call: dict[str, Any] = {
        "data": packed(QUOTES, [GOOD]),
        "starts": np.array([0], np.int64),
        "lengths": np.array([48], np.int64),
        "offsets": np.array([0], np.int64),
        "part": 0,
        "maker_keys": MAKERS.keys,
        "maker_values": MAKERS.values,
        "contract_keys": CONTRACTS.keys,
        "contract_values": CONTRACTS.values,
        "ticks": TICKS,
        "rows": empty_rows(1),
        "codes": np.zeros(1, np.uint8),
        "counts": np.zeros(1, np.int32),
        "named": NAMED.copy(),
    }
    with pytest.raises(ValueError, match=message):
        kernels.decode_quotes(**{**call, **change})


def test_a_table_that_points_beyond_the_ticks_is_an_unknown_contract() -> None:
    rows, codes = empty_rows(1), np.zeros(1, np.uint8)
    told = (np.zeros(1, np.int32), NAMED.copy())
    record, table = packed(QUOTES, [GOOD]), IdTable.of({7: 3})
    spans = (np.zeros(1, np.int64), np.array([len(record)]), np.array([4]), 0)
    tables = (MAKERS.keys, MAKERS.values, table.keys, table.values)
    assert kernels.decode_quotes(record, *spans, *tables, TICKS, rows, codes, *told)[:2] == (1, 1)
    assert codes[0] == Code.UNKNOWN_CONTRACT


def test_a_table_without_a_free_cell_ends() -> None:
    rows, codes, record = empty_rows(1), np.zeros(1, np.uint8), packed(QUOTES, [GOOD])
    told = (np.zeros(1, np.int32), NAMED.copy())
    spans = (np.zeros(1, np.int64), np.array([len(record)]), np.array([4]), 0)
    tables = (np.zeros(4, np.uint32), np.zeros(4, np.int32), CONTRACTS.keys, CONTRACTS.values)
    assert kernels.decode_quotes(record, *spans, *tables, TICKS, rows, codes, *told)[:2] == (1, 1)
    assert codes[0] == Code.UNKNOWN_MAKER


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2), max_size=300))
def test_every_id_is_found_in_its_table(numbers: dict[int, int]) -> None:
    table = IdTable.of(numbers)
    assert len(table.keys) >= 2 * len(numbers)
    rows = [(5, NULL, k, 0) for k in numbers]
    record = packed(THEOS, [cast(tuple[int, ...], row) for row in rows])
    out, codes = empty_rows(len(rows)), np.zeros(len(rows), np.uint8)
    spans = (np.zeros(1, np.int64), np.array([len(record)]), np.array([4]), 0)
    told = (np.zeros(1, np.int32), NAMED.copy())
    kernels.decode_theos(record, *spans, table.keys, table.values, out, codes, *told)
    assert out["contract"].tolist() == list(numbers.values())


def test_the_packed_structs_have_the_documented_layout() -> None:
    layout = _decode.packed_layout()
    assert [layout[name]["size"] for name in ("header", "quote", "theo")] == [8, 40, 24]
    assert struct.calcsize(plain.QUOTE.format) == 40
    assert struct.calcsize(plain.THEO.format) == 24
