"""Why a quote failed, in price units: the evidence that goes with a breach.

Works on one quote at a time with exact fractions; the kernels decide, this only says by how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.core.params import find_cell, fraction
from mm_monitor.core.rulebook import Rulebook, SpreadTerm


@dataclass(frozen=True, slots=True)
class Standing:
    """One quote and what it was judged against. Prices int64 10^-8; size 0 = no such side."""

    bid: int
    ask: int
    bid_size: int
    ask_size: int
    tick: int
    theo: int | None
    relief: Fraction = Fraction(1)
    stale: bool = False
    one_side: bool = False
    fresh: bool = False  # it has not stood long enough
    days: int | None = None  # to expiry, None = without end
    underlying: int | None = None  # spread of the underlying, None = missing
    min_size: int | None = None  # of each side on this contract, None = the rulebook's for all


def price_text(units: int) -> str:
    """int64 10^-8 as decimal text without trailing zeros."""
    sign, units = ("-" if units < 0 else ""), abs(units)
    whole, rest = divmod(units, PRICE_SCALE)
    return f"{sign}{whole}" + (f".{rest:08d}".rstrip("0") if rest else "")


def least_size(quote: Standing, rulebook: Rulebook) -> int:
    """VAL-04: the least size of each side, at least 1."""
    return quote.min_size or rulebook.min_size or 1


def spread_limit(quote: Standing, rulebook: Rulebook) -> Fraction | None:
    """VAL-10: the limit in 10^-8, or None without terms or where what is missing (theo, underlying) leaves it open."""
    values = [_term(term, quote) for term in rulebook.terms]
    if not values or any(value is None for value in values):
        return None
    known = [value for value in values if value is not None]
    return (max(known) if rulebook.combine == "max" else min(known)) * quote.relief


def _term(term: SpreadTerm, quote: Standing) -> Fraction | None:
    if term.kind == "ticks":
        return Fraction(term.ticks * quote.tick)
    if term.kind == "absolute":
        return Fraction(term.absolute)
    if term.kind == "table":
        return _table(term, quote)
    assert term.ratio is not None
    bases = {
        "theo": quote.theo,
        "bid": quote.bid,
        "ask": quote.ask,
        "mid": Fraction(quote.bid + quote.ask, 2),
        "": quote.underlying,
    }
    base = bases[term.of]
    return None if base is None else fraction(term.ratio) * base


def _table(term: SpreadTerm, quote: Standing) -> Fraction | None:
    price = quote.theo if term.of == "theo" else quote.bid
    if price is None:
        return None
    cell = find_cell(term, price, quote.days)
    if cell is None:
        return Fraction(0)
    return fraction(cell.ratio) * price if cell.ratio else Fraction(cell.absolute or 0)


def failures(quote: Standing, rulebook: Rulebook) -> Mapping[str, str]:
    """Each failing test with what it lacks: price units as text, sizes in contracts."""
    found: dict[str, str] = {}
    both = bool(quote.bid_size and quote.ask_size)
    if not quote.bid_size and not quote.ask_size:
        return {"absent": ""}
    if not both and not _one_side_suffices(quote, rulebook):
        found["one_sided"] = "no bid" if not quote.bid_size else "no ask"
    if both and quote.bid >= quote.ask:
        found["crossed"] = price_text(quote.bid - quote.ask)
    least = least_size(quote, rulebook)
    short = [s for s in (quote.bid_size, quote.ask_size) if s and s < least]
    if short:
        found["size"] = str(least - min(short))
    if both and rulebook.size_difference is not None:
        excess = _size_excess(quote, rulebook)
        if excess > 0:
            found["unequal"] = str(excess)
    limit = spread_limit(quote, rulebook) if both else None
    if limit is not None and quote.ask - quote.bid > limit:
        over = quote.ask - quote.bid - limit
        found["spread"] = price_text(-(-over.numerator // over.denominator))
    distance = _off_theo(quote, rulebook)
    if distance > 0:
        found["off_theo"] = price_text(-(-distance.numerator // distance.denominator))
    if quote.stale:
        found["stale"] = ""
    if quote.fresh:
        found["flicker"] = ""
    return found


def _one_side_suffices(quote: Standing, rulebook: Rulebook) -> bool:
    zero_bid = rulebook.zero_bid_below
    below = zero_bid is not None and quote.theo is not None and quote.theo < zero_bid
    return quote.one_side or (bool(quote.ask_size) and below)


def _size_excess(quote: Standing, rulebook: Rulebook) -> Fraction:
    small, large = sorted((quote.bid_size, quote.ask_size))
    base = {
        "smaller": Fraction(small),
        "larger": Fraction(large),
        "mean": Fraction(small + large, 2),
    }
    assert rulebook.size_difference is not None
    return large - small - fraction(rulebook.size_difference) * base[rulebook.size_difference_of]


def _off_theo(quote: Standing, rulebook: Rulebook) -> Fraction:
    if rulebook.off_theo is None or quote.theo is None:
        return Fraction(0)
    absolute, ratio = rulebook.off_theo.absolute, rulebook.off_theo.ratio
    band = (
        Fraction(absolute)
        if absolute is not None
        else (fraction(ratio) * quote.theo if ratio else Fraction(0))
    )
    beyond = Fraction(0)
    if quote.bid_size:
        beyond = max(beyond, quote.bid - quote.theo - band)
    if quote.ask_size:
        beyond = max(beyond, quote.theo - band - quote.ask)
    return beyond
