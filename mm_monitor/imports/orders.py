"""A drop copy of orders as quotes: a maker's several orders on a contract make one effective bid and one effective ask.

The effective bid for a size is the price down to which that size could be sold to the maker. Where all its bids are
smaller together, it is the lowest, with what size there is: the size test, not this adapter, says that it is too small.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mm_monitor.codecs.fields import parse_price, parse_size, price_text
from mm_monitor.errors import DecodeError, InputError
from mm_monitor.imports.times import Read
from mm_monitor.imports.writing import ABSENT, Counted, Side, Tables, Target, Tell, text_of

COLUMNS = ("ts_event", "maker", "contract", "order_id", "action", "side", "price", "size")
SIDES = ("buy", "sell")
Quoted = tuple[Side, Side]


@dataclass(slots=True)
class Orders:
    """The standing orders of one maker on one contract: by id, side, price in 10^-8 and open size."""

    held: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def set(self, order: str, side: str, price: int, size: int) -> None:
        """An order stands so from now on; of size 0 it is gone (filled, or cancelled)."""
        if size:
            self.held[order] = (side, price, size)
        else:
            self.held.pop(order, None)

    def effective(self, least: int) -> Quoted:
        """Bid and ask for `least` contracts, at least 1."""
        return self._side("buy", least), self._side("sell", least)

    def _side(self, which: str, least: int) -> Side:
        levels: dict[int, int] = {}
        for side, price, size in self.held.values():
            if side == which:
                levels[price] = levels.get(price, 0) + size
        total, found = 0, None
        for price in sorted(levels, reverse=which == "buy"):
            total, found = total + levels[price], price
            if total >= least:
                break
        return ABSENT if found is None else (price_text(found), str(total))


@dataclass(frozen=True, slots=True)
class _Event:
    ts: int
    key: tuple[str, str]
    order: str
    side: str
    price: int
    size: int


def import_orders(
    paths: Sequence[Path], target: Target, least: int, read: Read, tell: Tell | None = None
) -> Counted:
    """Order events, lines of one file by time, as quotes; what one instant does to a contract is one quote."""
    with Tables(target) as tables:
        books: dict[tuple[str, str], Orders] = {}
        told: dict[tuple[str, str], Quoted] = {}
        now, touched = -1, dict[tuple[str, str], None]()

        def flush() -> None:
            for key in touched:
                quoted = books[key].effective(least)
                if told.get(key) != quoted:
                    told[key] = quoted
                    tables.quote(now, *key, *quoted)
            touched.clear()

        for path in paths:
            for event in _events(path, read, tables.counted, tell):
                if event.ts < now:
                    raise InputError("lines in the order of time", file=str(path), column="ts_event",
                                     value=event.ts)  # fmt: skip
                if event.ts > now:
                    flush()
                    now = event.ts
                books.setdefault(event.key, Orders()).set(
                    event.order, event.side, event.price, event.size
                )
                touched[event.key] = None
        flush()
        return tables.counted


def _events(path: Path, read: Read, counted: Counted, tell: Tell | None) -> Iterator[_Event]:
    with text_of(path) as file:
        lines = csv.DictReader(file, restval="")
        missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
        if missing:
            raise InputError("required, but missing", file=str(path), line=1, column=missing[0])
        size, done = path.stat().st_size, 0
        for number, line in enumerate(lines, 2):
            done += sum(len(value or "") + 1 for value in line.values())
            if tell is not None and number % 10_000 == 0:
                tell("reading", min(done, size), size)
            try:
                yield _event(line, read)
            except (ValueError, DecodeError) as error:
                counted.leave(f"no order event: {error}"[:120], f"{path.name}:{number}")


def _event(line: dict[str, str], read: Read) -> _Event:
    gone = line["action"] == "cancel"
    if not gone and line["action"] != "set":
        raise ValueError(f"action set or cancel, got {line['action']!r}")
    if not gone and line["side"] not in SIDES:
        raise ValueError(f"side buy or sell, got {line['side']!r}")
    price = 0 if gone else parse_price(line["price"])
    size = 0 if gone else parse_size(line["size"])
    key = (line["maker"], line["contract"])
    return _Event(read(line["ts_event"]), key, line["order_id"], line["side"], price, size)
