"""Instructions a tick in each kernel, counted by callgrind: the same on a busy machine as on an idle one.

`python -m benchmarks.bench_instructions` holds what it counts against `results/instructions.json` and fails where a
kernel takes more; with `--keep` it writes the file anew. What is done once, as warming up the engine, is not counted.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from benchmarks.bench_decode import json_records, mass_quotes
from benchmarks.bench_engine import run_once
from benchmarks.day import make_day, make_ticks, reference
from benchmarks.measure import HERE, RESULTS, Row, keep, table
from mm_monitor.codecs import codec_for
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.rulebooks import load
from mm_monitor.sources.kafka_batches import BatchReader

TITLE = "instructions a tick (callgrind)"
ENGINE = ("_decode.decode_quotes", "_decode.decode_theos", "_merge.merge_runs",
          "_messages.count_quotes", "_engine.apply_rows")  # fmt: skip
ALLOWED = 1.03  # another compiler of the same kind may differ by as much
LEAST = 3  # instructions that do not matter


def _engine(shape: str, book: str) -> Callable[[int], object]:
    return lambda ticks: run_once(make_day(ticks, 0.1, shape, 10_000), load(book))


def _json(ticks: int) -> None:
    records = json_records(make_ticks(ticks, 0.0, "session"), 1)
    codec_for("quotes", "json").decode(Chunk("quotes", 1, Values.of(records)), reference())


def _fix(ticks: int) -> None:
    records = mass_quotes(make_ticks(ticks, 0.0, "session"), 20)
    codec_for("quotes", "fix").decode(Chunk("quotes", 1, Values.of(records)), reference())


def _batches(ticks: int) -> None:
    """Batches of 100 records of 48 bytes, as a broker sends them."""
    data = b""
    for base in range(0, ticks, 100):
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
        for i in range(min(100, ticks - base)):
            builder.append(i, i, None, bytes(48), [])
        batch = bytearray(builder.build())
        batch[:8] = base.to_bytes(8, "big")
        data += bytes(batch)
    reader = BatchReader(data, 0)
    while reader.read() is not None:
        pass


# What runs, with how many ticks, and which kernels are counted in it. A theo is a tick too, and there are 10 % of them.
CASES: Mapping[str, tuple[Callable[[int], object], int, tuple[str, ...]]] = {
    "session": (_engine("session", "szse-2025"), 20_000, ENGINE),
    "random": (_engine("random", "szse-2025"), 20_000, ENGINE),
    "every key": (_engine("session", "all-keys-example"), 20_000, ("_engine.apply_rows",)),
    "json": (_json, 4_000, ("_scan_json.scan_quotes",)),
    "fix": (_fix, 4_000, ("_scan_fix.scan_quotes",)),
    "batches": (_batches, 4_000, ("_records.find_batches", "_records.read_records")),
}


def run() -> list[Row]:
    """A row for each kernel of each case."""
    if shutil.which("valgrind") is None:
        sys.stdout.write("\ninstructions: valgrind is not installed\n")
        return []
    return [row for case in CASES for row in _measure(case)]


def _measure(case: str) -> list[Row]:
    _, ticks, kernels = CASES[case]
    once, all_ = _count(case, 1), _count(case, ticks)
    return [
        {"case": case, "kernel": name, "a tick": round((all_[name] - once[name]) / (ticks - 1), 1)}
        for name in kernels
    ]


def _count(case: str, ticks: int) -> dict[str, int]:
    """Instructions inside each kernel during one pass, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "callgrind.out")
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
             sys.executable, "-m", __spec__.name, case, str(ticks)],
            cwd=HERE.parent, check=True, capture_output=True,
        )  # fmt: skip
        listing = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    return {name: _inclusive(listing, name) for name in CASES[case][2]}


def _inclusive(listing: str, name: str) -> int:
    """What the kernel's Python entry point and all that it calls took; 0 if it was never called."""
    module, function = name.split(".")
    entry = rf"__pyx_pw_10mm_monitor_7kernels_\d+{module}_\d+{function}\b"
    found = re.search(rf"^\s*([\d,]+) .*:{entry}", listing, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


def grown(rows: list[Row]) -> list[str]:
    """Kernels that take more than what is kept allows, in words."""
    kept = json.loads((RESULTS / "instructions.json").read_text())["rows"]
    before = {(row["case"], row["kernel"]): row["a tick"] for row in kept}
    now = {(row["case"], row["kernel"]): float(str(row["a tick"])) for row in rows}
    return [
        f"{kernel} ({case}): {count} instructions a tick, {before.get((case, kernel), 'none')} were kept"
        for (case, kernel), count in now.items()
        if count > before.get((case, kernel), 0) * ALLOWED + LEAST
    ]


def main(words: list[str]) -> int:
    """Exit code 1 if a kernel takes more than before, 2 if nothing could be counted."""
    rows = run()
    table(TITLE, rows)
    if rows and words == ["--keep"]:
        keep("instructions", TITLE, rows)
    more = grown(rows)
    sys.stdout.write("".join(f"{line}\n" for line in more))
    return 2 if not rows else int(bool(more))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        CASES[sys.argv[1]][0](int(sys.argv[2]))
    else:
        sys.exit(main(sys.argv[1:]))
