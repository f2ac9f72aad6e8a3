"""A capture directory as a source: every file is one partition, read to its end in chunks.

Lines need not be in the order of time: a replay merges after all is read, so nothing is ever
paused. A line that cannot be used is a dead letter with its line number, never an error; a missing
file or column is one, at `start`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np

from mm_monitor.codecs.columns import (
    Places,
    QuoteColumns,
    TheoColumns,
    quote_rows,
    theo_rows,
)
from mm_monitor.codecs.control import Placed, control_of, maker_of, place
from mm_monitor.codecs.fields import delta_cache, price_cache, theo_cache
from mm_monitor.codecs.verdicts import (
    Codes,
    detail_of,
    known_maker,
    reason_of,
    tick_of,
    usable_quotes,
    usable_theos,
)
from mm_monitor.core.batch import QUOTE_BAD, Decoded, Rows
from mm_monitor.core.model import (
    BadReason,
    DeadLetter,
    Kind,
    PhaseRecord,
    RawRecord,
    ReferenceRecord,
)
from mm_monitor.core.reference import ALL, Reference, Via
from mm_monitor.core.reference_rows import announce
from mm_monitor.errors import DecodeError
from mm_monitor.kernels.reference_decode import Code
from mm_monitor.sources.files import Table, find_table, need_table
from mm_monitor.sources.protocol import Delivery, Refused
from mm_monitor.sources.table import REQUIRED, Ints, TableChunk

PARTS = {
    "reference": int(Kind.REFERENCE),
    "phases": int(Kind.PHASE),
    "exemptions": int(Kind.EXEMPTION),
    "feed": int(Kind.FEED),
    "stress": int(Kind.STRESS),
    "underlying": int(Kind.UNDERLYING),
    "theo": int(Kind.THEO),
    "quotes": int(Kind.QUOTE),
    "rfqs": int(Kind.RFQ),
    "fills": int(Kind.FILL),
    "positions": int(Kind.POSITION),
    "sessions": int(Kind.SESSION),
    "rejects": int(Kind.REJECT),
}
VIA_COLUMNS = ("source", "version", "quality")
_UNREAD = -1
_RECORDS = {
    "reference": "reference",
    "phases": "phase",
    "exemptions": "exemption",
    "feed": "feed",
    "stress": "stress",
    "underlying": "underlying",
    "rfqs": "rfq",
    "fills": "fill",
    "positions": "position",
    "sessions": "session",
    "rejects": "reject",
}


class CaptureSource:
    """Finite source of the files in `directory`, decoded against `reference`.

    Contracts that the capture lists later are announced to `reference` by `start`; a quote on one
    of them before its listing is a quote on an unknown contract.
    """

    def __init__(self, directory: Path, reference: Reference, *, needs_quotes: bool = True) -> None:
        """Without quotes it cannot be judged, unless it is not to be."""
        self._directory, self._reference = directory, reference
        self._needs_quotes = needs_quotes
        self.judged_until: int | None = None
        self._tables: dict[str, Table] = {}
        self._listed: dict[str, int] = {}  # contract -> ns of its first listing on the tape
        self._queue: deque[Delivery] = deque()
        self._stream: Iterator[Delivery] = iter(())
        self._read_all = False
        self._bytes_read = 0
        self._star: tuple[int, int] | None = None
        self.refused = Refused()  # a capture knows nothing of what was refused when it was made

    @property
    def parts(self) -> Sequence[int]:
        """Numbers of the files that are there, one for each kind; see `PARTS`."""
        return [PARTS[name] for name in self._tables]

    @property
    def live_parts(self) -> Sequence[int]:
        """Until all is read nothing may leave the merge: a part that never speaks holds it."""
        return () if self.finished else (_UNREAD,)

    @property
    def idle_watermark(self) -> int | None:
        """The end of time, once all is read."""
        return 2**63 - 1 if self.finished else None

    @property
    def part_names(self) -> Mapping[int, tuple[str, int]]:
        """File name and partition (always 0) of each part, for evidence."""
        return {PARTS[name]: (table.path.name, 0) for name, table in self._tables.items()}

    @property
    def ignored_files(self) -> list[str]:
        """Tables in the directory that are not read."""
        known = {f"{name}{ending}" for name in REQUIRED for ending in (".csv", ".parquet")}
        endings = (".csv", ".parquet")
        files = (p.name for p in self._directory.iterdir() if p.suffix in endings)
        return sorted(name for name in files if name not in known)

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read, and bytes of all files."""
        return self._bytes_read, sum(table.size for table in self._tables.values())

    @property
    def finished(self) -> bool:
        """True once everything was delivered."""
        return self._read_all and not self._queue

    @property
    def caught_up(self) -> bool:
        """A capture is all backlog."""
        return self.finished

    @property
    def star_phases(self) -> tuple[int, int] | None:
        """First and last time of a phase of scope `*`; None if no line speaks for the market."""
        return self._star

    async def start(self) -> None:
        """Find the files, read their headers and the listings; InputError for a defect."""
        if self._needs_quotes:
            self._tables["quotes"] = need_table(self._directory, "quotes")
        for name in PARTS:
            table = find_table(self._directory, name)
            if table is not None:
                self._tables[name] = table
        for table in self._tables.values():
            next(table.chunks(), None)
        ordered = {name: self._tables[name] for name in PARTS if name in self._tables}
        self._tables = ordered
        for name in ("reference", "phases"):
            if name in self._tables:
                self._queue.extend(self._read(self._tables[name]))
        self._announce()
        self._stream = self._rest(("reference", "phases"))

    async def poll(self) -> Sequence[Delivery]:
        """The next chunk."""
        if self._queue:
            return [self._queue.popleft()]
        delivery = next(self._stream, None)
        if delivery is None:
            self._read_all = True
            return []
        return [delivery]

    def quote_dates(self, date_of: Callable[[int], str]) -> set[str]:
        """Dates of the good quotes, by a `date_of` that never steps back as time goes on.

        Reads the rest of the files; `poll` delivers them all the same.
        """
        self._queue.extend(self._stream)
        dates: set[str] = set()
        for delivery in self._queue:
            if delivery.part == PARTS["quotes"]:
                rows = delivery.decoded.rows
                _add_dates(np.unique(rows["ts"][rows["flags"] != QUOTE_BAD]), date_of, dates)
        return dates

    def pause(self, parts: Sequence[int]) -> None:
        """Nothing: a replay needs all of a file before it can sort it."""

    def resume(self, parts: Sequence[int]) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Forget what was not delivered."""
        self._queue.clear()
        self._stream = iter(())
        self._read_all = True

    def _rest(self, done: Sequence[str]) -> Iterator[Delivery]:
        for name, table in self._tables.items():
            if name not in done:
                yield from self._read(table)

    def _read(self, table: Table) -> Iterator[Delivery]:
        part = PARTS[table.name]
        decoder = _Decoder(table, self._reference, self._listed)
        end = self._bytes_read + table.size
        for chunk in table.chunks():
            decoded = decoder.decode(chunk)
            self._note(decoded)
            self._bytes_read += chunk.size
            yield Delivery(part, decoded, len(chunk.numbers) + _lost(chunk))
        self._bytes_read = end

    def _note(self, decoded: Decoded) -> None:
        """Remember the market's phases as they go by."""
        for control in decoded.controls:
            if isinstance(control, PhaseRecord) and control.scope == ALL:
                first, last = self._star or (control.ts, control.ts)
                self._star = min(first, control.ts), max(last, control.ts)

    def _announce(self) -> None:
        """Make what will be listed known, in the order of time: an adjustment is told by the tick before it."""
        controls = [control for delivery in self._queue for control in delivery.decoded.controls]
        records = [control for control in controls if isinstance(control, ReferenceRecord)]
        for record in sorted(records, key=lambda record: record.ts):
            self._note_listing(record)

    def _note_listing(self, record: ReferenceRecord) -> None:
        if record.table == "contracts" and record.action == "add":
            name = record.row["contract"]
            if name in self._listed or name not in self._reference.contract_index:
                self._listed[name] = min(record.ts, self._listed.get(name, record.ts))
        announce(self._reference, record)


class _Decoder:
    """Chunks of one file to rows, controls and dead letters."""

    def __init__(self, table: Table, reference: Reference, listed: Mapping[str, int]) -> None:
        self._name, self._file = table.name, table.path.name
        self._part = PARTS[table.name]
        self._reference, self._listed = reference, listed
        self._prices = theo_cache() if table.name == "theo" else price_cache()
        self._deltas = delta_cache()

    def decode(self, chunk: TableChunk) -> Decoded:
        """All that can be read of a chunk."""
        if self._name in _RECORDS:
            return self._controls(chunk)
        codes = np.zeros(len(chunk.numbers), np.uint8)
        for odd in chunk.odd:
            if odd.index >= 0:
                codes[odd.index] = Code.UNDECODABLE
        rows, bad = (
            self._quotes(chunk, codes) if self._name == "quotes" else self._theos(chunk, codes)
        )
        bad += self._unlisted(rows, codes)
        dead = [
            DeadLetter(self._raw(odd.number, odd.value), BadReason.UNDECODABLE, odd.detail)
            for odd in chunk.odd
            if odd.index < 0
        ]
        if bad:
            dead += self._bad_rows(chunk, rows, codes)
            dead.sort(key=lambda letter: letter.raw.offset)
            rows = (usable_quotes if self._name == "quotes" else usable_theos)(rows, codes)
        return Decoded(rows, dead=dead)

    def _quotes(self, chunk: TableChunk, codes: Codes) -> tuple[Rows, int]:
        columns = QuoteColumns(
            ts=chunk.times("ts_event"),
            makers=chunk.names("maker"),
            contracts=chunk.names("contract"),
            bid=chunk.prices("bid_price", self._prices),
            ask=chunk.prices("ask_price", self._prices),
            bid_size=chunk.sizes("bid_size"),
            ask_size=chunk.sizes("ask_size"),
        )
        return quote_rows(columns, self._places(chunk), self._reference, codes)

    def _theos(self, chunk: TableChunk, codes: Codes) -> tuple[Rows, int]:
        columns = TheoColumns(
            ts=chunk.times("ts_event"),
            contracts=chunk.names("contract"),
            theo=chunk.prices("theo", self._prices),
            delta=chunk.prices("delta", self._deltas) if chunk.has("delta") else None,
            vias=_vias(chunk),
        )
        return theo_rows(columns, self._places(chunk), self._reference, codes)

    def _places(self, chunk: TableChunk) -> Places:
        return Places(chunk.numbers, np.zeros(len(chunk.numbers), np.int64), self._part)

    def _unlisted(self, rows: Rows, codes: Codes) -> int:
        """Good rows on contracts not listed yet at their time become bad ones; how many?"""
        if not self._listed:
            return 0
        since = np.zeros(len(self._reference.contracts), np.int64)
        for name, ts in self._listed.items():
            since[self._reference.contract_index[name]] = ts
        early = (codes == Code.OK) & (rows["ts"] < since[rows["contract"]])
        codes[early] = Code.UNKNOWN_CONTRACT
        rows["contract"][early] = -1
        return int(early.sum())

    def _bad_rows(self, chunk: TableChunk, rows: Rows, codes: Codes) -> Iterator[DeadLetter]:
        odd = {o.index: o.detail for o in chunk.odd}
        for k in np.flatnonzero(codes).tolist():
            code = int(codes[k])
            tick = tick_of(self._reference, int(rows["contract"][k]), int(rows["ts"][k]))
            detail = odd.get(k) or detail_of(code, chunk.fields(k), tick)
            raw = self._raw(int(chunk.numbers[k]), chunk.value(k))
            maker = known_maker(self._reference, int(rows["maker"][k]))
            yield DeadLetter(raw, reason_of(code), detail, maker)

    def _controls(self, chunk: TableChunk) -> Decoded:
        dead = [
            DeadLetter(self._raw(odd.number, odd.value), BadReason.UNDECODABLE, odd.detail)
            for odd in chunk.odd
        ]
        skip = {odd.index for odd in chunk.odd}
        placed: list[Placed] = []
        for index, number in enumerate(chunk.numbers.tolist()):
            if index in skip:
                continue
            raw = self._raw(number, chunk.value(index))
            try:
                fields = chunk.fields(index)
                control = control_of(_RECORDS[self._name], fields, raw)
            except DecodeError as error:
                maker = maker_of(fields, self._reference)
                dead.append(DeadLetter(raw, BadReason(error.reason), error.detail, maker))
            else:
                placed.append(Placed(control, number))
        return Decoded(place(placed, self._part), [p.control for p in placed], dead)

    def _raw(self, number: int, value: bytes) -> RawRecord:
        return RawRecord(self._file, 0, number, value)


def _vias(chunk: TableChunk) -> Iterator[Via] | None:
    """Where each theo came from; None where the table has none of its columns."""
    columns = [chunk.names(name) if chunk.has(name) else None for name in VIA_COLUMNS]
    if not any(columns):
        return None
    source, version, quality = (texts or repeat("", len(chunk.numbers)) for texts in columns)
    return zip(source, version, quality, strict=True)


def _lost(chunk: TableChunk) -> int:
    """Lines of which nothing is left in the columns."""
    return sum(odd.index < 0 for odd in chunk.odd)


def _add_dates(times: Ints, date_of: Callable[[int], str], dates: set[str]) -> None:
    """Dates of sorted times: a stretch whose ends share a date is on that date."""
    if not len(times):
        return
    first, last = date_of(int(times[0])), date_of(int(times[-1]))
    dates.update((first, last))
    if first != last and len(times) > 2:
        middle = len(times) // 2
        _add_dates(times[:middle], date_of, dates)
        _add_dates(times[middle:], date_of, dates)
