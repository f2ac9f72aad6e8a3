"""Public quote files as captures: NYSE Daily TAQ (as the exchange or WRDS lays it out) and csv of Databento.

What quotes is an exchange (TAQ) or a publisher (Databento): it takes the maker's place. Sizes stay as they are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_monitor.errors import InputError
from mm_monitor.imports.times import clock_ns, iso_ns
from mm_monitor.imports.writing import ABSENT, Counted, Side, Tables, Target, Tell, text_of

UNDEFINED = str(2**63 - 1)  # Databento: there is no such price
_INTEGER = re.compile(r"-?[0-9]+")
_ZERO = re.compile(r"0*\.?0*")
Fields = Mapping[str, str]
Line = tuple[int | str, str, str, Side, Side]  # ts, maker, contract, bid, ask
Reader = Callable[[Fields], Line | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's columns by what they are; the first name that is there counts."""

    name: str
    needed: Sequence[str]  # a header with all of these is of this layout
    read: Reader


def import_taq(
    paths: Sequence[Path], target: Target, day: str, zone: str, tell: Tell | None = None
) -> Counted:
    """NYSE Daily TAQ quotes. `day` is the date of files whose lines have none. InputError for another header."""
    layouts = (
        Layout(
            "Daily TAQ",
            ("Time", "Exchange", "Symbol", "Bid_Price", "Bid_Size", "Offer_Price", "Offer_Size"),
            lambda line: _daily(line, day, zone),
        ),
        Layout(
            "WRDS TAQ",
            ("DATE", "TIME_M", "EX", "SYM_ROOT", "BID", "BIDSIZ", "ASK", "ASKSIZ"),
            lambda line: _wrds(line, zone),
        ),
    )
    return _import(paths, target, layouts, tell)


def import_databento(paths: Sequence[Path], target: Target, tell: Tell | None = None) -> Counted:
    """Databento csv with a top of book: schemas mbp-1, tbbo, bbo-1s and the like, pretty or as integers."""
    needed = ("bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00")
    return _import(paths, target, (Layout("Databento", needed, _databento),), tell)


def _import(
    paths: Sequence[Path], target: Target, layouts: Sequence[Layout], tell: Tell | None
) -> Counted:
    with Tables(target) as tables:
        for path in paths:
            for number, fields, layout in _lines(path, layouts, tell):
                try:
                    line = layout.read(fields)
                except (ValueError, KeyError) as error:
                    tables.counted.leave(
                        f"no {layout.name} quote: {error}"[:120], f"{path.name}:{number}"
                    )
                    continue
                if line is not None:
                    tables.quote(*line)
                else:
                    tables.counted.leave("no quote of its own", f"{path.name}:{number}")
        return tables.counted


def _lines(
    path: Path, layouts: Sequence[Layout], tell: Tell | None
) -> Iterator[tuple[int, Fields, Layout]]:
    with text_of(path) as file:
        first = file.readline()
        delimiter = "|" if "|" in first else ","
        header = [name.strip() for name in first.rstrip("\r\n").split(delimiter)]
        layout = next((one for one in layouts if set(one.needed) <= set(header)), None)
        if layout is None:
            wanted = " or ".join(", ".join(one.needed) for one in layouts)
            raise InputError(f"columns {wanted}", file=str(path), line=1, value=first.strip()[:120])
        size, done = path.stat().st_size, len(first)
        for number, row in enumerate(csv.reader(file, delimiter=delimiter), 2):
            done += sum(map(len, row)) + len(row)
            if tell is not None and number % 10_000 == 0:
                tell("reading", min(done, size), size)
            if row and not (delimiter == "|" and row[0] == "END"):
                yield number, dict(zip(header, row, strict=False)), layout


def _side(price: str, size: str) -> Side:
    """In TAQ a price of 0 says that there is no such side."""
    price, size = price.strip(), size.strip()
    return ABSENT if _ZERO.fullmatch(price) else (price, size)


def _daily(line: Fields, day: str, zone: str) -> Line | None:
    if line.get("Quote_Cancel_Correction", "").strip() == "B":  # cancelled by the exchange
        return None
    if not day:
        raise ValueError("--date, for its lines have none")
    ts = clock_ns(day, line["Time"].strip(), zone)
    bid = _side(line["Bid_Price"], line["Bid_Size"])
    ask = _side(line["Offer_Price"], line["Offer_Size"])
    return ts, line["Exchange"].strip(), line["Symbol"].strip(), bid, ask


def _wrds(line: Fields, zone: str) -> Line | None:
    ts = clock_ns(line["DATE"].strip(), line["TIME_M"].strip(), zone)
    symbol = " ".join(filter(None, (line["SYM_ROOT"].strip(), line.get("SYM_SUFFIX", "").strip())))
    bid, ask = _side(line["BID"], line["BIDSIZ"]), _side(line["ASK"], line["ASKSIZ"])
    return ts, line["EX"].strip(), symbol, bid, ask


def _databento(line: Fields) -> Line | None:
    publisher = _first(line, "publisher_id", "pub_id")
    contract = _first(line, "symbol", "raw_symbol", "instrument_id", "product_id")
    try:
        ts = iso_ns(line["ts_event"])
    except (KeyError, ValueError):  # of a bbo at an interval without an event
        ts = iso_ns(line["ts_recv"])
    bid = _fixed(line["bid_px_00"], line["bid_sz_00"])
    ask = _fixed(line["ask_px_00"], line["ask_sz_00"])
    return ts, publisher, contract, bid, ask


def _first(line: Fields, *names: str) -> str:
    for name in names:
        if line.get(name):
            return line[name]
    raise ValueError(f"one of {', '.join(names)}")


def _fixed(price: str, size: str) -> Side:
    """Integers are units of 10^-9; a price that is not defined is an absent side."""
    if price in ("", UNDEFINED):
        return ABSENT
    if _INTEGER.fullmatch(price) is None:
        return price, size
    units = int(price)
    text = f"{abs(units) // 10**9}.{abs(units) % 10**9:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text, size
