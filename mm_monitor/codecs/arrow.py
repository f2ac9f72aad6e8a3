"""The arrow format: one Kafka record is an Arrow IPC stream whose rows are quotes or theos (pyarrow, extra `parquet`).

Columns are named as in json. A time is int64 ns or a timestamp; a price text, a decimal, or int64 of 10^-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mm_monitor.codecs.json import MAX_ELEMENTS
from mm_monitor.codecs.objects import QUOTE, THEO, THEO_MORE, Fields, ObjectsCodec
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError, MonitorError

NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class ArrowCodec(ObjectsCodec):
    """Codec of Arrow IPC streams."""

    name = "arrow"

    def __init__(self) -> None:
        super().__init__()
        try:
            import pyarrow
        except ImportError:
            raise MonitorError(
                "codec arrow needs pyarrow: pip install 'mm-monitor[parquet]'"
            ) from None
        self._arrow: Any = pyarrow

    def read(self, value: bytes, feed: str) -> Sequence[Fields]:
        """Every row of every batch."""
        try:
            with self._arrow.ipc.open_stream(value) as stream:
                table = stream.read_all()
        except (self._arrow.ArrowException, OSError, EOFError, ValueError) as error:
            raise DecodeError(BadReason.UNDECODABLE, f"no Arrow stream: {error}"[:200]) from None
        needed = QUOTE if feed == "quotes" else THEO
        known = needed if feed == "quotes" else (*THEO, *THEO_MORE)
        missing = [name for name in needed if name not in table.column_names]
        if missing:
            detail = f"column {missing[0]}: required, but missing"
            raise DecodeError(BadReason.UNDECODABLE, detail)
        if not 0 < table.num_rows <= MAX_ELEMENTS:
            detail = f"1 to {MAX_ELEMENTS} rows, got {table.num_rows}"
            raise DecodeError(BadReason.UNDECODABLE, detail)
        columns = [
            (name, self._column(table.column(name))) for name in known if name in table.column_names
        ]
        return [{name: values[i] for name, values in columns} for i in range(table.num_rows)]

    def _column(self, column: Any) -> list[Any]:
        """Values of Python; a timestamp as int ns, without losing a digit."""
        if not self._arrow.types.is_timestamp(column.type):
            found: list[Any] = column.to_pylist()
            return found
        scale = NS[column.type.unit]
        return [
            None if t is None else t * scale for t in column.cast(self._arrow.int64()).to_pylist()
        ]
