"""Decoding alone: packed and json records of one partition, as a fetch brings them, to checked tape rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from benchmarks.day import (
    CLASSES,
    ROWS_PER_RECORD,
    THEO_PARTS,
    Ticks,
    make_ticks,
    packed_records,
    reference,
)
from benchmarks.measure import Row, ns_each, repeat
from mm_monitor.codecs import codec_for
from mm_monitor.codecs.protocol import Chunk
from mm_monitor.codecs.values import Values
from mm_monitor.core.model import RawRecord
from mm_monitor.core.reference import Reference

TITLE = f"decode: ns a row (least, median of runs), {ROWS_PER_RECORD} rows a record where not said otherwise"
ROWS = 100_000
RUNS = 7


def run() -> list[Row]:
    """Quotes in both formats, packed theos, and json with one object a record."""
    names = reference()
    quotes = make_ticks(ROWS, 0.0, "session")
    theos = make_ticks(ROWS, 1.0, "session")
    return [
        _measure("packed quotes", "packed", Chunk("quotes", 1, packed_records(quotes, 1, 0)), names),
        _measure(
            "packed theos", "packed", Chunk("theo", 1 + CLASSES, packed_records(theos, THEO_PARTS[0], 0)), names
        ),
        _measure("json quotes", "json", Chunk("quotes", 1, json_records(quotes, ROWS_PER_RECORD)), names),
        _measure("json quotes, 1 a record", "json", Chunk("quotes", 1, json_records(quotes, 1)), names),
        _measure("the same by msgspec", "json", Chunk("quotes", 1, json_records(quotes, 1, "\\u0043")), names),
        _measure("fix MassQuote, 20 entries", "fix", Chunk("quotes", 1, mass_quotes(quotes, 20)), names),
        _measure("fix Quote", "fix", Chunk("quotes", 1, mass_quotes(quotes, 1)), names),
    ]  # fmt: skip


def _measure(what: str, codec: str, chunk: Chunk, names: Reference) -> Row:
    decoder = codec_for(chunk.feed, codec)
    chunk = Chunk(chunk.feed, chunk.part, Values.of(chunk.records))
    rows = len(decoder.decode(chunk, names).rows)
    if rows != ROWS:
        raise RuntimeError(f"{what}: {ROWS} rows were sent, {rows} decoded")
    least, median = ns_each(repeat(lambda: decoder.decode(chunk, names), RUNS), ROWS)
    size = sum(len(record.value) for record in chunk.records)
    return {"what": what, "bytes a row": round(size / ROWS, 1), "ns": least, "ns med": median}


def json_records(ticks: Ticks, rows_per_record: int, c: str = "C") -> list[RawRecord]:
    """Json records of quotes, with another `C` in the names of contracts where the kernel shall not read them."""
    columns = (ticks.ts, ticks.maker, ticks.contract, ticks.a, ticks.b, ticks.size)
    items = [
        {"ts_event": ts, "maker": f"M{maker:02d}", "contract": f"C{contract:03d}",
         "bid_price": _price(bid), "bid_size": size, "ask_price": _price(ask), "ask_size": size}
        for ts, maker, contract, bid, ask, size in zip(*(c.tolist() for c in columns), strict=True)
    ]  # fmt: skip
    values = [
        json.dumps(items[i] if rows_per_record == 1 else items[i : i + rows_per_record])
        for i in range(0, len(items), rows_per_record)
    ]
    texts = [
        value.replace('"C', '"' + c) for value in values
    ]  # an escape is nothing for the kernel
    return [RawRecord("quotes", 1, offset, text.encode()) for offset, text in enumerate(texts)]


def mass_quotes(ticks: Ticks, entries: int) -> list[RawRecord]:
    """Messages of as many ticks each, all of the first one's maker at its instant; with one, Quotes."""
    columns = (ticks.ts, ticks.maker, ticks.contract, ticks.a, ticks.b, ticks.size)
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    records = []
    for i in range(0, len(rows), entries):
        ts, maker = rows[i][:2]
        stamp = f"{datetime.fromtimestamp(ts // 10**9, UTC):%Y%m%d-%H:%M:%S}.{ts % 10**9:09d}"
        fields = [
            f"35={'S' if entries == 1 else 'i'}",
            f"49=M{maker:02d}",
            "56=VENUE",
            "34=7",
            f"52={stamp}",
            "117=Q1",
        ]
        fields += (
            []
            if entries == 1
            else ["296=1", "302=1", f"304={entries}", f"295={len(rows[i : i + entries])}"]
        )
        for k, (_, _, contract, bid, ask, size) in enumerate(rows[i : i + entries]):
            fields += [] if entries == 1 else [f"299={k}"]
            fields += [
                f"55=C{contract:03d}",
                f"132={_price(bid)}",
                f"133={_price(ask)}",
                f"134={size}",
                f"135={size}",
            ]
        body = "".join(f"{field}\x01" for field in fields)
        head = f"8=FIX.4.4\x019={len(body)}\x01{body}".encode()
        records.append(RawRecord("quotes", 1, i, head + b"10=%03d\x01" % (sum(head) % 256)))
    return records


def _price(units: int) -> str:
    return f"{units // 10**8}.{units % 10**8:08d}"
