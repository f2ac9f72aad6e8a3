"""The json scanner in plain Python: the specification as code. Same names, arguments and bytes as `cext/scan_json.pyx`.

What is plain is said here by regular expressions; a record that is not has count -1 and no rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.batch import THEO_DELTA, Rows, empty_rows
from mm_monitor.core.model import MAX_PRICE, MAX_SIZE, Kind
from mm_monitor.kernels.reference_decode import (
    NULL,
    Bytes,
    Code,
    Indices,
    Ints,
    quote_code,
    records_in,
    settle_quote,
    settle_theo,
    theo_code,
)

LEAST_QUOTE, LEAST_THEO = 95, 38  # bytes of the shortest plain quote, and theo
MOST_ELEMENTS = 65_536
WS = rb"[ \t\r\n]*"
NAME = rb'"[ !#-\[\]-\x7f]+"'
INTEGER = rb"(?:0|[1-9][0-9]{0,18})"
DECIMAL = (
    rb'(?:"(?:-?[0-9]{1,11}(?:\.[0-9]{1,8})?)?"|-?(?:0|[1-9][0-9]{0,10})(?:\.[0-9]{1,8})?|null)'
)
TIME = {b"ts_event": INTEGER}
QUOTE = TIME | {b"maker": NAME, b"contract": NAME, b"bid_price": DECIMAL, b"bid_size": INTEGER}
QUOTE |= {b"ask_price": DECIMAL, b"ask_size": INTEGER}
THEO = TIME | {b"contract": NAME, b"theo": DECIMAL, b"delta": DECIMAL}
Names = Mapping[bytes, tuple[int, int]]


def _object_of(members: Mapping[bytes, bytes]) -> bytes:
    each = [b'"' + name + b'"' + WS + b":" + WS + value for name, value in members.items()]
    member = b"(?:" + b"|".join(each) + b")"
    return rb"\{" + WS + member + rb"(?:" + WS + b"," + WS + member + b")*" + WS + rb"\}"


def _record_of(members: Mapping[bytes, bytes]) -> re.Pattern[bytes]:
    one = _object_of(members)
    many = rb"\[" + WS + one + b"(?:" + WS + b"," + WS + one + b")*" + WS + rb"\]"
    return re.compile(WS + b"(?:" + one + b"|" + many + b")" + WS)


# A member of an object that is known to be plain.
_MEMBER = re.compile(rb'"([a-z_]+)"' + WS + b":" + WS + rb'("[^"]*"|[^ \t\r\n,}]+)')
_QUOTE_OBJECT, _QUOTE_RECORD = re.compile(_object_of(QUOTE)), _record_of(QUOTE)
_THEO_OBJECT, _THEO_RECORD = re.compile(_object_of(THEO)), _record_of(THEO)


def names_in(cells: NDArray[np.void], pool: bytes | Bytes) -> dict[bytes, tuple[int, int]]:
    """Index and number by name."""
    found = {}
    for cell in cells[cells["length"] >= 0]:
        start, length = int(cell["start"]), int(cell["length"])
        found[bytes(pool[start : start + length])] = int(cell["index"]), int(cell["number"])
    return found


def scan_quotes(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    part: int,
    maker_cells: NDArray[np.void],
    maker_pool: bytes | Bytes,
    contract_cells: NDArray[np.void],
    contract_pool: bytes | Bytes,
    ticks: Ints,
    rows: Rows,
    counts: Indices,
) -> int:
    """Rows of all plain records; returns how many."""
    makers, contracts = names_in(maker_cells, maker_pool), names_in(contract_cells, contract_pool)
    k = 0
    for i, record in enumerate(records_in(data, starts, lengths)):
        found = [] if _QUOTE_RECORD.fullmatch(record) is None else list(_objects(record, True))
        got = [_quote(members, makers, contracts, ticks) for members in found]
        k += _put(rows[k:], got, counts[i : i + 1], int(offsets[i]), part)
    return k


def scan_theos(
    data: bytes | Bytes,
    starts: Ints,
    lengths: Ints,
    offsets: Ints,
    part: int,
    contract_cells: NDArray[np.void],
    contract_pool: bytes | Bytes,
    rows: Rows,
    counts: Indices,
) -> int:
    """Rows of all plain theo records; returns how many."""
    contracts = names_in(contract_cells, contract_pool)
    k = 0
    for i, record in enumerate(records_in(data, starts, lengths)):
        found = [] if _THEO_RECORD.fullmatch(record) is None else list(_objects(record, False))
        got = [_theo(members, contracts) for members in found]
        k += _put(rows[k:], got, counts[i : i + 1], int(offsets[i]), part)
    return k


def _put(rows: Rows, got: list[Rows | None], count: Indices, offset: int, part: int) -> int:
    """The rows of one record, unless one of them is not plain; returns how many."""
    plain = [row for row in got if row is not None]
    count[0] = -1
    if not plain or len(plain) < len(got) or len(plain) > MOST_ELEMENTS:
        return 0
    for sub, row in enumerate(plain):
        row["offset"], row["part"], row["sub"] = offset, part, sub
        rows[sub] = row[0]
    count[0] = len(plain)
    return len(plain)


def _objects(record: bytes, quotes: bool) -> Iterator[dict[bytes, bytes] | None]:
    """Members by name, None if one comes twice."""
    for found in (_QUOTE_OBJECT if quotes else _THEO_OBJECT).finditer(record):
        pairs = _MEMBER.findall(found[0])
        yield dict(pairs) if len(dict(pairs)) == len(pairs) else None


def _quote(
    members: dict[bytes, bytes] | None, makers: Names, contracts: Names, ticks: Ints
) -> Rows | None:
    if members is None or members.keys() != QUOTE.keys():
        return None
    rows, numbers = empty_rows(1), _numbers(members)
    sizes = numbers[b"bid_size"], numbers[b"ask_size"]
    prices = numbers[b"bid_price"], numbers[b"ask_price"]
    maker, account = makers.get(members[b"maker"][1:-1], (-1, 0))
    contract, _ = contracts.get(members[b"contract"][1:-1], (-1, 0))
    if (
        max(sizes) > MAX_SIZE
        or numbers[b"ts_event"] >= 2**63
        or max(map(_size, prices)) > MAX_PRICE
    ):
        return None
    rows[0] = (
        numbers[b"ts_event"],
        0,
        *prices,
        *sizes,
        maker,
        contract,
        0,
        0,
        Kind.QUOTE,
        0,
        account,
    )
    if quote_code(rows[0], ticks) != Code.OK:
        return None
    settle_quote(rows, 0, Code.OK, ticks)
    return rows


def _theo(members: dict[bytes, bytes] | None, contracts: Names) -> Rows | None:
    if members is None or members.keys() - {b"delta"} != THEO.keys() - {b"delta"}:
        return None
    rows, numbers = empty_rows(1), _numbers(members)
    theo, delta = numbers[b"theo"], numbers.get(b"delta", NULL)
    contract, _ = contracts.get(members[b"contract"][1:-1], (-1, 0))
    if numbers[b"ts_event"] >= 2**63 or max(_size(theo), _size(delta)) > MAX_PRICE:
        return None
    rows[0] = (numbers[b"ts_event"], 0, theo, 0, 0, 0, -1, contract, 0, 0, Kind.THEO, 0, 0)
    if theo_code(rows[0]) != Code.OK:
        return None
    settle_theo(rows, 0, Code.OK)
    if delta != NULL:
        rows["b"], rows["flags"] = delta, rows["flags"] | THEO_DELTA
    return rows


def _numbers(members: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """Times and sizes as they are, prices in 10^-8."""
    return {
        name: (_price if DECIMAL in (QUOTE | THEO)[name] else int)(text)
        for name, text in members.items()
        if name not in (b"maker", b"contract")
    }


def _price(text: bytes) -> int:
    """A decimal in units of 10^-8, NULL if it is absent."""
    digits = text.strip(b'"')
    if digits in (b"", b"null"):
        return NULL
    whole, _, part = digits.partition(b".")
    return int(whole + part.ljust(8, b"0"))


def _size(price: int) -> int:
    return 0 if price == NULL else abs(price)
