"""What the oracle has no room for: the use of the limit and the waits for a re-quote, noted as it judges."""

from bisect import bisect_left
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.oracle import oracle
from tests.oracle.oracle import Book, Piece, first
from tests.oracle.reading import Capture, Day, Record, Row, Slot

BUCKETS = [n * 10**k for k in range(3, 11) for n in (1, 2, 5)] + [10**11]  # RESP-01: 1 us to 100 s


class Noting(Book):
    """Notes of each piece the prices, the use of the limit, whether waits end, and what was heard at its start."""

    def __init__(self, capture: Capture, day: Day, slot: Slot, reached: set[int]) -> None:
        super().__init__(capture, day, slot, reached)
        self.noted: list[tuple[Piece, Any, int, bool, set[str]]] = []

    def take(self, now: int, records: list[Record]) -> None:
        super().take(now, records)
        self.kinds = {r.kind for r in records if r.row.get("counted") != "dead_letter"}

    def piece(self, t0: int, t1: int, quoted: bool) -> Piece:
        self.asked: list[Any] = []  # stays so for a quote without two sides
        piece = super().piece(t0, t1, quoted)
        use = self.use(*self.asked) if self.asked and piece.state == "quoted" else 0
        kinds = [r.row["kind"] for r in self.on("exemptions") if r.at[0] == "*"]  # for all makers
        freed = "exclude" in [self.rules["exemptions"][kind] for kind in kinds]
        lost = bool(freed or piece.state is None or self.bad or self.owed or self.on("feed"))
        self.noted.append((piece, self.stood or (None, None), use, lost, self.kinds))
        return piece

    def spread(self, *asked: Any) -> bool | None:
        self.asked = [*asked]
        return super().spread(*asked)

    def use(self, bid: Any, ask: Any, theo: Any, factor: Any) -> int:
        """PRES-08 of the limit of VAL-10: of the terms that do not hang, the most or the least."""
        low, high = self.heard("underlying", "bid_price"), self.heard("underlying", "ask_price")
        at = {"theo": theo, "bid": bid, "ask": ask, "mid": Fraction(bid + ask) / 2,
              "tick": self.contract["tick"], "underlying_spread": low and high and high - low}  # fmt: skip
        limits = []
        for term in self.rules.get("spread.terms", []):
            base = at[term.get("of", "tick")]
            cell = first(term.get("table", []), {}, price=base or 0, days=self.days) or term
            share = sum(cell.get(key, 0) for key in ("ticks", "relative", "multiple"))
            limits += [] if base is None else [factor * cell.get("absolute", share * base)]
        limit = (min if self.rules.get("spread.combine") == "min" else max)(limits, default=0)
        return min(int(10**9 * (ask - bid) // limit), 2**32 - 1) if limit else 0

    def waits(self) -> list[int]:
        """RESP-01: ns from the record that ended validity to the next valid quote, where one did."""
        out, since = [], None
        for (before, stood, *_), (p, stands, _, lost, kinds) in pairwise(self.noted):
            gone = any(was and not side for was, side in zip(stood, stands, strict=True))
            moved = "theo" in kinds and {"one_sided", "spread", "off_theo"} & {*p.fails}
            caused = moved or "fills" in kinds or (p.quoted and gone)
            if since is not None and p.valid and p.quoted:
                out.append(p.t0 - since)
            if lost or p.valid:  # valid otherwise, or not known to be: no measurement
                since = None
            elif before.valid and p.state == "lapsed" and caused:
                since = p.t0
        return out


def judge(directory: Path, rulebook: Path) -> Row:
    """The oracle's report, with the two numbers in its rows."""
    books: dict[Any, Noting] = {}

    def book(capture: Capture, day: Day, slot: Slot, reached: set[int]) -> Noting:
        books[slot, day.start] = own = Noting(capture, day, slot, reached)
        return own  # the last one that is played, where a rest counts back

    with patch.object(oracle, "Book", book):
        report = oracle.judge(directory, rulebook)
    for row in report["obligations"]:
        named = (row["maker"], row["contract"])
        noted = [n for (slot, _), own in books.items() if slot == named for n in own.noted]
        row["limit_use"] = sum(use * (p.t1 - p.t0) for p, _, use, _, _ in noted)
    for row in report["makers"]:
        mine = [own for (slot, _), own in books.items() if slot[0] == row["maker"]]
        waits = [ns for own in mine for ns in own.waits()]
        bounds = Counter(str([*BUCKETS, "inf"][bisect_left(BUCKETS, ns)]) for ns in waits)
        row["requote"] = {"count": len(waits), "sum_ns": sum(waits), "buckets": dict(bounds)}
    return report
