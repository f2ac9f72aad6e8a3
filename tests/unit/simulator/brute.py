"""A second opinion on a capture directory: re-integrates it instant by instant from the csv files.

It reads the specification literally and slowly, shares nothing with the simulator, and recomputes
the state of a slot from all records up to an instant for each elementary interval.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

TICK = Decimal("0.0001")
TOTALS = ("quoted_ns", "lapsed_ns", "unknown_ns", "exempt_ns", "lapses", "longest_lapse_ns")


def read(directory: Path, name: str) -> list[dict[str, str]]:
    with (directory / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and "ts_event" in rows[0]:
        rows.sort(key=lambda row: int(row["ts_event"]))  # stable: the line number breaks ties
    return rows


@dataclass
class Capture:
    directory: Path

    def __post_init__(self) -> None:
        self.contracts = read(self.directory, "contracts")
        self.makers = read(self.directory, "makers")
        self.phases = read(self.directory, "phases")
        self.exemptions = read(self.directory, "exemptions")
        self.feed = read(self.directory, "feed")
        self.quotes: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in read(self.directory, "quotes"):
            self.quotes.setdefault((row["maker"], row["contract"]), []).append(row)
        self.theos: dict[str, list[dict[str, str]]] = {}
        for row in read(self.directory, "theo"):
            self.theos.setdefault(row["contract"], []).append(row)

    def obligations(self) -> list[tuple[str, dict[str, str]]]:
        pairs = {
            (maker["maker"], contract["contract"]): contract
            for maker in self.makers
            for contract in self.contracts
            if maker["class"] in ("*", contract["class"])
        }
        return [(maker, contract) for (maker, _), contract in sorted(pairs.items())]


def is_bad(quote: dict[str, str]) -> bool:
    for side in ("bid", "ask"):
        size = int(quote[f"{side}_size"])
        price = Decimal(quote[f"{side}_price"]) if quote[f"{side}_price"] else None
        if size < 0 or (size > 0 and price is None):
            return True
        if price is not None and (price % TICK or abs(price) > Decimal("9.2e10")):
            return True
        if size > 0 and price is not None and price <= 0:
            return True
    return False


def quote_state(quote: dict[str, str] | None, theo: str) -> str:
    if quote is None or int(quote["bid_size"]) == 0 or int(quote["ask_size"]) == 0:
        return "lapsed"
    bid, ask = Decimal(quote["bid_price"]), Decimal(quote["ask_price"])
    if bid >= ask:
        return "lapsed"
    if ask - bid <= TICK:
        return "quoted"
    if not theo:
        return "unknown"
    return "quoted" if ask - bid <= Decimal(theo) * 3 / 100 else "lapsed"


def last_before(rows: list[dict[str, str]], ts: int) -> dict[str, str] | None:
    """The last row at or before `ts`."""
    found = None
    for row in rows:
        if int(row["ts_event"]) > ts:
            break
        found = row
    return found


def obliged_at(phases: list[dict[str, str]], scopes: set[str], ts: int) -> bool:
    said = {
        p["scope"]: p["phase"] for p in phases if int(p["ts_event"]) <= ts and p["scope"] in scopes
    }
    return bool(said) and set(said.values()) == {"continuous"}


def exempt_at(rows: list[dict[str, str]], ts: int) -> bool:
    on: set[tuple[str, str, str]] = set()
    for row in rows:
        if int(row["ts_event"]) > ts:
            break
        key = (row["scope"], row["maker"], row["kind"])
        if row["action"] == "start":
            on.add(key)
        else:
            on.discard(key)
    return bool(on)


def quote_known_at(quotes: list[dict[str, str]], feed: list[dict[str, str]], ts: int) -> object:
    """The quote that stands at `ts`; None: known to be absent; "unknown": nobody can say."""
    events = [(int(f["ts_event"]), 0, i, f) for i, f in enumerate(feed) if int(f["ts_event"]) <= ts]
    events += [
        (int(q["ts_event"]), 1, i, q) for i, q in enumerate(quotes) if int(q["ts_event"]) <= ts
    ]
    standing: object = None
    down = False
    for _, kind, _, row in sorted(events, key=lambda event: event[:3]):
        if kind == 1:
            if not down:
                standing = "unknown" if is_bad(row) else row
        elif row["status"] == "down":
            down, standing = True, "unknown"
        elif row["status"] == "up":
            down = False
        elif standing == "unknown":
            standing = None
    return standing


def integrate(capture: Capture, maker: str, contract: dict[str, str]) -> dict[str, int]:
    name, klass = contract["contract"], contract["class"]
    scopes, who = {"*", klass, name}, {"*", maker}
    quotes, theos = capture.quotes.get((maker, name), []), capture.theos.get(name, [])
    phases = [p for p in capture.phases if p["scope"] in scopes]
    exemptions = [e for e in capture.exemptions if e["scope"] in scopes and e["maker"] in who]
    feed = [f for f in capture.feed if f["scope"] in scopes and f["maker"] in who]
    market = [int(p["ts_event"]) for p in capture.phases if p["scope"] == "*"]
    start, end = min(market), max(market)
    records = [*quotes, *theos, *phases, *exemptions, *feed]
    cuts = sorted(
        {start, end, *(int(r["ts_event"]) for r in records if start < int(r["ts_event"]) < end)}
    )
    totals = dict.fromkeys(TOTALS, 0)
    current = 0
    for a, b in pairwise(cuts):
        if not obliged_at(phases, scopes, a):
            continue
        if exempt_at(exemptions, a):
            totals["exempt_ns"] += b - a
            continue
        standing = quote_known_at(quotes, feed, a)
        theo = last_before(theos, a)
        state = "unknown"
        if standing != "unknown":
            assert standing is None or isinstance(standing, dict)
            state = quote_state(standing, theo["theo"] if theo else "")
        totals[f"{state}_ns"] += b - a
        if state != "lapsed":
            current = 0
            continue
        totals["lapses"] += current == 0
        current += b - a
        totals["longest_lapse_ns"] = max(totals["longest_lapse_ns"], current)
    return totals
