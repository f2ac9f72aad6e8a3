"""A journal's day as a capture directory: what was judged, in its places on the tape, for any reader of captures.

A replay of the capture gives the verdicts of a replay of the journal. What a capture cannot say is told, not made up:
records that came too late, rows that the journal lacks, and that a day was not over.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.fields import NULL, price_text
from mm_monitor.core.batch import QUOTE_BAD, THEO_DELTA, THEO_MISSING, Batch, Rows, is_control
from mm_monitor.core.model import (
    Control,
    ExemptionRecord,
    FeedRecord,
    FillRecord,
    Kind,
    PhaseRecord,
    PositionRecord,
    ReferenceRecord,
    RejectRecord,
    RfqRecord,
    SessionRecord,
    StressRecord,
    UnderlyingRecord,
    VolRecord,
)
from mm_monitor.core.reference import ALL, Reference
from mm_monitor.errors import InputError, MonitorError, unwritable
from mm_monitor.recording.day import RecordedDay, read_day
from mm_monitor.recording.frames import ENDING
from mm_monitor.sources.merge import AFTER_ALL, Merge
from mm_monitor.sources.recorded import RecordedSource

FORMATS = ("csv", "parquet")
CHUNK = 65_536  # rows that are plain Python at a time
QUOTES = ("ts_event", "maker", "contract", "bid_price", "bid_size", "ask_price", "ask_size")
THEOS = ("ts_event", "contract", "theo", "delta", "source", "version", "quality")
PRICES = frozenset(("bid_price", "ask_price", "theo", "delta"))
CONTRACTS = ("contract", "class", "tick", "kind", "strike", "expiry", "multiplier", "id", "flags")
TERMS = (*CONTRACTS, "maker", "rulebook", "account")  # columns of a reference record
Progress = Callable[[str, int, int], None]  # stage, done, of
Column = NDArray[Any]
Fields = tuple[object, ...]
_NONE = -1  # for a time or size that is not there


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, lines by table, and what of the day a capture cannot say."""

    out: Path
    date: str
    written: Mapping[str, int]
    added: int  # of these lines, that no record was: the end of a market that was still open
    until: int | None  # before which event time all was judged, ns
    late: int  # records that came too late, which are not in it
    gaps: int  # records that were judged and are not in the journal
    midway: bool  # was something judged before the journal begins?


def tape_of(source: Path, date: str) -> Path:
    """The file of a journal's day: `source` itself, or in that directory the one of `date`, or the only one.

    InputError for a directory without it.
    """
    if not source.is_dir():
        if source.suffix != ENDING:
            raise InputError(
                f"a journal's DATE{ENDING}, or a journal's directory", file=str(source)
            )
        if date not in ("", source.stem):
            raise InputError(f"the day {date}", file=str(source))
        return source
    days = sorted(path.stem for path in source.glob(f"*{ENDING}"))
    if date not in days and (date or len(days) != 1):
        there = f"has those of {days[0]} to {days[-1]}" if days else "has none"
        wanted = f"{date}{ENDING}" if date else f"a date, for more than one, or one file *{ENDING}"
        raise InputError(f"needs {wanted}; {there}", file=str(source))
    return source / f"{date or days[0]}{ENDING}"


async def export(
    tape: Path, out: Path, fmt: str = "csv", progress: Progress | None = None
) -> Exported:
    """Write the day of `tape` as a capture, which is there when it is whole; quotes and theos in the format `fmt`.

    InputError for a tape that cannot be read or said in a capture; MonitorError if OUT has something, or cannot be
    written.
    """
    _check(out, fmt)
    tell = progress or (lambda stage, done, of: None)
    tell("reading", 0, 1)
    day = read_day(tape)
    source = RecordedSource(day)
    batch = await _in_order(source)
    tell("reading", 1, 1)
    end = source.star_phases[1] if source.star_phases else None
    capture = _Capture(day, batch, end, fmt, tell)
    written = _write(capture, out)
    until = max((mark for _, mark in day.watermarks), default=None)
    late = len(day.late.rows)
    return Exported(out, day.date, written, capture.added, until, late, day.gaps, day.midway)


def _write(capture: _Capture, out: Path) -> dict[str, int]:
    partial = out.with_name(f"{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        written = capture.write(partial)
        for path in partial.iterdir():
            _sync(path)  # under its name it must be whole, whatever happens to the power
        partial.replace(out)
    except OSError as error:
        raise MonitorError(f"{out}: cannot be written: {unwritable(error)}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _check(out: Path, fmt: str) -> None:
    if fmt not in FORMATS:
        raise MonitorError(f"--format: one of {', '.join(FORMATS)}, got {fmt!r}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MonitorError(f"--out: a directory that is empty or not there yet, got {out}")
    if fmt == "parquet":
        try:
            import pyarrow as _  # noqa: F401
        except ImportError:
            raise MonitorError("parquet needs pyarrow: pip install 'mm-monitor[parquet]'") from None


async def _in_order(source: RecordedSource) -> Batch:
    """The whole tape in the order in which a replay judges it, each row once."""
    merge = Merge()
    while not source.finished:
        for delivery in await source.poll():
            merge.push(delivery)
    return merge.release(AFTER_ALL)


def _absent(name: str) -> int | None:
    """What stands in a column of numbers where there is none; None for text."""
    if name in PRICES:
        return NULL
    return _NONE if name == "ts_event" or name.endswith("_size") else None


class _Table(Protocol):
    def write(self, columns: Mapping[str, Column]) -> None: ...
    def close(self) -> None: ...


class _Csv:
    """A table as text: prices as decimals, nothing where there is none."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(columns)

    def write(self, columns: Mapping[str, Column]) -> None:
        texts = [_texts(name, column) for name, column in columns.items()]
        self._writer.writerows(zip(*texts, strict=True))

    def close(self) -> None:
        self._file.close()


def _texts(name: str, column: Column) -> list[Any]:
    if name in PRICES:
        values, which = np.unique(column, return_inverse=True)
        prices = ["" if value == NULL else price_text(value) for value in values.tolist()]
        return [prices[i] for i in which.tolist()]
    if _absent(name) is not None:
        return ["" if number == _NONE else number for number in column.tolist()]
    return list(column.tolist())


class _Parquet:
    """A table with prices as integers of 10^-8, null where there is none; a row group for each chunk."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        import pyarrow
        from pyarrow import parquet

        self._arrow = pyarrow
        kinds = {"ts_event": "int64", **dict.fromkeys(PRICES, "int64"),
                 "bid_size": "int32", "ask_size": "int32"}  # fmt: skip
        self._schema = pyarrow.schema([(name, kinds.get(name, "string")) for name in columns])
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, columns: Mapping[str, Column]) -> None:
        arrays = [self._array(name, column) for name, column in columns.items()]
        self._writer.write_table(self._arrow.table(arrays, schema=self._schema))

    def _array(self, name: str, column: Column) -> Any:
        absent = _absent(name)
        mask = None if absent is None else column == absent
        return self._arrow.array(column, type=self._schema.field(name).type, mask=mask)

    def close(self) -> None:
        self._writer.close()


class _Capture:
    """Writes one."""

    def __init__(
        self, day: RecordedDay, batch: Batch, end: int | None, fmt: str, tell: Progress
    ) -> None:
        """`end` is that of the period where the market's phases are on the tape, ns."""
        self._reference, self._batch, self._rows = day.reference, batch, batch.rows
        self._dead, self._end = day.dead, end
        self._out, self._format, self._tell = Path(), fmt, tell
        self._written: dict[str, int] = {}
        self.added = 0

    def write(self, out: Path) -> dict[str, int]:
        """All its tables; lines by table."""
        self._out = out
        self._names()
        self._controls()
        self._prices()
        return self._written

    def _names(self) -> None:
        """What was known when the date began."""
        reference = self._reference
        if not reference.contracts:
            raise InputError("no contract was known on that date, so there is nothing to judge")
        self._small("contracts", CONTRACTS, (
            (c.name, c.klass, price_text(c.tick), c.kind, c.strike, c.expiry, c.multiplier, _id(c.number), c.flags)
            for c in reference.contracts
        ))  # fmt: skip
        self._small("makers", ("maker", "class", "rulebook", "id"), (
            (a.maker, a.klass, a.rulebook, _id(a.number)) for a in reference.appointments
        ))  # fmt: skip
        if reference.accounts:
            self._small("accounts", ("account", "maker"), sorted(reference.accounts.items()))

    def _controls(self) -> None:
        found: dict[str, list[Fields]] = {"reference": _not_yet(self._reference)}
        for key in self._rows["a"][is_control(self._rows)].tolist():
            record = self._batch.controls[key]
            table, _, fields = _CONTROLS[type(record)]
            found.setdefault(table, []).append((record.ts, *fields(record)))
        if self._end is not None:
            more = _still_open(found["phases"], self._end)
            found["phases"] += more
            self.added = len(more)
        columns = {table: names for table, names, _ in _CONTROLS.values()}
        for table, lines in found.items():
            if lines:
                self._small(table, ("ts_event", *columns[table]), lines)

    def _small(self, table: str, columns: Sequence[str], lines: Iterable[Fields]) -> None:
        count = 0
        with (self._out / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for line in lines:
                for column, text in zip(columns, line, strict=True):
                    _one_line(table, column, text)
                writer.writerow(line)
                count += 1
        self._written[table] = count

    def _prices(self) -> None:
        """Quotes and theos. Behind the quotes an empty line for each record that could not be used and is not kept."""
        kinds, flags = self._rows["kind"], self._rows["flags"]
        quotes, theos = self._rows[kinds == Kind.QUOTE], self._rows[kinds == Kind.THEO]
        known = int(((kinds == Kind.QUOTE) & ((flags & QUOTE_BAD) != 0)).sum())
        of = len(quotes) + len(theos)
        with closing(self._table("quotes", QUOTES)) as table:
            self._chunks(table, QUOTES, quotes, self._quotes(), (0, of))
            unknown = max(0, self._dead - known)
            for size in _chunk_sizes(unknown):
                table.write(dict(zip(QUOTES, _nothing(size), strict=True)))
        self._written["quotes"] = len(quotes) + unknown
        if len(theos):
            with closing(self._table("theo", THEOS)) as table:
                self._chunks(table, THEOS, theos, self._theos(), (len(quotes), of))
            self._written["theo"] = len(theos)

    def _table(self, name: str, columns: Sequence[str]) -> _Table:
        form = _Csv if self._format == "csv" else _Parquet
        return form(self._out / f"{name}.{self._format}", columns)

    def _chunks(
        self, table: _Table, columns: Sequence[str], rows: Rows,
        read: Callable[[Rows], Iterator[Column]], place: tuple[int, int],
    ) -> None:  # fmt: skip
        done, of = place
        for size in _chunk_sizes(len(rows)):
            chunk, rows = rows[:size], rows[size:]
            table.write(dict(zip(columns, read(chunk), strict=True)))
            done += size
            self._tell("writing", done, of)

    def _quotes(self) -> Callable[[Rows], Iterator[Column]]:
        """A quote that is not known to say what is a line that cannot be used, of its maker and contract."""
        reference = self._reference
        contracts = _objects(contract.name for contract in reference.contracts)
        makers = _objects([*reference.makers, _nobody(reference)])  # -1 is the last
        accounts = _objects(["", *reference.account_numbers])

        def read(rows: Rows) -> Iterator[Column]:
            bad = (rows["flags"] & QUOTE_BAD) != 0
            yield rows["ts"]
            yield np.where(rows["account"] > 0, accounts[rows["account"]], makers[rows["maker"]])
            yield contracts[rows["contract"]]
            for side in ("a", "b"):
                yield np.where(bad, NULL, rows[side])
                yield np.where(bad, _NONE, rows[f"{side}_size"]).astype(np.int32)

        return read

    def _theos(self) -> Callable[[Rows], Iterator[Column]]:
        contracts = _objects(contract.name for contract in self._reference.contracts)
        vias = [_objects(via[i] for via in self._reference.theo_vias) for i in range(3)]

        def read(rows: Rows) -> Iterator[Column]:
            yield rows["ts"]
            yield contracts[rows["contract"]]
            yield np.where((rows["flags"] & THEO_MISSING) != 0, NULL, rows["a"])
            yield np.where((rows["flags"] & THEO_DELTA) != 0, rows["b"], NULL)
            for texts in vias:
                yield texts[rows["a_size"]]

        return read


def _not_yet(reference: Reference) -> list[Fields]:
    """Contracts that were not listed when the date began: off before all else; records of their own list them."""
    return [
        (0, "contracts", "remove", contract.name, *[""] * (len(TERMS) - 1))
        for contract, live in zip(reference.contracts, reference.live, strict=True)
        if not live
    ]


def _still_open(phases: Sequence[Fields], end: int) -> list[Fields]:
    """The market's phase once more where a period ends that no phase ended: a capture's goes on to the last of them."""
    ts, _, phase = [line for line in phases if line[1] == ALL][-1]
    return [(end, ALL, phase)] if ts != end else []


def _chunk_sizes(rows: int) -> Iterator[int]:
    while rows > 0:
        yield min(rows, CHUNK)
        rows -= CHUNK


def _nothing(lines: int) -> Iterator[Column]:
    """Columns of quotes of which nothing is known."""
    texts, numbers = _objects([""] * lines), np.full(lines, _NONE, np.int64)
    yield from (numbers, texts, texts)
    for _ in range(2):
        yield np.full(lines, NULL)
        yield numbers


def _nobody(reference: Reference) -> str:
    """A name that no maker and no account has: that of a quote whose maker nobody knew is not kept."""
    name = "nobody"
    while name in reference.maker_index or name in reference.account_numbers:
        name += "?"
    return name


def _objects(texts: Iterable[str]) -> Column:
    return np.array([*texts], dtype=object)


def _id(number: int | None) -> object:
    return "" if number is None else number


def _price(value: int | None) -> str:
    return "" if value is None else price_text(value)


def _one_line(table: str, column: str, text: object) -> None:
    if isinstance(text, str) and ("\n" in text or "\r" in text):
        raise InputError(
            "a capture's line cannot have a line break",
            file=f"{table}.csv",
            column=column,
            value=text,
        )


_CONTROLS: Mapping[type[Control], tuple[str, tuple[str, ...], Callable[[Any], Fields]]] = {
    ReferenceRecord: ("reference", ("table", "action", *TERMS), lambda r: (
        r.table, r.action, *(r.row.get(name) or "" for name in TERMS))),
    PhaseRecord: ("phases", ("scope", "phase"), lambda r: (r.scope, r.phase)),
    ExemptionRecord: ("exemptions", ("scope", "maker", "kind", "action"), lambda r: (
        r.scope, r.maker, r.kind, r.action)),
    FeedRecord: ("feed", ("scope", "maker", "status"), lambda r: (r.scope, r.maker, r.status)),
    StressRecord: ("stress", ("scope", "action"), lambda r: (r.scope, r.action)),
    UnderlyingRecord: ("underlying", ("class", "price", "bid_price", "ask_price"), lambda r: (
        r.klass, _price(r.price), _price(r.bid_price), _price(r.ask_price))),
    VolRecord: ("vol", ("contract", "class", "expiry", "vol"), lambda r: (
        r.contract, r.klass, r.expiry, _price(r.vol))),
    RfqRecord: ("rfqs", ("rfq_id", "contract", "makers"), lambda r: (
        r.rfq_id, r.contract, "|".join(r.makers))),
    FillRecord: ("fills", ("maker", "contract", "side", "price", "size"), lambda r: (
        r.maker, r.contract, r.side, price_text(r.price), r.size)),
    PositionRecord: ("positions", ("maker", "class", "net_delta", "limit"), lambda r: (
        r.maker, r.klass, price_text(r.net_delta), price_text(r.limit))),
    SessionRecord: ("sessions", ("maker", "account", "status"), lambda r: (
        r.maker, r.account, r.status)),
    RejectRecord: ("rejects", ("maker", "reason"), lambda r: (r.maker, r.reason)),
}  # fmt: skip
