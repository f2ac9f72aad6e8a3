"""What would have been valid instead: one sentence for each test that failed, in the prices of the moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from mm_monitor.core.explain import Standing, least_size, price_text, spread_limit
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.units import show_duration


def would_be_valid(
    quote: Standing, rulebook: Rulebook, failed: Sequence[str], reason: str
) -> Iterator[str]:
    """Sentences for the tests in `failed`, and for the primary `reason` where it is not among them."""
    names = [*failed, *([reason] if reason and reason not in failed else [])]
    for name in names:
        yield from _ADVICE[name](quote, rulebook)


def _absent(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    limit = spread_limit(quote, rulebook)
    width = "" if limit is None else f", at most {_floor(limit)} apart"
    free = rulebook.min_size is None and not rulebook.size_by_month
    size = "" if free else f", each of at least {least_size(quote, rulebook)} contracts"
    yield f"a bid and an ask{width}{size}"


def _one_sided(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    yield "a bid beside the ask" if not quote.bid_size else "an ask beside the bid"


def _crossed(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    yield f"a bid below {price_text(quote.ask)}"


def _size(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    yield f"at least {least_size(quote, rulebook)} contracts on each side"


def _unequal(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    ratio = rulebook.size_difference
    if ratio is None:
        return
    share = fraction(ratio) * 100
    yield f"sizes that differ by at most {float(share):g}% of the {rulebook.size_difference_of}"


def _spread(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    limit = spread_limit(quote, rulebook)
    if limit is None:
        return
    width = limit.numerator // limit.denominator // max(quote.tick, 1) * max(quote.tick, 1)
    yield (
        f"at most {_floor(limit)} wide: with this bid an ask of at most {price_text(quote.bid + width)}, "
        f"or with this ask a bid of at least {price_text(quote.ask - width)}"
    )


def _off_theo(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    band = rulebook.off_theo
    if band is None or quote.theo is None:
        return
    width = band.absolute if band.absolute is not None else 0
    if band.ratio is not None:
        width = int(fraction(band.ratio) * quote.theo)
    low, high = price_text(quote.theo - width), price_text(quote.theo + width)
    yield f"a bid of at most {high} and an ask of at least {low}"


def _stale(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    if rulebook.max_age is not None:
        yield f"a quote repeated within {show_duration(rulebook.max_age)}"


def _flicker(quote: Standing, rulebook: Rulebook) -> Iterator[str]:
    if rulebook.min_rest is not None:
        yield f"the same prices for at least {show_duration(rulebook.min_rest)}"


def _floor(limit: Fraction) -> str:
    return price_text(limit.numerator // limit.denominator)


_ADVICE = {
    "absent": _absent,
    "one_sided": _one_sided,
    "crossed": _crossed,
    "size": _size,
    "unequal": _unequal,
    "spread": _spread,
    "off_theo": _off_theo,
    "stale": _stale,
    "flicker": _flicker,
}
