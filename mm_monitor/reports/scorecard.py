"""A judged period with all that a reader needs to believe it, as one object: `mm-monitor/scorecard/1`.

The report's rows, every lapse, exemptions, rules in words, hashes of what was read. Papers and tables are made of it
alone, so the JSON of a scorecard can be printed again years later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mm_monitor import __version__
from mm_monitor.core.model import REASONS
from mm_monitor.core.rulebook import Rulebook
from mm_monitor.formats import ratio_text
from mm_monitor.hashes import file_hash
from mm_monitor.replay import Replayed
from mm_monitor.rulebooks import describe
from mm_monitor.studies.lapses import Lapse, Lapses

SCHEMA = "mm-monitor/scorecard/1"
ENGINE = f"mm-monitor {__version__}"


def scorecard(
    done: Replayed, found: Lapses, rulebook: Rulebook, inputs: Sequence[Path]
) -> dict[str, Any]:
    """Put together what a replay, its lapses and its files say. `inputs` are named by their file names."""
    report: Mapping[str, Any] = done.report
    judging = done.judging
    return {
        "schema": SCHEMA,
        "engine": ENGINE,
        "rulebook": _rules(rulebook),
        "judged_by": judging.judged_by,
        "required": ratio_text(judging.required),
        "period": report["period"],
        "trading_dates": [view.trading_date for view in done.days if view.trading_date],
        "records": report["records"],
        "inputs": [file_hash(path) for path in sorted(inputs)],
        "exemptions": [_exemption(one, rulebook) for one in found.exemptions],
        "makers": [_maker(row, report) for row in report["makers"]],
        "classes": _classes(done.details),
        "obligations": report["obligations"],
        "contracts": report["contracts"],
        "breaches": report["breaches"],
        "lapses": _lapses(found.lapses, report["obligations"]),
    }


def _rules(rulebook: Rulebook) -> dict[str, Any]:
    return {
        "id": rulebook.id,
        "version": rulebook.version,
        "sha256": rulebook.sha256,
        "title": rulebook.title,
        "effective": str(rulebook.effective),
        "verified": rulebook.verified,
        "source": rulebook.source,
        "timezone": rulebook.calendar.timezone if rulebook.calendar else "UTC",
        "words": describe(rulebook).splitlines(),
    }


def _exemption(one: Any, rulebook: Rulebook) -> dict[str, Any]:
    return {
        "start": one.start,
        "end": one.end,
        "scope": one.scope,
        "maker": one.maker,
        "kind": one.kind,
        "effect": rulebook.exemptions[one.kind].effect,
    }


def _maker(row: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    mine = [o for o in report["obligations"] if o["maker"] == row["maker"]]
    reasons: Counter[str] = Counter()
    for one in mine:
        reasons.update(one["lapsed_by_reason_ns"])
    return {
        **row,
        "lapsed_by_reason_ns": {name: reasons[name] for name in REASONS},
        "lapses": sum(o["lapses"] for o in mine),
        "longest_lapse_ns": max((o["longest_lapse_ns"] for o in mine), default=0),
        "breaches": sum(b["maker"] == row["maker"] for b in report["breaches"]),
    }


def _classes(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = ("class", "quoted_ns", "required_ns", "presence", "contracts_required",
             "contracts_passed", "coverage", "verdict")  # fmt: skip
    return [
        {"maker": maker["maker"], **{name: row[name] for name in names}}
        for maker in details["makers"]
        for row in maker["classes"]
    ]


def _lapses(
    found: Sequence[Lapse], obligations: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Lapses as rows. `counted_ns` is null where the obligation's do not sum to its lapsed time.

    So it is where a rulebook exempts the time without a theo: how much of that lies in which lapse is not kept.
    """
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in found:
        sums[one.maker, one.contract] += one.counted
    exact = {
        (o["maker"], o["contract"])
        for o in obligations
        if o["lapsed_ns"] == sums[o["maker"], o["contract"]]
    }
    return [
        {
            "maker": one.maker, "contract": one.contract, "class": one.klass, "start": one.start,
            "end": one.end, "counted_ns": one.counted if (one.maker, one.contract) in exact else None,
            "reason": one.reason, "failed_by": one.failed_by, "cause": one.cause,
            "spans": [list(span) for span in one.spans],
        }
        for one in found
    ]  # fmt: skip
