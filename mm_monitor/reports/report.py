"""OUT.json, as docs/report.md has it: one period under one rulebook, equal byte for byte between runs.

A period of several trading dates sums their final pictures; ratios and verdicts are of the sums.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mm_monitor.core.model import REASONS, Breach, Verdict
from mm_monitor.core.rules.judging import (
    Failing,
    Judging,
    Means,
    Part,
    judge_count,
    maker_verdict,
)
from mm_monitor.core.view import StatusView
from mm_monitor.formats import ratio_text
from mm_monitor.reports.sums import Row, sum_rows

SCHEMA = "mm-monitor/report/1"


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """What became of every record of the period."""

    applied: int = 0
    late: int = 0
    dead_letter: int = 0
    duplicate: int = 0
    no_obligation: int = 0


def build_report(
    days: Sequence[StatusView], judging: Judging, period: tuple[int, int], records: RecordCounts
) -> dict[str, object]:
    """The report over the final pictures of the period's trading dates, all under one rulebook, at least one."""
    rows = sum_rows(days)
    last = days[-1]
    return {
        "schema": SCHEMA,
        "rulebook": {
            "id": last.rulebook_id,
            "version": last.rulebook_version,
            "sha256": last.rulebook_sha256,
        },
        "period": {"start": period[0], "end": period[1]},
        "records": {name: getattr(records, name) for name in RecordCounts.__slots__},
        "obligations": [_obligation(key, rows[key], judging) for key in sorted(rows)],
        "makers": _makers(last, rows, judging),
        "contracts": _contracts(days),
        "breaches": _breaches(days),
    }


def to_bytes(report: Mapping[str, object]) -> bytes:
    """UTF-8, keys sorted, two-space indent, final newline."""
    return (json.dumps(report, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def row_verdict(row: Row, judging: Judging) -> Verdict:
    """PRES-03 of one obligation's sums."""
    if not row.required or judging.required is None:
        return Verdict.NOT_ASSESSED
    wanted = _owed(row, judging)
    return judge_count(row.quoted, row.quoted + row.unknown, wanted)


def _owed(row: Row, judging: Judging) -> Fraction:
    """How much must be quoted, ns: both the share and the time must hold."""
    return max((judging.required or Fraction(0)) * row.required, Fraction(judging.required_time))


def _obligation(key: tuple[str, str], row: Row, judging: Judging) -> dict[str, object]:
    reasons = row.by_reason.tolist() if row.by_reason is not None else [0] * len(REASONS)
    slack = row.quoted - _owed(row, judging)
    return {
        "maker": key[0],
        "contract": key[1],
        "class": row.klass,
        "quoted_ns": row.quoted,
        "lapsed_ns": row.lapsed,
        "exempt_ns": row.exempt,
        "unknown_ns": row.unknown,
        "lapsed_by_reason_ns": dict(zip(REASONS, reasons, strict=True)),
        "presence": ratio_text(Fraction(row.quoted, row.required) if row.required else None),
        "verdict": row_verdict(row, judging).value,
        "slack_ns": slack.numerator // slack.denominator if judging.required is not None else None,
        "lapses": row.lapses,
        "longest_lapse_ns": row.longest,
    }


def _makers(
    last: StatusView, rows: Mapping[tuple[str, str], Row], judging: Judging
) -> list[dict[str, object]]:
    held: dict[str, list[Row]] = {maker: [] for maker in last.makers}
    for maker, contract in sorted(rows):
        held.setdefault(maker, []).append(rows[maker, contract])
    return [maker_row(maker, held[maker], judging) for maker in sorted(held)]


def maker_row(maker: str, rows: Sequence[Row], judging: Judging) -> dict[str, object]:
    """Sums, ratios and verdict of a maker, or of a maker in one class, over those obligations."""
    quoted, whole = sum(r.quoted for r in rows), sum(r.required for r in rows)
    assessed = [r for r in rows if r.required]
    verdicts = [row_verdict(r, judging) for r in assessed]
    passed = verdicts.count(Verdict.COMPLIANT)
    coverage = (
        Fraction(passed, len(assessed)) if assessed and judging.required is not None else None
    )
    return {
        "maker": maker,
        "quoted_ns": quoted,
        "required_ns": whole,
        "presence": ratio_text(Fraction(quoted, whole) if whole else None),
        "contracts_required": len(assessed),
        "contracts_passed": passed,
        "coverage": ratio_text(coverage),
        "verdict": judge_rows(assessed, judging).value,
    }


def judge_rows(rows: Sequence[Row], judging: Judging) -> Verdict:
    """Verdict of a maker over its obligations of which something was required."""
    verdicts = [row_verdict(row, judging) for row in rows]
    classes: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        classes.setdefault(row.klass, []).append(i)
    if judging.judged_by == "stretches":
        parts = _stretch_parts(rows)
    else:
        parts = [
            Part.of([rows[i] for i in at], [verdicts[i] for i in at]) for at in classes.values()
        ]
    have = _mean([Fraction(row.quoted, row.required) for row in rows])
    could = _mean([Fraction(row.quoted + row.unknown, row.required) for row in rows])
    judged = list(zip(rows, verdicts, strict=True))
    failing = Failing(
        _pairs((row for row, verdict in judged if verdict is Verdict.BREACHED), judging),
        _pairs((row for row, verdict in judged if verdict is not Verdict.COMPLIANT), judging),
    )
    return maker_verdict(judging, parts, Means(have, could), failing)


def _stretch_parts(rows: Sequence[Row]) -> list[Part]:
    starts = sorted({start for row in rows for start in row.stretches})
    held = [[times for row in rows if (times := row.stretches.get(start))] for start in starts]
    return [
        Part(
            quoted=sum(times[0] for times in each),
            unknown=sum(times[1] for times in each),
            required=sum(times[2] for times in each),
            contracts=sum(times[2] > 0 for times in each),
            passed=0,
            hanging=0,
        )
        for each in held
    ]


def _mean(ratios: Sequence[Fraction]) -> Fraction | None:
    return sum(ratios, Fraction(0)) / len(ratios) if ratios else None


def _pairs(rows: Iterable[Row], judging: Judging) -> int | None:
    """In how many call/put pairs these rows are, None if one is in none."""
    found = {judging.pairs.get(row.contract) for row in rows}
    return None if None in found else len(found)


def _contracts(days: Sequence[StatusView]) -> list[dict[str, object]]:
    holes: dict[str, int] = {}
    for view in days:
        for contract, ns in view.market_hole:
            holes[contract] = holes.get(contract, 0) + ns
    return [{"contract": name, "market_hole_ns": holes[name]} for name in sorted(holes)]


def _breaches(days: Sequence[StatusView]) -> list[dict[str, object]]:
    found = [breach for view in days for breach in view.breaches]
    found.sort(key=lambda b: (b.start, b.kind, b.maker, b.contract))
    return [_breach(breach) for breach in found]


def _breach(breach: Breach) -> dict[str, object]:
    return {
        "id": breach.id,
        "kind": str(breach.kind),
        "maker": breach.maker,
        "contract": breach.contract,
        "start": breach.start,
        "end": breach.end,
        "reason": breach.reason,
    }
