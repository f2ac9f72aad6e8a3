"""Turns the kernels' edges (a lapse or a wide spread crossed its limit, or ended) into breaches with their evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mm_monitor.core.accrual import Accruals
from mm_monitor.core.book import Book
from mm_monitor.core.breaches import BreachBook
from mm_monitor.core.days import dated_relief, days_left
from mm_monitor.core.explain import Standing, failures, price_text, spread_limit
from mm_monitor.core.model import REASONS, BreachKind
from mm_monitor.core.params import fraction
from mm_monitor.core.reference import Contract, Reference
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.kernels import layout

_KINDS = {
    layout.LAPSE_OPEN: BreachKind.LAPSE,
    layout.LAPSE_CLOSE: BreachKind.LAPSE,
    layout.SPREAD_OPEN: BreachKind.SPREAD,
    layout.SPREAD_CLOSE: BreachKind.SPREAD,
}


class EdgeReader:
    """Reads edges of one layout. `sources` maps a part number to (topic, partition)."""

    def __init__(
        self,
        rulebook: Rulebook,
        reference: Reference,
        book: Book,
        reliefs: tuple[Fraction, ...],
        sources: Mapping[int, tuple[str, int]],
        day: str = "",
        cause: Callable[[str, int], Mapping[str, object] | None] = lambda maker, t: None,
        sizes: Sequence[int] = (),
    ) -> None:
        """`day` is the trading date (ISO text) by which limits are what they are.

        `cause(maker, t)` says why a lapse may have begun at `t`; `sizes` are the least sizes by contract.
        """
        self.rulebook, self.book = rulebook, book
        self.contracts = tuple(reference.contracts)  # as they were when this layout began
        self.makers = tuple(reference.makers)
        self.vias = reference.theo_vias
        self.day, self.dated = day, dated_relief(rulebook, day)
        self.reliefs, self.sources, self.cause, self.sizes = reliefs, sources, cause, sizes
        self.longest, self.grace = rulebook.longest_permitted or 0, rulebook.grace or 0

    def notice(
        self,
        chunks: list[NDArray[np.void]],
        accruals: Accruals,
        breaches: BreachBook,
        noticed_at: int,
    ) -> None:
        """Open and close breaches; edges that were noticed before change nothing."""
        for chunk in chunks:
            for edge in chunk:
                if edge["kind"] in (layout.HOLE_OPEN, layout.HOLE_CLOSE):
                    self._hole(edge, breaches, noticed_at)
                else:
                    self._one(edge, accruals, breaches, noticed_at)

    def _hole(self, edge: np.void, breaches: BreachBook, noticed_at: int) -> None:
        """PRES-08: of a contract, not of a maker; its edge names the contract's first slot and the instant."""
        contract = self.contracts[int(self.book.slot_con[int(edge["slot"])])]
        kind, t = BreachKind.MARKET_HOLE, int(edge["n"])
        if edge["kind"] == layout.HOLE_CLOSE:
            breaches.close(kind, "", contract.name, t, noticed_at)
            return
        evidence: dict[str, object] = {"longest_permitted_ns": self.rulebook.longest_hole}
        breaches.open(kind, "", contract.name, contract.klass, t, "", evidence, noticed_at)

    def _one(
        self, edge: np.void, accruals: Accruals, breaches: BreachBook, noticed_at: int
    ) -> None:
        slot = int(edge["slot"])
        contract = self.contracts[int(self.book.slot_con[slot])]
        maker = self.makers[int(self.book.slot_maker[slot])]
        kind, t = (
            _KINDS[int(edge["kind"])],
            accruals.instant(int(self.book.slot_con[slot]), int(edge["n"])),
        )
        if edge["kind"] in (layout.LAPSE_CLOSE, layout.SPREAD_CLOSE):
            breaches.close(kind, maker, contract.name, t, noticed_at)
            return
        reason = (
            "spread" if kind is BreachKind.SPREAD else REASONS[int(edge["state"]) - layout.LAPSED]
        )
        evidence = self.evidence(edge, contract, self._size(int(self.book.slot_con[slot])))
        ran = self.longest if kind is BreachKind.LAPSE else self.grace
        began = accruals.instant(int(self.book.slot_con[slot]), int(edge["n"]) - ran)
        cause = self.cause(maker, began) if kind is BreachKind.LAPSE else None
        evidence |= {"began": began} | ({} if cause is None else {"cause": cause})
        breaches.open(kind, maker, contract.name, contract.klass, t, reason, evidence, noticed_at)

    def _size(self, contract: int) -> int | None:
        return self.sizes[contract] if contract < len(self.sizes) else None

    def evidence(
        self, edge: np.void, contract: Contract, min_size: int | None = None
    ) -> dict[str, object]:
        """The quote, theo and limit in force, by how much each test failed, and the records they came from."""
        theo = int(edge["theo"]) if edge["flags"] & 1 else None
        under, flags = int(edge["under"]), int(edge["flags"])
        quote = Standing(
            int(edge["bid"]), int(edge["ask"]), int(edge["bid_size"]), int(edge["ask_size"]),
            contract.tick, theo, self.relief(int(edge["relax"]), bool(flags & 2)),
            stale=bool(flags & 4), fresh=bool(flags & 8), days=days_left(contract, self.day),
            underlying=None if under == layout.LONG_AGO else under, min_size=min_size,
        )  # fmt: skip
        limit = spread_limit(quote, self.rulebook)
        return {
            "quote": {
                "bid_price": price_text(quote.bid) if quote.bid_size else None,
                "bid_size": quote.bid_size,
                "ask_price": price_text(quote.ask) if quote.ask_size else None,
                "ask_size": quote.ask_size,
                "ts_event": None if edge["quote_ts"] == layout.LONG_AGO else int(edge["quote_ts"]),
                "source": self._source(int(edge["src"])),
            },
            "theo": None
            if theo is None
            else {
                "theo": price_text(theo),
                "ts_event": int(edge["theo_ts"]),
                "source": self._source(int(edge["theo_src"])),
                "via": self.via(int(edge["theo_via"])),
            },
            "limit": None if limit is None else price_text(limit.numerator // limit.denominator),
            "failed_by": dict(failures(quote, self.rulebook)),
        }

    def via(self, index: int) -> dict[str, object] | None:
        """Where a theo came from, as its record says; None where it does not."""
        if index <= 0 or index >= len(self.vias):
            return None
        source, version, quality = self.vias[index]
        return {"source": source, "version": version, "quality": quality}

    def relief(self, relax: int, stress: bool) -> Fraction:
        """By what the spread limit is multiplied: the relax exemption of that number, stress, and the date."""
        relief = self.reliefs[relax] * self.dated
        return (
            relief * fraction(self.rulebook.stress_relief)
            if stress and self.rulebook.stress_relief
            else relief
        )

    def _source(self, src: int) -> dict[str, object] | None:
        part, offset = src >> layout.SRC_OFFSET_BITS, src & ((1 << layout.SRC_OFFSET_BITS) - 1)
        if part not in self.sources:
            return None
        topic, partition = self.sources[part]
        return {"topic": topic, "partition": partition, "offset": offset}
