"""The rows of a scorecard as tables for other programs: csv, and Parquet with the extra `parquet`.

Times are integers of ns, shares decimal text; reasons are columns of their own. Nothing is left out or rounded.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any

from mm_monitor.errors import MonitorError

Rows = Sequence[Mapping[str, Any]]
SPANS = "spans"  # for the chart alone


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nesting: `lapsed_by_reason_ns` becomes `lapsed_absent_ns` and so on."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "lapsed_by_reason_ns":
            found |= {f"lapsed_{reason}_ns": ns for reason, ns in value.items()}
        elif isinstance(value, Mapping):
            found |= {f"{name}_{inner}": one for inner, one in value.items()}
        elif name != SPANS:
            found[name] = value
    return found


def to_csv(rows: Rows, columns: Sequence[str]) -> bytes:
    """Lines of `columns`, one for each row; what is null is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name) for name in columns] for row in rows)
    return out.getvalue().encode()


def to_parquet(rows: Rows, columns: Sequence[str]) -> bytes:
    """The same as one Parquet file. MonitorError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MonitorError(
            "parquet: needs pyarrow: pip install 'mm-monitor[parquet]', or ask for --format csv"
        ) from None
    arrays = {name: pa.array([row.get(name) for row in rows], _type(pa, name)) for name in columns}
    out = BytesIO()
    pq.write_table(pa.table(arrays), out, compression="zstd")
    return out.getvalue()


def _type(pa: Any, name: str) -> Any:
    if name == "weight" or not (name.endswith(("_ns", "start", "end")) or name in COUNTS):
        return pa.string()
    return pa.int64()


COUNTS = ("contracts_required", "contracts_passed", "lapses", "breaches", "bytes", "version",
          "days_compliant", "days_breached", "days_indeterminate", "days_not_assessed")  # fmt: skip
WRITERS: dict[str, Callable[[Rows, Sequence[str]], bytes]] = {
    "csv": to_csv,
    "parquet": to_parquet,
}


def tables_of(
    card: Mapping[str, Any], names: Mapping[str, Sequence[str]], ending: str
) -> dict[str, bytes]:
    """Files by name: each of `names` with its columns."""
    write = WRITERS[ending]
    return {
        f"{name}.{ending}": write([flat(row) for row in card[name]], columns)
        for name, columns in names.items()
    }


_REASONS = ("absent", "one_sided", "crossed", "size", "unequal", "spread", "off_theo", "stale", "flicker")  # fmt: skip
_LAPSED = tuple(f"lapsed_{reason}_ns" for reason in _REASONS)
_OF_MAKER = ("quoted_ns", "required_ns", "presence", "contracts_required", "contracts_passed",
             "coverage", "verdict")  # fmt: skip
DAY: dict[str, Sequence[str]] = {
    "makers": ("maker", *_OF_MAKER, "lapses", "longest_lapse_ns", "breaches", *_LAPSED),
    "classes": ("maker", "class", *_OF_MAKER),
    "obligations": ("maker", "contract", "class", "quoted_ns", "lapsed_ns", "exempt_ns",
                    "unknown_ns", "presence", "verdict", "slack_ns", "lapses", "longest_lapse_ns",
                    *_LAPSED),
    "lapses": ("maker", "contract", "class", "start", "end", "counted_ns", "reason", "failed_by",
               "cause"),
    "breaches": ("id", "kind", "maker", "contract", "start", "end", "reason"),
    "exemptions": ("start", "end", "scope", "maker", "kind", "effect"),
    "contracts": ("contract", "market_hole_ns"),
    "inputs": ("file", "bytes", "sha256"),
}  # fmt: skip
MONTH: dict[str, Sequence[str]] = {
    "makers": ("month", "rulebook", "maker", "verdict", "presence", "weighted_presence",
               "mean_over_days", "share_of_days", "quoted_ns", "required_ns", "exempt_ns",
               "unknown_ns", "days_compliant", "days_breached", "days_indeterminate",
               "days_not_assessed"),
    "classes": ("month", "rulebook", "maker", "class", "quoted_ns", "required_ns", "presence",
                "contracts_required", "contracts_passed", "verdict"),
    "days": ("month", "rulebook", "trading_date", "weight", "version"),
    "inputs": ("file", "bytes", "sha256"),
}  # fmt: skip


def month_rows(report: Mapping[str, Any], inputs: Rows) -> dict[str, Any]:
    """The rows of a month report as `MONTH` names them."""
    found: dict[str, Any] = {"makers": [], "classes": [], "days": [], "inputs": inputs}
    for month in report["months"]:
        head = {"month": month["month"], "rulebook": month["rulebook"]["id"]}
        found["days"] += [head | day for day in month["days"]]
        for maker in month["makers"]:
            found["makers"].append(head | maker)
            found["classes"] += [head | {"maker": maker["maker"]} | one for one in maker["classes"]]
    return found
