"""A timeline for people and for machines: a line or an object for every interval."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from mm_monitor.core.explain import price_text
from mm_monitor.errors import InputError
from mm_monitor.formats import NS, rfc3339
from mm_monitor.kernels import layout
from mm_monitor.studies.timeline import Moment, Timeline
from mm_monitor.units import show_duration

SCHEMA = "mm-monitor/timeline/1"
REQUIREMENT = 'ns since the epoch, or a time such as "2025-08-01T09:30:00.000000001"'


def instant(text: str, zone: str) -> int:
    """ns from digits, or from ISO 8601 text, which without an offset is local to `zone` ("" = UTC)."""
    if re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    whole, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        moment = datetime.fromisoformat(whole + rest[len(digits) :])
    except ValueError:
        raise InputError(REQUIREMENT, value=text) from None
    if len(digits) > 9:
        raise InputError(REQUIREMENT, value=text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone or "UTC"))
    return int(moment.timestamp()) * NS + int((digits + "0" * 9)[:9])


def within(line: Timeline, start: int, end: int) -> list[tuple[int, int, Moment]]:
    """Intervals that touch [start, end), cut to it."""
    return [
        (max(a, start), min(b, end), moment)
        for a, b, moment in line.intervals()
        if a < end and b > start
    ]


def as_json(line: Timeline, chosen: list[tuple[int, int, Moment]]) -> dict[str, Any]:
    """An object with the sums of the period and the chosen intervals."""
    return {
        "schema": SCHEMA,
        "maker": line.maker,
        "contract": line.contract,
        "rulebook": {"id": line.rulebook.id, "version": line.rulebook.version, "sha256": line.rulebook.sha256},
        "period": {"start": line.period[0], "end": line.period[1]},
        "sums_ns": line.sums(),
        "intervals": [_interval(line, *entry) for entry in chosen],
    }  # fmt: skip


def _interval(line: Timeline, start: int, end: int, moment: Moment) -> dict[str, Any]:
    return {
        "start": start,
        "end": end,
        "state": moment.state,
        "reason": moment.reason,
        "failed_by": dict(moment.failed),
        "quote": _quote(line, moment),
        "theo": None if moment.quote is None or moment.quote.theo is None else {
            "theo": price_text(moment.quote.theo), "source": _source(line, moment.theo_source),
            "via": moment.theo_via,
        },
        "limit": None if moment.limit is None else price_text(moment.limit),
        "would_be_valid": list(moment.advice),
    }  # fmt: skip


def _quote(line: Timeline, moment: Moment) -> dict[str, Any] | None:
    quote = moment.quote
    if quote is None or moment.quote_ts == layout.LONG_AGO:
        return None
    return {
        "ts_event": moment.quote_ts,
        "bid_price": price_text(quote.bid) if quote.bid_size else None,
        "bid_size": quote.bid_size,
        "ask_price": price_text(quote.ask) if quote.ask_size else None,
        "ask_size": quote.ask_size,
        "source": _source(line, moment.source),
    }


def _source(line: Timeline, source: int) -> dict[str, Any] | None:
    part, offset = source >> layout.SRC_OFFSET_BITS, source & ((1 << layout.SRC_OFFSET_BITS) - 1)
    return {"file": line.files[part], "line": offset} if part in line.files else None


def as_text(line: Timeline, chosen: list[tuple[int, int, Moment]]) -> Iterator[str]:
    """Lines for a terminal: what it was and for how long; below it why, and what would have been valid."""
    sums = ", ".join(f"{name} {_long(ns)}" for name, ns in line.sums().items() if ns)
    yield f"{line.maker} on {line.contract} under {line.rulebook.id}: {sums or 'never obliged'}"
    for start, end, moment in chosen:
        what = f"{moment.state} ({moment.reason})" if moment.reason else moment.state
        yield f"{clock(line, start)}  {_long(end - start):>14}  {what:18} {_standing(line, moment)}"
        if moment.failed:
            failed = ", ".join(f"{name} by {by}" if by else name for name, by in moment.failed)
            yield f"    failed: {failed}"
        for advice in moment.advice:
            yield f"    valid:  {advice}"


def _standing(line: Timeline, moment: Moment) -> str:
    quote = _quote(line, moment)
    if quote is None or moment.quote is None:
        return "no quote yet"
    sides = f"{quote['bid_price'] or '-'} x {quote['bid_size']} | {quote['ask_price'] or '-'} x {quote['ask_size']}"
    theo = "none" if moment.quote.theo is None else price_text(moment.quote.theo)
    if moment.quote.theo is not None and moment.theo_via is not None:
        theo += f" ({', '.join(str(word) for word in moment.theo_via.values() if word)})"
    limit = "-" if moment.limit is None else price_text(moment.limit)
    place = quote["source"]
    where = f"{place['file']}:{place['line']}" if place else "-"
    return f"{sides}  theo {theo}  limit {limit}  {where}"


def clock(line: Timeline, ts: int) -> str:
    """Local time of the venue with all nine digits."""
    calendar = line.rulebook.calendar
    if calendar is None:
        return rfc3339(ts)
    seconds, rest = divmod(ts, NS)
    local = datetime.fromtimestamp(seconds, ZoneInfo(calendar.timezone))
    return f"{local:%Y-%m-%d %H:%M:%S}.{rest:09d}"


def _long(ns: int) -> str:
    """A length in one unit, without losing a digit."""
    if ns < NS:
        return show_duration(ns)
    return f"{ns // NS}.{ns % NS:09d}".rstrip("0").rstrip(".") + "s"
