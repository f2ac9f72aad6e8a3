"""Cuts batches into Kafka records: one class a record, each class in one partition, times in order.

Within a partition records follow the time of their rows, also where several classes share it. A
record's Kafka timestamp is that of its newest row, so that a seek by time never skips a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from aiokafka.partitioner import murmur2

from mm_monitor.errors import MonitorError
from mm_monitor.simulator.reference import contract_rows, maker_rows, names_of
from mm_monitor.simulator.rows import QUOTE, Rows, packed
from mm_monitor.simulator.scenario import Scenario
from mm_monitor.simulator.session import Control

CODECS = ("packed", "json")
MILLION = 1_000_000


class Record(NamedTuple):
    """One Kafka record. `timestamp` in ms."""

    partition: int
    key: bytes
    value: bytes
    timestamp: int


def partition_of(klass: str, partitions: int) -> int:
    """The partition of a class, as the default partitioner of Kafka's clients has it."""
    return int((murmur2(klass.encode()) & 0x7FFFFFFF) % partitions)


class Encoder:
    """Turns rows of one scenario into records. Raises MonitorError for an unknown codec."""

    def __init__(self, scenario: Scenario, codec: str, rows_per_record: int) -> None:
        if codec not in CODECS:
            raise MonitorError(f"codec must be one of {', '.join(CODECS)}, got {codec!r}")
        if not 0 < rows_per_record < 2**16:
            raise MonitorError(f"rows per record must be in [1, 65535], got {rows_per_record}")
        self._classes = [underlying.name for underlying in scenario.classes]
        self._contracts_per_class = scenario.contracts_per_class
        self._names = names_of(scenario)
        self._value = packed if codec == "packed" else self._json
        self._most = rows_per_record

    def records(self, rows: Rows, partitions: int) -> Iterator[Record]:
        """The records of `rows`, which are in order of arrival."""
        klass = (rows["contract"].astype(np.int64) - 1) // self._contracts_per_class
        homes = np.array([partition_of(name, partitions) for name in self._classes])
        home = homes[klass]
        for partition in np.unique(home).tolist():
            here = home == partition
            yield from self._of_partition(rows[here], klass[here], partition)

    def _of_partition(self, rows: Rows, klass: Rows, partition: int) -> Iterator[Record]:
        """Runs of the same class, cut to size."""
        starts = [0, *(np.flatnonzero(np.diff(klass)) + 1).tolist(), len(rows)]
        for start, end in pairwise(starts):
            key = self._classes[int(klass[start])].encode()
            for first in range(start, end, self._most):
                cut = rows[first : min(first + self._most, end)]
                newest = int(cut["ts_event"].max()) // MILLION
                yield Record(partition, key, self._value(cut), newest)

    def _json(self, rows: Rows) -> bytes:
        return msgspec.json.encode(
            self._quote_objects(rows) if rows.dtype == QUOTE else self._theo_objects(rows)
        )

    def _quote_objects(self, rows: Rows) -> list[dict[str, object]]:
        return [
            {
                "ts_event": ts,
                "maker": maker,
                "contract": contract,
                "bid_price": bid or None,
                "bid_size": bid_size,
                "ask_price": ask or None,
                "ask_size": ask_size,
            }
            for ts, maker, contract, bid, bid_size, ask, ask_size in self._names.quote_columns(rows)
        ]

    def _theo_objects(self, rows: Rows) -> list[dict[str, object]]:
        return [
            {"ts_event": ts, "contract": contract, "theo": theo or None}
            for ts, contract, theo in self._names.theo_columns(rows)
        ]


def control_value(control: Control) -> bytes:
    """A control record as json."""
    return msgspec.json.encode({"record": control.record, "ts_event": control.ts, **control.fields})


def reference_values(scenario: Scenario) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the compacted reference topic."""
    for row in contract_rows(scenario):
        yield f"contracts/{row['contract']}".encode(), _reference_value("contracts", row)
    for row in maker_rows(scenario):
        yield f"makers/{row['maker']}/{row['class']}".encode(), _reference_value("makers", row)


def _reference_value(table: str, row: dict[str, str]) -> bytes:
    return msgspec.json.encode({"table": table, **row, "id": int(row["id"])})
