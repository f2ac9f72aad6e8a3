"""Fixed-width rows of quotes and theos, and how their numbers read as text.

The row layouts are those of the `packed` wire format, so that packing is a copy. Prices are int64
in units of 10^-8, times ns since the epoch, makers and contracts numbers from 1. `NULL` is the
absent price.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NULL = -(2**63)
PRICE_SCALE = 100_000_000

QUOTE = np.dtype(
    [
        ("ts_event", "<i8"),
        ("bid_price", "<i8"),
        ("ask_price", "<i8"),
        ("bid_size", "<i4"),
        ("ask_size", "<i4"),
        ("maker", "<u4"),
        ("contract", "<u4"),
    ]
)
THEO = np.dtype([("ts_event", "<i8"), ("theo", "<i8"), ("contract", "<u4"), ("reserved", "<u4")])

Rows = NDArray[np.void]
Ints = NDArray[np.int64]

HEADER = np.dtype(
    [
        ("block_length", "u1"),
        ("template_id", "u1"),
        ("schema_id", "u1"),
        ("version", "u1"),
        ("row_length", "<u2"),
        ("row_count", "<u2"),
    ]
)
SCHEMA_ID = 77
TEMPLATES = {QUOTE: 1, THEO: 2}


def packed(rows: Rows) -> bytes:
    """One `packed` record: the 8-byte header and the rows as they lie in memory."""
    header = np.zeros(1, dtype=HEADER)
    header["template_id"] = TEMPLATES[rows.dtype]
    header["schema_id"], header["version"] = SCHEMA_ID, 1
    header["row_length"], header["row_count"] = rows.dtype.itemsize, len(rows)
    return header.tobytes() + rows.tobytes()


def decimal_text(units: int) -> str:
    """`units` of 10^-8 as plain decimal text without trailing zeros; "" for the absent price."""
    if units == NULL:
        return ""
    whole, part = divmod(abs(units), PRICE_SCALE)
    text = f"{whole}.{part:08d}".rstrip("0").rstrip(".")
    return "-" + text if units < 0 else text


def decimal_texts(values: Ints) -> list[str]:
    """The texts of many prices; each distinct price is formatted once."""
    distinct, where = np.unique(values, return_inverse=True)
    texts = [decimal_text(value) for value in distinct.tolist()]
    return [texts[i] for i in where.tolist()]


class Names:
    """Turns numbers of makers and contracts into their names."""

    def __init__(self, makers: list[str], contracts: list[str]) -> None:
        self.makers, self.contracts = makers, contracts

    def quote_columns(self, rows: Rows) -> Iterator[tuple[int, str, str, str, int, str, int]]:
        """(ts_event, maker, contract, bid_price, bid_size, ask_price, ask_size) of each row."""
        return zip(
            rows["ts_event"].tolist(),
            [self.makers[i - 1] for i in rows["maker"].tolist()],
            [self.contracts[i - 1] for i in rows["contract"].tolist()],
            decimal_texts(rows["bid_price"]),
            rows["bid_size"].tolist(),
            decimal_texts(rows["ask_price"]),
            rows["ask_size"].tolist(),
            strict=True,
        )

    def theo_columns(self, rows: Rows) -> Iterator[tuple[int, str, str]]:
        """(ts_event, contract, theo) of each row."""
        return zip(
            rows["ts_event"].tolist(),
            [self.contracts[i - 1] for i in rows["contract"].tolist()],
            decimal_texts(rows["theo"]),
            strict=True,
        )
