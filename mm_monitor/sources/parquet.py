"""Parquet tables of a capture: the same columns as csv, in the types that keep them exact.

pyarrow is loaded only here and only when a parquet file is there. A row's number, from 1, is its
offset; as it has no bytes of its own, its dead letter carries it as json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from mm_monitor.codecs.columns import Ints, int64
from mm_monitor.codecs.fields import BAD, NULL, NumberCache, price_text
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.sources.table import REQUIRED, OddLine, check_header

ROWS = 100_000
_PRICES = ("bid_price", "ask_price", "theo", "delta", "tick", "price", "net_delta", "limit")
_INTEGERS = ("ts_event", "bid_size", "ask_size", "size")


@dataclass(slots=True)
class ParquetChunk:
    """Rows of one batch; `batch` is a pyarrow.RecordBatch."""

    batch: Any
    numbers: Ints
    size: int  # its share of the file's bytes
    odd: list[OddLine] = field(default_factory=list)

    def has(self, column: str) -> bool:
        """Is there such a column?"""
        return column in self.batch.schema.names

    def times(self, column: str) -> Ints:
        """Times in ns, -1 for null."""
        return self._integers(column, -1)

    def sizes(self, column: str) -> Ints:
        """Sizes, -1 for null."""
        return self._integers(column, -1)

    def names(self, column: str) -> list[str]:
        """Text; null is empty."""
        return [_text(value) for value in self.batch.column(column).to_pylist()]

    def prices(self, column: str, cache: NumberCache) -> Ints:
        """10^-8: integers as they are, text and decimals by `cache`."""
        arrow = _arrow()
        values = self.batch.column(column)
        if arrow.types.is_integer(values.type):
            return self._integers(column, NULL)
        if arrow.types.is_null(values.type):
            return np.full(len(values), NULL, np.int64)
        return np.fromiter(map(cache.__getitem__, self.names(column)), np.int64, len(values))

    def fields(self, index: int) -> dict[str, str]:
        """All columns of one row as text."""
        row = self.batch.slice(index, 1).to_pylist()[0]
        return {
            name: price_text(value) if name in _PRICES and isinstance(value, int) else _text(value)
            for name, value in row.items()
        }

    def value(self, index: int) -> bytes:
        """The row as json."""
        return json.dumps(self.fields(index), ensure_ascii=False).encode("utf-8", "replace")

    def _integers(self, column: str, null: int) -> Ints:
        values = self.batch.column(column)
        if values.null_count == 0 and values.type == _arrow().int64():
            array: Ints = values.to_numpy(zero_copy_only=False)
            return array
        return int64((null if v is None else v for v in values.to_pylist()), BAD)


def parquet_chunks(path: Path, name: str) -> Iterator[ParquetChunk]:
    """Chunks of a parquet file. InputError if it is none, lacks a column or has one inexact."""
    arrow = _arrow(path)
    from pyarrow import parquet

    number = 1
    try:
        with parquet.ParquetFile(path) as file:
            check_header(file.schema_arrow.names, REQUIRED[name], str(path), 0)
            _check_types(file.schema_arrow, str(path))
            for batch in file.iter_batches(batch_size=ROWS):
                size = path.stat().st_size * batch.num_rows // file.metadata.num_rows
                yield ParquetChunk(batch, np.arange(number, number + batch.num_rows), size)
                number += batch.num_rows
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"cannot be read as parquet: {error}", file=str(path)) from None


def _arrow(path: Path | None = None) -> Any:
    try:
        import pyarrow
    except ImportError:
        file = f"{path}: " if path else ""
        how = "pip install 'mm-monitor[parquet]'"
        raise MonitorError(f"{file}parquet needs pyarrow, which is missing: {how}") from None
    return pyarrow


def _check_types(schema: Any, file: str) -> None:
    """InputError for a column of a type that is not exact."""
    types = _arrow().types
    for column in schema:
        kind = column.type
        if types.is_dictionary(kind):
            kind = kind.value_type
        text = types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)
        if column.name in _INTEGERS and not types.is_integer(kind):
            raise InputError("must be int64", file=file, column=column.name, value=str(kind))
        exact = text or types.is_decimal(kind) or types.is_integer(kind)
        if column.name in _PRICES and not exact:
            wanted = "must be decimal text, decimal or int64 in units of 10^-8"
            raise InputError(wanted, file=file, column=column.name, value=str(kind))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):  # text of a writer that does not say so
        return value.decode("utf-8", "replace")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
