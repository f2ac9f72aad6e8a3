"""The arrow format: one Kafka record is an Arrow IPC stream whose rows are quotes or theos (pyarrow, extra `parquet`).

Columns are named as in json. A time is int64 ns or a timestamp; a price text, a decimal, or int64 of 10^-8. pyarrow
takes a record's word for where its bytes lie, so types, sizes and offsets are checked before a value is looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from mm_monitor.codecs.arrow_size import unpacked_size
from mm_monitor.codecs.json import MAX_ELEMENTS
from mm_monitor.codecs.objects import QUOTE, THEO, THEO_MORE, Fields, ObjectsCodec
from mm_monitor.core.model import BadReason
from mm_monitor.errors import DecodeError, MonitorError

NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
MOST_BYTES = 64 << 20  # of one record once it is unpacked, and of the text in a column


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
        needed = QUOTE if feed == "quotes" else THEO
        known = needed if feed == "quotes" else (*THEO, *THEO_MORE)
        try:
            return self._rows(value, needed, known)
        except (self._arrow.ArrowException, OSError, EOFError, ValueError, struct.error) as error:
            raise _bad(f"no Arrow stream: {error}") from None

    def _rows(self, value: bytes, needed: Sequence[str], known: Sequence[str]) -> list[Fields]:
        """DecodeError, or whatever Arrow raises for a stream that is none."""
        size = unpacked_size(self._arrow.ipc.MessageReader.open_stream(value))
        if size > MOST_BYTES:
            raise _bad(f"at most {MOST_BYTES} bytes unpacked, got {size}")
        with self._arrow.ipc.open_stream(value) as stream:
            names = self._columns(stream.schema, needed, known)
            batches: list[Any] = []
            rows = 0
            for batch in stream:
                batches.append(batch)
                rows += batch.num_rows
                if rows > MAX_ELEMENTS:
                    raise _bad(f"1 to {MAX_ELEMENTS} rows, got more")
        if not rows:
            raise _bad(f"1 to {MAX_ELEMENTS} rows, got 0")
        columns = [(name, self._column(name, batches)) for name in names]
        return [{name: values[i] for name, values in columns} for i in range(rows)]

    def _columns(self, schema: Any, needed: Sequence[str], known: Sequence[str]) -> list[str]:
        """Those that are read. DecodeError for one that is missing, there twice, or of a type that means nothing."""
        names: list[str] = schema.names
        for name in known:
            if names.count(name) > 1:
                raise _bad(f"column {name}: there more than once")
            if name in names and not self._plain(kind := schema.field(name).type):
                raise _bad(f"column {name}: an integer, text, a decimal or a time, got {kind}")
            if name in needed and name not in names:
                raise _bad(f"column {name}: required, but missing")
        return [name for name in known if name in names]

    def _plain(self, kind: Any) -> bool:
        """May values of that type be looked at? Floats may, for each is refused by name."""
        types = self._arrow.types
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_decimal(kind):
            return bool(0 <= kind.scale <= kind.precision)
        kinds = (
            types.is_integer, types.is_string, types.is_large_string, types.is_string_view,
            types.is_timestamp, types.is_null, types.is_boolean, types.is_floating,
        )  # fmt: skip
        return any(is_kind(kind) for is_kind in kinds)

    def _column(self, name: str, batches: Sequence[Any]) -> list[Any]:
        """Values of Python; a timestamp as int ns, without losing a digit."""
        found: list[Any] = []
        size = 0
        for batch in batches:
            column, scale = batch.column(name), 1
            column.validate(full=True)
            if self._arrow.types.is_timestamp(column.type):
                column, scale = column.cast(self._arrow.int64()), NS[column.type.unit]
            for item in column:
                value = item.as_py()
                if isinstance(value, str):  # many rows may share one text
                    size += len(value)
                    if size > MOST_BYTES:
                        raise _bad(f"column {name}: at most {MOST_BYTES} bytes of text")
                found.append(value * scale if scale > 1 and value is not None else value)
        return found


def _bad(detail: str) -> DecodeError:
    return DecodeError(BadReason.UNDECODABLE, detail[:200])
