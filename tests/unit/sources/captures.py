"""Captures written for a test, and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mm_monitor.core.batch import Rows
from mm_monitor.core.model import Control, DeadLetter
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.protocol import Delivery
from mm_monitor.sources.reference_files import load_reference

QUOTES = "ts_event,maker,contract,bid_price,bid_size,ask_price,ask_size\n"
BASE = {
    "contracts.csv": "contract,class,tick,kind,strike,expiry,multiplier\nC0,K0,0.0001,call,,,\n"
    "C1,K1,0.01,,,,\n",
    "makers.csv": "maker,class\nM0,K0\nM1,*\n",
    "quotes.csv": QUOTES + "1000,M0,C0,0.0275,40,0.0286,20\n",
}


def write(directory: Path, **files: str | bytes) -> Path:
    """The base capture with `quotes=...` and the like in place of its files."""
    contents = {**BASE, **{f"{name}.csv": text for name, text in files.items()}}
    for name, text in contents.items():
        (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory


class Read:
    """Everything that a capture delivered."""

    def __init__(self, source: CaptureSource, deliveries: list[Delivery]) -> None:
        self.source, self.deliveries = source, deliveries

    @property
    def dead(self) -> list[DeadLetter]:
        return [letter for d in self.deliveries for letter in d.decoded.dead]

    @property
    def controls(self) -> list[Control]:
        return [control for d in self.deliveries for control in d.decoded.controls]

    def rows(self, part: int) -> Rows:
        found = [d.decoded.rows for d in self.deliveries if d.part == part]
        rows: Rows = np.concatenate(found)
        return rows


async def read(directory: Path) -> Read:
    source = CaptureSource(directory, load_reference(directory))
    await source.start()
    deliveries: list[Delivery] = []
    while not source.finished:
        deliveries.extend(await source.poll())
    await source.stop()
    return Read(source, deliveries)
