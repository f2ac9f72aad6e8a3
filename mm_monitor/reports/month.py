"""Months out of a ledger of days: sums, shares of days and verdicts, without replaying anything (PRES-05, PRES-06).

A day may weigh more or less than another, also long after it: weights multiply its times and its vote, and nothing else
of it. Weights are fractions, so sums are taken over their common denominator and stay integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from mm_monitor.core.model import Verdict
from mm_monitor.core.rules.judging import STRETCHES, WORST_FIRST, Judging, Part, judge_count
from mm_monitor.formats import ratio_text
from mm_monitor.reports.day import WAYS, Day, Held
from mm_monitor.reports.report import judge_rows, row_verdict
from mm_monitor.reports.sums import Row

SCHEMA = "mm-monitor/month/1"
Weights = Mapping[str, Fraction]  # by date; 1 for a date that has none


@dataclass(frozen=True, slots=True)
class Month:
    """The dates of one month under one rulebook, by date. The newest says by what numbers the month is judged."""

    month: str
    days: Sequence[Day]
    weights: Weights

    @property
    def newest(self) -> Day:
        """The last date there is."""
        return self.days[-1]

    def weight(self, day: Day) -> Fraction:
        """What a date counts."""
        return self.weights.get(day.trading_date, Fraction(1))

    def factors(self) -> dict[str, int]:
        """The weights by date over their common denominator."""
        scale = lcm(*(self.weight(day).denominator for day in self.days))
        return {day.trading_date: int(self.weight(day) * scale) for day in self.days}

    def judging(self, way: str, factors: Mapping[str, int]) -> Judging:
        """The newest day's numbers, for sums of days multiplied by `factors`, by that aggregation."""
        numbers = self.newest.judging
        pairs = {name: pair for day in self.days for name, pair in day.judging.pairs.items()}
        time = numbers.required_time * sum(factors.values())
        return replace(numbers, judged_by=way, pairs=pairs, required_time=time)


def months(days: Sequence[Day], month: str, weights: Weights) -> dict[str, object]:
    """The report on every month of the ledger and every rulebook, or on `month` (YYYY-MM) alone."""
    found: dict[tuple[str, str], list[Day]] = {}
    for day in days:
        name = day.trading_date[:7]
        if month in ("", name):
            found.setdefault((name, day.rulebook), []).append(day)
    return {
        "schema": SCHEMA,
        "months": [_month(Month(key[0], found[key], weights)) for key in sorted(found)],
    }


def _month(month: Month) -> dict[str, object]:
    newest = month.newest
    makers = sorted({maker for day in month.days for maker in day.verdicts})
    return {
        "month": month.month,
        "rulebook": {"id": newest.rulebook, "version": newest.version, "sha256": newest.sha256},
        "versions": sorted({day.version for day in month.days}),
        "judged_by": newest.judging.judged_by,
        "days": [
            {"trading_date": day.trading_date, "weight": str(month.weight(day)), "version": day.version}
            for day in month.days
        ],
        "makers": [_maker(month, maker) for maker in makers],
    }  # fmt: skip


def _maker(month: Month, maker: str) -> dict[str, object]:
    held = {
        day.trading_date: [o for o in day.obligations if o.maker == maker] for day in month.days
    }
    once = dict.fromkeys(held, 1)
    plain, weighted = _rows(held, once), _rows(held, month.factors())
    by_sums = month.judging("ratio_of_sums", once)
    verdicts = {way: str(_verdict(month, maker, way, weighted)) for way in WAYS}
    votes = Counter(str(day.verdicts[maker]) for day in month.days if maker in day.verdicts)
    kinds = Counter(
        str(b["kind"]) for day in month.days for b in day.breaches if b["maker"] == maker
    )
    return {
        "maker": maker,
        "quoted_ns": sum(row.quoted for row in plain),
        "required_ns": sum(row.required for row in plain),
        "exempt_ns": sum(row.exempt for row in plain),
        "unknown_ns": sum(row.unknown for row in plain),
        "presence": ratio_text(_presence(plain)),
        "weighted_presence": ratio_text(_presence(weighted)),
        "mean_over_days": ratio_text(_mean_over_days(month, held)),
        "days": {str(verdict): votes[str(verdict)] for verdict in Verdict},
        "share_of_days": ratio_text(_share(month, maker)),
        "breaches": dict(sorted(kinds.items())),
        "verdicts": verdicts,
        "verdict": str(_judged(month, maker, verdicts)),
        "classes": [_class(klass, plain, by_sums) for klass in sorted({r.klass for r in plain})],
    }  # fmt: skip


def _class(klass: str, rows: Sequence[Row], judging: Judging) -> dict[str, object]:
    mine = [row for row in rows if row.klass == klass and row.required]
    verdicts = [row_verdict(row, judging) for row in mine]
    return {
        "class": klass,
        "quoted_ns": sum(row.quoted for row in mine),
        "required_ns": sum(row.required for row in mine),
        "presence": ratio_text(_presence(mine)),
        "contracts_required": len(mine),
        "contracts_passed": verdicts.count(Verdict.COMPLIANT),
        "verdict": str(Part.of(mine, verdicts).verdict(judging.required)),
    }


def _rows(held: Mapping[str, Sequence[Held]], factors: Mapping[str, int]) -> list[Row]:
    """Sums by contract, by name, each date's times multiplied by its factor."""
    rows: dict[str, Row] = {}
    for day, obligations in held.items():
        factor = factors[day]
        for o in obligations:
            row = rows.setdefault(o.contract, Row(contract=o.contract, klass=o.klass))
            row.quoted += factor * o.quoted
            row.exempt += factor * o.exempt
            row.unknown += factor * o.unknown
            row.other_lapsed += factor * o.lapsed
    return [rows[contract] for contract in sorted(rows)]


def _presence(rows: Sequence[Row]) -> Fraction | None:
    whole = sum(row.required for row in rows)
    return Fraction(sum(row.quoted for row in rows), whole) if whole else None


def _mean_over_days(month: Month, held: Mapping[str, Sequence[Held]]) -> Fraction | None:
    """The weighted mean of the presence of each date on which something was required."""
    total = weight = Fraction(0)
    for day in month.days:
        mine = {day.trading_date: held[day.trading_date]}
        presence = _presence(_rows(mine, {day.trading_date: 1}))
        if presence is not None:
            total += presence * month.weight(day)
            weight += month.weight(day)
    return total / weight if weight else None


def _share(month: Month, maker: str) -> Fraction | None:
    """Weight of the days that pass in that of the days that are assessed."""
    passed, assessed = _votes(month, maker, Verdict.COMPLIANT), _assessed(month, maker)
    return passed / assessed if assessed else None


def _votes(month: Month, maker: str, *verdicts: Verdict) -> Fraction:
    days = (day for day in month.days if day.verdicts.get(maker) in verdicts)
    return sum((month.weight(day) for day in days), Fraction(0))


def _assessed(month: Month, maker: str) -> Fraction:
    return _votes(month, maker, Verdict.COMPLIANT, Verdict.BREACHED, Verdict.INDETERMINATE)


def _judged(month: Month, maker: str, verdicts: Mapping[str, str]) -> str:
    """By what the rulebook names. The stretches of a month are those of its days: the worst of them decides."""
    way = month.newest.judging.judged_by
    if way != STRETCHES:
        return verdicts[way]
    days = [
        day.verdicts[maker] for day in month.days if maker in day.verdicts and month.weight(day)
    ]
    worst = [verdict for verdict in WORST_FIRST if verdict in days]
    return str(worst[0] if worst else Verdict.NOT_ASSESSED)


def _verdict(month: Month, maker: str, way: str, weighted: Sequence[Row]) -> Verdict:
    if way == "days":
        return _by_days(month, maker)
    numbers = month.newest.judging
    lacks = {"contracts": not numbers.contracts_required, "products": not numbers.products_required}
    if lacks.get(way):
        return Verdict.NOT_ASSESSED
    return judge_rows(
        [row for row in weighted if row.required], month.judging(way, month.factors())
    )


def _by_days(month: Month, maker: str) -> Verdict:
    """Enough of the days pass (their weights count), and no more fail than are tolerated (each day is one).

    What the rulebook does not say is not asked; if it says neither, every day must pass.
    """
    assessed = _assessed(month, maker)
    counts = Counter(day.verdicts.get(maker) for day in month.days)
    if not assessed:
        return Verdict.NOT_ASSESSED
    share, tolerated = month.newest.days_required, month.newest.days_tolerated
    passed = _votes(month, maker, Verdict.COMPLIANT)
    could = passed + _votes(month, maker, Verdict.INDETERMINATE)
    failed, open_ = counts[Verdict.BREACHED], counts[Verdict.INDETERMINATE]
    said = []
    if share is not None:
        said.append(judge_count(passed, could, share * assessed))
    if tolerated is not None or share is None:
        said.append(judge_count(-failed - open_, -failed, -(tolerated or 0)))
    worst_first = (Verdict.BREACHED, Verdict.INDETERMINATE, Verdict.COMPLIANT)
    return min(said, key=worst_first.index)
