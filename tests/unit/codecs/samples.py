"""A small directory of names, and records to decode against it."""

from __future__ import annotations

import json
from typing import Any

from mm_monitor.codecs.protocol import Chunk
from mm_monitor.core.model import RawRecord
from mm_monitor.core.reference import Appointment, Contract, Reference


def reference() -> Reference:
    return Reference.of(
        [Contract("C0", "K0", 10_000, number=10), Contract("C1", "K1", 1_000_000, number=11)],
        [Appointment("M0", "K0", number=1), Appointment("M1", "*", number=2)],
        [("A7", "M1")],
    )


def raw(value: bytes, offset: int = 0, topic: str = "mm.quotes") -> RawRecord:
    return RawRecord(topic, 3, offset, value, 99)


def chunk(feed: str, *values: bytes) -> Chunk:
    return Chunk(feed, 5, [raw(value, 100 + i) for i, value in enumerate(values)])


def quote(**changes: Any) -> dict[str, Any]:
    base = {
        "ts_event": 1_000, "maker": "M0", "contract": "C0",
        "bid_price": "0.0275", "bid_size": 40, "ask_price": "0.0286", "ask_size": 20,
    }  # fmt: skip
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
