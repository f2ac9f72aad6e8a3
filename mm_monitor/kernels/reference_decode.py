"""The decode kernel in plain Python: the specification as code, for reading and for parity tests.

Same names, same arguments, same result byte for byte as `cext/decode.pyx`; a hundred times slower.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import QUOTE_BAD, THEO_MISSING, Rows
from mm_monitor.core.model import MAX_PRICE, Kind
from mm_monitor.kernels.reference_merge import survey

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
Keys = NDArray[np.uint32]
Indices = NDArray[np.int32]
Bytes = NDArray[np.uint8]
# rows, bad rows, records that cannot be read; order, least and greatest time of the rows
Told = tuple[int, int, int, int, int, int]

# block_length, template_id, schema_id, version, row_length, row_count
HEADER = struct.Struct("<BBBBHH")
# ts_event, bid_price, ask_price, bid_size, ask_size, maker, contract
QUOTE = struct.Struct("<qqqiiII")
# ts_event, theo, contract, reserved
THEO = struct.Struct("<qqII")
SCHEMA = 77
QUOTES, THEOS = 1, 2
NULL = -(2**63)


class Code(IntEnum):
    """What is wrong with a row; of several defects the first in this order counts."""

    OK = 0
    BAD_TIME = 1
    UNKNOWN_CONTRACT = 2
    UNKNOWN_MAKER = 3  # packed only: text names may be of nobody we know
    BAD_THEO = 4
    UNDECODABLE = 5  # set by text codecs
    BAD_DELTA = 6  # too
    BID_SIZE = 8
    BID_PRICE = 9
    BID_OFF_TICK = 10
    BID_WITHOUT_PRICE = 11
    BID_NON_POSITIVE = 12
    ASK_SIZE = 16
    ASK_PRICE = 17
    ASK_OFF_TICK = 18
    ASK_WITHOUT_PRICE = 19
    ASK_NON_POSITIVE = 20


def record_rows(record: bytes, template_id: int) -> int:
    """Rows of a record, -1 if its header or its length is not that of this template."""
    if len(record) < HEADER.size:
        return -1
    block, template, schema, version, length, count = HEADER.unpack_from(record)
    least = QUOTE.size if template_id == QUOTES else THEO.size
    if block != 0 or template != template_id or schema != SCHEMA or version < 1 or length < least:
        return -1
    return int(count) if len(record) == HEADER.size + length * count else -1


def decode_quotes(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    part: int,
    maker_keys: Keys,
    maker_values: Indices,
    contract_keys: Keys,
    contract_values: Indices,
    ticks: Ints,
    rows: Rows,
    codes: Codes,
    counts: Indices,
    named: Codes,
) -> Told:
    """Quote rows of all readable records."""
    makers = _table(maker_keys, maker_values)
    contracts = _table(contract_keys, contract_values)
    bad = k = 0
    for offset, sub, row in _rows(data, starts, lengths, offsets, QUOTES, counts):
        ts, bid, ask, bid_size, ask_size, maker, contract = row
        index = contracts.get(contract, -1)
        rows[k] = (ts, offset, bid, ask, bid_size, ask_size, makers.get(maker, -1), index, part,
                   sub, Kind.QUOTE, 0, 0)  # fmt: skip
        code = quote_code(rows[k], ticks)
        if rows[k]["maker"] < 0 and code not in (Code.BAD_TIME, Code.UNKNOWN_CONTRACT):
            code = Code.UNKNOWN_MAKER
        codes[k] = code
        bad += settle_quote(rows, k, code, ticks)
        k += 1
    return _told(rows[:k], bad, counts, named)


def decode_theos(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    part: int,
    contract_keys: Keys,
    contract_values: Indices,
    rows: Rows,
    codes: Codes,
    counts: Indices,
    named: Codes,
) -> Told:
    """Theo rows of all readable records."""
    contracts = _table(contract_keys, contract_values)
    bad = k = 0
    for offset, sub, row in _rows(data, starts, lengths, offsets, THEOS, counts):
        ts, theo, contract, _ = row
        index = contracts.get(contract, -1)
        rows[k] = (ts, offset, theo, 0, 0, 0, -1, index, part, sub, Kind.THEO, 0, 0)
        codes[k] = theo_code(rows[k])
        bad += settle_theo(rows, k, Code(codes[k]))
        k += 1
    return _told(rows[:k], bad, counts, named)


def check_quotes(rows: Rows, ticks: Ints, codes: Codes) -> int:
    """Check and settle quote rows that a text codec filled in; returns how many are bad."""
    bad = 0
    for k in range(len(rows)):
        if codes[k] == Code.OK:
            codes[k] = quote_code(rows[k], ticks)
        bad += settle_quote(rows, k, Code(codes[k]), ticks)
    return bad


def check_theos(rows: Rows, codes: Codes) -> int:
    """Check and settle theo rows that a text codec filled in; returns how many are bad."""
    bad = 0
    for k in range(len(rows)):
        if codes[k] == Code.OK:
            codes[k] = theo_code(rows[k])
        bad += settle_theo(rows, k, Code(codes[k]))
    return bad


def quote_code(row: np.void, ticks: Ints) -> Code:
    """The first thing wrong with a quote: its time, its contract, its bid, its ask."""
    if row["ts"] < 0:
        return Code.BAD_TIME
    if not 0 <= row["contract"] < len(ticks):
        return Code.UNKNOWN_CONTRACT
    tick = int(ticks[row["contract"]])
    bid = side_code(int(row["a"]), int(row["a_size"]), tick, Code.BID_SIZE)
    return Code(bid or side_code(int(row["b"]), int(row["b_size"]), tick, Code.ASK_SIZE))


def side_code(price: int, size: int, tick: int, first: Code) -> int:
    """A withdrawn side (size 0) may have any price that is one; a size needs a positive price."""
    if size < 0:
        return first
    if price == NULL:
        return Code.OK if size == 0 else first + 3
    if abs(price) > MAX_PRICE:
        return first + 1
    if tick > 0 and price % tick:
        return first + 2
    return first + 4 if size and price <= 0 else Code.OK


def theo_code(row: np.void) -> Code:
    """The first thing wrong with a theo: its time, its contract, its value."""
    if row["ts"] < 0:
        return Code.BAD_TIME
    if row["contract"] < 0:
        return Code.UNKNOWN_CONTRACT
    return Code.OK if row["a"] == NULL or 0 <= row["a"] <= MAX_PRICE else Code.BAD_THEO


def settle_quote(rows: Rows, k: int, code: Code, ticks: Ints) -> int:
    """Nothing of a bad quote is left but that it changed; a withdrawn side has no price.

    With tick 0 the caller knows better: it has not seen the prices of a good quote yet.
    """
    if code == Code.OK and ticks[rows["contract"][k]] == 0:
        return 0
    if code:
        rows["a_size"][k] = rows["b_size"][k] = 0
        rows["flags"][k] = QUOTE_BAD
    if rows["a_size"][k] == 0:
        rows["a"][k] = 0
    if rows["b_size"][k] == 0:
        rows["b"][k] = 0
    return int(code != Code.OK)


def settle_theo(rows: Rows, k: int, code: Code) -> int:
    """A theo that is withdrawn, or bad, has no value."""
    if code or rows["a"][k] == NULL:
        rows["a"][k] = 0
        rows["flags"][k] = THEO_MISSING
    return int(code != Code.OK)


def records_in(data: bytes | Bytes, starts: Ints, lengths: Ints) -> Iterator[bytes]:
    """The values of the records; null is empty."""
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        yield bytes(data[start : start + length]) if length > 0 else b""


def _rows(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    template_id: int,
    counts: Indices,
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Offset, sub and fields of every row of every readable record; how many each has goes to `counts`."""
    layout = QUOTE if template_id == QUOTES else THEO
    records = zip(records_in(data, starts, lengths), offsets.tolist(), strict=True)
    for i, (record, offset) in enumerate(records):
        count = counts[i] = record_rows(record, template_id)
        length = HEADER.unpack_from(record)[4] if count > 0 else 0
        for sub in range(count):
            yield offset, sub, layout.unpack_from(record, HEADER.size + sub * length)


def _told(rows: Rows, bad: int, counts: Indices, named: Codes) -> Told:
    """What a call returns of its rows."""
    for contract in rows["contract"].tolist():
        if 0 <= contract < len(named):
            named[contract] = 1
    found = survey(rows) if len(rows) else (2, 0, 0)
    return (len(rows), bad, int((counts < 0).sum()), *found)


def _table(keys: Keys, values: Indices) -> dict[int, int]:
    return {k: v for k, v in zip(keys.tolist(), values.tolist(), strict=True) if v >= 0}
