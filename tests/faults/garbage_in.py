"""Garbage for every door: what reads bytes from outside gets good input, spoiled, and must refuse it aloud.

Each target says in its function what it may raise; whatever else comes out is a defect. A good sample is cut,
repeated, changed and stuffed with words of the format, so that garbage gets past the first check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.writer import readable
from mm_monitor.codecs import codec_for
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.config import parse_config
from mm_monitor.core.model import RawRecord
from mm_monitor.errors import CheckpointError, DecodeError, MonitorError
from mm_monitor.evidence.verifier import Fault, verify
from mm_monitor.rulebooks.loader import names, parse, source_bytes
from mm_monitor.simulator.rows import NULL, QUOTE, THEO, packed
from mm_monitor.sources.kafka_batches import BatchReader
from mm_monitor.standing import unpacked
from tests.faults import garbage_in_files, garbage_in_formats
from tests.faults.garbage_in_http import knock, requests
from tests.faults.garbage_in_orders import door as order_door
from tests.faults.garbage_in_orders import samples as order_bodies
from tests.kernels.batches import Record, batch
from tests.kernels.fix_records import quote as fix_quote
from tests.unit.codecs.samples import dumps, quote, reference

ROOT = Path(__file__).parents[2]
MOST = 1 << 16  # bytes of one input
CONTROLS = [
    {"record": "phase", "ts_event": 7, "scope": "*", "phase": "continuous"},
    {"record": "feed", "ts_event": 7, "scope": "C0", "maker": "M0", "status": "synced"},
    {"record": "vol", "ts_event": 7, "class": "K0", "expiry": "2025-08-27", "vol": "0.2"},
    {"record": "fill", "ts_event": 7, "maker": "M0", "contract": "C0", "side": "buy", "price": "1", "quantity": 1},
    {"record": "reference", "ts_event": 7, "table": "contracts", "action": "add",
     "row": {"contract": "C2", "class": "K0", "tick": "0.0001", "kind": "call"}},
]  # fmt: skip
WORDS = [b"", b"\0", b"\xff" * 8, b"[", b"]", b"{", b"}", b'"', b"\\u0000", b"1e999", b"-0", b"9" * 40, b"\n", b"\x01",
         b"null", b"=", b"\r\n", b" ", b"\xed\xa0\x80", b"NaN", b"0x", b'"""', b"%00", b"../", b"2" * 5000]  # fmt: skip

Target = Callable[[bytes], None]


@st.composite
def spoiled(draw: Any, samples: list[bytes]) -> bytes:
    """A sample with up to eight things done to it; now and then bytes that were never any."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        what = draw(st.integers(0, 4))
        if what == 0:
            data[at:end] = b""
        elif what == 1:
            data[at:at] = draw(st.sampled_from(WORDS))
        elif what == 2:
            data[at:end] = draw(st.binary(max_size=20))
        elif what == 3:
            data[at:at] = data[at:end] * draw(st.integers(1, 50))
        else:
            del data[at:]
    return bytes(data[:MOST])


# What reads ----------------------------------------------------------------------------------------


def _decoder(feed: str, name: str) -> Target:
    codec, known = codec_for(feed, name), reference()

    def decode(data: bytes) -> None:
        """Never raises: bad data is a dead letter."""
        found = codec.decode(Chunk(feed, 5, [RawRecord("t", 3, 1, data, 99)]), known)
        assert len(found.dead) + len(found.rows) <= len(data) + 1

    return decode


def read_batches(data: bytes) -> None:
    """DecodeError."""
    reader = BatchReader(data, 0)
    with suppress(DecodeError):
        while reader.read() is not None:
            pass


def read_config(data: bytes) -> None:
    """MonitorError."""
    with suppress(MonitorError):
        parse_config(data)


def read_rulebook(data: bytes) -> None:
    """MonitorError."""
    with suppress(MonitorError):
        parse(data)


def read_checkpoint(data: bytes) -> None:
    """CheckpointError, told or raised."""
    told: list[CheckpointError] = []
    for _, sections in readable([Entry(1, 1, data)], told.append):
        with suppress(CheckpointError):
            unpacked(sections)


def read_evidence(data: bytes) -> None:
    """Fault."""
    with suppress(Fault):
        verify(data)


# What is good --------------------------------------------------------------------------------------


def _packed(kind: np.dtype[Any]) -> bytes:
    rows = np.zeros(3, kind)
    for name in kind.names or ():
        rows[name] = NULL if "price" in name else 1
    return packed(rows)


def _checkpoints() -> list[bytes]:
    return [path.read_bytes() for path in sorted(ROOT.glob("tests/data/checkpoints/*/whole.bin"))]


def _rulebooks() -> list[bytes]:
    return [source_bytes(name)[0] for name in names()]


@cache
def targets() -> dict[str, tuple[Target, list[bytes]]]:
    """What is fuzzed: by name, what reads, and good samples of what it reads."""
    json_quotes = [dumps(quote()), dumps([quote(), quote(maker="M1", contract="C1")])]
    batches = [batch([Record(b"v" * 40), Record(b"x", b"k")], codec=codec) for codec in range(5)]
    logs = [path.read_bytes() for path in sorted(ROOT.glob("tests/data/evidence/*.log"))]
    return {
        "json quotes": (_decoder("quotes", "json"), json_quotes),
        "json theos": (_decoder("theo", "json"), [dumps({"ts_event": 1, "contract": "C0", "theo": "1.5"})]),
        "packed quotes": (_decoder("quotes", "packed"), [_packed(QUOTE)]),
        "packed theos": (_decoder("theo", "packed"), [_packed(THEO)]),
        "fix quotes": (_decoder("quotes", "fix"), [fix_quote()]),
        "controls": (_decoder("control", "json"), [dumps(one) for one in CONTROLS] + [dumps(CONTROLS)]),
        "reference": (_decoder("reference", "json"), [json.dumps(CONTROLS[-1]).encode()]),
        "kafka batches": (read_batches, batches),
        "configuration": (read_config, [(ROOT / "deploy" / "monitor.example.toml").read_bytes()]),
        "rulebooks": (read_rulebook, _rulebooks()),
        "checkpoints": (read_checkpoint, _checkpoints()),
        "evidence": (read_evidence, logs),
        "http": (knock, requests()),
        "orders": (lambda data: order_door().order(data), order_bodies()),
        **garbage_in_formats.targets(),
        **garbage_in_files.targets(),
    }  # fmt: skip
