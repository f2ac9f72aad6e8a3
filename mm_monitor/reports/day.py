"""A finished trading date as one JSON object (mm-monitor/day/1), and back: what a month needs and no replay.

All of it is integers, names and the numbers of the rulebook that judged, so that a month can be judged by it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from mm_monitor.core.model import REASONS, Verdict
from mm_monitor.core.rulebook import Ratio, Rulebook
from mm_monitor.core.rules.judging import STRETCHES, Judging
from mm_monitor.core.view import StatusView
from mm_monitor.formats import NS

SCHEMA = "mm-monitor/day/1"
WAYS = ("ratio_of_sums", "coverage", "mean_of_ratios", "contracts", "products", "days")
JUDGED_BY = (*WAYS, STRETCHES)


@dataclass(frozen=True, slots=True)
class Held:
    """What one obligation's date came to, in ns."""

    maker: str
    contract: str
    klass: str
    quoted: int
    lapsed: int
    exempt: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Day:
    """A date under one rulebook."""

    trading_date: str
    rulebook: str
    version: int
    sha256: str
    judging: Judging
    days_required: Fraction | None
    days_tolerated: int | None
    obligations: Sequence[Held]
    verdicts: Mapping[str, Verdict]  # of makers
    breaches: Sequence[Mapping[str, Any]]


def day_record(view: StatusView, judging: Judging, rulebook: Rulebook) -> dict[str, object]:
    """The record of the final picture of a date; `judging` knows the contracts' pairs."""
    return {
        "schema": SCHEMA,
        "trading_date": view.trading_date or _utc_date(view.period_start or 0),
        "rulebook": {
            "id": view.rulebook_id,
            "version": view.rulebook_version,
            "sha256": view.rulebook_sha256,
        },
        "period": {"start": view.period_start, "end": view.period_end},
        "judging": _numbers(judging, rulebook),
        "contracts": [
            {"contract": name, "pair": list(judging.pairs[name]) if name in judging.pairs else None}
            for name in sorted(view.contracts)
        ],
        "obligations": _obligations(view),
        "classes": [_sums(row) | {"class": row.klass} for row in view.class_rows],
        "makers": [_sums(row) for row in view.maker_rows],
        "breaches": [
            {
                name: getattr(breach, name)
                for name in ("id", "kind", "maker", "contract", "start", "end", "reason")
            }
            for breach in view.breaches
        ],
    }


def _utc_date(ts: int) -> str:
    return datetime.fromtimestamp(ts // NS, tz=UTC).date().isoformat()


def _numbers(judging: Judging, rulebook: Rulebook) -> dict[str, object]:
    return {
        "judged_by": judging.judged_by,
        "required": _parts(judging.required),
        "required_time_ns": judging.required_time,
        "coverage_required": _parts(judging.coverage_required),
        "all_but_pairs": judging.all_but_pairs,
        "contracts_required": judging.contracts_required,
        "products_required": judging.products_required,
        "days_required": _parts(rulebook.days_required),
        "days_tolerated": rulebook.days_tolerated,
    }


def _parts(ratio: Fraction | Ratio | None) -> list[int] | None:
    if ratio is None:
        return None
    if isinstance(ratio, Ratio):
        return [ratio.num, ratio.den]
    return [ratio.numerator, ratio.denominator]


def _obligations(view: StatusView) -> list[dict[str, object]]:
    o = view.obligations
    by_reason = o.lapsed_by_reason.tolist()
    columns = (o.maker, o.contract, o.klass, o.quoted, o.exempt, o.unknown, o.lapses, o.longest_lapse)  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found: list[dict[str, object]] = []
    for i, (maker, contract, klass, quoted, exempt, unknown, lapses, longest) in enumerate(rows):
        found.append({
            "maker": view.makers[maker], "contract": view.contracts[contract], "class": view.classes[klass],
            "quoted_ns": quoted, "exempt_ns": exempt, "unknown_ns": unknown, "lapses": lapses,
            "longest_lapse_ns": longest, "lapsed_by_reason_ns": dict(zip(REASONS, by_reason[i], strict=True)),
        })  # fmt: skip
    return found


def _sums(row: Any) -> dict[str, object]:
    return {
        "maker": row.maker, "verdict": str(row.verdict), "quoted_ns": row.quoted, "lapsed_ns": row.lapsed,
        "exempt_ns": row.exempt, "unknown_ns": row.unknown, "contracts_required": row.contracts_required,
        "contracts_passed": row.contracts_passed, "contracts_open": row.contracts_open,
    }  # fmt: skip


# And back -----------------------------------------------------------------------------------------


def read_day(record: Mapping[str, Any]) -> Day:
    """A date from its record. KeyError, TypeError or ValueError for what is none."""
    if record["schema"] != SCHEMA:
        raise ValueError(f"schema: {SCHEMA}, got {record['schema']!r}")
    book, numbers = record["rulebook"], record["judging"]
    if numbers["judged_by"] not in JUDGED_BY:
        raise ValueError(f"judged_by: one of {', '.join(JUDGED_BY)}, got {numbers['judged_by']!r}")
    pairs = {c["contract"]: tuple(c["pair"]) for c in record["contracts"] if c["pair"]}
    return Day(
        trading_date=date.fromisoformat(record["trading_date"]).isoformat(),
        rulebook=str(book["id"]),
        version=int(book["version"]),
        sha256=str(book["sha256"]),
        judging=Judging(
            required=_fraction(numbers["required"]),
            required_time=int(numbers["required_time_ns"]),
            coverage_required=_fraction(numbers["coverage_required"]) or Fraction(1),
            judged_by=str(numbers["judged_by"]),
            all_but_pairs=int(numbers["all_but_pairs"]),
            contracts_required=int(numbers["contracts_required"]),
            products_required=int(numbers["products_required"]),
            pairs=pairs,
        ),
        days_required=_fraction(numbers["days_required"]),
        days_tolerated=numbers["days_tolerated"],
        obligations=[_held(row) for row in record["obligations"]],
        verdicts={row["maker"]: Verdict(row["verdict"]) for row in record["makers"]},
        breaches=record["breaches"],
    )


def _fraction(parts: Sequence[int] | None) -> Fraction | None:
    return None if parts is None else Fraction(*parts)


def _held(row: Mapping[str, Any]) -> Held:
    times = {name: int(row[f"{name}_ns"]) for name in ("quoted", "exempt", "unknown")}
    lapsed = sum(int(ns) for ns in row["lapsed_by_reason_ns"].values())
    return Held(row["maker"], row["contract"], row["class"], lapsed=lapsed, **times)
