"""Finds what is wrong with a rulebook that loads: rules nobody can keep, impossible calendars.

An `error` makes `mm-monitor rules lint` fail; loading accepts it, because a recorded day is judged
by the rulebook it had, good or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise

from mm_monitor.core.model import Phase
from mm_monitor.core.rulebook import Calendar, PhaseAt, Ratio, Rulebook
from mm_monitor.core.schedule import Schedule
from mm_monitor.rulebooks.finding import Finding, error, warning
from mm_monitor.rulebooks.lint_tables import SAMPLE_TICK, lint_tables
from mm_monitor.units import show_multiple, show_percent, show_price

YEARS = 3  # the year from which the rulebook applies, and the next two
DAY = 86_400
LAST_YEAR = 2258  # event time is int64 ns, and three years are looked at


def lint(rulebook: Rulebook) -> list[Finding]:
    """Everything found, errors first."""
    checks = (_head, _quote, _spread, _off_theo, _relief, _theo, _presence, lint_tables, _calendar)
    findings = [finding for check in checks for finding in check(rulebook)]
    return sorted(findings, key=lambda finding: finding.level != "error")


def _head(rulebook: Rulebook) -> Iterator[Finding]:
    if not rulebook.verified:
        yield warning("verified", "nobody has compared these numbers with the official text")
    for path, read in rulebook.checked.items():
        if rulebook.verified and not read:
            yield warning(f"{path}.verified", "nobody has compared these with the official text")
    if not rulebook.effective:
        yield warning(
            "effective", "no date, so the calendar was not checked against changes of the clocks"
        )


# Rules --------------------------------------------------------------------------------------------


def _quote(rulebook: Rulebook) -> Iterator[Finding]:
    difference = rulebook.size_difference
    if difference and difference.num >= difference.den and rulebook.size_difference_of == "larger":
        yield warning(
            "quote.max_size_difference", "two sizes never differ by more than the larger of them"
        )
    if rulebook.zero_bid_below is not None and not rulebook.terms:
        yield warning(
            "quote.zero_bid_below",
            "frees makers of the bid, yet the ask has no spread rule to keep: is [spread] missing?",
        )


def _spread(rulebook: Rulebook) -> Iterator[Finding]:
    """VAL-10: a quote is at least one tick wide, so a limit below one tick can't be met."""
    relative = [(i, term) for i, term in enumerate(rulebook.terms) if term.kind == "relative"]
    floor = rulebook.combine == "max" and len(relative) < len(rulebook.terms)
    if relative and not floor:
        least = (min if rulebook.combine == "max" else max)(
            (_least_price(term.ratio), i, term) for i, term in relative if term.ratio is not None
        )
        price, i, term = least
        yield error(
            f"spread.terms[{i}]",
            f"cannot be met at low prices: with tick {show_price(SAMPLE_TICK)} even a spread of "
            f"one tick passes only from {term.of} {show_price(price)} on; "
            + _remedy(rulebook.combine),
        )
    if rulebook.grace is not None and not rulebook.terms:
        yield warning("spread.grace", "does nothing without spread.terms")


def _least_price(ratio: Ratio) -> int:
    """The smallest price, 10^-8, of which `ratio` is at least the sample tick."""
    return -(-SAMPLE_TICK * ratio.den // ratio.num)


def _remedy(combine: str) -> str:
    if combine == "max":
        return "add a term { ticks = 1 }"
    return 'combine = "min" takes the smallest term, so no other term can help'


def _off_theo(rulebook: Rulebook) -> Iterator[Finding]:
    if rulebook.off_theo is None or rulebook.off_theo.ratio is None:
        return
    ratio = rulebook.off_theo.ratio
    least = -(-SAMPLE_TICK * ratio.den // (ratio.den + ratio.num))
    if (rulebook.zero_bid_below or 0) < least:
        yield warning(
            "spread.off_theo.relative",
            f"with tick {show_price(SAMPLE_TICK)} no bid can be near a theo below "
            f"{show_price(least)}, and no quote.zero_bid_below frees makers of it there",
        )


def _relief(rulebook: Rulebook) -> Iterator[Finding]:
    factors = {
        f"exemptions.{kind}.relax": meaning.relax
        for kind, meaning in rulebook.exemptions.items()
        if meaning.relax is not None
    }
    if rulebook.stress_relief is not None:
        factors["stress.relief"] = rulebook.stress_relief
    for path, factor in factors.items():
        if not rulebook.terms:
            yield warning(path, "does nothing without spread.terms")
        elif factor.num < factor.den:
            yield warning(path, f"{show_multiple(factor)} makes the limit narrower, not wider")


def _theo(rulebook: Rulebook) -> Iterator[Finding]:
    if rulebook.reads_theo:
        return
    if rulebook.theo_max_age is not None:
        yield warning("theo.max_age", "does nothing: no test of this rulebook reads theo")
    if rulebook.when_missing != "unknown":
        yield warning("theo.when_missing", "does nothing: no test of this rulebook reads theo")


def _presence(rulebook: Rulebook) -> Iterator[Finding]:
    shares: Mapping[str, Ratio | None] = {
        "presence.required": rulebook.required,
        "presence.coverage_required": rulebook.coverage_required,
    }
    for path, share in shares.items():
        if share is not None and share.num > share.den:
            yield error(path, f"nobody can keep {show_percent(share)}: 100% is all there is")
        if share is not None and share.num == 0:
            yield warning(path, "0% is kept by whoever does nothing")
    if rulebook.required is None:
        yield warning("presence.required", "missing: presence is measured, and nobody is judged")


# Calendar -----------------------------------------------------------------------------------------


def _calendar(rulebook: Rulebook) -> Iterator[Finding]:
    calendar = rulebook.calendar
    if calendar is None:
        yield warning("calendar", "missing: the market's phases must come from records")
        return
    for path, phases, _ in _days(calendar):
        yield from _order(path, phases)
        yield from _ends(path, phases)
        yield from _eves(path, phases)
    yield from _dated(calendar, rulebook.effective)
    if not calendar.holidays:
        yield warning("calendar.holidays", "none: every listed weekday counts as a trading date")
    for day in sorted(calendar.holidays & calendar.special.keys()):
        yield warning("calendar.holidays", f"{day} is also in `special`, which wins: it trades")


def _days(calendar: Calendar) -> Iterator[tuple[str, tuple[PhaseAt, ...], str]]:
    """Each list of phases with its path and, for a special day, its date."""
    yield "calendar.phases", calendar.phases, ""
    for i, (day, phases) in enumerate(calendar.special.items()):
        yield f"calendar.special[{i}].phases", phases, day


def _wall(phase: PhaseAt) -> int:
    """Seconds of wall time from the trading date's midnight, were all days trading dates."""
    return phase.day * DAY + phase.at


def _order(path: str, phases: tuple[PhaseAt, ...]) -> Iterator[Finding]:
    for i in range(1, len(phases)):
        if _wall(phases[i]) <= _wall(phases[i - 1]):
            yield error(f"{path}[{i}].at", "must be later than the phase before it")
        elif phases[i].phase == phases[i - 1].phase:
            yield warning(f"{path}[{i}].phase", "the same phase goes on")


def _ends(path: str, phases: tuple[PhaseAt, ...]) -> Iterator[Finding]:
    if all(phase.phase != Phase.CONTINUOUS for phase in phases):
        yield error(path, "no `continuous` phase: nobody is ever obliged")
    if phases and phases[-1].phase != Phase.CLOSED:
        yield error(
            f"{path}[{len(phases) - 1}].phase",
            f"the last phase must be `closed`, not `{phases[-1].phase}`: it ends the day",
        )
    for i, phase in enumerate(phases):
        if phase.phase in (Phase.HALT, Phase.BREAKER_AUCTION):
            yield warning(f"{path}[{i}].phase", f"`{phase.phase}` is no part of a regular day")


def _eves(path: str, phases: tuple[PhaseAt, ...]) -> Iterator[Finding]:
    """The eve of a Monday is Friday: what stands overnight would stand all weekend."""
    for i, (phase, after) in enumerate(pairwise(phases)):
        if phase.day < after.day and phase.phase == Phase.CONTINUOUS:
            yield error(
                f"{path}[{i}].phase",
                "goes on until the trading date itself, through weekends too; end it with a phase "
                f"of day = {phase.day} (half past two at night is its 26:30)",
            )


def _dated(calendar: Calendar, effective: str) -> Iterator[Finding]:
    """What only dates can show; without an effective date there are no years to look at."""
    if not effective:
        return
    if date.fromisoformat(effective).year > LAST_YEAR:
        yield error("effective", f"event time ends in 2262; a year up to {LAST_YEAR} can be judged")
        return
    schedule = Schedule(calendar)
    days = list(_trading_dates(schedule, date.fromisoformat(effective).year))
    yield from _overlap(schedule, days)
    for path, phases, special in _days(calendar):
        regular = [day for day in days if day not in calendar.special]
        for i, phase in enumerate(phases):
            walls = (schedule.wall(day, phase) for day in ([special] if special else regular))
            flaw = next(filter(None, map(_flaw, walls)), "")
            if flaw:
                yield error(f"{path}[{i}].at", flaw)


def _trading_dates(schedule: Schedule, year: int) -> Iterator[str]:
    """The trading dates of the years that are checked."""
    day = date(year, 1, 1)
    while day.year < year + YEARS:
        if schedule.is_trading_date(day.isoformat()):
            yield day.isoformat()
        day += timedelta(days=1)


def _overlap(schedule: Schedule, days: list[str]) -> Iterator[Finding]:
    for before, after in pairwise(days):
        if schedule.phases(after)[0][0] < schedule.phases(before)[-1][0]:
            yield error(
                "calendar.phases", f"{after} begins before {before}, the date before it, has ended"
            )
            return


def _flaw(wall: datetime) -> str:
    """What is wrong with a local time, "" if it is exactly one instant."""
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    if first == second or first is None or second is None:
        return ""
    what = "does not exist" if first < second else "is ambiguous: it exists twice"
    return f"{wall:%H:%M} on {wall.date()} {what} in {wall.tzinfo}, where the clocks change then"
