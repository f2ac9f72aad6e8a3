"""The fix format: one Kafka record is one FIX message of quotes: MassQuote, Quote, QuoteCancel, QuoteStatusReport.

A plain MassQuote or Quote is read by a kernel, any other message field by field. docs/fix.md says what the tags mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from mm_monitor.codecs.columns import Ints, Places, QuoteColumns, quote_rows
from mm_monitor.codecs.directory import Cache, Names
from mm_monitor.codecs.fix_message import fields_of
from mm_monitor.codecs.fix_quotes import (
    MASS_QUOTE,
    FixQuote,
    FixTags,
    entries_of,
    read_quotes,
)
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.scanning import Scanned, plain_quotes, room, with_the_others
from mm_monitor.codecs.values import Values
from mm_monitor.codecs.verdicts import (
    Codes,
    cut,
    dead_letter,
    detail_of,
    known_maker,
    reason_of,
    tick_of,
    usable_quotes,
)
from mm_monitor.core.batch import Decoded, Rows
from mm_monitor.core.model import BadReason, DeadLetter, RawRecord
from mm_monitor.core.reference import Reference
from mm_monitor.errors import DecodeError
from mm_monitor.kernels import scan_fix_quotes
from mm_monitor.kernels.reference_decode import Code
from mm_monitor.kernels.reference_scan_fix import LEAST_ENTRY, MOST_ENTRIES


class FixCodec:
    """Codec of FIX quotes; theos are not written so."""

    name = "fix"

    def __init__(self, tags: FixTags | None = None) -> None:
        self._tags = tags or FixTags()
        self._names = Cache(Names.of)

    def decode(self, chunk: Chunk, reference: Reference) -> Decoded:
        """Rows and dead letters of a chunk of quotes. Never raises for bad data."""
        values = Values.of(chunk.records)
        scanned = self._scan(chunk.part, values, reference)
        return with_the_others(scanned, chunk, values, lambda c: self.decode_any(c, reference))

    def decode_any(self, chunk: Chunk, reference: Reference) -> Decoded:
        """As `decode`, but field by field in Python, for whatever a message can be."""
        quotes: list[tuple[RawRecord, int, FixQuote]] = []
        dead: list[DeadLetter] = []
        for record in chunk.records:
            try:
                got = read_quotes(record.value, self._tags, reference)
                if len(got) > MOST_ENTRIES:
                    raise DecodeError(
                        BadReason.UNDECODABLE, f"message of over {MOST_ENTRIES} quotes"
                    )
                quotes += zip([record] * len(got), count(), got)
            except DecodeError as error:
                dead.append(DeadLetter(record, BadReason(error.reason), error.detail))
        codes = np.array([Code.UNDECODABLE if q.defect else 0 for _, _, q in quotes], np.uint8)
        rows, bad = quote_rows(
            _columns([q for _, _, q in quotes]), _places(quotes, chunk.part), reference, codes
        )
        if bad:
            dead += self._bad_rows(quotes, rows, codes, reference)
            rows = usable_quotes(rows, codes)
        return Decoded(rows, dead=dead)

    def element(self, value: bytes, sub: int) -> bytes:
        """The bytes of one entry of a MassQuote; of another message, all of them."""
        fields = fields_of(value)
        if fields[0].value != MASS_QUOTE:
            return value
        groups = next(i for i, f in enumerate(fields) if f.tag == 296)
        entry = list(entries_of(fields[groups:]))[sub]
        return value[entry[0].start : entry[-1].stop]

    def _scan(self, part: int, values: Values, reference: Reference) -> Scanned:
        """Rows of the messages that the kernel can read, and the indices of the others."""
        names, tags = self._names.of(reference), self._tags
        makers, contracts = names.makers, names.contracts
        rows, counts = room(values, LEAST_ENTRY), np.empty(len(values), np.int32)
        total = scan_fix_quotes(
            values.data, values.starts, values.lengths, values.offsets, part, makers.cells, makers.pool,
            contracts.cells, contracts.pool, names.ticks, tags.maker, tags.contract, tags.role, rows, counts,
        )  # fmt: skip
        return plain_quotes(rows[:total], counts, reference)

    def _bad_rows(
        self,
        quotes: Sequence[tuple[RawRecord, int, FixQuote]],
        rows: Rows,
        codes: Codes,
        reference: Reference,
    ) -> Iterator[DeadLetter]:
        for k in np.flatnonzero(codes).tolist():
            record, sub, quote = quotes[k]
            tick = tick_of(reference, int(rows["contract"][k]), int(rows["ts"][k]))
            detail = f"entry {sub}: {self._detail(quote, int(codes[k]), tick)}"
            value = record.value[quote.start : quote.stop] if quote.stop >= 0 else record.value
            maker = known_maker(reference, int(rows["maker"][k]))
            yield dead_letter(record, value, reason_of(codes[k]), detail, maker)

    def _detail(self, quote: FixQuote, code: int, tick: int) -> str:
        """What is wrong, with the tag and its value."""
        if code == Code.UNDECODABLE:
            return quote.defect
        if code == Code.BAD_TIME:
            wanted = "a UTC time YYYYMMDD-HH:MM:SS and decimals, from 1970 to 2262, wanted"
            return f"tag {quote.time_tag}: {wanted}, got {cut(quote.texts[quote.time_tag])}"
        if code == Code.UNKNOWN_CONTRACT:
            return f"tag {self._tags.contract}: contract is not listed, got {cut(quote.contract)}"
        side = 0 if code < Code.ASK_SIZE else 1
        tag = (134 if code in (Code.BID_SIZE, Code.ASK_SIZE) else 132) + side
        texts = {"bid_price": 132, "ask_price": 133, "bid_size": 134, "ask_size": 135}
        shown = {name: quote.texts.get(of, "nothing") for name, of in texts.items()}
        return f"tag {tag}: {detail_of(code, shown, tick)}"


def _columns(quotes: Sequence[FixQuote]) -> QuoteColumns:
    def column(name: str) -> Ints:
        return np.array([getattr(q, name) for q in quotes], np.int64)

    return QuoteColumns(
        ts=column("ts"),
        makers=[q.maker for q in quotes],
        contracts=[q.contract for q in quotes],
        bid=column("bid"),
        ask=column("ask"),
        bid_size=column("bid_size"),
        ask_size=column("ask_size"),
    )


def _places(quotes: Sequence[tuple[RawRecord, int, FixQuote]], part: int) -> Places:
    offsets = np.array([record.offset for record, _, _ in quotes], np.int64)
    return Places(offsets, np.array([sub for _, sub, _ in quotes], np.int64), part)
