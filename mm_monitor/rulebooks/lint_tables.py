"""What is wrong with numbers that stand in tables: cells nobody can meet, gaps, overlaps, dates out of order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mm_monitor.core.model import PRICE_SCALE
from mm_monitor.core.params import build_params
from mm_monitor.core.rulebook import Cell, Rulebook
from mm_monitor.errors import ConfigError
from mm_monitor.rulebooks.finding import Finding, error, warning
from mm_monitor.units import show_multiple, show_price

SECOND = 1_000_000_000

SAMPLE_TICK = PRICE_SCALE // 10_000  # 0.0001, the tick by which findings are explained
NO_END = 2**63


def lint_tables(rulebook: Rulebook) -> Iterator[Finding]:
    """Findings of table terms, dated reliefs, burn rates and ratios too fine to judge by."""
    for k, term in enumerate(rulebook.terms):
        if term.kind == "table":
            path = f"spread.terms[{k}].table"
            yield from _cover(path, term.table)
            if rulebook.combine == "min" or len(rulebook.terms) == 1:
                yield from _cells(path, term.table)
    yield from _sizes(rulebook)
    yield from _dated(rulebook)
    yield from _burns(rulebook)
    yield from _aggregation(rulebook)
    yield from _fine(rulebook)


def _cells(path: str, table: Sequence[Cell]) -> Iterator[Finding]:
    """VAL-10: no other term helps where the limit of a cell is less than a tick."""
    for i, cell in enumerate(table):
        price = max(cell.price_from, SAMPLE_TICK)
        limit = cell.absolute
        if cell.ratio is not None:
            limit = price * cell.ratio.num // cell.ratio.den
        if limit is not None and limit < SAMPLE_TICK:
            yield error(
                f"{path}[{i}]",
                f"cannot be met at price {show_price(price)}: the limit is {show_price(limit)}, "
                f"less than one tick of {show_price(SAMPLE_TICK)}",
            )


def _sizes(rulebook: Rulebook) -> Iterator[Finding]:
    """Every expiry month needs a size, of one cell or of `min_size`."""
    path, table = "quote.min_size_by_month", rulebook.size_by_month
    for month in _steps([(cell.months_from, cell.months_to) for cell in table]) if table else ():
        held = [
            i
            for i, cell in enumerate(table)
            if cell.months_from <= month < (NO_END if cell.months_to is None else cell.months_to)
        ]
        if not held and rulebook.min_size is None:
            yield error(
                path, f"gap: no size for expiry month {month}, and no quote.min_size for the rest"
            )
            return
        if len(held) > 1:
            yield error(
                f"{path}[{held[1]}]",
                f"overlaps [{held[0]}] at expiry month {month}: the first one decides",
            )
            return


def _cover(path: str, table: Sequence[Cell]) -> Iterator[Finding]:
    """Every price and every number of days must have one cell and no more."""
    prices = _steps([(c.price_from, c.price_to) for c in table])
    days = _steps([(c.days_from, c.days_to) for c in table])
    for price in prices:
        for day in days:
            held = [i for i, cell in enumerate(table) if _holds(cell, price, day)]
            where = f"price {show_price(price)}, {day} days to expiry"
            if not held:
                yield error(path, f"gap: no cell for {where}, so nothing is narrow enough there")
                return
            if len(held) > 1:
                yield error(
                    f"{path}[{held[1]}]", f"overlaps [{held[0]}] at {where}: the first one decides"
                )
                return


def _steps(ranges: Sequence[tuple[int, int | None]]) -> list[int]:
    """0 and every value at which a range begins or ends."""
    found = {0} | {value for ends in ranges for value in ends if value is not None}
    return sorted(found)


def _holds(cell: Cell, price: int, days: int) -> bool:
    price_to = NO_END if cell.price_to is None else cell.price_to
    days_to = NO_END if cell.days_to is None else cell.days_to
    return cell.price_from <= price < price_to and cell.days_from <= days < days_to


def _dated(rulebook: Rulebook) -> Iterator[Finding]:
    for i, relief in enumerate(rulebook.dated_relief):
        path = f"spread.relief[{i}]"
        if relief.start > relief.end:
            yield error(path, f"{relief.start} is after {relief.end}: no date has this relief")
        if relief.multiple.num < relief.multiple.den:
            multiple = show_multiple(relief.multiple)
            yield warning(path, f"{multiple} makes the limit narrower, not wider")
        if not rulebook.terms:
            yield warning(path, "does nothing without spread.terms")
    covered = ""  # the last date that has a relief
    for relief in sorted(rulebook.dated_relief, key=lambda relief: relief.start):
        if relief.start <= min(covered, relief.end):
            yield warning("spread.relief", f"{relief.start} has two reliefs: the larger one counts")
        covered = max(covered, relief.end)


def _burns(rulebook: Rulebook) -> Iterator[Finding]:
    for i, burn in enumerate(rulebook.at_risk):
        if burn.short >= burn.long:
            yield error(f"presence.at_risk[{i}].short", "must be shorter than the long window")
        if burn.long < rulebook.at_risk_every:
            yield warning(
                f"presence.at_risk[{i}].long", "shorter than the time between two looks at it"
            )
    if rulebook.at_risk and rulebook.at_risk_every < SECOND:
        yield warning(
            "presence.at_risk_every",
            "more than once a second: each look adds up the time of all obligations",
        )
    if rulebook.at_risk and rulebook.required is None:
        yield error("presence.at_risk", "there is no budget to burn without presence.required")


def _aggregation(rulebook: Rulebook) -> Iterator[Finding]:
    """Numbers that no verdict reads."""
    belongs = {
        "presence.coverage_required": (rulebook.coverage_required, "coverage"),
        "presence.coverage_all_but_pairs": (rulebook.coverage_all_but_pairs or None, "coverage"),
        "presence.contracts_required": (rulebook.contracts_required, "contracts"),
        "presence.products_required": (rulebook.products_required, "products"),
        "month.required_days": (rulebook.days_required, "days"),
        "month.tolerated_days": (rulebook.days_tolerated, "days"),
    }
    for path, (value, judge) in belongs.items():
        if value is not None and rulebook.judged_by != judge:
            yield warning(path, f'decides nothing unless presence.judged_by = "{judge}"')


def _fine(rulebook: Rulebook) -> Iterator[Finding]:
    """What the kernels would refuse when the rulebook comes to judge."""
    try:
        build_params(rulebook, 1)
    except ConfigError as refusal:
        yield error(refusal.path, refusal.requirement)
