"""What windows cost (PRES-06): ns a tick against their width, which must not matter, and their number.

The ticks are those of `bench_engine`; "apply" is judging and accruing without decoding and merging.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench_engine import run_once
from benchmarks.day import make_day
from benchmarks.measure import Row, ns_each
from mm_monitor.rulebooks import load

TITLE = "windows: ns a tick (least, median of runs) by width, one thread, 20 makers x 600 contracts, 10% theo"
TICKS = 400_000
RUNS = 5
WIDTHS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("none", ()),
    ("1us", (1_000,)),
    ("10us", (10_000,)),
    ("100us", (100_000,)),
    ("1ms", (1_000_000,)),
    ("10ms", (10_000_000,)),
    ("100ms", (100_000_000,)),
    ("1s", (1_000_000_000,)),
    ("1us and 1s", (1_000, 1_000_000_000)),
    ("1us, 1ms, 1s", (1_000, 1_000_000, 1_000_000_000)),
)


def run() -> list[Row]:
    """A row for each width."""
    book = load("szse-2025")
    day = make_day(TICKS, 0.1, "session", 10_000)
    rows: list[Row] = []
    for name, widths in WIDTHS:
        done = [run_once(day, replace(book, windows=widths)) for _ in range(RUNS)]
        least, median = ns_each([stages.apply for stages in done], TICKS)
        rows.append({"windows": name, "apply": least, "apply med": median})
    return rows
