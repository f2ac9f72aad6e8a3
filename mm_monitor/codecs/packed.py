"""The packed format: one Kafka record is a small header and N fixed-width little-endian rows.

The loop is compiled (`mm_monitor.kernels`); Python looks only at the rows that failed. The layout
is in docs/formats.md and, for code generators, docs/packed.sbe.xml.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mm_monitor.codecs.directory import Cache, Directory
from mm_monitor.codecs.fields import NULL, price_text
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.codecs.verdicts import (
    Codes,
    check_adjusted,
    dead_letter,
    detail_of,
    known_maker,
    reason_of,
    tick_of,
    usable_quotes,
    usable_theos,
)
from mm_monitor.core.batch import ROW, Decoded, Rows
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.kernels import decode_quotes, decode_theos
from mm_monitor.kernels.reference_decode import (
    HEADER,
    QUOTE,
    QUOTES,
    SCHEMA,
    THEO,
    THEOS,
    Told,
)

QUOTE_FIELDS = (
    "ts_event", "bid_price", "ask_price", "bid_size", "ask_size", "maker", "contract",
)  # fmt: skip
THEO_FIELDS = ("ts_event", "theo", "contract", "reserved")
_PRICES = ("bid_price", "ask_price", "theo")
_TEMPLATES = {"quotes": QUOTES, "theo": THEOS}


class PackedCodec:
    """Codec of packed quotes and theos; ids are numbers of the reference (`Contract.number`)."""

    name = "packed"

    def __init__(self) -> None:
        self._directories = Cache(Directory.of)

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Rows and dead letters of a chunk of quotes or theo. Never raises for bad data."""
        template = _TEMPLATES[chunk.feed]
        records = Values.of(chunk.records)
        counts = np.empty(len(records), np.int32)
        named = np.zeros(len(reference.contracts), np.uint8)
        rows = np.empty(_room(records, template), ROW)  # the kernel fills them
        codes = np.empty(len(rows), np.uint8)
        told = self._fill(records, chunk, reference, rows, codes, counts, named)
        n, bad, unread, order, least, greatest = told
        rows, codes = rows[:n], codes[:n]
        if template == QUOTES:
            bad += check_adjusted(rows, codes, reference)
        if not bad and not unread:
            return Decoded(
                rows, dead=[], survey=(order, least, greatest) if n else None, named=named
            )
        dead = [
            _bad_record(records[i], template) for i in np.flatnonzero(counts < 0).tolist()
        ]  # fmt: skip
        if bad:
            dead += _bad_rows(records, counts, rows, codes, template, reference)
            rows = (usable_quotes if template == QUOTES else usable_theos)(rows, codes)
        return Decoded(rows, dead=dead)

    def element(self, value: bytes, sub: int) -> bytes:
        """The bytes of one row of a record that was decoded."""
        return _row_bytes(value, sub)

    def _fill(
        self,
        records: Values,
        chunk: Chunk,
        reference: Reference,
        rows: Rows,
        codes: Codes,
        counts: NDArray[np.int32],
        named: Codes,
    ) -> Told:
        """Let the kernel decode."""
        tables = self._directories.of(reference)
        contracts = (tables.contracts.keys, tables.contracts.values)
        spans = (records.data, records.starts, records.lengths, records.offsets)
        if chunk.feed == "theo":
            return decode_theos(*spans, chunk.part, *contracts, rows, codes, counts, named)
        makers = (tables.makers.keys, tables.makers.values)
        return decode_quotes(
            *spans, chunk.part, *makers, *contracts, tables.ticks, rows, codes, counts, named
        )


def _room(records: Values, template: int) -> int:
    """For how many rows, at most, there are bytes."""
    least = QUOTE.size if template == QUOTES else THEO.size
    return (int(records.lengths.sum()) + len(records)) // least  # a null value is -1 long


def _bad_record(record: RawRecord, template: int) -> DeadLetter:
    return DeadLetter(record, BadReason.UNDECODABLE, _header_defect(record.value, template))


def _header_defect(value: bytes, template: int) -> str:
    """Which part of the header is wrong, or that the length is."""
    if len(value) < HEADER.size:
        return f"packed record is shorter than its header of {HEADER.size} bytes, got {len(value)}"
    block, got, schema, version, length, count = HEADER.unpack_from(value)
    least = QUOTE.size if template == QUOTES else THEO.size
    checks = (
        (schema == SCHEMA, f"schema_id is not {SCHEMA}, got {schema}"),
        (got == template, f"template_id is not {template}, got {got}"),
        (block == 0, f"block_length is not 0, got {block}"),
        (version >= 1, f"version is not 1 or later, got {version}"),
        (length >= least, f"row_length is under {least}, got {length}"),
    )
    wrong = [text for good, text in checks if not good]
    wanted = HEADER.size + count * length
    length_defect = f"packed record of {count} rows of {length} bytes is not {wanted} bytes long"
    return wrong[0] if wrong else f"{length_defect}, got {len(value)}"


def _bad_rows(
    records: Sequence[RawRecord],
    counts: NDArray[np.int32],
    rows: Rows,
    codes: Codes,
    template: int,
    reference: Reference,
) -> Iterator[DeadLetter]:
    """A dead letter for every row with a code, in the order of the rows."""
    starts = np.cumsum(np.maximum(counts, 0)) - np.maximum(counts, 0)
    bad = np.flatnonzero(codes)
    # Records without rows share their start with the next one that has some: take the last.
    owners = np.searchsorted(starts, bad, side="right") - 1
    for k, owner in zip(bad.tolist(), owners.tolist(), strict=True):
        yield _bad_row(records[owner], rows[k], int(codes[k]), template, reference)


def _bad_row(
    record: RawRecord, row: np.void, code: int, template: int, reference: Reference
) -> DeadLetter:
    sub = int(row["sub"])
    value = _row_bytes(record.value, sub)
    fields = _fields(value, template)
    detail = detail_of(code, fields, tick_of(reference, int(row["contract"]), int(row["ts"])))
    maker = known_maker(reference, int(row["maker"]))
    return dead_letter(record, value, reason_of(code), f"row {sub}: {detail}", maker)


def _row_bytes(record: bytes, sub: int) -> bytes:
    length = HEADER.unpack_from(record)[4]
    start = HEADER.size + sub * length
    return record[start : start + length]


def _fields(value: bytes, template: int) -> dict[str, str]:
    """Fields of a row as text."""
    layout, names = (QUOTE, QUOTE_FIELDS) if template == QUOTES else (THEO, THEO_FIELDS)
    fields = dict(zip(names, layout.unpack_from(value), strict=True))
    return {
        name: ("null" if number == NULL else price_text(number)) if name in _PRICES else str(number)
        for name, number in fields.items()
    }
