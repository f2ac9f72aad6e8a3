"""Garbage in files, and in topics that others write: captures, recorded days, ledgers, what is imported, and so on.

Each is read as its command reads it, from a file on a disk, and refused by a MonitorError. What has checksums is given
right ones too, so that garbage gets behind them.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from mm_monitor.checkpoints.protocol import Entry
from mm_monitor.checkpoints.slots import Slots
from mm_monitor.codecs.fix_quotes import FixTags
from mm_monitor.core.pack import flatten
from mm_monitor.desk.reconcile import read_venue
from mm_monitor.errors import MonitorError
from mm_monitor.evidence.inbox import entries
from mm_monitor.evidence.keys import SealingKey
from mm_monitor.imports.fix import import_fix
from mm_monitor.imports.orders import import_orders
from mm_monitor.imports.public import import_databento, import_taq
from mm_monitor.imports.times import szse_ns
from mm_monitor.imports.writing import Target as Out
from mm_monitor.journal import check_journal, kept_looks
from mm_monitor.ledger import read_ledger
from mm_monitor.recording.day import read_day
from mm_monitor.recording.frames import HEADER_SIZES, MAGIC, VERSION, frames, sound_length
from mm_monitor.replay import replay
from mm_monitor.reports.month import months
from mm_monitor.reports.papers.pack import faults_of, to_pack
from mm_monitor.revisions.store import Revisions
from mm_monitor.rollup import RollUp, read_lines
from mm_monitor.secret import read_secret
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.sources.theo_inputs import spot_rows, vol_rows
from mm_monitor.web.access import read_tokens
from tests.faults.garbage_in_values import (
    BOOK,
    CAPTURE,
    accrual_lines,
    day_of_a_ledger,
    pem,
    revision,
)

DATA = Path(__file__).parents[1] / "data"
MORE_TABLES = {  # of a capture; the golden one has the others
    "accounts": "account,maker\nA7,M1\n",
    "stress": "ts_event,scope,action\n1753405200588538353,*,start\n1753405200589538351,*,end\n",
    "reference": "ts_event,table,action,contract,class,tick\n1753405200588538353,contracts,add,N1,K0,0.0001\n",
    "underlying": "ts_event,class,price,bid_price,ask_price\n1753405200588538353,K0,2.7510,2.7508,2.7512\n",
    "vol": "ts_event,vol,contract,class,expiry\n1753405200588538353,0.25,C0,,\n",
    "rfqs": "ts_event,rfq_id,contract,makers\n1753405200588538353,Q1,C0,M0|M1\n",
    "fills": "ts_event,maker,contract,side,price,size\n1753405200588538353,M0,C0,buy,0.0275,4\n",
    "positions": "ts_event,maker,class,net_delta,limit\n1753405200588538353,M0,K0,-120.5,500\n",
    "sessions": "ts_event,maker,account,status\n1753405200588538353,M0,A1,disconnect\n",
    "rejects": "ts_event,maker,reason\n1753405200588538353,M0,price_band\n",
}  # fmt: skip
NAMED = ("contracts", "makers", "quotes", "theo", "phases", "exemptions", "feed", *MORE_TABLES)

Target = Callable[[bytes], None]
Samples = list[bytes]


@cache
def folder() -> Path:
    """A directory of this process, which goes with it."""
    made = Path(mkdtemp(prefix="mm-garbage-"))
    atexit.register(rmtree, made, ignore_errors=True)
    return made


def filed(name: str, read: Callable[[Path], object]) -> Target:
    """What reads a file of that name. MonitorError."""
    place = folder() / name.replace("/", "-").replace("*", "x")

    def target(data: bytes) -> None:
        place.mkdir(exist_ok=True)
        path = place / Path(name).name
        path.write_bytes(data)
        with suppress(MonitorError):
            read(path)

    return target


# Captures, recorded days and journals -------------------------------------------------------------


def capture(table: str, ending: str = "csv") -> Target:
    """A replay of a capture of which one table is garbage. MonitorError; a bad line is a dead letter."""
    place = folder() / f"capture-{table}-{ending}"

    def target(data: bytes) -> None:
        if not place.exists():
            copytree(CAPTURE, place)
            for name, text in MORE_TABLES.items():
                (place / f"{name}.csv").write_text(text, encoding="utf-8")
            (place / f"{table}.csv").unlink()
        (place / f"{table}.{ending}").write_bytes(data)
        with suppress(MonitorError):
            reference = load_reference(place)
            for rows in (spot_rows, vol_rows):
                with suppress(MonitorError):
                    list(rows(place, reference))
            asyncio.run(_all_of(CaptureSource(place, reference)))
            asyncio.run(replay(place, BOOK))

    return target


async def _all_of(source: CaptureSource) -> None:
    await source.start()
    while not source.finished:
        await source.poll()


def read_tape(path: Path) -> None:
    """A recorded day. MonitorError."""
    for read in (sound_length, lambda one: list(frames(one)), read_day):
        with suppress(MonitorError):
            read(path)
    asyncio.run(replay(path, BOOK))


def sealed(version: int) -> Callable[[Path], None]:
    """Frames with right checksums around each line of a file: a frame's text, and its arrays in hex.

    They are read, not judged: damage does not come with right checksums, and who forges them can forge a day as well.
    """

    def read(path: Path) -> None:
        found = b""
        for line in path.read_bytes().split(b"\n"):
            text, _, blob = line.partition(b"\t")
            found += framed(version, text, _unhexed(blob))
        path.write_bytes(found)
        read_day(path)

    return read


def _unhexed(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii", "replace"))
    except ValueError:
        return text


def framed(version: int, text: bytes, blob: bytes) -> bytes:
    """A frame of a recorded day, as that version has it."""
    body = text + blob
    head = struct.pack("<4sHHIQQ", MAGIC, version, 0, zlib.crc32(body), len(body), len(text))
    own = struct.pack("<I", zlib.crc32(head)) if HEADER_SIZES[version] > len(head) else b""
    return head + own + body


def _unsealed(path: Path) -> bytes:
    """A recorded day's frames as lines: the text, and in hex the bytes of its arrays."""
    pieces = (flatten(frame) for frame in frames(path))
    return b"\n".join(text + b"\t" + blob.hex().encode() for text, blob in pieces)


def read_journal(path: Path) -> None:
    """A journal's file, and what it says of computed theos. MonitorError."""
    check_journal(path)
    reference = load_reference(CAPTURE)
    for look in kept_looks(path):
        look.read(reference)


# What others keep ---------------------------------------------------------------------------------


def read_month(path: Path) -> None:
    """A file of a ledger, and months of it. MonitorError."""
    months(read_ledger(path.parent), "", {})


def roll(path: Path) -> None:
    """Lines of the accruals topic, and the days that they say. MonitorError."""
    found = RollUp({BOOK.id: BOOK}, path.parent / "ledger", lambda *said: None)
    read_lines(path, found)
    found.write()


def read_pack(path: Path) -> None:
    """A regulator's pack. MonitorError."""
    list(faults_of(path))


def read_revision(path: Path) -> None:
    """A revision's account of itself. MonitorError."""
    place = path.parent / "d" / "r"
    place.mkdir(parents=True, exist_ok=True)
    (place / "revision-0.json").write_bytes(path.read_bytes())
    (place / "report-0.json").write_bytes(b"{}")
    revisions = Revisions(path.parent, "d", "r")
    revisions.newest()
    revisions.known_at(5)


def read_entries(path: Path) -> None:
    """An evidence log as the desk reads it, and an entry in its inbox. MonitorError."""
    inbox = path.parent / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "a.json").write_bytes(path.read_bytes()[65:])
    list(entries(path.parent, "breach", "acknowledged"))


def read_slots(data: bytes) -> None:
    """Messages of the checkpoint topic, a line each: key and value in hex. What is wrong is told, nothing is raised."""
    log = {}
    for place, line in enumerate(data.split(b"\n")):
        key, _, value = line.partition(b" ")
        log[key.decode("ascii", "replace")] = place, _unhexed(value)
    slots = Slots("here")
    found, _ = slots.read(log)
    with suppress(MonitorError):
        slots.messages(Entry(9, found[0].base if found else 9, b"x" * 30), 10)


def imported(read: Callable[[list[Path], Out], object]) -> Callable[[Path], None]:
    """An import of a file. MonitorError; a bad line is counted."""

    def target(path: Path) -> None:
        out = path.parent / "out"
        rmtree(out, ignore_errors=True)
        read([path], Out(out, "0.01"))

    return target


def _parquet(name: str) -> bytes:
    out = BytesIO()
    table = arrow_csv.read_csv(CAPTURE / f"{name}.csv")
    exact = {column: pa.string() if "price" in column or column in ("theo", "tick") else table.schema.field(column).type
             for column in table.column_names}  # fmt: skip
    read = arrow_csv.ConvertOptions(column_types=exact)
    parquet.write_table(arrow_csv.read_csv(CAPTURE / f"{name}.csv", convert_options=read), out)
    return out.getvalue()


def _slots() -> bytes:
    slots, lines = Slots("here"), []
    for entry in (Entry(1, 1, b"whole" * 9), Entry(2, 1, b"changed")):
        for key, value in slots.messages(entry, 16).items():
            lines.append(key.encode() + b" " + (value or b"").hex().encode())
        slots.written(entry, 16)
    return b"\n".join(lines)


def _pack() -> bytes:
    card = {"engine": {"version": "1"}, "rulebook": {"id": "x", "version": 1, "sha256": "0" * 64}}
    return to_pack({"report.json": b"{}", "inputs/quotes.csv": b"a,b\n"}, card)


def _table(name: str) -> bytes:
    text = MORE_TABLES.get(name)
    return text.encode() if text else (CAPTURE / f"{name}.csv").read_bytes()


@cache
def _files() -> dict[str, tuple[Target, Samples]]:
    v1, v2 = (DATA / "journal" / version / "2025-07-25.tape" for version in ("v1", "v2"))
    logs = [path.read_bytes() for path in sorted((DATA / "evidence").glob("*.log"))]
    look = {"entry": "theo", "ts": 1, "theos": [["C0", 50_000_000, None, "desk", "1", "", 5]]}
    found: dict[str, tuple[Callable[[Path], object], Samples]] = {
        "2025-07-25.tape": (read_tape, [v2.read_bytes(), v1.read_bytes()]),
        "sealed/2025-07-25.tape": (sealed(VERSION), [_unsealed(v2)]),
        "journal.jsonl": (read_journal, [json.dumps(look).encode() + b"\n"]),
        "2025-08-01.x.json": (read_month, [day_of_a_ledger()]),
        "accruals.jsonl": (roll, [accrual_lines()]),
        "pack.zip": (read_pack, [_pack()]),
        "revision.json": (read_revision, [revision()]),
        "evidence-2025-08-01.log": (read_entries, logs),
        "venue.csv": (read_venue, [b"maker,contract,quoted_ns,presence,verdict\nM0,C0,5,90%,compliant\n"]),
        "tokens": (read_tokens, [f"{'a' * 64} operations\n# x\n{'b' * 64} maker M0\n".encode()]),
        "secret": (lambda path: read_secret("key", str(path)), [b"a password\n"]),
        "key.pem": (SealingKey.load, [pem()]),
    }  # fmt: skip
    return {f"file {name}": (filed(name, read), samples) for name, (read, samples) in found.items()}


def _imports() -> dict[str, tuple[Target, Samples]]:
    readers: dict[str, tuple[Callable[[list[Path], Out], object], str]] = {
        "fix": (lambda paths, out: import_fix(paths, out, FixTags.of("49", "55")), "*.fix.log"),
        "taq": (lambda paths, out: import_taq(paths, out, "2025-08-01", "America/New_York"), "*taq*"),
        "databento": (import_databento, "databento*"),
        "orders": (lambda paths, out: import_orders(paths, out, 1, szse_ns), "*orders*"),
    }  # fmt: skip
    return {
        f"import {name}": (
            filed(f"import-{name}", imported(read)),
            [path.read_bytes()[:8000] for path in sorted((DATA / "imports").glob(pattern))],
        )
        for name, (read, pattern) in readers.items()
    }


def targets() -> dict[str, tuple[Target, Samples]]:
    """What is fuzzed here: by name, what reads, and good samples of what it reads."""
    tables = {f"csv {name}": (capture(name), [_table(name)]) for name in NAMED}
    packed = {f"parquet {name}": (capture(name, "parquet"), [_parquet(name)])
              for name in ("quotes", "theo", "contracts")}  # fmt: skip
    return {**tables, **packed, **_files(), **_imports(), "checkpoint topic": (read_slots, [_slots()])}  # fmt: skip
