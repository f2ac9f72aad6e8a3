"""A capture's missing theos: reads what it has on prices and vols, runs the cascade over it, and writes a `theo` table.

What comes out is a capture that a replay judges like any other: it reads the theos and never computes one. The theos
may also be those that a service computed on that day, out of its journal.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mm_monitor.codecs.fields import price_text
from mm_monitor.core.batch import QUOTE_BAD, THEO_DELTA, THEO_MISSING, Rows
from mm_monitor.core.model import Control, Kind, ReferenceRecord
from mm_monitor.core.reference import Reference, Via
from mm_monitor.errors import InputError, MonitorError
from mm_monitor.journal import kept_looks
from mm_monitor.sources.capture import CaptureSource
from mm_monitor.sources.files import ENDINGS, find_table, need_table
from mm_monitor.sources.reference_files import load_reference
from mm_monitor.sources.theo_inputs import SpotRow, VolRow, spot_rows, vol_rows
from mm_monitor.theo.cascade import Cascade, Settings, Theo
from mm_monitor.theo.terms import BadTerms, ExpiryClock, terms_of

COLUMNS = ("ts_event", "contract", "theo", "delta", "source", "version", "quality", "age_ns")
Progress = Callable[[str, int, int], None]  # stage, done, of
Event = tuple[int, int, int, Any]  # ts, kind, order within, what
DAY = 86_400_000_000_000
TOLD = 20_000  # records between two words on progress
NO_AGE = -1  # of a feed's theo: it is not told
CHUNK = 65_536  # rows that are plain Python at a time


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """What `mm-monitor price` is asked for."""

    settings: Settings
    clock: ExpiryClock
    every: int = 1_000_000_000  # ns between looks
    leave_out: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """What came of it: the file, and how many theos each source gave."""

    path: Path
    by_source: dict[str, int]


async def price(
    capture: Path, out: Path | None, options: PriceOptions, progress: Progress | None = None
) -> Priced:
    """Compute the theos of `capture` and write them into `out`, which becomes a capture, or into the capture itself.

    InputError for a table that cannot be used, or a capture that has theos of its own and no `out`.
    """
    tell = progress or (lambda stage, done, of: None)
    reference = load_reference(capture)
    path = _target(capture, out)
    cascade = Cascade(replace(options.settings, left_out=_left_out(reference, options.leave_out)))
    _list_all(capture, reference, cascade, options.clock)
    rows, controls = await _read(capture, reference, tell)
    spots, vols = list(spot_rows(capture, reference)), list(vol_rows(capture, reference))
    events = merge(
        _of_controls(controls, cascade, options.clock, reference),
        _of_inputs(spots, vols),
        _of_rows(rows),
    )
    total = len(rows) + len(spots) + len(vols) + len(controls)
    vias = reference.theo_vias
    theos = _theos(events, cascade, options, vias, lambda done: tell("pricing", done, total))
    if out is not None:
        _copy_tables(capture, out)
    return _write(path, theos, reference)


async def take_kept(
    capture: Path, out: Path | None, journal: Path, progress: Progress | None = None
) -> Priced:
    """The same with the theos that stand in a service's journal, of the time of the capture and the day before it.

    Nothing is computed. Errors as of `price`, and InputError for a journal that cannot be read.
    """
    reference = load_reference(capture)
    path = _target(capture, out)
    rows, _ = await _read(capture, reference, progress or (lambda stage, done, of: None))
    times = rows["ts"]
    first, last = (int(times[0]) - DAY, int(times[-1])) if len(times) else (0, -1)
    kept = (
        theo
        for look in kept_looks(journal, first)
        if first <= look.ts <= last
        for theo in look.read(reference)
    )
    feed = (
        _fed(ts, what, reference.theo_vias)
        for ts, kind, _, what in _of_rows(rows[rows["kind"] == Kind.THEO])
    )
    if out is not None:
        _copy_tables(capture, out)
    return _write(path, merge(feed, kept, key=lambda theo: theo.ts), reference)


def _target(capture: Path, out: Path | None) -> Path:
    """Where the theos go."""
    own = find_table(capture, "theo")
    if own is not None and (out is None or out.resolve() == capture.resolve()):
        raise InputError("has theos already: name another directory with --out", file=str(own.path))
    return (out or capture) / "theo.csv"


def _left_out(reference: Reference, maker: str) -> int:
    if not maker:
        return -1
    index = reference.find_maker(maker)
    if index < 0:
        raise MonitorError(f"--leave-out: a maker of the capture, got {maker!r}")
    return index


def _list_all(capture: Path, reference: Reference, cascade: Cascade, clock: ExpiryClock) -> None:
    """Terms of every contract that is listed from the start."""
    table = need_table(capture, "contracts")
    for chunk in table.chunks():
        for index, line in enumerate(chunk.numbers.tolist()):
            row = chunk.fields(index)
            try:
                cascade.list(reference.contract_index[row["contract"]], terms_of(row, clock))
            except BadTerms as error:
                raise InputError(error.requirement, file=str(table.path), line=line,
                                 column=error.column, value=error.value) from None  # fmt: skip


async def _read(
    capture: Path, reference: Reference, tell: Progress
) -> tuple[Rows, list[ReferenceRecord]]:
    """All good quotes and theos in tape order, and the listings among the controls."""
    source = CaptureSource(capture, reference)
    await source.start()
    rows: list[Rows] = []
    controls: list[Control] = []
    while not source.finished:
        for delivery in await source.poll():
            kind = delivery.decoded.rows["kind"]
            rows.append(delivery.decoded.rows[(kind == Kind.QUOTE) | (kind == Kind.THEO)])
            controls += delivery.decoded.controls
        tell("reading", *source.progress)
    await source.stop()
    together = np.concatenate(rows)
    order = np.lexsort((together["offset"], together["kind"], together["ts"]))
    listings = [c for c in controls if isinstance(c, ReferenceRecord) and c.table == "contracts"]
    return together[order], sorted(listings, key=lambda c: c.ts)


def _of_controls(
    controls: list[ReferenceRecord], cascade: Cascade, clock: ExpiryClock, reference: Reference
) -> Iterator[Event]:
    """Listings and removals; terms that cannot be priced end it with file, line and column."""
    for order, control in enumerate(controls):
        try:
            terms = terms_of(control.row, clock) if control.action == "add" else None
        except BadTerms as error:
            raw = control.raw
            raise InputError(error.requirement, file=raw.topic if raw else "", line=raw.offset if raw else 0,
                             column=error.column, value=error.value) from None  # fmt: skip
        contract = reference.contract_index.get(control.row["contract"])
        if contract is not None:
            yield control.ts, Kind.REFERENCE, order, (cascade.list, (contract, terms))


def _of_inputs(spots: list[SpotRow], vols: list[VolRow]) -> Iterator[Event]:
    every = [(row.ts, int(Kind.UNDERLYING), row.line, row) for row in spots]
    every += [(row.ts, int(Kind.VOL), row.line, row) for row in vols]  # type: ignore[misc]
    return iter(sorted(every, key=lambda event: event[:3]))


def _of_rows(rows: Rows) -> Iterator[Event]:
    """Quotes and theos as plain tuples, a chunk at a time."""
    fields = ("ts", "kind", "contract", "maker", "a", "a_size", "b", "b_size", "flags")
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        columns = [chunk[name].tolist() for name in fields]
        for order, (ts, kind, *what) in enumerate(zip(*columns, strict=True), start):
            yield ts, kind, order, what


def _theos(
    events: Iterator[Event], cascade: Cascade, options: PriceOptions, vias: Sequence[Via],
    tell: Callable[[int], None],
) -> Iterator[Theo]:  # fmt: skip
    """The feed's theos as they come, and at every whole multiple of `every` those that it leaves out."""
    every, due = options.every, None
    feeds = "feed" in options.settings.sources
    for done, (ts, kind, _, what) in enumerate(events):
        if done % TOLD == 0:
            tell(done)
        while due is not None and (due, Kind.QUOTE) <= (ts, kind):
            yield from cascade.look(due)
            due = None if cascade.idle else due + every
        if kind == Kind.THEO and feeds:
            yield _fed(ts, what, vias)
        _feed(cascade, ts, kind, what)
        due = -(-ts // every) * every if due is None else due
    if due is not None:
        yield from cascade.look(due)


def _fed(ts: int, what: list[int], vias: Sequence[Via]) -> Theo:
    """A theo of the feed as it is, with what it says of itself."""
    contract, _, _, via, delta, _, flags = what
    source, version, quality = vias[via]
    known = delta if flags & THEO_DELTA else None
    return Theo(ts, contract, _present(what), known, source or "feed", version, quality, NO_AGE)


def _present(what: list[int]) -> int | None:
    _, _, theo, *_, flags = what
    return None if flags & THEO_MISSING else theo


def _feed(cascade: Cascade, ts: int, kind: int, what: Any) -> None:
    """Tell the cascade of one record."""
    if kind == Kind.QUOTE:
        *quote, flags = what
        if not flags & QUOTE_BAD:
            cascade.quote(ts, *quote)
    elif kind == Kind.THEO:
        cascade.feed(ts, what[0], _present(what))
    elif kind == Kind.UNDERLYING:
        cascade.underlying(ts, what.klass, what.price)
    elif kind == Kind.VOL and what.contract >= 0:
        cascade.own_vol(ts, what.contract, what.vol)
    elif kind == Kind.VOL:
        cascade.surface_vol(ts, what.klass, what.expiry, what.vol)
    else:
        call, arguments = what
        call(*arguments)


def _copy_tables(capture: Path, out: Path) -> None:
    """The other tables, so that `out` is a capture of its own."""
    if out.resolve() == capture.resolve():
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(capture.iterdir()):
            if path.suffix in ENDINGS and path.stem != "theo":
                shutil.copyfile(path, out / path.name)
        (out / "theo.parquet").unlink(missing_ok=True)
    except OSError as error:
        raise MonitorError(f"{out}: cannot be written: {error.strerror}") from None


def _write(path: Path, theos: Iterator[Theo], reference: Reference) -> Priced:
    """All theos as csv; the file is there when it is whole."""
    counts: Counter[str] = Counter()
    names = [contract.name for contract in reference.contracts]
    partial = path.with_suffix(".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(COLUMNS) + "\n")
            for theo in theos:
                counts[theo.source or "withdrawn"] += 1
                _write_line(file, theo, names[theo.contract])
        partial.replace(path)
    except OSError as error:
        raise MonitorError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return Priced(path, dict(sorted(counts.items())))


def _write_line(file: TextIO, theo: Theo, name: str) -> None:
    value, delta = ("" if x is None else price_text(x) for x in (theo.theo, theo.delta))
    age = str(theo.age) if theo.version and theo.age != NO_AGE else ""
    quoted = f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set(',"') else name
    file.write(
        f"{theo.ts},{quoted},{value},{delta},{theo.source},{theo.version},{theo.quality},{age}\n"
    )
