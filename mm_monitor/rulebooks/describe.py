"""A rulebook in words, for `mm-monitor rules show`.

Every number stands beside the criterion that uses it; what a rulebook leaves out is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator

from mm_monitor.core.rulebook import (
    Band,
    Calendar,
    Cell,
    PhaseAt,
    Ratio,
    RequiredSet,
    Rulebook,
    SpreadTerm,
)
from mm_monitor.rulebooks.values import WEEKDAYS
from mm_monitor.units import show_clock, show_duration, show_multiple, show_percent, show_price

_MISSING_THEO = {
    "unknown": "what hangs on it is unknown",
    "skip_spread": "what hangs on it passes",
    "exclude": "the time is exempt",
    "hold": "the last theo stands, however old",
}
_JUDGED_BY = {
    "ratio_of_sums": "sums of quoted and of required time over all contracts",
    "coverage": "the share of contracts that pass",
    "mean_of_ratios": "the mean of the contracts' presences",
    "contracts": "the number of contracts of each class that pass",
    "products": "the number of classes that pass",
    "days": "the days that pass, each by sums over all contracts",
    "stretches": "every stretch of continuous trading, each by sums over all contracts",
}
_ROLLUPS = {
    "union": "the best bid and ask of all, with the sizes there added",
    "best": "the best quote of one",
}
_EFFECTS = {
    "exclude": "leaves the required time",
    "deem": "counts as quoted",
    "one_side": "one side suffices",
}


def describe(rulebook: Rulebook) -> str:
    """Plain text of several lines without a final newline."""
    sections = {
        "Calendar": _calendar(rulebook.calendar),
        "A contract is owed while": _required_set(rulebook.required_set),
        "A quote is valid while": _quote(rulebook),
        "Theo": _theo(rulebook),
        "Presence": _presence(rulebook),
        "Further": _further(rulebook),
        "Exemptions": _exemptions(rulebook),
    }
    lines = list(_head(rulebook))
    for title, body in sections.items():
        if rows := list(body):
            lines += ["", title, *(f"  {row}" for row in rows)]
    return "\n".join(lines)


def _head(rulebook: Rulebook) -> Iterator[str]:
    title = f": {rulebook.title}" if rulebook.title else ""
    yield f"{rulebook.id}, version {rulebook.version}{title}"
    since = f"effective {rulebook.effective}, " if rulebook.effective else ""
    state = "verified" if rulebook.verified else "NOT VERIFIED against the official text"
    yield f"{since}{state}"
    yield f"source: {rulebook.source}"
    yield f"sha256: {rulebook.sha256}"
    for path, read in rulebook.checked.items():
        yield f"{path}: {'verified' if read else 'NOT VERIFIED'}"
    for number in rulebook.missing:
        yield f"missing, for no source gives it: {number}"


def _calendar(calendar: Calendar | None) -> Iterator[str]:
    if calendar is None:
        yield "none: the phases of the market come from records"
        return
    days = " ".join(WEEKDAYS[day] for day in calendar.days)
    yield f"{days}, times of {calendar.timezone}"
    yield from _phases(calendar.phases)
    yield f"continuous: {_continuous(calendar.phases)} s a day"
    holidays = ", ".join(sorted(calendar.holidays)) or "none listed"
    yield f"holidays: {holidays}"
    for day, phases in calendar.special.items():
        yield f"special day {day}"
        yield from _phases(phases)


def _phases(phases: tuple[PhaseAt, ...]) -> Iterator[str]:
    for phase in phases:
        offset = " of the trading date before" if phase.day else ""
        yield f"  {show_clock(phase.at)}{offset}  {phase.phase}"


def _continuous(phases: tuple[PhaseAt, ...]) -> int:
    """Seconds of wall time in continuous trading."""
    wall = [phase.day * 86_400 + phase.at for phase in phases]
    return sum(
        wall[i + 1] - wall[i] for i, phase in enumerate(phases[:-1]) if phase.phase == "continuous"
    )


def _required_set(rules: RequiredSet | None) -> Iterator[str]:
    if rules is None:
        return
    if rules.kinds:
        yield f"it is a {' or '.join(rules.kinds)}"
    if rules.months is not None:
        yield f"it expires in one of the {rules.months} nearest months of its class"
    if rules.min_days is not None:
        yield f"days to expiry >= {rules.min_days}"
    if rules.max_days is not None:
        yield f"days to expiry <= {rules.max_days}"
    if rules.exclude:
        yield f"it is not {' or '.join(rules.exclude)}"
    if rules.strikes is not None:
        yield f"its strike is the one nearest to spot, or of the {rules.strikes} on each side of it"
    if rules.within is not None:
        yield f"its strike is within {show_percent(rules.within)} of spot"
    if rules.delta is not None:
        low, high = (show_multiple(bound) for bound in rules.delta)
        yield f"its delta is {low} to {high}, whatever the sign"


def _quote(rulebook: Rulebook) -> Iterator[str]:
    yield "both sides are there (VAL-01, VAL-02)"
    if rulebook.zero_bid_below is not None:
        yield f"  or the ask alone, while theo < {show_price(rulebook.zero_bid_below)} (VAL-02)"
    yield "bid < ask (VAL-03)"
    if rulebook.min_size is not None:
        yield f"each size >= {rulebook.min_size} (VAL-04)"
    for cell in rulebook.size_by_month:
        until = "" if cell.months_to is None else f", before month {cell.months_to}"
        yield f"  >= {cell.size} from expiry month {cell.months_from}{until}, the nearest being 0 (VAL-04)"
    if rulebook.size_difference is not None:
        share = show_percent(rulebook.size_difference)
        yield f"sizes differ by <= {share} of the {rulebook.size_difference_of} one (VAL-05)"
    if rulebook.terms:
        yield f"ask - bid <= {_limit(rulebook)} (VAL-06, VAL-10)"
    if rulebook.off_theo is not None:
        band = _band(rulebook.off_theo)
        yield f"bid <= theo + {band} and ask >= theo - {band} (VAL-07)"
    if rulebook.max_age is not None:
        yield f"its age < {show_duration(rulebook.max_age)} (VAL-08)"
    if rulebook.min_rest is not None:
        since = "then on" if rulebook.rest_counts == "from_then" else "its start, once so long"
        yield f"its prices have stood {show_duration(rulebook.min_rest)}, from {since} (VAL-09)"


def _limit(rulebook: Rulebook) -> str:
    terms = [_term(term) for term in rulebook.terms]
    return terms[0] if len(terms) == 1 else f"{rulebook.combine}({', '.join(terms)})"


def _term(term: SpreadTerm) -> str:
    if term.kind == "table":
        return "; ".join(_cell(cell, term.of) for cell in term.table)
    if term.ratio is not None and term.kind == "underlying":
        return f"{show_multiple(term.ratio)} times the underlying's spread"
    if term.ratio is not None:
        return f"{show_percent(term.ratio)} of {term.of}"
    if term.kind == "ticks":
        return f"{term.ticks} tick{'s' if term.ticks > 1 else ''}"
    return show_price(term.absolute)


def _cell(cell: Cell, of: str) -> str:
    """One cell of a table, with where it holds."""
    width = f"{show_percent(cell.ratio)} of {of}" if cell.ratio else show_price(cell.absolute or 0)
    where = [
        f"{of} from {show_price(cell.price_from)}" if cell.price_from else "",
        f"{of} below {show_price(cell.price_to)}" if cell.price_to is not None else "",
        f"from {cell.days_from} days to expiry" if cell.days_from else "",
        f"below {cell.days_to} days to expiry" if cell.days_to is not None else "",
    ]
    return " ".join([width, *filter(None, [", ".join(filter(None, where))])])


def _band(band: Band) -> str:
    if band.ratio is not None:
        return f"{show_percent(band.ratio)} of theo"
    return show_price(band.absolute or 0)


def _theo(rulebook: Rulebook) -> Iterator[str]:
    if not rulebook.reads_theo:
        return
    age = rulebook.theo_max_age
    old = "missing or withdrawn" if age is None else f"missing, withdrawn, {show_duration(age)} old"
    yield f"{old}: {_MISSING_THEO[rulebook.when_missing]} (VAL-12)"


def _presence(rulebook: Rulebook) -> Iterator[str]:
    if rulebook.required is None:
        yield "measured, and not judged"
        return
    yield f">= {show_percent(rulebook.required)} of required time (PRES-03)"
    yield f"a maker is judged by {_JUDGED_BY[rulebook.judged_by]} (PRES-05)"
    if rulebook.coverage_required is not None:
        yield f"coverage >= {show_percent(rulebook.coverage_required)}"
    if rulebook.windows:
        widths = ", ".join(show_duration(width) for width in rulebook.windows)
        yield f"also by windows of {widths} of obliged time (PRES-06)"
    if rulebook.am_pm:
        yield "also by stretch of continuous trading (PRES-06)"
    if rulebook.coverage_all_but_pairs:
        yield f"  or all contracts but those of {rulebook.coverage_all_but_pairs} call/put pairs"
    if rulebook.contracts_required is not None:
        yield f"at least {rulebook.contracts_required} contracts of each class pass"
    if rulebook.products_required is not None:
        yield f"at least {rulebook.products_required} classes pass"
    if rulebook.days_required is not None:
        yield f"a month passes with >= {show_percent(rulebook.days_required)} of its days"
    if rulebook.days_tolerated is not None:
        yield f"a month passes with at most {rulebook.days_tolerated} days that fail"


def _further(rulebook: Rulebook) -> Iterator[str]:
    if rulebook.accounts:
        yield f"the accounts of one maker make one quote: {_ROLLUPS[rulebook.accounts]} (OBL-01)"
    if rulebook.grace is not None:
        yield f"too wide for more than {show_duration(rulebook.grace)} is a `spread` breach"
    if rulebook.longest_permitted is not None:
        yield f"a lapse of more than {show_duration(rulebook.longest_permitted)} is a breach"
    if rulebook.stress_relief is not None:
        yield f"inside stress the limit is {_times(rulebook.stress_relief)}"
    if rulebook.stress_weight is not None:
        yield f"time inside stress weighs {show_multiple(rulebook.stress_weight)} (PRES-09)"
    if rulebook.stress_required is not None:
        share = show_percent(rulebook.stress_required)
        yield f"inside stress >= {share} of required time, over all contracts (PRES-09)"
    if rulebook.longest_hole is not None:
        hole = show_duration(rulebook.longest_hole)
        yield f"a contract without any valid maker for more than {hole} is a breach (PRES-08)"
    for relief in rulebook.dated_relief:
        yield f"from {relief.start} to {relief.end} the limit is {_times(relief.multiple)}"


def _exemptions(rulebook: Rulebook) -> Iterator[str]:
    for kind, meaning in sorted(rulebook.exemptions.items()):
        if meaning.relax is not None:
            yield f"{kind}: the spread limit is {_times(meaning.relax)} (OBL-02)"
        else:
            yield f"{kind}: {_EFFECTS[meaning.effect]} (OBL-02)"


def _times(factor: Ratio) -> str:
    return f"multiplied by {show_multiple(factor)}"
