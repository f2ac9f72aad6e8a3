"""One obligation under the glass as JSON: its quote against what it is judged by, what would make it valid, its past.

Prices are decimal text, except in the history, where they are integers of 10^-8 for a chart.
"""

from __future__ import annotations

from typing import Any

from mm_monitor.core.explain import Standing, failures, least_size, price_text, spread_limit
from mm_monitor.core.params import fraction
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.kernels import layout
from mm_monitor.studies.advice import would_be_valid
from mm_monitor.watching import Seen

Json = dict[str, Any]


def contract_json(seen: Seen, maker: str) -> Json:
    """What is seen of `maker` on the contract."""
    rulebook, quote = seen.evaluator.rulebook, seen.quote
    contract = seen.evaluator.reference.contracts[seen.contract]
    failed = dict(failures(quote, rulebook)) if seen.state in ("lapsed", "unknown") else {}
    limit = spread_limit(quote, rulebook)
    return {
        "rulebook": {"id": rulebook.id, "version": rulebook.version},
        "maker": maker,
        "contract": contract.name,
        "class": contract.klass,
        "terms": {
            "kind": contract.kind, "strike": contract.strike, "expiry": contract.expiry,
            "tick": price_text(contract.tick),
        },
        "at": seen.at,
        "state": seen.state,
        "reason": seen.reason or None,
        "quote": _quote(seen),
        "theo": _theo(seen),
        "limit": None if limit is None else price_text(limit.numerator // limit.denominator),
        "relief": str(quote.relief),
        "failed_by": failed,
        "would_be_valid": list(would_be_valid(quote, rulebook, list(failed), seen.reason)),
        "needs": _needs(quote, rulebook),
        "history": {
            "since": seen.since,
            "points": seen.points,
            "spans": seen.spans,
            "left_out": seen.thinned,
            "kept": seen.remembers,
        },
    }  # fmt: skip


def _quote(seen: Seen) -> Json | None:
    quote = seen.quote
    if seen.quote_ts == layout.LONG_AGO:
        return None
    return {
        "bid_price": price_text(quote.bid) if quote.bid_size else None,
        "bid_size": quote.bid_size,
        "ask_price": price_text(quote.ask) if quote.ask_size else None,
        "ask_size": quote.ask_size,
        "ts_event": seen.quote_ts,
        "source": _source(seen, seen.source),
    }


def _theo(seen: Seen) -> Json | None:
    if seen.quote.theo is None:
        return None
    return {
        "theo": price_text(seen.quote.theo),
        "ts_event": seen.theo_ts,
        "source": _source(seen, seen.theo_source),
        "via": seen.evaluator.edges.via(seen.theo_via),
    }


def _source(seen: Seen, source: int) -> Json | None:
    part, offset = divmod(source, 1 << layout.SRC_OFFSET_BITS)
    if part not in seen.evaluator.sources:
        return None
    topic, partition = seen.evaluator.sources[part]
    return {"topic": topic, "partition": partition, "offset": offset}


def _needs(quote: Standing, rulebook: Rulebook) -> Json:
    """The bounds within which the quote would be valid, as far as they can be said."""
    found: Json = {"least_size": least_size(quote, rulebook)}
    limit = spread_limit(quote, rulebook)
    if limit is not None:
        ticks = max(quote.tick, 1)
        width = limit.numerator // limit.denominator // ticks * ticks
        found["widest"] = price_text(width)
        if quote.bid_size:
            found["ask_at_most"] = price_text(quote.bid + width)
        if quote.ask_size:
            found["bid_at_least"] = price_text(quote.ask - width)
    band = rulebook.off_theo
    if band is not None and quote.theo is not None:
        ratio = int(fraction(band.ratio) * quote.theo) if band.ratio is not None else 0
        off = band.absolute if band.absolute is not None else ratio
        found["bid_at_most"] = price_text(quote.theo + off)
        found["ask_at_least"] = price_text(quote.theo - off)
    for name, value in (("max_age_ns", rulebook.max_age), ("min_rest_ns", rulebook.min_rest)):
        if value is not None:
            found[name] = value
    return found
