"""The json scanner and its plain twin agree byte for byte on any bytes, and plain records are plain."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_monitor.codecs.directory import NameTable
from mm_monitor.core.batch import Rows, empty_rows
from mm_monitor.kernels import _scan_json
from mm_monitor.kernels import reference_scan_json as twin
from mm_monitor.kernels.layout import NAME
from tests.kernels.json_records import GOOD_QUOTE, LONG, NAMES, plain, records

MAKERS = NameTable.of({"M0": (0, 0), "M1": (1, 0), "A7": (1, 3), NAMES[7]: (2, 0), LONG: (4, 0)})
CONTRACTS = NameTable.of(
    {"C0": (0, 0), "C1": (1, 0), "exactly8": (2, 0), NAMES[8]: (3, 0), LONG: (1, 0), "far": (9, 0)}
)
TICKS = np.array([10_000, 1, 0, 500_000_000], np.int64)


def scan(
    module: ModuleType, feed: str, values: Sequence[bytes | None], ticks: Any = TICKS
) -> tuple[int, list[int], Rows]:
    """Through a buffer in which values lie between other bytes."""
    data = b"5".join([b"", *(value or b"" for value in values)])
    lengths = np.array([-1 if value is None else len(value) for value in values], np.int64)
    sizes = np.maximum(lengths, 0)
    starts = np.cumsum(sizes + 1) - sizes
    offsets, counts = np.arange(len(values)) * 3, np.full(len(values), 99, np.int32)
    quotes = feed == "quotes"
    least = twin.LEAST_QUOTE if quotes else twin.LEAST_THEO
    rows = empty_rows(int((sizes // least).sum()))
    spans = (data, starts, lengths, offsets, 7)
    names = (CONTRACTS.cells, CONTRACTS.pool)
    if quotes:
        makers = (MAKERS.cells, MAKERS.pool)
        total = module.scan_quotes(*spans, *makers, *names, ticks, rows, counts)
    else:
        total = module.scan_theos(*spans, *names, rows, counts)
    return total, counts.tolist(), rows[:total]


@pytest.mark.parametrize("feed", ["quotes", "theo"])
@given(st.data())
def test_rows_agree_with_the_plain_twin(feed: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.one_of(records(feed == "quotes"), st.none()), max_size=4))
    one, other = (scan(module, feed, values) for module in (_scan_json, twin))
    assert (one[:2], one[2].tobytes()) == (other[:2], other[2].tobytes())


def test_every_truncation_and_every_changed_byte() -> None:
    value = plain(bid_price="-12.5", bid_size=0, ask_price=None, ask_size=0)
    cut = [value[:n] for n in range(len(value) + 1)]
    changed = [
        value[:i] + bytes([byte]) + value[i + 1 :]
        for i in range(len(value))
        for byte in (0, 32, 34, 48, 57, 92, 101, 125, 128, value[i] ^ 1)
    ]
    alone = [scan(_scan_json, "quotes", [v])[1] for v in cut]  # the buffer ends where it does
    assert alone == [scan(twin, "quotes", [v])[1] for v in cut]
    one, other = (scan(module, "quotes", cut + changed) for module in (_scan_json, twin))
    assert (one[:2], one[2].tobytes()) == (other[:2], other[2].tobytes())
    assert one[1][len(value)] == 1


PLAIN = [
    plain(),
    plain().replace(b" ", b""),
    plain(maker="nobody"),
    plain(bid_price=0.0275, ask_price=3),
    plain(bid_price="", bid_size=0),
    plain(bid_price=None, bid_size=0),
    plain(contract="C1", ask_price="12345678901.12345678"),
    b"[" + plain() + b",\n" + plain() + b" ]",
]


@pytest.mark.parametrize("value", PLAIN)
def test_what_is_plain(value: bytes) -> None:
    total, counts, rows = scan(_scan_json, "quotes", [value])
    assert counts == [total]
    assert total >= 1
    assert rows["sub"].tolist() == list(range(total))


def test_a_plain_quote_and_theo() -> None:
    _, _, rows = scan(_scan_json, "quotes", [None, plain(maker="A7", ask_size=0)])
    assert rows[0].tolist() == (
        1753405200927658613, 3, 2_750_000, 0, 40, 0, 1, 0, 7, 0, 9, 0, 3,
    )  # fmt: skip
    _, _, rows = scan(_scan_json, "theo", [plain(False, delta=-0.5), plain(False, theo=None)])
    assert rows[["a", "b", "flags"]].tolist() == [(2_810_000, -50_000_000, 4), (0, 0, 2)]
    _, _, rows = scan(_scan_json, "theo", [plain(False, theo="", delta="0.5")])
    assert rows[["a", "b", "flags"]].tolist() == [(0, 50_000_000, 6)]


def test_members_in_any_order() -> None:
    pairs = [f'"{name}":{value}' for name, value in GOOD_QUOTE.items()]
    turned = [("{" + ",".join(pairs[i:] + pairs[:i]) + "}").encode() for i in range(len(pairs))]
    total, _, rows = scan(_scan_json, "quotes", turned)
    assert total == len(pairs)
    rows["offset"] = 0
    assert len({row.tobytes() for row in rows}) == 1


@pytest.mark.parametrize("feed", ["quotes", "theo"])
def test_nothing_is_written_beyond_the_room_that_was_asked_for(feed: str) -> None:
    """The last object of an array may end before it is one; there is no row for it."""
    value = plain(feed == "quotes").replace(b" ", b"")
    guard = empty_rows(50)
    guard["ts"] = 77
    for tail in (b",{", b",{}", b'],{"', b"]x"):
        record = b"[" + value + tail
        room = len(record) // (twin.LEAST_QUOTE if feed == "quotes" else twin.LEAST_THEO)
        rows = guard[:room]
        spans = (np.zeros(1, np.int64), np.array([len(record)]), np.zeros(1, np.int64), 7)
        names, counts = (CONTRACTS.cells, CONTRACTS.pool), np.zeros(1, np.int32)
        if feed == "quotes":
            makers = (MAKERS.cells, MAKERS.pool)
            _scan_json.scan_quotes(record, *spans, *makers, *names, TICKS, rows, counts)
        else:
            _scan_json.scan_theos(record, *spans, *names, rows, counts)
        assert counts.tolist() == [-1]
        assert set(guard[room:]["ts"].tolist()) == {77}


def test_a_long_array() -> None:
    for count, wanted in ((65_536, 65_536), (65_537, -1)):
        value = b"[" + b",".join([plain()] * count) + b"]"
        assert scan(_scan_json, "quotes", [value])[1] == [wanted]


def call(**changes: Any) -> int:
    arguments: dict[str, Any] = {
        "data": plain(), "starts": np.zeros(1, np.int64), "lengths": np.array([len(plain())]),
        "offsets": np.zeros(1, np.int64), "part": 0, "maker_cells": MAKERS.cells, "maker_pool": MAKERS.pool,
        "contract_cells": CONTRACTS.cells, "contract_pool": CONTRACTS.pool, "ticks": TICKS, "rows": empty_rows(1),
        "counts": np.zeros(1, np.int32),
    }  # fmt: skip
    return _scan_json.scan_quotes(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("the buffer has", {"lengths": np.array([10_000])}),
        ("rows: at least 1", {"rows": empty_rows(0)}),
        ("counts", {"counts": np.zeros(2, np.int32)}),
        ("part", {"part": -1}),
        ("power of two", {"maker_cells": np.zeros(3, NAME)}),
        ("offsets", {"offsets": np.zeros(2, np.int64)}),
    ],
)
def test_arguments_that_do_not_belong_together(message: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        call(**change)


def test_tables_that_lie_find_nothing_and_end() -> None:
    full, far = MAKERS.cells.copy(), CONTRACTS.cells.copy()
    full["length"], far["start"] = 5, 2**31 - 1
    assert call(maker_cells=full) == 1
    assert call(contract_cells=far) == 1  # short names lie in the cell itself
    long = plain(contract=LONG, bid_price=1, ask_price=2)
    lengths = np.array([len(long)])
    assert call(data=long, lengths=lengths) == 1
    assert call(data=long, lengths=lengths, contract_cells=far) == 0
    assert call(ticks=TICKS[:0]) == 0


@given(
    st.dictionaries(
        st.text(max_size=40), st.tuples(st.integers(-1, 9), st.integers(0, 9)), max_size=60
    )
)
def test_every_name_is_in_its_table(names: dict[str, tuple[int, int]]) -> None:
    table = NameTable.of(names)
    wanted = {name.encode(): pair for name, pair in names.items() if name}
    assert twin.names_in(table.cells, table.pool) == wanted


@pytest.mark.parametrize(
    ("message", "lengths", "cells"),
    [("at least 1 byte", [0], 2), ("more cells", [1, 1], 2), ("the buffer", [9], 4)],
)
def test_names_that_make_no_table(message: str, lengths: list[int], cells: int) -> None:
    n = len(lengths)
    indices = np.zeros(n, np.int32)
    with pytest.raises(ValueError, match=message):
        _scan_json.fill_names(
            b"abc", np.arange(n), np.array(lengths), indices, indices, np.zeros(cells, NAME)
        )


@pytest.mark.parametrize("theo", [b"0", b"-0", b"1", b"null"])
def test_the_shortest_last_member_is_plain(theo: bytes) -> None:
    value = b'{"ts_event":5,"contract":"C1","theo":' + theo + b"}"
    for values in ([value], [b"", value]):
        one, other = (scan(module, "theo", values) for module in (_scan_json, twin))
        assert (one[:2], one[2].tobytes()) == (other[:2], other[2].tobytes())
        assert one[1][-1] == 1
